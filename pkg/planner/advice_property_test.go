package planner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// mutations are merge patches that make clusters of different kinds, and clusters with
// different mistakes, of an example.
var mutations = []string{
	`cluster: {roleArn: "` + nodeRole + `"}`,
	`otherClusters: {"arn:aws:eks:eu-west-1:111122223333:cluster/staging": {roleArn: "` + nodeRole + `"}}`,
	`fargateProfiles: {batch: {podExecutionRoleArn: "` + nodeRole + `"}}`,
	trusting(nodeRole, `{"Federated":"arn:aws:iam::111122223333:oidc-provider/example.com"}`, "sts:AssumeRoleWithWebIdentity"),
	trusting(nodeRole, `{"Service":["ec2.amazonaws.com","pods.eks.amazonaws.com"]}`, "sts:AssumeRole"),
	trusting(nodeRole, `{"AWS":"arn:aws:iam::111122223333:root"}`, "sts:AssumeRole"),
	trusting(nodeRole, `{"AWS":"arn:aws:iam::111122223333:root","Service":"ec2.amazonaws.com"}`, "sts:AssumeRole"),
	trusting(cniRole, `{"Service":"pods.eks.amazonaws.com"}`, "sts:AssumeRole"),
	`cluster: {roleArn: "` + cniRole + `"}`,
	`cluster: {authenticationMode: API}`,
	"cluster: {authenticationMode: CONFIG_MAP}\naccessEntries: null",
	`accessEntries: null`,
	`awsAuth: {mapRoles: '[{"rolearn":"` + nodeRole + `","username":"system:node:{{EC2PrivateDNSName}}","groups":["system:bootstrappers","system:nodes"]}]'}`,
	`autoModeNodeClasses: {a: {role: eksNodeRole, roleArn: "` + nodeRole + `"}}`,
	`karpenterNodeClasses: {k: {role: eksNodeRole, roleArn: "` + nodeRole + `"}}`,
	"karpenterNodeClasses: {k: {role: controller, roleArn: \"" + controller + "\"}}\n" + trusting(controller, `{"Service":"pods.eks.amazonaws.com"}`, "sts:AssumeRole"),
	`roles: {"` + nodeRole + `": {attachedPolicies: []}}`,
	`roles: {"` + nodeRole + `": {inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["ecr:*","ec2:Describe*"],"Resource":"*"}}'}}}`,
	`roles: {"` + cniRole + `": {attachedPolicies: []}}`,
	`roles: {"` + cniRole + `": {notFound: true, trustPolicy: null, attachedPolicies: null, createdAt: null}}`,
	`addons: null`,
	`podIdentityAgent: ` + allNodes,
	`cluster: {ipFamily: ipv6}`,
	`nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}}`,
	`awsNode: {pods: {aws-node-7wq5k: {env: null}}}`,
	"awsNode: {serviceAccount: {roleArn: null}}\n" + podIdentity,
	`instances: {i-01a2b3c4d5e6f7081: {state: running, owned: true, nodeGroup: apps, httpTokens: optional, instanceProfile: "arn:aws:iam::111122223333:instance-profile/ssm"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/ssm": {roles: ["` + controller + `"]}}
` + trusting(controller, `{"Service":"ec2.amazonaws.com"}`, "sts:AssumeRole"),
	`instances: {i-01a2b3c4d5e6f7081: {state: running, owned: true, instanceProfile: "arn:aws:iam::111122223333:instance-profile/ssm"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/ssm": {roles: ["` + controller + `"]}}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {maker: selfManaged, owner: null}}
` + trusting(controller, `{"Service":"ec2.amazonaws.com"}`, "sts:AssumeRole"),
	`missing: [{fact: accessPolicies, operation: "eks:ListAssociatedAccessPolicies", error: refused}]`,
	`missing: [{fact: pods, operation: list pods in kube-system, error: forbidden}]`,
}

const (
	cniRole    = "arn:aws:iam::111122223333:role/eksCNIRole"
	controller = "arn:aws:iam::111122223333:role/controller"
)

// trusting is a patch that gives a role a trust policy.
func trusting(role, principal, action string) string {
	return fmt.Sprintf(`roles: {%q: {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":%s,"Action":%q}}'}}`, role, principal, action)
}

// drawCluster lays up to four mutations and rules' Bad patches over an example; ok is
// false where they do not make a snapshot.
func drawCluster(t *rapid.T, bases map[string][]byte, patches [][]byte) (s *snapshot.Snapshot, ok bool) {
	merged := bases[rapid.SampledFrom([]string{"healthy", "healthy", "broken", "custom-policies", "ipv6"}).Draw(t, "example")]
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(patches)-1), 1, 4).Draw(t, "patches") {
		var err error
		if merged, err = jsonpatch.MergePatch(merged, patches[i]); err != nil {
			t.Fatal(err)
		}
	}
	s, err := snapshot.Decode("drawn", merged)
	if err != nil {
		return nil, false
	}
	if s.Cluster.AuthenticationMode == "CONFIG_MAP" && (s.Cluster.AutoMode != nil || len(s.AutoModeNodeClasses) > 0) {
		return nil, false // EKS Auto Mode takes access entries alone
	}
	// A patch for a role of another example makes a role of its own, and IAM has none
	// without a trust policy.
	for arn, role := range s.Roles {
		if role.TrustPolicy == "" && !role.NotFound {
			role.TrustPolicy = need.NodeTrust("aws").Compact()
			s.Roles[arn] = role
		}
	}
	return s, true
}

// asJSON is a YAML text as JSON.
func asJSON(t tester, text []byte) []byte {
	out, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// copyOf is a snapshot that shares nothing with another.
func copyOf(t tester, s *snapshot.Snapshot) *snapshot.Snapshot {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c := &snapshot.Snapshot{}
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAdviceDoesNoHarm: whatever the cluster is like, each command that check prints and
// that can be pasted, and each plan with what it leaves to people, can be followed alone:
// no rule fails that passed for a subject, and there are no more errors than before, but
// those of roles that did not exist. What something else uses is not changed.
func TestAdviceDoesNoHarm(t *testing.T) {
	bases := map[string][]byte{}
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		bases[name] = asJSON(t, text)
	}
	var patches [][]byte
	for _, patch := range mutations {
		patches = append(patches, asJSON(t, []byte(patch)))
	}
	for _, r := range rules.All() {
		patches = append(patches, asJSON(t, []byte(r.Bad)))
	}
	rapid.Check(t, func(t *rapid.T) {
		s, ok := drawCluster(t, bases, patches)
		if !ok {
			t.SkipNow()
		}
		before := judge(s)
		for _, r := range before.Results {
			for _, n := range r.Next {
				if n.Pasteable() {
					f := factsOf(t, copyOf(t, s))
					f.paste(n.Command)
					harmless(t, s, before, f, fmt.Sprintf("%s of %s: %s", r.ID, r.Subject.Name, n.Text))
				}
			}
		}
		for _, m := range planFor(s).Manual {
			for _, n := range m.Next {
				if slices.Contains(n.Command, "edit") {
					break // what follows rests on what people write in the editor
				}
				if !n.Pasteable() {
					continue
				}
				f := factsOf(t, copyOf(t, s))
				f.paste([]string{"kubectl", "noderole", "fix"})
				f.paste(n.Command)
				harmless(t, s, before, f, fmt.Sprintf("left to people by %s of %s: %s", m.Rule, m.Subject, n.Text))
			}
		}
	})
}

// ofOthers are what the roles that something besides nodes, aws-node and the cluster uses allow, whom
// they trust, and their access to the cluster.
func ofOthers(s *snapshot.Snapshot, like *snapshot.Snapshot) map[string]string {
	v := view.New(like)
	states := map[string]string{}
	for arn := range like.Roles {
		owners := slices.DeleteFunc(v.Owners(arn), func(o view.Owner) bool { return o.Kind == view.ClusterOwner && o.Name == v.Place.Cluster })
		if arn != v.ConfiguredIdentity().RoleARN && arn != v.AssociatedRole() && len(owners) > 0 {
			role, entry := s.Roles[arn], s.AccessEntries[arn]
			states[arn] = fmt.Sprint(role.TrustPolicy, role.AttachedPolicies, role.InlinePolicies, entry.Type, entry.Policies)
		}
	}
	return states
}

// harmless compares results, and the roles of others, with those before a command.
func harmless(t tester, first *snapshot.Snapshot, before *finding.Report, f *facts, command string) {
	t.Helper()
	if diff := cmp.Diff(ofOthers(first, first), ofOthers(f.s, first)); diff != "" {
		t.Errorf("%s\nchanges the role of something else (-before +after):\n%s", command, diff)
	}
	after := judge(f.s)
	passed, failed := map[finding.Ref]bool{}, map[string]bool{}
	for _, r := range before.Results {
		passed[r.Ref()] = passed[r.Ref()] || r.Status == finding.Pass
		failed[r.ID] = failed[r.ID] || r.Status == finding.Fail
	}
	for _, r := range after.Results {
		if r.Status == finding.Fail && passed[r.Ref()] {
			t.Errorf("%s\nthen %s fails, which passed: %s", command, r.ID, r.Message)
		}
	}
	errors := after.Summary.Errors
	for _, r := range after.Results {
		if r.Weight() != finding.Error || len(r.Causes) > 0 {
			continue
		}
		role, known := first.Roles[r.Subject.ARN]
		switch {
		case role.NotFound:
			errors-- // nothing was said of a role that did not exist
		case !known && r.Subject.Kind == finding.SubjectNodeRole && r.Repair == "" && failed[r.ID]:
			errors-- // a policy of an endpoint or a repository denies the new role as the one before it
		}
	}
	if errors > before.Summary.Errors {
		t.Errorf("%s\n%d errors become %d: %s", command, before.Summary.Errors, errors, failuresOf(after))
	}
}

func failuresOf(report *finding.Report) string {
	var list []string
	for _, r := range report.Results {
		if r.Weight() == finding.Error {
			list = append(list, r.ID+" "+r.Subject.Name)
		}
	}
	return strings.Join(list, ", ")
}

// paste does to the snapshot what a command does to AWS and to the cluster.
func (f *facts) paste(command []string) {
	f.Helper()
	f.s.Simulations = nil // they are of the time before
	line := strings.Join(command, " ")
	option := func(name string) string {
		if i := slices.Index(command, "--"+name); i >= 0 && i+1 < len(command) {
			return command[i+1]
		}
		return ""
	}
	has := func(prefix string) bool { return strings.HasPrefix(line+" ", prefix+" ") }
	role := f.arn("role", option("role-name"))
	switch {
	case has("kubectl noderole can"), has("kubectl noderole check"), has("kubectl get"), has("kubectl -n kube-system get"), has("aws ec2 get-console-output"), has("aws eks describe-nodegroup"):
	case has("kubectl edit"), has("kubectl -n kube-system edit"): // an editor, which changes nothing by itself
	case has("kubectl noderole fix"):
		f.fix(option)
	case has("kubectl patch ec2nodeclasses.karpenter.k8s.aws"), has("kubectl patch nodeclasses.eks.amazonaws.com"):
		f.patchClass(command[2], command[3], option("patch"))
	case has("aws iam attach-role-policy"):
		f.write(change.Change{Kind: change.Attachment, Name: snapshot.NameOf(role), Part: option("policy-arn"), After: &change.State{}})
	case has("aws iam untag-role"):
		r := f.s.Roles[role]
		r.Tags = maps.Clone(r.Tags)
		delete(r.Tags, option("tag-keys"))
		f.s.Roles[role] = r
	case has("aws eks disassociate-access-policy"):
		f.write(change.Change{Kind: change.AccessPolicy, Name: option("principal-arn"), Part: option("policy-arn"), Before: &change.State{}})
	case has("aws ec2 modify-instance-metadata-options"):
		i := f.s.Instances[option("instance-id")]
		i.HTTPTokens, i.HopLimit = "required", 1
		f.s.Instances[option("instance-id")] = i
	case has("aws ec2 associate-iam-instance-profile"):
		_, name, _ := strings.Cut(option("iam-instance-profile"), "Name=")
		i := f.s.Instances[option("instance-id")]
		i.InstanceProfile = f.arn("instance-profile", name)
		f.s.Instances[option("instance-id")] = i
	case has("aws eks update-cluster-config") && option("access-config") != "":
		_, f.s.Cluster.AuthenticationMode, _ = strings.Cut(option("access-config"), "authenticationMode=")
	case has("aws eks delete-access-entry"):
		delete(f.s.AccessEntries, option("principal-arn"))
	case has("aws eks create-access-entry"):
		f.write(change.Change{Kind: change.AccessEntry, Name: option("principal-arn"), After: &change.State{Type: option("type")}})
	case has("aws eks update-cluster-config"):
		_, arn, _ := strings.Cut(option("compute-config"), "nodeRoleArn=")
		f.s.Cluster.AutoMode.NodeRoleARN = arn
	case has("aws autoscaling start-instance-refresh"): // the instances are as before until the launch template changes
	case command[0] == "sh" && strings.Contains(line, " replace-iam-instance-profile-association "):
		found := regexp.MustCompile(`Values=(i-[0-9a-f]+).* --iam-instance-profile Name=(\S+)`).FindStringSubmatch(line)
		i := f.s.Instances[found[1]]
		i.InstanceProfile = f.arn("instance-profile", found[2])
		f.s.Instances[found[1]] = i
	default:
		f.Fatalf("this test does not know what %s does: add a case for the command here", line)
	}
}

func (f *facts) write(c change.Change) {
	f.Helper()
	if err := f.Write(context.Background(), c); err != nil {
		f.Errorf("%s: %v", c, err)
	}
}

// fix makes every step of the plan that a command of fix makes.
func (f *facts) fix(option func(string) string) {
	f.Helper()
	o := planner.Options{Identity: option("cni-identity")}
	if only := option("only"); only != "" {
		o.Only = strings.Split(only, ",")
	}
	v := view.New(f.s)
	plan := planner.New(v, rules.Judge(v, rules.Options{}).Results, o)
	if len(plan.Steps) == 0 && (len(o.Only) > 0 || o.Identity != "") {
		f.Errorf("fix %v %s plans nothing: %+v", o.Only, o.Identity, plan.Manual)
	}
	for _, step := range plan.Steps {
		for _, c := range step.Changes {
			f.write(c)
		}
	}
}

// patchClass changes a node class; its controller then makes its instance profile.
func (f *facts) patchClass(resource, name, patch string) {
	f.Helper()
	classes := map[string]map[string]snapshot.NodeClass{
		"ec2nodeclasses.karpenter.k8s.aws": f.s.KarpenterNodeClasses, "nodeclasses.eks.amazonaws.com": f.s.AutoModeNodeClasses,
	}[resource]
	classes = maps.Clone(classes)
	found := regexp.MustCompile(`"(role|instanceProfile)":"([^"]+)"`).FindStringSubmatch(patch)
	class := snapshot.NodeClass{Role: found[2], RoleARN: f.arn("role", found[2])}
	if found[1] == "instanceProfile" {
		class = snapshot.NodeClass{InstanceProfile: found[2], ProfileARN: f.arn("instance-profile", found[2])}
	}
	classes[name] = class
	if resource == "nodeclasses.eks.amazonaws.com" {
		f.s.AutoModeNodeClasses = classes
	} else {
		f.s.KarpenterNodeClasses = classes
	}
}
