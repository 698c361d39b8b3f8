package change_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

// one is a Store of one thing.
type one struct {
	there *change.State
	err   error
	// wrote answers a write, and unread the read after it.
	wrote, unread error
	refused       bool
}

func (o *one) State(context.Context, change.Change) (*change.State, error) { return o.there, o.err }

func (o *one) Write(ctx context.Context, c change.Change) error {
	if o.wrote != nil {
		change.Sent(ctx, true) // the first attempt
		change.Sent(ctx, o.refused)
	}
	o.there, o.err = c.After, o.unread
	return o.wrote
}

// TestAppliedChain: changes of one thing are made in their order, so that what is there
// tells how many of them were.
func TestAppliedChain(t *testing.T) {
	stale := &change.State{Type: "EC2", CreatedAt: "2020-01-01T00:00:00Z"}
	fresh := &change.State{Type: "EC2", CreatedAt: "2030-01-01T00:00:00Z"}
	entry := func(before, after *change.State) change.Change {
		return change.Change{Kind: change.AccessEntry, Name: "r", Cluster: "c", Before: before, After: after}
	}
	trust := func(before, after string) change.Change {
		return change.Change{Kind: change.TrustPolicy, Name: "r", Before: &change.State{Document: before}, After: &change.State{Document: after}}
	}
	replace := []change.Change{entry(stale, nil), entry(nil, &change.State{Type: "EC2"})}
	unread := []change.Change{entry(&change.State{Type: "EC2"}, nil), entry(nil, &change.State{Type: "EC2"})}
	three := []change.Change{trust("1", "2"), trust("2", "3"), trust("3", "4")}
	around := []change.Change{trust("1", "2"), trust("2", "1")}
	rollout := []change.Change{{Kind: change.Rollout, Name: "k/a", Before: &change.State{Type: change.NodeRole}, After: &change.State{Type: change.IRSA, Role: "r"}}}
	tests := map[string]struct {
		changes  []change.Change
		found    *change.State
		made     int
		conflict string
	}{
		"replaced: before":                  {replace, stale, 0, ""},
		"replaced: between":                 {replace, nil, 1, ""},
		"replaced: after":                   {replace, fresh, 2, ""},
		"replaced: another":                 {replace, &change.State{Type: "STANDARD", CreatedAt: "2030-01-01T00:00:00Z"}, 0, "type is STANDARD, not EC2; time of creation is 2030-01-01T00:00:00Z, not 2020-01-01T00:00:00Z"},
		"replaced, the time is unknown":     {unread, fresh, 0, ""},
		"three: none":                       {three, &change.State{Document: "1"}, 0, ""},
		"three: one":                        {three, &change.State{Document: "2"}, 1, ""},
		"three: two":                        {three, &change.State{Document: "3"}, 2, ""},
		"three: all":                        {three, &change.State{Document: "4"}, 3, ""},
		"three: another":                    {three, &change.State{Document: "5"}, 0, "document is 5, not 2"},
		"there and back: at the beginning":  {around, &change.State{Document: "1"}, 0, ""},
		"there and back: halfway":           {around, &change.State{Document: "2"}, 1, ""},
		"one: made":                         {three[:1], &change.State{Document: "2"}, 1, ""},
		"one: not made":                     {three[:1], &change.State{Document: "1"}, 0, ""},
		"pods of whatever kind are changed": {rollout, &change.State{Type: change.Mixed}, 0, ""},
		"pods that are not there too":       {rollout, nil, 0, ""},
		"pods that have it":                 {rollout, &change.State{Type: change.IRSA, Role: "r"}, 1, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := &one{there: tt.found}
			made, err := change.Applied(t.Context(), store, tt.changes)
			count := 0
			for i, m := range made {
				if m && count != i {
					t.Errorf("made %v: one before it is not", made)
				}
				if m {
					count++
				}
			}
			var conflict *change.ConflictError
			if count != tt.made || (tt.conflict == "") != (err == nil) || err != nil && (!errors.As(err, &conflict) || !strings.HasSuffix(err.Error(), "is not as expected: "+tt.conflict)) {
				t.Errorf("%d made, %v", count, err)
			}
			left, _ := change.Pending(t.Context(), store, tt.changes)
			if diff := cmp.Diff(append([]change.Change(nil), tt.changes[count:]...), left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			// What is left can be made, and then nothing is.
			if tt.conflict != "" {
				return
			}
			for _, c := range left {
				if _, err := change.Apply(t.Context(), store, c); err != nil {
					t.Error(err)
				}
			}
			last := tt.changes[len(tt.changes)-1]
			if !last.AppliedIn(store.there) {
				t.Errorf("then there is %+v", store.there)
			}
		})
	}
}

// TestAppliedByTarget: changes of other things are none of a chain.
func TestAppliedByTarget(t *testing.T) {
	a := change.Change{Kind: change.Attachment, Name: "r", Part: "p", After: &change.State{}}
	b := a
	b.Part = "q"
	s := &store{there: map[string]*change.State{a.String(): {}}}
	made, err := change.Applied(t.Context(), s, []change.Change{b, a, b})
	if diff := cmp.Diff([]bool{false, true, false}, made); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	unreadable := errors.New("cannot be read")
	if made, err := change.Applied(t.Context(), &one{err: unreadable}, []change.Change{a}); !errors.Is(err, unreadable) || made != nil {
		t.Errorf("%v, %v", made, err)
	}
	if left, err := change.Pending(t.Context(), &one{err: unreadable}, []change.Change{a}); !errors.Is(err, unreadable) || left != nil {
		t.Errorf("%v, %v", left, err)
	}
}

// TestAppliedRecreated: an access policy that is recreated with its access entry looks as
// before. The entry tells whether it was.
func TestAppliedRecreated(t *testing.T) {
	old, recreated := &change.State{Type: "EC2", CreatedAt: "2020-01-01T00:00:00Z"}, &change.State{Type: "EC2"}
	newer := &change.State{Type: "EC2", CreatedAt: "2030-01-01T00:00:00Z"}
	scope := &change.State{Namespaces: []string{"a"}}
	entry := change.Change{Kind: change.AccessEntry, Cluster: "c", Name: "r"}
	policy := change.Change{Kind: change.AccessPolicy, Cluster: "c", Name: "r", Part: "p"}
	of := func(c change.Change, before, after *change.State) change.Change {
		c.Before, c.After = before, after
		return c
	}
	changes := []change.Change{of(policy, scope, nil), of(entry, old, nil), of(entry, nil, recreated), of(policy, nil, scope)}
	for name, tt := range map[string]struct {
		entry, policy *change.State
		want          []bool
	}{
		"before":               {old, scope, []bool{false, false, false, false}},
		"the policy is gone":   {old, nil, []bool{true, false, false, false}},
		"both are gone":        {nil, nil, []bool{true, true, false, false}},
		"the entry is there":   {newer, nil, []bool{true, true, true, false}},
		"both are there again": {newer, scope, []bool{true, true, true, true}},
	} {
		s := &store{there: map[string]*change.State{entry.String(): tt.entry, policy.String(): tt.policy}}
		applied, err := change.Applied(t.Context(), s, changes)
		if diff := cmp.Diff(tt.want, applied); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestConflicts: the conflicts are those that an error of Applied joins.
func TestConflicts(t *testing.T) {
	a := change.Change{Kind: change.Attachment, Name: "a", Part: "p", After: &change.State{}}
	b := a
	b.Name = "b"
	other := &change.State{Role: "x"}
	_, err := change.Applied(t.Context(), &store{there: map[string]*change.State{a.String(): other, b.String(): other}}, []change.Change{a, b})
	conflicts := change.Conflicts(err)
	if len(conflicts) != 2 || conflicts[0].Change.Name != "a" || conflicts[1].Change.Name != "b" {
		t.Errorf("%v of %v", conflicts, err)
	}
	if conflicts := change.Conflicts(errLost); conflicts != nil {
		t.Errorf("%v", conflicts)
	}
}

// TestApplyUnsure: an answer that is lost, and nothing to be read after it.
func TestApplyUnsure(t *testing.T) {
	c := change.Change{Kind: change.Role, Name: "r", After: &change.State{Document: "{}"}}
	wrote, err := change.Apply(t.Context(), &one{wrote: errLost, unread: errors.New("no")}, c)
	var unsure *change.UnsureError
	if wrote || !errors.As(err, &unsure) || !errors.Is(err, errLost) || err.Error() != "the response ended early (whether it was made is unknown)" {
		t.Errorf("wrote %v, %v", wrote, err)
	}
	if wrote, err := change.Apply(t.Context(), &one{wrote: errLost, refused: true, unread: errors.New("no")}, c); wrote || errors.As(err, &unsure) || !errors.Is(err, errLost) {
		t.Errorf("refused: wrote %v, %v", wrote, err)
	}
	unreadable := errors.New("cannot be read")
	if wrote, err := change.Apply(t.Context(), &one{err: unreadable}, c); wrote || !errors.Is(err, unreadable) {
		t.Errorf("wrote %v, %v", wrote, err)
	}
}

func TestValidate(t *testing.T) {
	state := &change.State{}
	tests := map[string]struct {
		change change.Change
		err    string
	}{
		"made":             {change.Change{Kind: change.Rollout, Name: "k/a", After: state}, ""},
		"taken away":       {change.Change{Kind: change.AuthRole, Name: "r", Before: state}, ""},
		"no kind":          {change.Change{Name: "r", After: state}, `"" is not a kind of change`},
		"an unknown kind":  {change.Change{Kind: "s3.Bucket", Name: "r", After: state}, `"s3.Bucket" is not a kind of change`},
		"no name":          {change.Change{Kind: change.Role, After: state}, "a change of kind iam.Role has no name"},
		"from and to none": {change.Change{Kind: change.Role, Name: "r"}, "the change of role r has neither before nor after"},
	}
	for name, tt := range tests {
		err := tt.change.Validate()
		if (tt.err == "") != (err == nil) || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInCluster: the names, commands and undo of what is changed in the cluster.
func TestInCluster(t *testing.T) {
	const (
		get   = "kubectl -n kube-system "
		role  = "arn:aws:iam::1:role/r"
		edit  = "no command: the other entries of aws-auth are not known: edit the ConfigMap, kubectl -n kube-system edit configmap aws-auth"
		quote = "- rolearn: it's\n  groups: [\"a\"]\n"
	)
	whole := func(before, after *string) *change.Whole { return &change.Whole{Before: before, After: after} }
	text := func(s string) *string { return &s }
	tests := []struct {
		change             change.Change
		name, want, invert string
	}{
		{
			change.Change{Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", After: &change.State{Role: role}},
			"role of service account kube-system/aws-node",
			get + "annotate serviceaccount aws-node --overwrite eks.amazonaws.com/role-arn=" + role, get + "annotate serviceaccount aws-node eks.amazonaws.com/role-arn-",
		},
		{
			change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", Before: &change.State{Type: change.NodeRole}, After: &change.State{Type: change.IRSA, Role: role}},
			"pods of DaemonSet kube-system/aws-node",
			get + "rollout restart daemonset aws-node\n" + get + "rollout status daemonset aws-node", get + "rollout restart daemonset aws-node\n" + get + "rollout status daemonset aws-node",
		},
		{
			change.Change{Kind: change.AuthRole, Name: role, After: &change.State{Role: role}, Whole: whole(nil, text(quote))},
			"entry of " + role + " in aws-auth",
			`printf '%s\n' '{"apiVersion":"v1","data":{"mapRoles":"- rolearn: it'\''s\n  groups: [\"a\"]\n"},"kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"}}' | ` + get + "create -f -",
			get + "delete configmap aws-auth",
		},
		{
			change.Change{Kind: change.AuthRole, Name: role, After: &change.State{Role: role}, Whole: whole(text("[]"), text(quote))},
			"entry of " + role + " in aws-auth",
			get + `patch configmap aws-auth --type json --patch '[{"op":"test","path":"/data/mapRoles","value":"[]"},{"op":"replace","path":"/data/mapRoles","value":"- rolearn: it'\''s\n  groups: [\"a\"]\n"}]'`,
			get + `patch configmap aws-auth --type json --patch '[{"op":"test","path":"/data/mapRoles","value":"- rolearn: it'\''s\n  groups: [\"a\"]\n"},{"op":"replace","path":"/data/mapRoles","value":"[]"}]'`,
		},
		{
			change.Change{Kind: change.AuthRole, Name: role, After: &change.State{Role: role}},
			"entry of " + role + " in aws-auth",
			edit, edit,
		},
	}
	for _, tt := range tests {
		if got := tt.change.String(); got != tt.name {
			t.Errorf("%q, want %q", got, tt.name)
		}
		for want, c := range map[string]change.Change{tt.want: tt.change, tt.invert: tt.change.Invert()} {
			if diff := cmp.Diff(want, lines(c)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c, diff)
			}
		}
		if diff := cmp.Diff(tt.change, tt.change.Invert().Invert()); diff != "" {
			t.Errorf("%s taken back twice (-want +got):\n%s", tt.change, diff)
		}
	}
	for want, c := range map[string]change.Change{
		"role r": {Kind: change.Role, Name: "r"}, "policy p of role r": {Kind: change.Attachment, Name: "r", Part: "p"}, "inline policy p of role r": {Kind: change.InlinePolicy, Name: "r", Part: "p"},
		"policy p": {Kind: change.Policy, Name: "p"}, "instance profile p": {Kind: change.InstanceProfile, Name: "p"}, "role of instance profile p": {Kind: change.ProfileRole, Name: "p"},
		"access entry of r": {Kind: change.AccessEntry, Name: "r"}, "access policy p of r": {Kind: change.AccessPolicy, Name: "r", Part: "p"}, "s3.Bucket b": {Kind: "s3.Bucket", Name: "b"},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
