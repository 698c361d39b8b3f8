package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// ruleOf is the rule with an ID.
func ruleOf(t *testing.T, id string) rules.Rule {
	t.Helper()
	all := rules.All()
	i := slices.IndexFunc(all, func(r rules.Rule) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no rule %s", id)
	}
	return all[i]
}

// TestAddonCredentials: whether an add-on relies on the node role rests on the environment of
// its pods and on what the role allows, and how much that counts on the network of the pods
// and the metadata settings of their instances.
func TestAddonCredentials(t *testing.T) {
	const node = "ip-10-0-1-17.eu-west-1.compute.internal"
	pod := func(name, addon, more string) string {
		return fmt.Sprintf("  kube-system/%s: {addon: %s, node: %s, serviceAccount: own, %s}\n", name, addon, node, more)
	}
	pods := func(list ...string) string { return "addonPods:\n" + strings.Join(list, "") }
	allow := func(actions string) string {
		return `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` + actions + `,"Resource":"*"}}'}}}` + "\n"
	}
	metadata := func(tokens string, hops int) string {
		return fmt.Sprintf("nodes: {%s: {providerID: \"aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa\"}}\n"+
			"instances: {i-0aaaaaaaaaaaaaaaa: {state: running, nodeGroup: apps, httpTokens: %s, httpEndpoint: enabled, hopLimit: %d}}\n", node, tokens, hops)
	}
	ebs := allow(`["ec2:CreateVolume","ec2:AttachVolume"]`)
	const relies = "credentials: NodeRole"
	for name, test := range map[string]struct {
		patches []string
		status  finding.Status
		// severity is that of the result.
		severity finding.Severity
		message  string
		evidence string
	}{
		"a role of its own": {[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", "credentials: IRSA"))}, finding.Pass, "", "no known add-on relies on eksNodeRole", "1 pod with other credentials"},
		"the role does not allow what it calls": {
			[]string{pods(pod("ebs-1", "aws-ebs-csi-driver", relies))}, finding.Pass, "", "", "eksNodeRole does not allow what it calls",
		},
		"no metadata settings are known": {
			[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", relies))}, finding.Fail, finding.Info, "add-ons use the credentials of eksNodeRole: the EBS CSI driver", "ec2:CreateVolume, ec2:AttachVolume: allowed by inline own statement 1",
		},
		"hop limit 2": {
			[]string{ebs, metadata("required", 2), pods(pod("ebs-1", "aws-ebs-csi-driver", relies), pod("ebs-2", "aws-ebs-csi-driver", relies))},
			finding.Fail, finding.Warning, "a hop limit of 1 would cut add-ons off from AWS, which use the credentials of eksNodeRole: the EBS CSI driver", "kube-system/ebs-1 and 1 more",
		},
		"hop limit 2 on the node's network": {
			[]string{ebs, metadata("required", 2), pods(pod("ebs-1", "aws-ebs-csi-driver", relies+", hostNetwork: true"))}, finding.Fail, finding.Info, "add-ons use the credentials", "pod kube-system/ebs-1",
		},
		"hop limit 1": {
			[]string{ebs, metadata("required", 1), pods(pod("ebs-1", "aws-ebs-csi-driver", relies))}, finding.Fail, finding.Warning, "cannot get the credentials of eksNodeRole, because of a hop limit of 1", "instance i-0aaaaaaaaaaaaaaaa: hop limit 1",
		},
		"hop limit 1 without tokens": {
			[]string{ebs, metadata("optional", 1), pods(pod("ebs-1", "aws-ebs-csi-driver", relies))}, finding.Fail, finding.Warning, "a hop limit of 1 would cut add-ons off", "HttpTokens optional",
		},
		"an annotation that the pods do not have": {
			[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", relies)), `addonAccounts: {kube-system/own: {roleArn: "arn:aws:iam::111122223333:role/ebs"}}`},
			finding.Fail, finding.Info, "", "annotated with arn:aws:iam::111122223333:role/ebs",
		},
		"an association that the pods do not use": {
			[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", relies)), `addonAccounts: {kube-system/own: {podIdentityAssociations: [a-1]}}`},
			finding.Fail, finding.Info, "", "has Pod Identity association a-1",
		},
		"neither annotation nor association": {
			[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", relies)), `addonAccounts: {kube-system/own: {}}`},
			finding.Fail, finding.Info, "", "has no annotation eks.amazonaws.com/role-arn and no Pod Identity association",
		},
		"a Secret decides": {
			[]string{ebs, metadata("required", 2), pods(pod("ebs-1", "aws-ebs-csi-driver", relies+", optionalKeys: aws-secret"))},
			finding.Depends, finding.Warning, "the EBS CSI driver; unless Secret aws-secret exists", "Secrets are not read",
		},
		"a Secret decides about little": {
			[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", relies+", optionalKeys: aws-secret"))}, finding.NotApplicable, finding.Info, "unless Secret aws-secret exists", "Secrets are not read",
		},
		"two add-ons": {
			[]string{allow(`["ec2:*","autoscaling:*"]`), pods(pod("ebs-1", "aws-ebs-csi-driver", relies+", optionalKeys: aws-secret"), pod("ca-1", "cluster-autoscaler", relies))},
			finding.Fail, finding.Info, "eksNodeRole: Cluster Autoscaler", "Secret aws-secret, if that exists",
		},
		"what is certain counts": {
			[]string{allow(`["ec2:*","autoscaling:*"]`), metadata("required", 2), pods(pod("ebs-1", "aws-ebs-csi-driver", relies+", optionalKeys: aws-secret"), pod("ca-1", "cluster-autoscaler", relies+", hostNetwork: true"))},
			finding.Fail, finding.Info, "add-ons use the credentials of eksNodeRole: Cluster Autoscaler", "kube-system/ebs-1",
		},
		"an environment that is not read": {
			[]string{ebs, pods(pod("ebs-1", "aws-ebs-csi-driver", "credentials: Unknown"))}, finding.NotApplicable, finding.Warning, "depends on what is not read", "1 pod with a profile",
		},
		"Fluent Bit on the node's network": {
			[]string{allow(`["logs:PutLogEvents"]`), metadata("required", 1), pods(pod("fluent-bit-1", "aws-for-fluent-bit", relies+", hostNetwork: true, container: fluent-bit"))},
			finding.Fail, finding.Info, "add-ons use the credentials of eksNodeRole: AWS for Fluent Bit", "container fluent-bit of pod kube-system/fluent-bit-1: its environment",
		},
		"Fluent Bit with its own network": {
			[]string{allow(`["logs:PutLogEvents"]`), metadata("required", 1), pods(pod("fluent-bit-1", "aws-for-fluent-bit", relies))},
			finding.Fail, finding.Warning, "cannot get the credentials of eksNodeRole, because of a hop limit of 1: AWS for Fluent Bit", "pod kube-system/fluent-bit-1: its environment",
		},
		"Fluent Bit that may write elsewhere": {
			[]string{allow(`["s3:PutObject"]`), pods(pod("fluent-bit-1", "aws-for-fluent-bit", relies))},
			finding.NotApplicable, "", "depends on what is not read", "does not allow logs:PutLogEvents; whether it calls s3:PutObject instead is in its configuration, which is not read",
		},
		"Fluent Bit that may not write": {
			[]string{pods(pod("fluent-bit-1", "aws-for-fluent-bit", relies))}, finding.Pass, "", "no known add-on relies on eksNodeRole", "eksNodeRole does not allow what it calls",
		},
		"what may be does not hide what is": {
			[]string{allow(`["s3:PutObject","ec2:*"]`), pods(pod("ebs-1", "aws-ebs-csi-driver", relies), pod("fluent-bit-1", "aws-for-fluent-bit", relies))},
			finding.Fail, finding.Info, "eksNodeRole: the EBS CSI driver", "pod kube-system/ebs-1",
		},
		"pods that were not all read": {
			[]string{pods(pod("ebs-1", "aws-ebs-csi-driver", "credentials: IRSA")), "missing: [{fact: addonPods, operation: list pods, permission: list pods, error: Forbidden}]"},
			finding.NotApplicable, "", "not all pods of add-ons were read", "list pods: Forbidden",
		},
		"an add-on that is unknown": {[]string{allow(`"*"`), pods(pod("web-1", "web", relies))}, "", "", "", ""},
		"a node of another role":    {[]string{ebs, "addonPods: {kube-system/ebs-1: {addon: aws-ebs-csi-driver, node: fargate-1, serviceAccount: own, credentials: NodeRole}}"}, "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, test.patches...)), []rules.Rule{ruleOf(t, "NR702")})
			if test.status == "" {
				if len(results) > 0 {
					t.Errorf("%+v", results)
				}
				return
			}
			if len(results) != 1 {
				t.Fatalf("%d results", len(results))
			}
			r := results[0]
			if test.severity == "" {
				test.severity = finding.Warning // of the rule
			}
			if r.Status != test.status || r.Severity != test.severity || !strings.Contains(r.Message, test.message) || !strings.Contains(strings.Join(r.Evidence, "\n"), test.evidence) {
				t.Errorf("%s %s: %s\n%s", r.Severity, r.Status, r.Message, strings.Join(r.Evidence, "\n"))
			}
		})
	}
}

// TestAddonsOfOneAccount: add-ons that share a service account are one thing to do.
func TestAddonsOfOneAccount(t *testing.T) {
	const node = "ip-10-0-1-17.eu-west-1.compute.internal"
	patches := []string{
		`roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"logs:PutLogEvents","Resource":"*"}}'}}}`,
		"addonPods:\n  amazon-cloudwatch/fluent-bit-1: {addon: aws-for-fluent-bit, node: " + node + ", serviceAccount: cloudwatch-agent, credentials: NodeRole}\n" +
			"  amazon-cloudwatch/cloudwatch-agent-1: {addon: cloudwatch-agent, node: " + node + ", serviceAccount: cloudwatch-agent, credentials: NodeRole}\n",
	}
	results := rules.Run(view.New(overlay(t, patches...)), []rules.Rule{ruleOf(t, "NR702")})
	if len(results) != 1 || !strings.HasSuffix(results[0].Message, "AWS for Fluent Bit, the CloudWatch agent") || len(results[0].Next) != 1 {
		t.Errorf("%+v", results)
	}
}

// TestKnownAddons: every add-on whose pods are read is one whose calls are known.
func TestKnownAddons(t *testing.T) {
	const patch = `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {inlinePolicies: {all: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'}}}`
	for _, known := range snapshot.KnownAddons {
		name := known.Name
		pod := "addonPods: {a/b: {addon: " + name + ", node: ip-10-0-1-17.eu-west-1.compute.internal, serviceAccount: c, credentials: NodeRole}}"
		results := rules.Run(view.New(overlay(t, patch, pod)), []rules.Rule{ruleOf(t, "NR702")})
		if len(results) != 1 || results[0].Status != finding.Fail {
			t.Errorf("%s: %+v", name, results)
		}
	}
}

// TestProfileQuota: the fuller the quota, the more it counts.
func TestProfileQuota(t *testing.T) {
	for used, want := range map[int]string{
		0: "pass", 799: "pass", 800: "info", 949: "info", 950: "warning", 999: "warning", 1000: "warning", 1200: "warning",
	} {
		results := rules.Run(view.New(overlay(t, fmt.Sprintf("instanceProfileQuota: {used: %d, max: 1000}", used))), []rules.Rule{ruleOf(t, "NR112")})
		if len(results) != 1 {
			t.Fatalf("%d: %d results", used, len(results))
		}
		got := string(results[0].Severity)
		if results[0].Status == finding.Pass {
			got = "pass"
		}
		if got != want || !strings.Contains(strings.Join(results[0].Evidence, "\n"), fmt.Sprintf("%d of 1000 instance profiles", used)) {
			t.Errorf("%d: %s, want %s: %v", used, got, want, results[0])
		}
	}
	if results := rules.Run(view.New(overlay(t, "cluster: {autoMode: {}}\ninstanceProfileQuota: {used: 1, max: 0}")), []rules.Rule{ruleOf(t, "NR112")}); len(results) != 1 || results[0].Status != finding.Fail {
		t.Errorf("a quota of 0: %+v", results)
	}
}

// TestCacheImport: a policy of the role, the permissions of the registry or the policy of the
// repository allow the import; nothing overrides a Deny.
func TestCacheImport(t *testing.T) {
	const (
		own     = `"arn:aws:iam::111122223333:role/eksNodeRole"`
		nothing = `{}`
		absent  = `{notFound: true}`
	)
	repository := func(name, facts string) string {
		return `repositoryPolicies: {"arn:aws:ecr:eu-west-1:111122223333:repository/` + name + `": ` + facts + "}\n"
	}
	registry := func(policy string) string {
		if policy != "" {
			policy = `, policy: '{"Version":"2012-10-17","Statement":` + policy + `}'`
		}
		return "registries: {eu-west-1: {pullThroughCache: {docker-hub: registry-1.docker.io, docker-hub/own: quay.io}" + policy + "}}\n"
	}
	role := func(statement string) string {
		return `roles: {` + own + `: {inlinePolicies: {own: '{"Version":"2012-10-17","Statement":` + statement + `}'}}}` + "\n"
	}
	lean := `roles: {` + own + `: {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"], inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"*"}}'}}}` + "\n"
	allows := func(actions string) string {
		return `{"Effect":"Allow","Principal":{"AWS":` + own + `},"Action":` + actions + `,"Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/docker-hub/*"}`
	}
	for name, test := range map[string]struct {
		patches  []string
		status   finding.Status
		evidence string
	}{
		"no rule for the repository":           {[]string{registry(""), repository("team/web", absent)}, "", ""},
		"the prefix is a part of the name":     {[]string{registry(""), repository("docker-hubs/web", absent)}, "", ""},
		"a repository that exists":             {[]string{registry(""), repository("docker-hub/nginx", nothing)}, finding.Pass, ""},
		"a repository that is to be created":   {[]string{registry(""), repository("docker-hub/own/nginx", absent)}, finding.Fail, "pull-through cache rule docker-hub/own for quay.io; the repository does not exist"},
		"the role may create it":               {[]string{registry(""), repository("docker-hub/nginx", absent), role(`{"Effect":"Allow","Action":"ecr:CreateRepository","Resource":"*"}`)}, finding.Pass, "inline own statement 1"},
		"the registry lets the role create it": {[]string{registry(allows(`"ecr:CreateRepository"`)), repository("docker-hub/nginx", absent)}, finding.Pass, "permissions of the registry in eu-west-1 statement 1"},
		"the registry lets another role": {
			[]string{registry(strings.ReplaceAll(allows(`"ecr:CreateRepository"`), "eksNodeRole", "other")), repository("docker-hub/nginx", absent)}, finding.Fail, "ecr:CreateRepository",
		},
		"a Deny of the role": {
			[]string{registry(allows(`"ecr:CreateRepository"`)), repository("docker-hub/nginx", absent), role(`{"Effect":"Deny","Action":"ecr:CreateRepository","Resource":"*"}`)}, finding.Fail, "denied by inline own statement 1",
		},
		"nothing allows the import":     {[]string{lean, registry(""), repository("docker-hub/nginx", nothing)}, finding.Fail, "ecr:BatchImportUpstreamImage"},
		"the repository allows it":      {[]string{lean, registry(""), repository("docker-hub/nginx", `{document: '{"Version":"2012-10-17","Statement":`+strings.Replace(allows(`"ecr:BatchImportUpstreamImage"`), `,"Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/docker-hub/*"`, "", 1)+`}'}`)}, finding.Pass, "policy of repository"},
		"the registry has no document":  {[]string{lean, strings.Replace(registry(`1`), `{"Version":"2012-10-17","Statement":1}`, "no document", 1), repository("docker-hub/nginx", nothing)}, finding.Unknown, "permissions of the registry in eu-west-1 is not a policy document"},
		"a registry that was not read":  {[]string{repository("docker-hub/nginx", absent)}, "", ""},
		"a registry of another account": {[]string{registry(""), strings.Replace(repository("docker-hub/nginx", absent), "111122223333", "444455556666", 1)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, test.patches...)), []rules.Rule{ruleOf(t, "NR233")})
			if test.status == "" {
				if len(results) > 0 {
					t.Errorf("%+v", results)
				}
				return
			}
			if len(results) != 1 || results[0].Status != test.status || !strings.Contains(strings.Join(results[0].Evidence, "\n"), test.evidence) {
				t.Errorf("%+v", results)
			}
		})
	}
}

// TestOlderSnapshot: what an earlier release did not read is one line of the report, and
// changes no verdict.
func TestOlderSnapshot(t *testing.T) {
	report := func(patch string) *finding.Report {
		return rules.Judge(view.New(overlay(t, patch)), rules.Options{})
	}
	now, older := report(`{}`), report(`read: null`)
	var lines []string
	for _, line := range older.NotEvaluated {
		if !slices.Contains(now.NotEvaluated, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "what the release that saved the snapshot did not read: ") || !strings.Contains(lines[0], "the pods of add-ons") {
		t.Errorf("not evaluated: %q", lines)
	}
	if len(older.Missing) > 0 || older.Summary != now.Summary {
		t.Errorf("missing %v, %+v instead of %+v", older.Missing, older.Summary, now.Summary)
	}
}
