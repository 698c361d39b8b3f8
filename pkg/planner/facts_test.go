package planner_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// made is when what the plan makes is made.
var made = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// facts are a change.Store in a snapshot: what is written changes it as AWS and the
// cluster would.
type facts struct {
	tester
	s *snapshot.Snapshot
	// written has what a snapshot does not keep, by target.
	written map[string]*change.State
	// byHand is set where the service account's annotation is not the add-on's.
	byHand bool
}

func factsOf(t tester, s *snapshot.Snapshot) *facts {
	f := &facts{tester: t, s: s, written: map[string]*change.State{}}
	if account := s.AWSNode.ServiceAccount; account != nil {
		f.byHand = account.RoleARN != s.Addons["vpc-cni"].ServiceAccountRoleARN
	}
	partition := s.Cluster.Identity().Partition
	for _, name := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKS_CNI_Policy", "AmazonSSMManagedInstanceCore", "AmazonElasticContainerRegistryPublicReadOnly", need.ClusterRolePolicy, need.PodENIPolicy} {
		if arn := need.ManagedPolicy(partition, name); s.Policies[arn].Document == "" {
			if s.Policies == nil {
				s.Policies = map[string]snapshot.Policy{}
			}
			s.Policies[arn] = snapshot.Policy{Version: "v1", Document: managed(t, name).String()}
		}
	}
	return f
}

// managed are AWS's managed policies, as pkg/need knows what they grant.
func managed(t tester, name string) need.Document {
	switch name {
	case "AmazonEKSWorkerNodePolicy":
		d := need.WorkerDocument(false)
		d.Statement = append(d.Statement, need.PodIdentityAgentDocument().Statement...)
		return d
	case "AmazonEC2ContainerRegistryPullOnly":
		return need.PullDocument(false)
	case need.ClusterRolePolicy:
		return allowing(need.ClusterRole)
	case need.PodENIPolicy:
		return allowing(need.PodENI)
	case "AmazonSSMManagedInstanceCore":
		return allowing(slices.Concat(need.HybridSSM, need.SSM))
	case "AmazonElasticContainerRegistryPublicReadOnly":
		return allowing(need.PublicPull)
	case "AmazonEKSWorkerNodeMinimalPolicy":
		return need.PodIdentityAgentDocument()
	case "AmazonEKS_CNI_Policy":
		return need.CNI{IPFamily: "ipv4"}.Document("aws")
	}
	t.Fatalf("this test knows no policy %s", name)
	return need.Document{}
}

// allowing is a policy that allows actions on everything.
func allowing(actions []need.Action) need.Document {
	d := need.PodIdentityAgentDocument()
	d.Statement[0].Action, d.Statement[0].Resource = nil, []string{"*"}
	for _, a := range actions {
		d.Statement[0].Action = append(d.Statement[0].Action, a.Name)
	}
	return d
}

// arn is that of a role or an instance profile of a name: the one that is known, or one
// without a path.
func (f *facts) arn(kind, name string) string {
	for _, known := range slices.Concat(slices.Collect(maps.Keys(f.s.Roles)), slices.Collect(maps.Keys(f.s.InstanceProfiles))) {
		if snapshot.NameOf(known) == name && strings.Contains(known, ":"+kind+"/") {
			return known
		}
	}
	place := f.s.Cluster.Identity()
	return "arn:" + place.Partition + ":iam::" + place.Account + ":" + kind + "/" + name
}

// State returns what the facts show.
func (f *facts) State(_ context.Context, c change.Change) (*change.State, error) {
	there := func(is bool) (*change.State, error) {
		if !is {
			return nil, nil
		}
		return &change.State{}, nil
	}
	s, role := f.s, f.s.Roles[f.arn("role", c.Name)]
	switch c.Kind {
	case change.Role, change.InstanceProfile:
		if w := f.written[c.Target()]; w != nil {
			return w, nil
		}
		if c.Kind == change.Role {
			return there(role.TrustPolicy != "" && !role.NotFound)
		}
		profile, known := s.InstanceProfiles[f.arn("instance-profile", c.Name)]
		return there(known && !profile.NotFound)
	case change.Attachment:
		return there(slices.Contains(role.AttachedPolicies, c.Part))
	case change.InlinePolicy:
		if text, is := role.InlinePolicies[c.Part]; is {
			return &change.State{Document: text}, nil
		}
		return nil, nil
	case change.TrustPolicy:
		return &change.State{Document: role.TrustPolicy}, nil
	case change.Policy:
		return f.written[c.Target()], nil
	case change.ProfileRole:
		if roles := s.InstanceProfiles[f.arn("instance-profile", c.Name)].Roles; len(roles) > 0 {
			return &change.State{Role: snapshot.NameOf(roles[0])}, nil
		}
		return nil, nil
	case change.AccessEntry:
		entry, is := s.AccessEntries[c.Name]
		if !is {
			return nil, nil
		}
		state := &change.State{Type: entry.Type}
		if entry.Type == change.Standard {
			state.Username, state.Groups = entry.Username, entry.Groups
		}
		if !entry.CreatedAt.IsZero() {
			state.CreatedAt = entry.CreatedAt.UTC().Format(time.RFC3339)
		}
		return state, nil
	case change.AccessPolicy:
		if namespaces, is := s.AccessEntries[c.Name].Policies[c.Part]; is {
			return &change.State{Namespaces: namespaces}, nil
		}
		return nil, nil
	case change.OIDCProvider:
		provider, known := s.OIDCProviders[c.Name]
		if !known || provider.NotFound {
			return nil, nil
		}
		return &change.State{ClientIDs: provider.ClientIDs}, nil
	case change.Addon:
		return there(s.PodIdentityAgent != nil)
	case change.AddonRole, change.Association:
		if a, is := s.PodIdentityAssociations["a-1"]; is && c.Kind == change.Association {
			return &change.State{Role: a.RoleARN}, nil
		} else if is {
			return &change.State{Type: change.PodIdentity, Role: a.RoleARN}, nil
		}
		if arn := s.Addons[c.Name].ServiceAccountRoleARN; arn != "" && c.Kind == change.AddonRole {
			return &change.State{Type: change.IRSA, Role: arn}, nil
		}
		return nil, nil
	case change.ServiceAccountRole:
		if account := s.AWSNode.ServiceAccount; account != nil && account.RoleARN != "" {
			return &change.State{Role: account.RoleARN}, nil
		}
		return nil, nil
	case change.AuthRole:
		switch {
		case f.mapRoles(c.Whole.Before):
			return c.Before, nil
		case f.mapRoles(c.Whole.After):
			return c.After, nil
		}
		return nil, errors.New("aws-auth is another text")
	case change.Rollout:
		var state *change.State
		for _, pod := range s.AWSNode.Pods {
			source, arn := pod.Credentials()
			if now := (&change.State{Type: source, Role: arn}); state != nil && !change.Same(state, now) {
				return &change.State{Type: change.Mixed}, nil
			}
			state = &change.State{Type: source, Role: arn}
		}
		return state, nil
	}
	return nil, errors.New("this test reads no " + string(c.Kind))
}

// mapRoles tells whether this is the text of aws-auth; nil is none.
func (f *facts) mapRoles(text *string) bool {
	if f.s.AWSAuth == nil || text == nil {
		return f.s.AWSAuth == nil && text == nil
	}
	return f.s.AWSAuth.MapRoles == *text
}

// Write makes a change.
func (f *facts) Write(_ context.Context, c change.Change) error {
	s, roleARN := f.s, f.arn("role", c.Name)
	role := s.Roles[roleARN]
	switch c.Kind {
	case change.Role:
		f.written[c.Target()] = c.After
		if c.After == nil {
			if len(role.AttachedPolicies)+len(role.InlinePolicies) > 0 {
				return errors.New("DeleteConflict")
			}
			delete(s.Roles, roleARN)
			return nil
		}
		s.Roles[roleARN] = snapshot.Role{TrustPolicy: c.After.Document, CreatedAt: made}
		return nil
	case change.Attachment:
		role.AttachedPolicies = slices.DeleteFunc(slices.Clone(role.AttachedPolicies), func(p string) bool { return p == c.Part })
		if c.After != nil {
			role.AttachedPolicies = append(role.AttachedPolicies, c.Part)
		}
		if _, known := s.Policies[c.Part]; !known {
			return errors.New("NoSuchEntity")
		}
	case change.InlinePolicy:
		role.InlinePolicies = edited(role.InlinePolicies, c.Part, c.After != nil, func() string { return c.After.Document })
	case change.TrustPolicy:
		role.TrustPolicy = c.After.Document
	case change.Policy:
		f.written[c.Target()] = c.After
		s.Policies = edited(s.Policies, c.Name, c.After != nil, func() snapshot.Policy { return snapshot.Policy{Version: "v1", Document: c.After.Document} })
		return nil
	case change.InstanceProfile, change.ProfileRole:
		arn := f.arn("instance-profile", c.Name)
		if c.Kind == change.InstanceProfile {
			f.written[c.Target()] = c.After
			s.InstanceProfiles = edited(s.InstanceProfiles, arn, true, func() snapshot.InstanceProfile { return snapshot.InstanceProfile{NotFound: c.After == nil} })
			return nil
		}
		profile := s.InstanceProfiles[arn]
		profile.Roles = nil
		if c.After != nil {
			profile.Roles = []string{f.arn("role", c.After.Role)}
		}
		s.InstanceProfiles[arn] = profile
		return nil
	case change.AccessEntry:
		s.AccessEntries = edited(s.AccessEntries, c.Name, c.After != nil, func() snapshot.AccessEntry {
			return snapshot.AccessEntry{Type: c.After.Type, Username: c.After.Username, Groups: c.After.Groups, CreatedAt: made}
		})
		return nil
	case change.AccessPolicy:
		entry, is := s.AccessEntries[c.Name]
		if !is {
			return errors.New("ResourceNotFoundException")
		}
		entry.Policies = edited(entry.Policies, c.Part, c.After != nil, func() []string { return c.After.Namespaces })
		s.AccessEntries[c.Name] = entry
		return nil
	case change.OIDCProvider:
		provider := snapshot.OIDCProvider{NotFound: true}
		if c.After != nil {
			provider = snapshot.OIDCProvider{ClientIDs: c.After.ClientIDs}
		}
		s.OIDCProviders[c.Name] = provider
		return nil
	case change.Addon:
		s.PodIdentityAgent = nil
		if c.After != nil {
			s.PodIdentityAgent = &snapshot.PodIdentityAgent{Nodes: map[string]bool{}}
			for _, pod := range s.AWSNode.Pods {
				s.PodIdentityAgent.Nodes[pod.Node] = true
			}
		}
		return nil
	case change.AddonRole, change.Association, change.ServiceAccountRole:
		f.setAWSNodeRole(c)
		return nil
	case change.AuthRole:
		s.AWSAuth = nil
		if c.Whole.After != nil {
			s.AWSAuth = &snapshot.AWSAuth{MapRoles: *c.Whole.After}
		}
		return nil
	case change.Rollout:
		identity := view.New(s).ConfiguredIdentity()
		for name, pod := range s.AWSNode.Pods {
			pod.Env = nil
			if identity.Kind == view.IRSA {
				pod.Env = map[string]string{"AWS_ROLE_ARN": identity.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}
			} else if identity.Own() {
				pod.Env = map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}
			}
			if source, arn := pod.Credentials(); source != c.After.Type || arn != c.After.Role {
				f.Errorf("%s leads to %s %s, not %+v", c, source, arn, c.After)
			}
			s.AWSNode.Pods[name] = pod
		}
		return nil
	default:
		return errors.New("this test makes no " + string(c.Kind))
	}
	if s.Roles == nil || role.TrustPolicy == "" {
		return errors.New("NoSuchEntity")
	}
	s.Roles[roleARN] = role
	return nil
}

// setAWSNodeRole gives aws-node a role, or takes it away.
func (f *facts) setAWSNodeRole(c change.Change) {
	s := f.s
	pods := c.Kind == change.Association || c.After != nil && c.After.Type == change.PodIdentity || c.After == nil && c.Before.Type == change.PodIdentity
	if pods || c.Kind == change.AddonRole {
		s.PodIdentityAssociations = edited(s.PodIdentityAssociations, "a-1", pods && c.After != nil, func() snapshot.PodIdentityAssociation {
			return snapshot.PodIdentityAssociation{Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: c.After.Role}
		})
	}
	if pods {
		return
	}
	role := ""
	if c.After != nil {
		role = c.After.Role
	}
	if s.AWSNode.ServiceAccount == nil {
		s.AWSNode.ServiceAccount = &snapshot.ServiceAccount{}
	}
	account := s.AWSNode.ServiceAccount
	if c.Kind == change.AddonRole {
		addon := s.Addons[c.Name]
		addon.ServiceAccountRoleARN = role
		s.Addons[c.Name] = addon
		if f.byHand {
			return // PRESERVE
		}
	}
	account.RoleARN = role
}

// edited is a map with or without a key.
func edited[V any](m map[string]V, key string, is bool, value func() V) map[string]V {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]V{}
	}
	delete(m, key)
	if is {
		m[key] = value()
	}
	return m
}

// make makes the changes of a step, of which none may have been made before.
func (f *facts) make(changes []change.Change) {
	f.Helper()
	for _, c := range changes {
		if wrote, err := change.Apply(context.Background(), f, c); err != nil || !wrote {
			f.Errorf("%s: wrote %v, %v", c, wrote, err)
		}
	}
}

// follow makes the steps of a plan, and sees that they may be begun and show to have
// worked.
func (f *facts) follow(steps []planner.Step) {
	f.Helper()
	for _, step := range steps {
		if step.Proof == "" || step.Title == "" {
			f.Errorf("step %+v", step)
		}
		hold(f, f.s, step.Preconditions)
		f.make(step.Changes)
		hold(f, f.s, step.Postconditions)
	}
}

// takeBack takes the steps of a plan back.
func (f *facts) takeBack(steps []planner.Step) {
	f.Helper()
	for _, step := range planner.Undo("c", steps).Steps {
		left, err := change.Pending(context.Background(), f, step.Changes)
		if err != nil {
			f.Errorf("%s: %v", step.Title, err)
		}
		f.make(left)
	}
}

// thereAndBack makes the steps of a plan and takes them back, which leaves what was there.
func (f *facts) thereAndBack(steps []planner.Step) {
	f.Helper()
	first := f.text()
	f.follow(steps)
	f.takeBack(steps)
	if diff := cmp.Diff(first, f.text()); diff != "" {
		f.Errorf("taken back (-first +got):\n%s", diff)
	}
}

// text is the snapshot as YAML, without what cannot be taken back or has a default, and
// without what is known to be absent.
func (f *facts) text() string {
	f.Helper()
	s := *f.s
	s.AccessEntries, s.Roles, s.OIDCProviders = map[string]snapshot.AccessEntry{}, map[string]snapshot.Role{}, maps.Clone(s.OIDCProviders)
	for arn, entry := range f.s.AccessEntries {
		entry.CreatedAt = time.Time{}
		if entry.Type != change.Standard {
			entry.Username, entry.Groups = "", nil
		}
		s.AccessEntries[arn] = entry
	}
	for arn, role := range f.s.Roles {
		role.AttachedPolicies = slices.Sorted(slices.Values(role.AttachedPolicies))
		if !role.NotFound {
			s.Roles[arn] = role
		}
	}
	s.InstanceProfiles = maps.Clone(s.InstanceProfiles)
	maps.DeleteFunc(s.InstanceProfiles, func(_ string, p snapshot.InstanceProfile) bool { return p.NotFound })
	s.AWSNode.Pods = map[string]snapshot.Pod{}
	for name, pod := range f.s.AWSNode.Pods {
		source, role := pod.Credentials()
		pod.Env = map[string]string{source: role}
		s.AWSNode.Pods[name] = pod
	}
	if account := s.AWSNode.ServiceAccount; account != nil && *account == (snapshot.ServiceAccount{}) {
		s.AWSNode.ServiceAccount = nil
	}
	text, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}

// hold sees that the facts show what a step requires or proves.
func hold(t tester, s *snapshot.Snapshot, checks []planner.Check) {
	t.Helper()
	v, results := view.New(s), rules.Judge(view.New(s), rules.Options{}).Results
	for _, c := range checks {
		if err := c.Unmet(v, results); err != nil {
			t.Errorf("%+v does not hold: %s", c, err)
		}
	}
}
