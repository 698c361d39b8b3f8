package planner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// ManualError says that a finding, or a part of its repair, is left to people.
type ManualError struct {
	// Why is a clause or a sentence.
	Why string
	// Blockers are other findings that have to be repaired first or together.
	Blockers []finding.Ref
	// Next is what people do; none of it is what fix does.
	Next []finding.Next
	// Finding is set where it is not the finding whose repair was planned.
	Finding *finding.Result
}

// Error returns why.
func (e *ManualError) Error() string { return e.Why }

// manual is the entry of a plan; r is the finding whose repair was planned.
func (e *ManualError) manual(r finding.Result) Manual {
	if e.Finding != nil {
		r = *e.Finding
	}
	return Manual{Rule: r.ID, Subject: r.Subject.Name, Message: r.Message, Why: e.Why, Evidence: r.Evidence, Next: e.Next}
}

// manual returns a ManualError of a reason alone.
func manual(format string, args ...any) *ManualError {
	return &ManualError{Why: fmt.Sprintf(format, args...)}
}

// next returns the error with what people do.
func (e *ManualError) next(next ...finding.Next) *ManualError {
	e.Next = next
	return e
}

// blocked returns the error of a finding that waits for others.
func blocked(by []finding.Result) *ManualError {
	e := &ManualError{}
	var words []string
	for _, r := range by {
		e.Blockers = append(e.Blockers, r.Ref())
		words = append(words, r.Message+" ("+r.ID+")")
	}
	e.Why = "repair first: " + strings.Join(words, "; ")
	return e
}

// Why findings are left to people.
const (
	whyDenied         = "an explicit Deny, a permissions boundary or another limit denies it, which fix does not change"
	whyNoStep         = "fix has no step for it"
	whyShared         = "its nodes need a role of their own, and fix does not replace nodes"
	whyTrustDenied    = "the trust policy denies it explicitly, which fix does not change"
	whyPoliciesUnread = "the access policies of its access entry could not be read, and would be lost"
)

// manualErrors are the ManualErrors of which an error consists.
func manualErrors(err error) []*ManualError {
	var joined interface{ Unwrap() []error }
	var one *ManualError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		var list []*ManualError
		for _, e := range joined.Unwrap() {
			list = append(list, manualErrors(e)...)
		}
		return list
	case errors.As(err, &one):
		return []*ManualError{one}
	default:
		return []*ManualError{{Why: err.Error()}}
	}
}
