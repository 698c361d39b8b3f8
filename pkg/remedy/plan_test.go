package remedy_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/remedy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

const nodeRole = "arn:aws:iam::111122223333:role/eksNodeRole"

// load lays a merge patch over an example.
func load(t *testing.T, example, patch string) *snapshot.Snapshot {
	t.Helper()
	text, ok := examples.Read(example)
	if !ok {
		t.Fatalf("there is no example %s", example)
	}
	base, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	over, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := jsonpatch.MergePatch(base, over)
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Decode(example, merged)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func planFor(s *snapshot.Snapshot, only ...string) *remedy.Plan {
	return remedy.New(view.New(s), rules.Judge(s, rules.Options{}).Results, remedy.Options{Only: only})
}

// makeIn makes a change in a snapshot, as AWS and the cluster would, and fails where
// what is there is not what the change begins from.
func makeIn(t *testing.T, s *snapshot.Snapshot, c change.Change) {
	t.Helper()
	place := s.Cluster.Identity()
	arn := "arn:" + place.Partition + ":iam::" + place.Account + ":role/" + c.Name
	for known := range s.Roles {
		if snapshot.NameOf(known) == c.Name {
			arn = known
		}
	}
	role := s.Roles[arn]
	began := func(found *change.State) {
		t.Helper()
		if !c.BeginsFrom(found) {
			t.Errorf("%s begins from %+v, and %+v is there", c, c.Before, found)
		}
	}
	absent := func(there bool) {
		t.Helper()
		found := &change.State{}
		if !there {
			found = nil
		}
		began(found)
	}
	switch c.Kind {
	case change.Role:
		absent(role.TrustPolicy != "" && !role.NotFound)
		s.Roles[arn] = snapshot.Role{TrustPolicy: c.After.Document, CreatedAt: made}
	case change.Attachment:
		absent(slices.Contains(role.AttachedPolicies, c.Part))
		if c.After == nil {
			role.AttachedPolicies = slices.DeleteFunc(slices.Clone(role.AttachedPolicies), func(p string) bool { return p == c.Part })
		} else {
			role.AttachedPolicies = append(role.AttachedPolicies, c.Part)
		}
		s.Roles[arn] = role
		if _, ok := s.Policies[c.Part]; !ok {
			s.Policies[c.Part] = snapshot.Policy{Version: "v1", Document: managed(t, snapshot.NameOf(c.Part)).String()}
		}
	case change.InlinePolicy:
		text, there := role.InlinePolicies[c.Part]
		if there {
			began(&change.State{Document: text})
		} else {
			began(nil)
		}
		role.InlinePolicies = maps.Clone(role.InlinePolicies)
		if role.InlinePolicies == nil {
			role.InlinePolicies = map[string]string{}
		}
		delete(role.InlinePolicies, c.Part)
		if c.After != nil {
			role.InlinePolicies[c.Part] = c.After.Document
		}
		s.Roles[arn] = role
	case change.InstanceProfile, change.ProfileRole:
		profile := "arn:" + place.Partition + ":iam::" + place.Account + ":instance-profile/" + c.Name
		p := s.InstanceProfiles[profile]
		p.NotFound = false
		if c.Kind == change.ProfileRole {
			p.Roles = []string{"arn:" + place.Partition + ":iam::" + place.Account + ":role/" + c.After.Role}
		}
		s.InstanceProfiles[profile] = p
	case change.TrustPolicy:
		began(&change.State{Document: role.TrustPolicy})
		role.TrustPolicy = c.After.Document
		s.Roles[arn] = role
	case change.AccessEntry:
		entry, there := s.AccessEntries[c.Name]
		if there != (c.Before != nil) || there && entry.Type != c.Before.Type {
			t.Errorf("%s begins from another entry than %+v", c, entry)
		}
		if c.After == nil {
			delete(s.AccessEntries, c.Name)
			return
		}
		if s.AccessEntries == nil {
			s.AccessEntries = map[string]snapshot.AccessEntry{}
		}
		s.AccessEntries[c.Name] = snapshot.AccessEntry{Type: c.After.Type, CreatedAt: made}
	case change.AccessPolicy:
		entry := s.AccessEntries[c.Name]
		if entry.Policies == nil {
			entry.Policies = map[string][]string{}
		}
		entry.Policies[c.Part] = c.After.Namespaces
		s.AccessEntries[c.Name] = entry
	case change.OIDCProvider:
		s.OIDCProviders[c.Name] = snapshot.OIDCProvider{ClientIDs: c.After.ClientIDs}
	case change.Addon:
		s.PodIdentityAgent = &snapshot.PodIdentityAgent{Nodes: map[string]bool{}}
		for _, pod := range s.AWSNode.Pods {
			s.PodIdentityAgent.Nodes[pod.Node] = true
		}
	case change.AddonRole, change.Association, change.ServiceAccountRole:
		if c.Kind == change.Association || c.After.Type == change.PodIdentity {
			s.PodIdentityAssociations = map[string]snapshot.PodIdentityAssociation{"a-1": {Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: c.After.Role}}
			return
		}
		if c.Kind == change.AddonRole {
			addon := s.Addons[c.Name]
			addon.ServiceAccountRoleARN = c.After.Role
			s.Addons[c.Name] = addon
		}
		s.AWSNode.ServiceAccount = &snapshot.ServiceAccount{RoleARN: c.After.Role}
	case change.AuthRole:
		if s.AWSAuth == nil {
			s.AWSAuth = &snapshot.AWSAuth{}
		}
		if before := c.Whole.Before; before != nil && *before != s.AWSAuth.MapRoles {
			t.Errorf("%s is planned for another text", c)
		}
		s.AWSAuth.MapRoles = *c.Whole.After
	case change.Rollout:
		identity := view.New(s).ConfiguredIdentity()
		for name, pod := range s.AWSNode.Pods {
			pod.Env = nil
			switch identity.Kind {
			case view.IRSA:
				pod.Env = map[string]string{"AWS_ROLE_ARN": identity.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}
			case view.PodIdentity:
				pod.Env = map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}
			}
			if source, role := pod.Credentials(); source != c.After.Type || role != c.After.Role {
				t.Errorf("%s leads to %s %s, not %+v", c, source, role, c.After)
			}
			s.AWSNode.Pods[name] = pod
		}
	default:
		t.Fatalf("this test makes no %s", c.Kind)
	}
}

// made is when what the plan makes is made.
var made = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// managed are AWS's managed policies, as pkg/need knows what they grant.
func managed(t *testing.T, name string) need.Document {
	switch name {
	case "AmazonEKSWorkerNodePolicy":
		d := need.WorkerDocument(false)
		d.Statement = append(d.Statement, need.PodIdentityAgentDocument().Statement...)
		return d
	case "AmazonEC2ContainerRegistryPullOnly":
		return need.PullDocument(false)
	case "AmazonEKSWorkerNodeMinimalPolicy":
		return need.PodIdentityAgentDocument()
	case "AmazonEKS_CNI_Policy":
		return need.CNI{IPFamily: "ipv4"}.Document("aws")
	}
	t.Fatalf("this test knows no policy %s", name)
	return need.Document{}
}

// TestPlanForTheAgent: one action is missing: the policy that has just that one.
func TestPlanForTheAgent(t *testing.T) {
	s := load(t, "healthy", `
podIdentityAgent: {nodes: {}}
roles: {"`+nodeRole+`": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"], inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:Describe*","eks:DescribeCluster"],"Resource":"*"}}'}}}`)
	plan := planFor(s)
	if len(plan.Steps) != 1 || snapshot.NameOf(plan.Steps[0].Changes[0].Part) != "AmazonEKSWorkerNodeMinimalPolicy" {
		t.Fatalf("steps %+v", plan.Steps)
	}
	makeIn(t, s, plan.Steps[0].Changes[0])
	if left := failures(s); slices.Contains(left, "NR204 eksNodeRole") {
		t.Errorf("then: %v", left)
	}
}

// repaired are the rules whose Bad snapshot the plan repairs.
var repaired = []string{
	"NR104", "NR106", "NR201", "NR202", "NR203", "NR205", "NR206", "NR209", "NR301", "NR302", "NR501", "NR502", "NR503", "NR504", "NR505", "NR507",
	"NR601", "NR602", "NR603", "NR606",
}

// TestPlanRepairs: what the plan says, done to the snapshot, makes the rule pass,
// and no other rule fail that did not. What is not repaired is left to people.
func TestPlanRepairs(t *testing.T) {
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			s := load(t, "healthy", rule.Bad)
			before := failures(s)
			plan := planFor(s, rule.ID)
			if slices.Contains([]string{"NR101", "NR102", "NR103"}, rule.ID) {
				// The role is made, and moving to it is left to people.
				if len(plan.Steps) != 1 || len(plan.Manual) != 1 || len(plan.Manual[0].Next) < 3 {
					t.Errorf("steps %v, left to people %v", plan.Steps, plan.Manual)
				}
				return
			}
			if !slices.Contains(repaired, rule.ID) {
				if len(plan.Steps) > 0 || len(plan.Manual) == 0 || plan.Manual[0].Why == "" {
					t.Errorf("steps %v, left to people %v", plan.Steps, plan.Manual)
				}
				return
			}
			if len(plan.Steps) == 0 || len(plan.Manual) > 0 {
				t.Fatalf("steps %v, left to people %v", plan.Steps, plan.Manual)
			}
			for _, step := range plan.Steps {
				if step.Proof == "" || step.Title == "" {
					t.Errorf("step %+v", step)
				}
				hold(t, s, step.Requires)
				for _, c := range step.Changes {
					makeIn(t, s, c)
				}
				hold(t, s, step.Proves)
			}
			for _, f := range failures(s) {
				if strings.HasPrefix(f, rule.ID+" ") || !slices.Contains(before, f) {
					t.Errorf("then: %s", f)
				}
			}
		})
	}
}

// TestPlanForPodIdentity: the agent is installed, and the role trusts EKS Pod Identity.
func TestPlanForPodIdentity(t *testing.T) {
	s := load(t, "healthy", podIdentity+"\npodIdentityAgent: null")
	plan := planFor(s, "NR604")
	if len(plan.Steps) != 1 || len(plan.Steps[0].Changes) != 2 {
		t.Fatalf("steps %+v, left to people %+v", plan.Steps, plan.Manual)
	}
	for _, c := range plan.Steps[0].Changes {
		makeIn(t, s, c)
	}
	hold(t, s, plan.Steps[0].Proves)
}

// podIdentity gives aws-node a Pod Identity role that trusts somebody else.
const podIdentity = `podIdentityAssociations: {a-1: {namespace: kube-system, serviceAccount: aws-node, roleArn: "arn:aws:iam::111122223333:role/eksCNIRole"}}`

// hold sees that the facts show what a step requires or proves.
func hold(t *testing.T, s *snapshot.Snapshot, checks []remedy.Check) {
	t.Helper()
	v, results := view.New(s), rules.Judge(s, rules.Options{}).Results
	for _, c := range checks {
		if ok, why := c.Holds(v, results); !ok {
			t.Errorf("%+v does not hold: %s", c, why)
		}
	}
}

func failures(s *snapshot.Snapshot) []string {
	var list []string
	for _, r := range rules.Judge(s, rules.Options{}).Results {
		if r.Status == finding.Fail {
			list = append(list, r.ID+" "+r.Subject.Name)
		}
	}
	return list
}

// TestPlanOrder: trust before permissions before the entry; one step for what
// several rules ask; nothing for what another owns or somebody decided.
func TestPlanOrder(t *testing.T) {
	s := load(t, "healthy", `
roles: {"`+nodeRole+`": {attachedPolicies: [], trustPolicy: '{"Version":"2012-10-17","Id":"keep","Statement":{"Sid":"Old","Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}
accessEntries: null`)
	var got []string
	for _, step := range planFor(s).Steps {
		got = append(got, step.Title+" "+strings.Join(step.Rules, ","))
	}
	want := []string{
		"let EC2 assume eksNodeRole NR301",
		"let kubelet on eksNodeRole call what it needs NR201,NR203",
		"allow eksNodeRole to pull images NR202",
		"let eksNodeRole into the cluster NR501",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	trust := planFor(s, "NR301").Steps[0].Changes[0].After.Document
	if want := `{"Version":"2012-10-17","Id":"keep","Statement":[{"Sid":"Old","Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`; trust != want {
		t.Errorf("the trust policy does not keep what was there:\n%s", trust)
	}
}

// TestPlanLeaves: what is somebody's decision is named and left.
func TestPlanLeaves(t *testing.T) {
	tests := map[string]struct{ patch, only, why string }{
		"explicit Deny": {
			`roles: {"` + nodeRole + `": {inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}'}}}`,
			"NR202", "an explicit Deny or a permissions boundary is somebody's decision",
		},
		"boundary": {
			`roles: {"` + nodeRole + `": {permissionsBoundary: "arn:aws:iam::111122223333:policy/b"}}
policies: {"arn:aws:iam::111122223333:policy/b": {version: v1, document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}'}}`,
			"NR202", "an explicit Deny or a permissions boundary is somebody's decision",
		},
		"trust denied": {
			`roles: {"` + nodeRole + `": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}`,
			"NR301", "the trust policy denies it, which is somebody's decision",
		},
		"the cluster's role": {`cluster: {roleArn: "` + nodeRole + `"}
roles: {"` + nodeRole + `": {attachedPolicies: []}}`, "NR202", "the role is also somebody else's"},
		"aws-auth cannot be parsed": {"cluster: {authenticationMode: CONFIG_MAP}\nawsAuth: {mapRoles: 'a: [b'}", "NR505", "mapRoles is no YAML list"},
		"policies not read": {`accessEntries: {"` + nodeRole + `": {type: STANDARD}}
missing: [{fact: accessPolicies, subject: "` + nodeRole + `", operation: "eks:ListAssociatedAccessPolicies", error: refused}]`, "NR502", "the access policies of its access entry could not be read, and would be lost"},
	}
	for name, tt := range tests {
		plan := planFor(load(t, "healthy", tt.patch), tt.only)
		if len(plan.Steps) > 0 || len(plan.Manual) != 1 || !strings.HasPrefix(plan.Manual[0].Why, tt.why) {
			t.Errorf("%s: %d steps, left to people %+v", name, len(plan.Steps), plan.Manual)
		}
	}
}

// TestPlanKeepsAccessPolicies: a stale entry is made again with the policies that
// it had; a type that takes none says so.
func TestPlanKeepsAccessPolicies(t *testing.T) {
	const entry = `accessEntries: {"` + nodeRole + `": {type: %s, createdAt: "2020-01-01T00:00:00Z", policies: {"arn:aws:eks::aws:cluster-access-policy/A": [], "arn:aws:eks::aws:cluster-access-policy/B": [x, z]}}}`
	step := planFor(load(t, "healthy", strings.Replace(entry, "%s", "EC2", 1)), "NR503").Steps[0]
	if len(step.Changes) < 4 || step.Changes[0].After != nil || step.Changes[1].After.Type != "EC2" {
		t.Fatalf("changes %v", step.Changes)
	}
	found := map[string][]string{}
	for _, c := range step.Changes[2:] {
		found[snapshot.NameOf(c.Part)] = c.After.Namespaces
	}
	if diff := cmp.Diff([]string{"x", "z"}, found["B"]); diff != "" || len(found) != 2 {
		t.Errorf("policies %v", found)
	}
	step = planFor(load(t, "healthy", strings.Replace(entry, "%s", "STANDARD", 1)), "NR502").Steps[0]
	if len(step.Changes) != 2 || !strings.Contains(step.Note, "an entry of type EC2_LINUX takes no access policies, so that 2 access policies end") {
		t.Errorf("%d changes, note %q", len(step.Changes), step.Note)
	}
}
