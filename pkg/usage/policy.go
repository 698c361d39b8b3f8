package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Smaller is the policy of a role without what is unused.
type Smaller struct {
	// Document grants, alone, what all policies of the role grant but for the unused actions.
	Document *iampolicy.Document
	// Facts are those in which the role has only this policy, to be judged.
	Facts *snapshot.Snapshot
	// Removed are the unused actions.
	Removed []string
	// Notes are what to know about it, a sentence each.
	Notes []string

	patterns []string
}

// maxPolicy is how many characters a managed policy may have, white space aside.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxPolicy = 6144

// Policy makes the smaller policy of a role. Everything but the unused actions keeps its
// answer: every action that is needed, however rarely, that was used, or that IAM does not
// track. An action that a statement names is left out of it. A pattern such as ec2:* stays,
// as IAM does not track all that it matches, and a Deny statement takes away the unused
// actions that it matches. It is an error if a policy could not be read, if the role
// is too young, or if the result does not keep every answer.
func Policy(v *view.View, role Role) (*Smaller, error) {
	r := v.Role(role.ARN)
	switch {
	case len(role.Unread) > 0:
		return nil, fmt.Errorf("the policies of %s could not be read in full: %s", role.Name, role.Unread[0])
	case role.Young:
		return nil, fmt.Errorf("%s was created on %s, after the days began", role.Name, role.CreatedAt.Format(time.DateOnly))
	}
	s := &Smaller{patterns: role.Patterns}
	for _, a := range role.Actions {
		if a.Status == Unused {
			s.Removed = append(s.Removed, a.Name)
		}
	}
	merged, err := s.merge(documentsOf(v, r))
	if err != nil {
		return nil, err
	}
	written, err := json.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("write the policy: %w", err)
	}
	if s.Document, err = iampolicy.Parse(iampolicy.Identity, written); err != nil {
		return nil, fmt.Errorf("write the policy: %w", err)
	}
	s.Facts = withPolicy(v.Snapshot, role.ARN, string(written))
	if err := keeps(v, view.New(s.Facts), role); err != nil {
		return nil, err
	}
	if n := len(strings.Join(strings.FieldsFunc(string(written), unicode.IsSpace), "")); n > maxPolicy {
		s.Notes = append(s.Notes, fmt.Sprintf("it has %d characters, and a managed policy may have %d: divide it", n, maxPolicy))
	}
	return s, nil
}

// merge makes one document of those of a role.
func (s *Smaller) merge(documents []*iampolicy.Document) (*iampolicy.Document, error) {
	out := &iampolicy.Document{Version: iampolicy.Version2012}
	for _, d := range documents {
		if d.Version != iampolicy.Version2012 && strings.Contains(documentText(d), "${") {
			return nil, errors.New("a policy of version 2008-10-17 has ${, which means something else in version 2012-10-17: change its version first")
		}
		for _, st := range d.Statements {
			st.Sid = ""
			if st.Effect == iampolicy.Allow && st.Actions != nil {
				kept := slices.DeleteFunc(slices.Clone(st.Actions), s.removes)
				if len(kept) == 0 {
					continue
				}
				st.Actions = kept
			}
			out.Statements = append(out.Statements, st)
		}
	}
	out.Statements = distinct(out.Statements)
	if denied := s.stillGranted(out); len(denied) > 0 {
		out.Statements = append(out.Statements, iampolicy.Statement{Sid: "NotUsed", Effect: iampolicy.Deny, Actions: denied, Resources: []string{"*"}})
		s.Notes = append(s.Notes, strings.Join(s.patterns, ", ")+" stay, because IAM does not track all that they match; the Deny statement NotUsed takes the unused actions away")
	}
	return out, nil
}

// removes reports whether an entry names an unused action.
func (s *Smaller) removes(entry string) bool {
	return slices.ContainsFunc(s.Removed, func(name string) bool { return strings.EqualFold(name, entry) })
}

// matching are the entries of an Allow statement that match more than one action.
func matching(st iampolicy.Statement) []string {
	if st.NotActions != nil {
		return []string{"all actions but " + strings.Join(st.NotActions, ", ")}
	}
	var list []string
	for _, a := range st.Actions {
		if strings.ContainsAny(a, "*?") {
			list = append(list, a)
		}
	}
	return list
}

// stillGranted are the unused actions that a document grants by a pattern.
func (s *Smaller) stillGranted(d *iampolicy.Document) []string {
	parsed, err := iampolicy.Parse(iampolicy.Identity, []byte(documentText(d)))
	if err != nil {
		return s.Removed
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Document: parsed}}})
	var still []string
	for _, name := range s.Removed {
		result, err := set.Evaluate(&iampolicy.Request{Principal: anyRole, Account: anyAccount, Action: name, Resource: "*", Context: iampolicy.NewContext()})
		if err != nil || result.Decision != iampolicy.Denied || len(result.Nearest) > 0 && !result.Explicit {
			still = append(still, name)
		}
	}
	return still
}

// A role of no account, as what a document says of an action does not depend on it.
const (
	anyAccount = "111122223333"
	anyRole    = "arn:aws:iam::" + anyAccount + ":role/any"
)

func documentText(d *iampolicy.Document) string {
	written, err := json.Marshal(d)
	if err != nil {
		panic(err) // every document can be written as JSON
	}
	return string(written)
}

// distinct leaves out statements that are there already.
func distinct(list []iampolicy.Statement) []iampolicy.Statement {
	var kept []iampolicy.Statement
	seen := map[string]bool{}
	for _, st := range list {
		written, err := json.Marshal(st)
		if err == nil && seen[string(written)] {
			continue
		}
		seen[string(written)] = true
		kept = append(kept, st)
	}
	return kept
}

// documentsOf are the documents of a role's policies; those that cannot be parsed are left
// out.
func documentsOf(v *view.View, r *view.Role) []*iampolicy.Document {
	var texts []string
	for _, arn := range r.Facts.AttachedPolicies {
		texts = append(texts, v.Snapshot.Policies[arn].Document)
	}
	for _, name := range text.SortedKeys(r.Facts.InlinePolicies) {
		texts = append(texts, r.Facts.InlinePolicies[name])
	}
	var list []*iampolicy.Document
	for _, t := range texts {
		if d, err := iampolicy.Parse(iampolicy.Identity, []byte(t)); err == nil {
			list = append(list, d)
		}
	}
	return list
}

// smallerName is the name of the inline policy in Smaller.Facts.
const smallerName = "smaller"

// withPolicy returns facts in which a role has one policy.
func withPolicy(facts *snapshot.Snapshot, arn, document string) *snapshot.Snapshot {
	s := *facts
	s.Roles = map[string]snapshot.Role{}
	for key, role := range facts.Roles {
		if key == arn {
			role.AttachedPolicies, role.InlinePolicies = nil, map[string]string{smallerName: document}
		}
		s.Roles[key] = role
	}
	return &s
}

// keeps checks that the role is granted with the smaller policy what it was granted before,
// but for the unused actions.
func keeps(before, after *view.View, role Role) error {
	needs := needsOf(before, role.ARN)
	for _, a := range role.Actions {
		wants, ok := find(needs, a.Name)
		if !ok {
			wants.Action = need.Named(a.Name)
		}
		was, is := before.Role(role.ARN).Can(wants.Action).Verdict, after.Role(role.ARN).Can(wants.Action).Verdict
		switch {
		case a.Status == Unused && is != view.Denied:
			return fmt.Errorf("the smaller policy would still grant %s", a.Name)
		case a.Status != Unused && was != is:
			return fmt.Errorf("the smaller policy would change %s from %s to %s", a.Name, answerWord(was), answerWord(is))
		}
	}
	return nil
}
