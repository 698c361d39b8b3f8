package change

import (
	"maps"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// Kind describes what a change is made to.
type Kind string

// API is where changes of a kind are read and written.
type API int

// The APIs.
const (
	AWS API = iota + 1
	Kubernetes
)

// kind is all that differs between the kinds of change. A kind has a file of its own.
type kind struct {
	api API
	// describe names what is changed.
	describe func(Change) string
	// commands make the change. The error says why no command makes it.
	commands func(Change) ([]command.Command, error)
	// wait succeeds when the change shows; nil where the AWS CLI and kubectl have no such
	// command.
	wait func(Change) ([]command.Command, error)
	// applies reports whether the change can be applied to what was found; nil where that
	// is what was found being the state before.
	applies func(c Change, found *State) bool
	// applied reports, besides the state after, whether what was found shows the change;
	// nil for nothing besides.
	applied func(c Change, found *State) bool
	// role is the ARN of the role that EKS has to find before it accepts the change; nil
	// for a kind that names none.
	role func(Change) string
	// texts are the document before and after, of a kind that edits a document.
	texts func(Change) (before, after string, ok bool)
}

// kinds is the table of all kinds.
var kinds = map[Kind]kind{
	Role:               roleKind,
	Attachment:         attachmentKind,
	InlinePolicy:       inlinePolicyKind,
	Policy:             policyKind,
	InstanceProfile:    instanceProfileKind,
	ProfileRole:        profileRoleKind,
	AccessEntry:        accessEntryKind,
	AccessPolicy:       accessPolicyKind,
	TrustPolicy:        trustPolicyKind,
	OIDCProvider:       oidcProviderKind,
	Association:        associationKind,
	Addon:              addonKind,
	AddonRole:          addonRoleKind,
	AuthRole:           authRoleKind,
	ServiceAccountRole: serviceAccountRoleKind,
	Rollout:            rolloutKind,
}

// Kinds returns all kinds, sorted.
func Kinds() []Kind { return slices.Sorted(maps.Keys(kinds)) }

// API returns where changes of the kind are read and written; 0 for an unknown kind.
func (k Kind) API() API { return kinds[k].api }

// String names what is changed, as people do.
func (c Change) String() string {
	if k, ok := kinds[c.Kind]; ok {
		return k.describe(c)
	}
	return string(c.Kind) + " " + c.Name
}

// Commands returns the commands of the AWS CLI or of kubectl that make the change, in
// order; none where NoCommand says why.
func (c Change) Commands() []command.Command {
	list, _ := c.commands()
	return list
}

// NoCommand returns why no command makes the change; empty where Commands has some.
func (c Change) NoCommand() string {
	if _, err := c.commands(); err != nil {
		return err.Error()
	}
	return ""
}

func (c Change) commands() ([]command.Command, error) {
	k, ok := kinds[c.Kind]
	if !ok {
		return nil, noCommandError("the kind of change is unknown")
	}
	return k.commands(c)
}

// Wait returns commands that fail until the change shows; none where there is no such
// command. Some of them wait for minutes.
func (c Change) Wait() []command.Command {
	wait := kinds[c.Kind].wait
	if wait == nil {
		return nil
	}
	list, err := wait(c)
	if err != nil {
		return nil
	}
	return list
}

// RoleARN returns the ARN of the role that EKS has to find before it accepts the change,
// which is some seconds after the role was created; empty for none.
func (c Change) RoleARN() string {
	if role := kinds[c.Kind].role; role != nil && c.After != nil {
		return role(c)
	}
	return ""
}

// Texts returns the document before and after the change, of a change that edits one;
// ok is false for any other.
func (c Change) Texts() (before, after string, ok bool) {
	if texts := kinds[c.Kind].texts; texts != nil {
		return texts(c)
	}
	return "", "", false
}

// AppliedIn reports whether what was found is the state after the change. Unlike Same
// it requires that what the change removes is gone.
func (c Change) AppliedIn(found *State) bool {
	applied := kinds[c.Kind].applied
	return Same(c.After, found) && (applied == nil || applied(c, found))
}

// AppliesTo reports whether the change can be applied to what was found.
func (c Change) AppliesTo(found *State) bool {
	if applies := kinds[c.Kind].applies; applies != nil {
		return applies(c, found)
	}
	return Same(c.Before, found)
}

// noCommandError is why no command makes a change.
type noCommandError string

func (n noCommandError) Error() string { return string(n) }

// without is a list, sorted, without what is in another.
func without(list, other []string) []string {
	return slices.DeleteFunc(sorted(list), func(s string) bool { return slices.Contains(other, s) })
}
