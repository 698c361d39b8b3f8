// Package usage compares what a role is granted with what nodes need and with IAM's last
// accessed information, and makes the smaller policy. It reads nothing.
package usage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Kind is the kind of a List.
const Kind = "RoleUsageList"

// The days of an unused action.
const (
	DefaultDays = 90
	// MaxDays is how long IAM keeps what it tracks, at least.
	// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html
	MaxDays = 400
)

// List is the use of roles. It is a versioned object: fields are added, never changed,
// within a version.
type List struct {
	finding.Header `json:",inline"`

	// Cluster is the cluster's ARN.
	Cluster string `json:"cluster"`
	// Days is the number of days without use after which an action is unused.
	Days  int    `json:"days"`
	Items []Role `json:"items"`
	// Missing is what could not be read.
	Missing []snapshot.Missing `json:"missing,omitempty"`
}

// Role is the use of a role.
type Role struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// ReportedAt is when IAM made its report.
	ReportedAt time.Time `json:"reportedAt"`
	// CreatedAt is when the role was created; absent where that is not known.
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// Young is set where the role is younger than the days: an unused action was not used
	// since then.
	Young bool `json:"young,omitempty"`
	// Actions are ordered by status and name.
	Actions []Action `json:"actions"`
	// Patterns are the entries of policies that match several actions, such as ec2:Describe*.
	// They may also match actions that IAM does not track, which are not among Actions.
	Patterns []string `json:"patterns,omitempty"`
	// Unread names the policies of the role that could not be read, a line each.
	Unread []string `json:"unread,omitempty"`
}

// Action is an action that the role is granted or needs.
type Action struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// NeededFor says what calls it; empty for an action that nothing on a node needs.
	NeededFor string `json:"neededFor,omitempty"`
	// Answer is what the role's policies say: allowed, denied, depends or unknown.
	Answer string `json:"answer"`
	// GrantedBy are the statements that grant it.
	GrantedBy []string `json:"grantedBy,omitempty"`
	// Tracked is set where IAM tracks the action.
	Tracked bool `json:"tracked"`
	// LastUsedAt is the last attempt of the action; absent where IAM does not track it, or
	// has seen none in the tracking period.
	LastUsedAt time.Time `json:"lastUsedAt,omitzero"`
	// ServiceLastUsedAt is the last attempt of any action of its service.
	ServiceLastUsedAt time.Time `json:"serviceLastUsedAt,omitzero"`
}

// Status summarizes whether an action is granted, needed and used.
type Status string

// The statuses, in the order of a list.
const (
	// Missing: a node needs it, and the role does not have it.
	Missing Status = "missing"
	// Unknown: it is needed, and whether it is granted is not known.
	Unknown Status = "unknown"
	// Unused: granted, tracked, not used in the days, and not needed.
	Unused Status = "unused"
	// Untracked: granted and not needed, and IAM does not track it.
	Untracked Status = "untracked"
	// Used: granted, used in the days, and not in the lists of what nodes need.
	Used Status = "used"
	// Needed: granted and needed, however rarely it is used.
	Needed Status = "needed"
)

// Statuses lists every Status in order.
var Statuses = []Status{Missing, Unknown, Unused, Untracked, Used, Needed}

// Roles returns the ARNs of the roles that nodes and aws-node use, ordered by name.
func Roles(v *view.View) []string {
	var arns []string
	add := func(arn string) {
		if arn != "" && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	for _, r := range v.NodeRoles() {
		add(r.ARN)
	}
	for _, r := range slices.Concat(v.HybridRoles(), v.HyperPodRoles()) {
		add(r.ARN)
	}
	if identity := v.ConfiguredIdentity(); identity.Own() {
		add(identity.RoleARN)
	}
	add(v.AssociatedRole())
	arns = slices.DeleteFunc(arns, func(arn string) bool { return v.Role(arn).Facts.NotFound })
	slices.SortFunc(arns, func(a, b string) int {
		return cmp.Or(cmp.Compare(snapshot.NameOf(a), snapshot.NameOf(b)), cmp.Compare(a, b))
	})
	return arns
}

// Of compares what a role is granted with what is needed of it and with its use. An action
// is unused if its last attempt is more than the given number of days before IAM's report.
func Of(v *view.View, arn string, used snapshot.Usage, days int) Role {
	r := v.Role(arn)
	role := Role{Name: r.Name, ARN: arn, ReportedAt: used.ReportedAt, CreatedAt: r.Facts.CreatedAt}
	cutoff := used.ReportedAt.AddDate(0, 0, -days)
	role.Young = r.Facts.CreatedAt.After(cutoff)
	for _, m := range unreadOf(v, r) {
		line := fmt.Sprintf("%s: %s", m.Operation, m.Error)
		if !slices.Contains(role.Unread, line) {
			role.Unread = append(role.Unread, line)
		}
	}
	needs := needsOf(v, arn)
	for _, name := range actionsOf(v, r, needs, used) {
		if a, ok := actionOf(r, name, needs, used, cutoff); ok {
			role.Actions = append(role.Actions, a)
		}
	}
	for _, d := range documentsOf(v, r) {
		for _, st := range d.Statements {
			if st.Effect == iampolicy.Allow {
				role.Patterns = append(role.Patterns, matching(st)...)
			}
		}
	}
	slices.Sort(role.Patterns)
	role.Patterns = slices.Compact(role.Patterns)
	slices.SortFunc(role.Actions, func(a, b Action) int {
		return cmp.Or(cmp.Compare(slices.Index(Statuses, a.Status), slices.Index(Statuses, b.Status)), cmp.Compare(a.Name, b.Name))
	})
	return role
}

// unreadOf is what of the policies of a role could not be read.
func unreadOf(v *view.View, r *view.Role) []snapshot.Missing {
	list := slices.Clone(r.Unread)
	for _, m := range v.Snapshot.Missing {
		switch m.Fact { //nolint:exhaustive // the other facts are not about what a role is granted
		case snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies:
			if m.Subject == "" || m.Subject == r.ARN || strings.HasPrefix(m.Subject, r.ARN+"#") {
				list = append(list, m)
			}
		case snapshot.FactPolicies:
			if m.Subject == "" || slices.Contains(r.Facts.AttachedPolicies, m.Subject) || m.Subject == r.Facts.PermissionsBoundary {
				list = append(list, m)
			}
		}
	}
	return list
}

// actionsOf returns the names of the actions to report: those that the role's policies name,
// those that IAM tracks, and those that are needed. Each is in the list once, in whatever
// case.
func actionsOf(v *view.View, r *view.Role, needs []wanted, used snapshot.Usage) []string {
	names := map[string]string{}
	add := func(name string) {
		if key := strings.ToLower(name); names[key] == "" && !strings.ContainsAny(name, "*?") && strings.Contains(name, ":") {
			names[key] = name
		}
	}
	for _, n := range needs {
		add(n.Name)
	}
	for _, service := range text.SortedKeys(used.Services) {
		for _, action := range text.SortedKeys(used.Services[service].Actions) {
			add(service + ":" + action)
		}
	}
	for _, d := range documentsOf(v, r) {
		for _, s := range d.Statements {
			for _, a := range s.Actions {
				add(a)
			}
		}
	}
	list := make([]string, 0, len(names))
	for _, key := range text.SortedKeys(names) {
		list = append(list, names[key])
	}
	return list
}

// actionOf judges an action; ok is false for one that is neither granted nor needed.
func actionOf(r *view.Role, name string, needs []wanted, used snapshot.Usage, cutoff time.Time) (a Action, ok bool) {
	wants, needed := find(needs, name)
	if !needed {
		wants = wanted{Action: need.Named(name)}
	}
	answer := r.Can(wants.Action)
	granted := answer.Verdict == view.Allowed || answer.Verdict == view.Depends || len(answer.Result.Nearest) > 0 && !answer.Blocked()
	a = Action{Name: name, NeededFor: wants.For, Answer: answerWord(answer.Verdict)}
	if !needed {
		a.NeededFor = ""
	}
	for _, s := range slices.Concat(answer.Result.Statements, answer.Result.Nearest) {
		if granted && !slices.Contains(a.GrantedBy, s.String()) {
			a.GrantedBy = append(a.GrantedBy, s.String())
		}
	}
	service, action, _ := strings.Cut(name, ":")
	use := used.Services[strings.ToLower(service)]
	a.ServiceLastUsedAt = use.LastUsed
	for tracked, at := range use.Actions {
		if strings.EqualFold(tracked, action) {
			a.Tracked, a.LastUsedAt = true, at
		}
	}
	switch {
	case needed && granted:
		a.Status = Needed
	case needed && answer.Verdict == view.Unknown:
		a.Status = Unknown
	case needed && wants.rare:
		return Action{}, false // nodes of this cluster work without
	case needed:
		a.Status = Missing
	case !granted:
		return Action{}, false
	case !a.Tracked:
		a.Status = Untracked
	case a.LastUsedAt.After(cutoff):
		a.Status = Used
	default:
		a.Status = Unused
	}
	return a, true
}

func answerWord(v view.Verdict) string {
	switch v {
	case view.Allowed:
		return "allowed"
	case view.Denied:
		return "denied"
	case view.Depends:
		return "depends"
	case view.Unknown:
		return "unknown"
	default:
		return "unknown"
	}
}

// Count returns how many actions have a status.
func (r Role) Count(s Status) int {
	n := 0
	for _, a := range r.Actions {
		if a.Status == s {
			n++
		}
	}
	return n
}

// DeepCopyObject returns a copy of the list's top level. A list is never changed once it is
// made, so that its slices may be shared.
func (l *List) DeepCopyObject() runtime.Object {
	c := *l
	return &c
}
