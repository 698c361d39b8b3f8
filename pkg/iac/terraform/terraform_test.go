package terraform_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/terraform"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// The plans and states in testdata are Terraform's own, of the configurations in
// test/e2e/terraform/configs: a test there writes them.

func read(t *testing.T, text []byte, o terraform.Options) []*snapshot.Snapshot {
	t.Helper()
	code, err := terraform.Read("plan.json", text, o)
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := iac.Build(code)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots {
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Decode("snapshot", text); err != nil {
			t.Fatalf("the snapshot is not valid: %s\n%s", err, text)
		}
	}
	return snapshots
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// verdicts are the results of some statuses, as RULE SUBJECT.
func verdicts(s *snapshot.Snapshot, statuses ...finding.Status) []string {
	var list []string
	for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
		if slices.Contains(statuses, r.Status) && r.Severity != finding.Info {
			list = append(list, r.ID+" "+r.Subject.Name)
		}
	}
	slices.Sort(list)
	return list
}

// installed is a copy of a configuration with the list of modules that terraform init writes.
func installed(t *testing.T, config string, modules map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), config)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "..", "test", "e2e", "terraform", "configs", config))); err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	for _, key := range slices.Sorted(maps.Keys(modules)) {
		list = append(list, map[string]string{"Key": key, "Dir": modules[key]})
	}
	// The source of a module may be an absolute path, too.
	list[0]["Dir"] = filepath.Join(dir, list[0]["Dir"])
	text, err := json.Marshal(map[string]any{"Modules": list})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".terraform", "modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".terraform", "modules", "modules.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mapped are the verdicts that an unknown aws-auth leaves open.
func mapped(role, cluster string) []string {
	return []string{"NR501 " + role, "NR504 " + role, "NR505 " + cluster, "NR506 " + role}
}

func TestPlans(t *testing.T) {
	type cluster struct {
		Cluster         string
		Roles           []string
		Failed, Unknown []string
	}
	node := "shop-node"
	permissions := []string{"NR201 " + node, "NR202 " + node, "NR203 " + node, "NR205 " + node, "NR206 " + node, "NR207 " + node}
	for _, c := range []struct {
		name    string
		sources string
		want    []cluster
	}{
		{"right.json", "", []cluster{{Cluster: "eu-west-1/shop", Roles: []string{"apps-eks-node-group-(after apply)", "system-eks-node-group-(after apply)"}}}},
		{"mistakes.json", "", []cluster{{
			Cluster: "eu-west-1/shop", Roles: []string{"shop-no-pull", node, "shop-shared", "shop-trust"},
			Failed: []string{"NR101 shop-shared", "NR201 shop-shared", "NR202 shop-no-pull", "NR202 shop-shared", "NR203 shop-shared", "NR204 shop-shared", "NR205 shop-node", "NR301 shop-trust", "NR303 shop-trust", "NR701 shop-node"},
		}}},
		{"karpenter.json", "", []cluster{{
			Cluster: "eu-west-1/shop", Roles: []string{"KarpenterNodeRole-(after apply)", "shop-class", "shop-group"},
			Failed: []string{"NR207 shop-class", "NR501 shop-class", "NR701 shop-class"},
		}}},
		{"two.json", "", []cluster{
			{Cluster: "eu-west-1/elsewhere", Roles: []string{"elsewhere"}},
			{Cluster: "eu-west-1/shop-eu", Roles: []string{"node"}, Failed: []string{"NR102 node"}},
			{Cluster: "us-east-1/shop-us", Roles: []string{"node"}, Failed: []string{"NR101 node"}},
		}},
		// Which role Karpenter's nodes have, and whose the Auto Scaling groups are, only the sources
		// of the modules say.
		{"blueprint.json", "", []cluster{
			{Cluster: "eu-west-1/old", Roles: []string{"nodes-(after apply)"}, Unknown: append([]string{"NR100 old"}, mapped("nodes-(after apply)", "old")...)},
			{Cluster: "eu-west-1/other", Roles: []string{"nodes-(after apply)-2"}, Unknown: []string{"NR100 other"}},
			{Cluster: "eu-west-1/shop", Roles: []string{"nodes-(after apply)-3"}, Unknown: []string{
				"NR100 shop", "NR502 nodes-(after apply)-3", "NR503 nodes-(after apply)-3", "NR506 nodes-(after apply)-3",
			}},
		}},
		{"blueprint.json", installed(t, "blueprint", map[string]string{"addons": "modules/addons", "addons.karpenter": "modules/irsa", "nodes": "modules/nodes"}), []cluster{
			{Cluster: "eu-west-1/old", Roles: []string{"nodes-(after apply)"}, Unknown: mapped("nodes-(after apply)", "old")},
			{Cluster: "eu-west-1/other", Roles: []string{"nodes-(after apply)-2"}},
			{Cluster: "eu-west-1/shop", Roles: []string{"karpenter-(after apply)", "nodes-(after apply)-3"}, Failed: []string{"NR202 karpenter-(after apply)"}},
		}},
		// The node group names its role by a local value, which only the sources have.
		{"unknown.json", "", []cluster{{Cluster: "eu-west-1/shop", Unknown: []string{"NR100 shop"}}}},
		{"unknown.json", "../../../test/e2e/terraform/configs/unknown", []cluster{{Cluster: "eu-west-1/shop", Roles: []string{node}, Unknown: permissions}}},
		// Other sources are not used.
		{"unknown.json", "../../../test/e2e/terraform/configs/two", []cluster{{Cluster: "eu-west-1/shop", Unknown: []string{"NR100 shop"}}}},
		{"change-state.json", "", []cluster{{
			Cluster: "eu-west-1/shop", Roles: []string{node},
			Unknown: []string{"NR102 " + node, "NR205 " + node, "NR206 aws-node", "NR209 aws-node", "NR214 shop-cluster", "NR603 aws-node", "NR604 aws-node", "NR605 aws-node", "NR606 aws-node"},
		}}},
		{"change.json", "", []cluster{{
			Cluster: "eu-west-1/shop", Roles: []string{node}, Failed: []string{"NR202 " + node, "NR503 " + node},
			Unknown: []string{"NR205 " + node, "NR206 aws-node", "NR209 aws-node", "NR214 shop-cluster", "NR603 aws-node", "NR604 aws-node", "NR605 aws-node", "NR606 aws-node"},
		}}},
	} {
		t.Run(strings.TrimSuffix(c.name, ".json")+" "+filepath.Base(c.sources), func(t *testing.T) {
			var got []cluster
			for _, s := range read(t, fixture(t, c.name), terraform.Options{Sources: c.sources}) {
				one := cluster{
					Cluster: s.Cluster.Identity().Region + "/" + s.Cluster.Identity().Name(),
					Failed:  verdicts(s, finding.Fail), Unknown: verdicts(s, finding.Unknown),
				}
				for _, r := range view.New(s).NodeRoles() {
					one.Roles = append(one.Roles, r.Name)
				}
				if one.Cluster == "eu-west-1/elsewhere" {
					one.Unknown = nil // almost all of it
				}
				got = append(got, one)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestMetadata: the options of the instance metadata service come from launch templates, also
// where the template is behind a local value of a module.
func TestMetadata(t *testing.T) {
	want := snapshot.MetadataOptions{HTTPTokens: "required", HopLimit: 1}
	for _, sources := range []string{"", "../../../test/e2e/terraform/configs/right"} {
		s := read(t, fixture(t, "right.json"), terraform.Options{Sources: sources})[0]
		for name, g := range s.NodeGroups {
			if g.Metadata == nil || *g.Metadata != want {
				t.Errorf("sources %q: node group %s has %+v", sources, name, g.Metadata)
			}
		}
	}
	s := read(t, fixture(t, "karpenter.json"), terraform.Options{})[0]
	if got := s.AutoScalingGroups["shop-group"].Metadata; got == nil || *got != want {
		t.Errorf("the Auto Scaling group has %+v", got)
	}
	if got := s.KarpenterNodeClasses["default"].Metadata; got == nil || *got != (snapshot.MetadataOptions{HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 2}) {
		t.Errorf("the node class has %+v", got)
	}
}

// TestNoSecrets: neither a value that is marked as sensitive, nor a variable, nor an
// attribute that is not needed is in a snapshot.
func TestNoSecrets(t *testing.T) {
	const secret = "correct-horse-battery"
	for _, name := range []string{"right.json", "unknown.json"} {
		text := fixture(t, name)
		if !strings.Contains(string(text), secret) {
			t.Fatalf("%s has no secret", name)
		}
		for _, s := range read(t, text, terraform.Options{Sources: "../../../test/e2e/terraform/configs/" + strings.TrimSuffix(name, ".json")}) {
			out, err := s.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(out), secret) {
				t.Errorf("the snapshot of %s has the secret", name)
			}
		}
	}
}

// TestPlanAgainstState: what is certain in a plan is the same in the state that it leads to.
func TestPlanAgainstState(t *testing.T) {
	certain := func(name string) map[string]finding.Status {
		found := map[string]finding.Status{}
		for _, s := range read(t, fixture(t, name), terraform.Options{}) {
			for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
				if r.Status == finding.Pass || r.Failed() {
					subject := r.Subject.Name
					if r.Place != nil {
						subject = r.Place.Address
					}
					found[r.ID+" "+subject] = r.Status
				}
			}
		}
		return found
	}
	plan, state := certain("right.json"), certain("right-state.json")
	both := 0
	for key, status := range plan {
		if after, ok := state[key]; ok {
			both++
			if after != status {
				t.Errorf("%s: the plan says %s, the state %s", key, status, after)
			}
		}
	}
	if both < 20 {
		t.Errorf("only %d results are certain in both", both)
	}
}

// TestMonotone: making an attribute unknown turns a certain verdict only into an unknown one.
func TestMonotone(t *testing.T) {
	for _, name := range []string{"right.json", "mistakes.json", "karpenter.json", "two.json", "change.json"} {
		t.Run(name, func(t *testing.T) {
			before := outcomes(t, fixture(t, name))
			var plan map[string]any
			if err := json.Unmarshal(fixture(t, name), &plan); err != nil {
				t.Fatal(err)
			}
			changed := 0
			for _, c := range plan["resource_changes"].([]any) {
				resource := c.(map[string]any)
				after, ok := resource["change"].(map[string]any)["after"].(map[string]any)
				if !ok {
					continue
				}
				for attribute := range after {
					text := makeUnknown(t, fixture(t, name), resource["address"].(string), attribute)
					if text == nil {
						continue
					}
					changed++
					compare(t, resource["address"].(string)+"."+attribute, before, outcomes(t, text))
				}
			}
			if changed < 10 {
				t.Errorf("only %d attributes were made unknown", changed)
			}
		})
	}
}

// outcomes are the verdicts by rule and subject, where the address of a subject counts, as
// its name may be unknown; nil where the plan is about no cluster that is known.
func outcomes(t *testing.T, text []byte) map[string]finding.Status {
	t.Helper()
	code, err := terraform.Read("plan.json", text, terraform.Options{Place: iac.Place{Account: "111122223333", Region: "eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := iac.Build(code)
	if err != nil {
		return nil
	}
	found := map[string]finding.Status{}
	for _, s := range snapshots {
		report := rules.Judge(view.New(s), rules.Options{})
		cluster := s.Cluster.ARN
		if p, ok := s.Places[cluster]; ok {
			cluster = p.Address
		}
		for _, r := range report.Results {
			subject := r.Subject.Name
			if r.Place != nil {
				subject = r.Place.Address
			}
			found[cluster+" "+r.ID+" "+subject] = r.Status
		}
	}
	return found
}

func compare(t *testing.T, what string, before, after map[string]finding.Status) {
	t.Helper()
	for key, status := range after {
		if status != finding.Pass && status != finding.Fail && status != finding.Depends {
			continue
		}
		if was, ok := before[key]; ok && was != status && was != finding.NotApplicable {
			t.Errorf("%s unknown: %s was %s and is %s", what, key, was, status)
		}
	}
	for key, was := range before {
		if _, ok := after[key]; !ok && was == finding.Fail && after != nil && !someUnknown(after) {
			t.Errorf("%s unknown: %s failed and is gone, and nothing is unknown", what, key)
		}
	}
}

func someUnknown(outcomes map[string]finding.Status) bool {
	for _, status := range outcomes {
		if status == finding.Unknown {
			return true
		}
	}
	return false
}

// makeUnknown returns a plan in which an attribute is known only after apply, and comes from
// a local value; nil where the configuration does not set the attribute.
func makeUnknown(t *testing.T, text []byte, address, attribute string) []byte {
	t.Helper()
	var plan map[string]any
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	for _, c := range plan["resource_changes"].([]any) {
		resource := c.(map[string]any)
		if resource["address"] != address {
			continue
		}
		change := resource["change"].(map[string]any)
		delete(change["after"].(map[string]any), attribute)
		unknown, ok := change["after_unknown"].(map[string]any)
		if !ok {
			return nil
		}
		unknown[attribute] = true
	}
	if !setExpression(plan["configuration"].(map[string]any)["root_module"].(map[string]any), address, attribute) {
		return nil
	}
	out, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// setExpression makes an attribute of a resource come from a local value.
func setExpression(module map[string]any, address, attribute string) bool {
	for strings.HasPrefix(address, "module.") {
		call, rest, _ := strings.Cut(strings.TrimPrefix(address, "module."), ".")
		call, _, _ = strings.Cut(call, "[")
		module = module["module_calls"].(map[string]any)[call].(map[string]any)["module"].(map[string]any)
		address = rest
	}
	block, _, _ := strings.Cut(address, "[")
	for _, r := range module["resources"].([]any) {
		resource := r.(map[string]any)
		if resource["address"] != block {
			continue
		}
		expressions, _ := resource["expressions"].(map[string]any)
		if expressions[attribute] == nil {
			return false
		}
		expressions[attribute] = map[string]any{"references": []any{"local.somewhere"}}
		return true
	}
	return false
}

// TestNullVariable: a setting that is a variable without a value is not set, so that EKS's
// default applies; one that is of a resource is known only after apply.
func TestNullVariable(t *testing.T) {
	for argument, want := range map[string]bool{
		`{}`: false,
		`{"family":{"references":["var.family"]}}`:                                 false,
		`{"family":{"references":["aws_ssm_parameter.x.value"]}}`:                  true,
		`{"family":{"references":["local.family"]}}`:                               true,
		`{"family":{"references":["aws_ssm_parameter.x.name"]}}`:                   true, // of a kind whose values are not read
		`{"family":{"references":["data.aws_region.r.name","data.aws_region.r"]}}`: false,
	} {
		text := `{"format_version":"1.2","resource_changes":[
{"address":"module.eks.aws_eks_cluster.c","type":"aws_eks_cluster","change":{"actions":["create"],"after":{"name":"c","role_arn":"arn:aws:iam::111122223333:role/c","kubernetes_network_config":[{}]},"after_unknown":{"kubernetes_network_config":[{"ip_family":true}]}}},
{"address":"aws_ssm_parameter.x","type":"aws_ssm_parameter","change":{"actions":["create"],"after":{},"after_unknown":{"value":true}}}],
"prior_state":{"values":{"root_module":{"resources":[{"address":"data.aws_region.r","mode":"data","type":"aws_region","values":{"name":"eu-west-1"}}]}}},
"configuration":{"root_module":{
"resources":[{"address":"aws_ssm_parameter.x","type":"aws_ssm_parameter","expressions":{}},{"address":"data.aws_region.r","mode":"data","type":"aws_region","expressions":{}}],
"module_calls":{"eks":{"expressions":` + argument + `,"module":{
"resources":[{"address":"aws_eks_cluster.c","type":"aws_eks_cluster","expressions":{"name":{"constant_value":"c"},"kubernetes_network_config":[{"ip_family":{"references":["var.family"]}}]}}]}}}}}}`
		s := read(t, []byte(text), terraform.Options{Place: iac.Place{Account: "111122223333", Region: "eu-west-1"}})[0]
		if got := s.IsMissing(snapshot.FactCluster, ""); got != want {
			t.Errorf("%s: the family is unknown: %v, not %v", argument, got, want)
		}
	}
}
