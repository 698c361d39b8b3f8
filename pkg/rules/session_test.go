package rules_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// resultOf returns the first result of a rule that did not pass, and otherwise one that
// did.
func resultOf(t *testing.T, results []finding.Result, id string) finding.Result {
	t.Helper()
	i := slices.IndexFunc(results, func(r finding.Result) bool { return r.ID == id }) // worst first
	if i < 0 {
		t.Fatalf("no result of %s", id)
	}
	return results[i]
}

func says(r finding.Result, words ...string) bool {
	text := r.Message + "\n" + strings.Join(r.Evidence, "\n")
	for _, n := range r.Next {
		text += "\n" + n.Note
	}
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// TestServiceControlPolicy: a denial that the IAM policy simulator puts down to the organization
// fails the rule whose permission it is, also among what keeps nodes from joining, and
// is no disagreement.
func TestServiceControlPolicy(t *testing.T) {
	const node, own = "arn:aws:iam::111122223333:role/eksNodeRole", "arn:aws:iam::111122223333:role/eksCNIRole"
	for id, tt := range map[string]struct{ role, action, resource string }{
		"NR201": {node, "ec2:DescribeInstances", "*"},
		"NR202": {node, "ecr:GetAuthorizationToken", "*"},
		"NR206": {own, "ec2:AssignPrivateIpAddresses", "arn:aws:ec2:eu-west-1:111122223333:network-interface/eni-0123456789abcdef0"},
	} {
		s := overlay(t, `{}`)
		s.Simulations = map[string][]snapshot.Simulation{tt.role: {{Action: tt.action, Resource: tt.resource, Decision: "implicitDeny", DeniedBy: snapshot.DeniedByOrganizations}}}
		report := rules.Judge(view.New(s), rules.Options{WhyNotJoining: true})
		got := resultOf(t, report.Results, id)
		if got.Status != finding.Fail || got.Severity != finding.Error || !says(got, tt.action+": denied by a service control policy", "ask the administrators of your organization's service control policies", "--org-profile") {
			t.Errorf("%s: %+v", id, got)
		}
		if ids := failed(rules.Judge(view.New(s), rules.Options{}).Results); slices.Contains(ids, "NR290") {
			t.Errorf("%s: NR290 fails as well", id)
		}
		decided := false
		for _, role := range report.IAM.Roles {
			for _, n := range role.Needs {
				decided = decided || slices.ContainsFunc(n.Decisions, func(d finding.Decision) bool { return d.By == "organization" && slices.Contains(d.Actions, tt.action) })
			}
		}
		if !decided {
			t.Errorf("%s: no decision of the report is the organization's", id)
		}
		// The policies themselves decide where they were read.
		s.Organization = &snapshot.Organization{ID: "o-1", ManagementAccount: "999999999999", Levels: []snapshot.OrganizationLevel{{ID: "r-1"}, {ID: "111122223333"}}}
		read := rules.Judge(view.New(s), rules.Options{}).Results
		if got := resultOf(t, read, id); got.Status != finding.Pass {
			t.Errorf("%s, with the policies: %+v", id, got)
		}
		if ids := failed(read); len(ids) > 0 {
			t.Errorf("%s, with the policies: %v fail", id, ids)
		}
	}
}

// TestTargetRoleOfAssociation: the link that is broken is named, and the permissions are
// those of the target role.
func TestTargetRoleOfAssociation(t *testing.T) {
	const target = "arn:aws:iam::111122223333:role/target"
	patch := podIdentity(`sts:AssumeRole","sts:TagSession`, `targetRoleArn: "`+target+`"`) + `
  "` + target + `":
    trustPolicy: TRUST
    attachedPolicies: [ATTACHED]
`
	const cni = `"arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"`
	const names = `'{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["sts:AssumeRole","sts:TagSession"]}}'`
	const others = `'{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}'`
	may := func(s *snapshot.Snapshot) {
		first := s.Roles[matrixOwn]
		first.InlinePolicies = map[string]string{"assume": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"` + target + `"}}`}
		s.Roles[matrixOwn] = first
	}
	for name, tt := range map[string]struct {
		trust, attached string
		change          func(*snapshot.Snapshot)
		failed          []string
		words           []string
	}{
		"works":              {names, cni, may, nil, nil},
		"cannot assume":      {names, cni, nil, []string{"NR604"}, []string{"eksCNIRole cannot assume the target role target", "allow sts:AssumeRole and sts:TagSession on " + target + " in a policy of eksCNIRole"}},
		"is not trusted":     {others, cni, may, []string{"NR604"}, []string{"trust policy of target: ", "the trust policy of target names lambda.amazonaws.com"}},
		"target without CNI": {names, "", may, []string{"NR206", "NR211"}, nil},
	} {
		s := overlay(t, strings.NewReplacer("TRUST", tt.trust, "ATTACHED", tt.attached).Replace(patch))
		if tt.change != nil {
			tt.change(s)
		}
		results := rules.Run(view.New(s), rules.All())
		if diff := cmp.Diff(tt.failed, failed(results)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := resultOf(t, results, "NR604"); !says(got, tt.words...) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestSessionPolicyOfAssociation: what the session policy leaves out is missing, and a
// policy of the role does not help.
func TestSessionPolicyOfAssociation(t *testing.T) {
	s := overlay(t, podIdentity(`sts:AssumeRole`, `disableSessionTags: true, policy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}'`))
	report := rules.Judge(view.New(s), rules.Options{})
	got := resultOf(t, report.Results, "NR206")
	if got.Status != finding.Fail || !says(got, "the session policy of the Pod Identity association does not allow it", "in the session policy of the Pod Identity association too") {
		t.Errorf("%+v", got)
	}
	shown := false
	for _, role := range report.IAM.Roles {
		shown = shown || slices.ContainsFunc(role.Policies, func(p finding.RolePolicy) bool { return p.Kind == finding.SessionPolicy && p.Document != "" })
	}
	if !shown {
		t.Error("the report does not show the session policy")
	}
}

// podIdentity turns the healthy example into one with Pod Identity, with further fields
// of the association. It ends among the roles.
func podIdentity(actions, association string) string {
	env := `{env: {AWS_ROLE_ARN: null, AWS_WEB_IDENTITY_TOKEN_FILE: null, AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials"}}`
	return `
podIdentityAgent: {nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true, ip-10-0-2-41.eu-west-1.compute.internal: true, ip-10-0-1-90.eu-west-1.compute.internal: true}}
podIdentityAssociations: {a-1: {namespace: kube-system, serviceAccount: aws-node, roleArn: "` + matrixOwn + `", ` + association + `}}
awsNode: {serviceAccount: {roleArn: null}, pods: {aws-node-7wq5k: ` + env + `, aws-node-h2m8x: ` + env + `, aws-node-zk4tp: ` + env + `}}
roles:
  "` + matrixOwn + `":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["` + actions + `"]}}'`
}

// onNodeRole is the cluster that AWS's guide begins with: aws-node uses the node role.
const onNodeRole = `
addons: {vpc-cni: {serviceAccountRoleArn: null}}
awsNode: {serviceAccount: {roleArn: null}, pods: null}
roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: [
  "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}}`

// TestCNIPolicyInUse: where aws-node has no role of its own the node role's permissions
// are a recommendation, unless a team made the rule more than that.
func TestCNIPolicyInUse(t *testing.T) {
	report := rules.Judge(view.New(overlay(t, onNodeRole)), rules.Options{})
	got := resultOf(t, report.Results, "NR205")
	if got.Status != finding.Fail || got.Severity != finding.Info || !says(got, "not safe to remove now: aws-node uses them") {
		t.Errorf("%+v", got)
	}
	if report.Worst() > finding.Info.Rank() {
		t.Errorf("a default cluster counts as %d", report.Worst())
	}
	if row := report.NodeRoles[0].Verdicts[finding.ConcernCNI]; row.Severity != finding.Info {
		t.Errorf("the node role's row says %+v", row)
	}
	report = rules.Judge(view.New(overlay(t, onNodeRole)), rules.Options{Severities: map[string]finding.Severity{"NR205": finding.Error}})
	if got := resultOf(t, report.Results, "NR205"); got.Severity != finding.Error {
		t.Errorf("a team's severity does not count: %+v", got)
	}
}

// TestStalePodWithoutPermissions: a pod that still uses a node role without CNI
// permissions is an error that names pod and node, and explains what the pod reports.
func TestStalePodWithoutPermissions(t *testing.T) {
	s := overlay(t, `
awsNode: {pods: {aws-node-7wq5k: {env: {AWS_ROLE_ARN: null, AWS_WEB_IDENTITY_TOKEN_FILE: null}}}}
events:
- {reason: MissingIAMPermissions, object: Pod/aws-node-7wq5k, message: "Unauthorized operation: failed to call ec2:AssignPrivateIpAddresses due to missing permissions.", count: 3}
- {reason: MissingIAMPermissions, object: Pod/aws-node-h2m8x, message: "Unauthorized operation: failed to call ec2:TerminateInstances due to missing permissions.", count: 3}
- {reason: FailedBuildModel, object: Ingress/web, message: "User: arn:aws:sts::111122223333:assumed-role/albRole/1 is not authorized to perform: ec2:AssignPrivateIpAddresses", count: 1}`)
	results := rules.Judge(view.New(s), rules.Options{}).Results
	got := resultOf(t, results, "NR607")
	if got.Status != finding.Fail || !says(got, "aws-node pod aws-node-7wq5k on node ip-10-0-1-17.eu-west-1.compute.internal still uses node role eksNodeRole", "ec2:AssignPrivateIpAddresses") {
		t.Errorf("%+v", got)
	}
	causes := map[string][]string{}
	for _, r := range results {
		if r.ID == "NR802" {
			for _, c := range r.Causes {
				causes[r.Subject.Name] = append(causes[r.Subject.Name], c.ID)
			}
			if _, ok := causes[r.Subject.Name]; !ok {
				causes[r.Subject.Name] = nil
			}
		}
	}
	want := map[string][]string{"MissingIAMPermissions Pod/aws-node-7wq5k": {"NR607"}, "MissingIAMPermissions Pod/aws-node-h2m8x": nil}
	if diff := cmp.Diff(want, causes); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
}

// TestNodeClassConditions: what a node class's controller waits for is evidence.
func TestNodeClassConditions(t *testing.T) {
	s := overlay(t, `
karpenterNodeClasses: {default: {role: goneRole, roleArn: "arn:aws:iam::111122223333:role/goneRole", conditions: [
  {type: InstanceProfileReady, status: "False", reason: NodeRoleNotFound, message: Failed to detect the NodeRole}]}}
roles: {"arn:aws:iam::111122223333:role/goneRole": {notFound: true}}`)
	got := resultOf(t, rules.Judge(view.New(s), rules.Options{}).Results, "NR802")
	if got.Status != finding.Fail || !says(got, "EC2NodeClass default: condition InstanceProfileReady is False: NodeRoleNotFound Failed to detect the NodeRole") ||
		!slices.ContainsFunc(got.Causes, func(c finding.Ref) bool { return c.ID == "NR104" }) {
		t.Errorf("%+v", got)
	}
}

// TestTrustConditions: a trust policy that names EC2, and whose conditions no request of EC2
// meets, is said to have such conditions.
func TestTrustConditions(t *testing.T) {
	for condition, want := range map[string]string{
		`{"StringEquals":{"aws:SourceAccount":"444455556666"}}`:         "; the conditions of trust policy of eksNodeRole statement 2 are not met",
		`{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`:                    "; the conditions of trust policy of eksNodeRole statement 2 are not met",
		`{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`:   "; the conditions of trust policy of eksNodeRole statement 2 are not met",
		`{"StringEqualsIfExists":{"aws:SourceAccount":"111122223333"}}`: "",
	} {
		s := overlay(t, `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {trustPolicy: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":`+condition+`}]}'}}`)
		s.Source.CollectedAt = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		r := resultOf(t, rules.Judge(view.New(s), rules.Options{}).Results, "NR301")
		if (want == "") != (r.Status == finding.Pass) || !strings.Contains(r.Evidence[0], want) {
			t.Errorf("%s: %+v", condition, r)
		}
	}
}
