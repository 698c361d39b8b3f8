package cloudformation_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/cloudformation"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var place = iac.Place{Account: "111122223333", Region: "eu-west-1"}

func build(t *testing.T, name string, text []byte, parameters map[string]string) []*snapshot.Snapshot {
	t.Helper()
	code, err := cloudformation.Read([]cloudformation.Template{{Name: name, Content: text}}, cloudformation.Options{Place: place, Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := iac.Build(code)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots {
		out, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Decode("snapshot", out); err != nil {
			t.Fatalf("%s\n%s", err, out)
		}
	}
	return snapshots
}

// TestTemplates: the four mistakes of node roles, each at its line; and right templates as the
// CDK and eksctl write them.
func TestTemplates(t *testing.T) {
	for _, c := range []struct {
		file            string
		parameters      map[string]string
		failed, unknown []string
	}{
		{"mistakes.yaml", nil, []string{"NR101 mistakes.yaml:4", "NR202 mistakes.yaml:36", "NR205 mistakes.yaml:68", "NR301 mistakes.yaml:51"}, nil},
		{"cdk.json", nil, nil, nil},
		{"eksctl-nodegroup.json", nil, nil, nil},
		{"parameters.yaml", map[string]string{"Pull": "yes"}, nil, nil},
		{"parameters.yaml", map[string]string{"Pull": "no"}, []string{"NR202 parameters.yaml:21"}, nil},
		{"parameters.yaml", nil, nil, []string{"NR202"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			var failed, unknown []string
			for _, s := range build(t, c.file, text, c.parameters) {
				for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
					switch {
					case r.Status == finding.Fail && r.Severity != finding.Info && len(r.Causes) == 0 && (r.Severity == finding.Error || r.ID == "NR205"):
						at := r.Subject.Name
						if r.Place != nil {
							at = fmt.Sprintf("%s:%d", r.Place.File, r.Place.Line)
						}
						failed = append(failed, r.ID+" "+at)
					case r.Status == finding.Unknown && r.ID == "NR202":
						unknown = append(unknown, r.ID)
					}
				}
				if len(view.New(s).NodeRoles()) == 0 {
					t.Errorf("cluster %s has no node role", s.Cluster.ARN)
				}
			}
			slices.Sort(failed)
			if diff := cmp.Diff(c.failed, failed); diff != "" {
				t.Errorf("failed: (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.unknown, unknown); diff != "" {
				t.Errorf("unknown: (-want +got)\n%s", diff)
			}
		})
	}
}

// TestFunctions: what intrinsic functions come to, as the name of the cluster; an unknown
// value is the reason.
func TestFunctions(t *testing.T) {
	for expression, want := range map[string]string{
		`plain`:                                       "plain",
		`!Ref Given`:                                  "given",
		`!Ref Defaulted`:                              "default",
		`!Ref Free`:                                   "parameter Free has no value: give --parameter Free=VALUE",
		`!Ref Secret`:                                 "parameter Secret is not shown",
		`!Ref FromSSM`:                                "parameter FromSSM is read from SSM at deployment",
		`!Ref AWS::Region`:                            "eu-west-1",
		`!Ref AWS::StackName`:                         "AWS::StackName is known only at deployment",
		`!Ref Nothing`:                                "Nothing is known only at deployment",
		`{"Ref": "Given"}`:                            "given",
		`!Sub "${Given}-${!Literal}"`:                 "given-${Literal}",
		`!Sub "${AWS::AccountId}"`:                    "111122223333",
		`!Sub ["${A}-b", {A: !Ref Given}]`:            "given-b",
		`!Sub "${Named}"`:                             "Named is known only after deployment",
		`!Sub "x-${Named}"`:                           "the name of Named is known only after deployment",
		`!GetAtt Named.Arn`:                           "arn:aws:iam::111122223333:role/p/named",
		`!GetAtt Unnamed.Arn`:                         "Unnamed.Arn is known only after deployment",
		`!Join ["-", [a, !Ref Given]]`:                "a-given",
		`!Join ["-", [a, !Ref Free]]`:                 "parameter Free has no value: give --parameter Free=VALUE",
		`!Join ["", !Ref List]`:                       "ab",
		`!Select [1, !Ref List]`:                      "b",
		`!Select [7, !Ref List]`:                      "a part of it is known only after deployment",
		`!Select [1, !Split ["/", "x/y"]]`:            "y",
		`!FindInMap [Map, eu-west-1, Key]`:            "mapped",
		`!FindInMap [Map, us-east-1, Key]`:            "the mapping has no such key",
		`!FindInMap [Map, no, no, {DefaultValue: d}]`: "d",
		`!If [Always, a, b]`:                          "a",
		`!If [Never, a, b]`:                           "b",
		`!If [Both, a, b]`:                            "b",
		`!If [Either, a, b]`:                          "a",
		`!If [Undecided, a, b]`:                       "condition Undecided is not known: parameter Free has no value: give --parameter Free=VALUE",
		`!If [Loop, a, b]`:                            "condition Loop is not known: a value refers to itself",
		`!ImportValue other`:                          "it is imported as other: give the template that exports it too",
		`!Base64 x`:                                   "Fn::Base64 is evaluated only at deployment",
		`{"Fn::Transform": {Name: X}}`:                "Fn::Transform is evaluated only at deployment",
	} {
		text := `
Parameters:
  Given: {Type: String}
  Defaulted: {Type: String, Default: default}
  Free: {Type: String}
  Secret: {Type: String, NoEcho: true, Default: secret}
  FromSSM: {Type: "AWS::SSM::Parameter::Value<String>", Default: /path}
  List: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  Map: {eu-west-1: {Key: mapped}}
Conditions:
  Always: !Equals [!Ref Given, given]
  Never: !Not [!Condition Always]
  Both: !And [!Condition Always, !Condition Never, !Condition Undecided]
  Either: !Or [!Condition Undecided, !Condition Always]
  Undecided: !Equals [!Ref Free, x]
  Loop: !Not [!Condition Loop]
Resources:
  Named: {Type: AWS::IAM::Role, Properties: {RoleName: named, Path: /p/}}
  Unnamed: {Type: AWS::IAM::Role}
  Cluster:
    Type: AWS::EKS::Cluster
    Properties:
      RoleArn: !GetAtt Unnamed.Arn
      Name: ` + expression + "\n"
		code, err := cloudformation.Read([]cloudformation.Template{{Name: "t.yaml", Content: []byte(text)}}, cloudformation.Options{Place: place, Parameters: map[string]string{"Given": "given"}})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		name := code.Clusters[0].Name
		if got := name.Text + name.Unknown; got != want {
			t.Errorf("%s is %q, not %q", expression, got, want)
		}
	}
}

// TestConditions: a resource whose condition is false is not there; one whose condition is
// not known leaves its fact unknown, and so does a cluster for which nothing starts nodes.
func TestConditions(t *testing.T) {
	text := `
Parameters: {P: {Type: String}}
Conditions: {C: !Equals [!Ref P, "yes"]}
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: r}}
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: c, RoleArn: !GetAtt Role.Arn}}
  Group: {Type: AWS::EKS::Nodegroup, Condition: C, Properties: {NodegroupName: g, ClusterName: c, NodeRole: !GetAtt Role.Arn}}
`
	for value, want := range map[string][2]bool{"yes": {true, false}, "no": {false, true}, "": {false, true}} {
		parameters := map[string]string{"P": value}
		if value == "" {
			parameters = nil
		}
		s := build(t, "t.yaml", []byte(text), parameters)[0]
		if got := [2]bool{len(s.NodeGroups) > 0, s.IsMissing(snapshot.FactNodeGroups, "")}; got != want {
			t.Errorf("P=%q: has groups, is missing: %v, not %v", value, got, want)
		}
	}
}

// TestAsCDK: what the CDK's constructs write, in short: the name of a cluster without a name in
// a tag, a Fargate profile in aws-auth, and Auto Mode.
func TestAsCDK(t *testing.T) {
	const trust = `{Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: ec2.amazonaws.com}}]}`
	group := build(t, "t.yaml", []byte(`
Resources:
  Cluster: {Type: AWS::EKS::Cluster, Properties: {RoleArn: x, AccessConfig: {AuthenticationMode: API}}}
  NodeRole: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: `+trust+`}}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref NodeRole]}}
  Configuration: {Type: AWS::AutoScaling::LaunchConfiguration, Properties: {IamInstanceProfile: !Ref Profile}}
  Nodes:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      LaunchConfigurationName: !Ref Configuration
      Tags: [{Key: !Join ["", ["kubernetes.io/cluster/", !Ref Cluster]], Value: owned, PropagateAtLaunch: true}]
`), nil)[0]
	if roles := view.New(group).NodeRoles(); len(roles) != 1 || roles[0].Name != "NodeRole-(after apply)" {
		t.Errorf("the node roles are %v", roles)
	}
	fargate := build(t, "t.yaml", []byte(`
Resources:
  Cluster: {Type: "Custom::AWSCDK-EKS-Cluster", Properties: {Config: {roleArn: x}}}
  PodRole: {Type: AWS::IAM::Role}
  Fargate: {Type: "Custom::AWSCDK-EKS-FargateProfile", Properties: {Config: {clusterName: !Ref Cluster, podExecutionRoleArn: !GetAtt PodRole.Arn}}}
  Auth:
    Type: Custom::AWSCDK-EKS-KubernetesResource
    Properties:
      ClusterName: !Ref Cluster
      Manifest: !Join
        - ""
        - - '[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"},"data":{"mapRoles":"[{\"rolearn\":\"'
          - !GetAtt PodRole.Arn
          - '\",\"username\":\"system:node:{{SessionName}}\",\"groups\":[\"system:bootstrappers\",\"system:nodes\",\"system:node-proxier\"]}]"}}]'
`), nil)[0]
	if roles := view.New(fargate).NodeRoles(); len(roles) > 0 || fargate.AWSAuth == nil {
		t.Errorf("the pod execution role is among %v; aws-auth is %v", roles, fargate.AWSAuth)
	}
	auto := build(t, "t.yaml", []byte(`
Resources:
  NodeRole: {Type: AWS::IAM::Role, Properties: {RoleName: n, AssumeRolePolicyDocument: `+trust+`}}
  Cluster:
    Type: AWS::EKS::Cluster
    Properties: {Name: c, RoleArn: x, AccessConfig: {AuthenticationMode: API}, ComputeConfig: {Enabled: true, NodePools: [system], NodeRoleArn: !GetAtt NodeRole.Arn}}
`), nil)[0]
	if auto.AWSNode.DaemonSet != nil || auto.IsMissing(snapshot.FactDaemonSet, "") || auto.Cluster.AutoMode == nil {
		t.Errorf("aws-node in Auto Mode: %+v, missing %v", auto.AWSNode, auto.Missing)
	}
}

// TestLoops: a loop makes the resources that its body has for each value; one over what is not
// known may make anything.
func TestLoops(t *testing.T) {
	template := []byte(`
Transform: AWS::LanguageExtensions
Parameters: {Policies: {Type: CommaDelimitedList}}
Resources:
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: c, RoleArn: x}}
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: n}}
  Group: {Type: AWS::EKS::Nodegroup, Properties: {NodegroupName: g, ClusterName: c, NodeRole: !GetAtt Role.Arn}}
  Fn::ForEach::Outer:
    - Name
    - !Ref Policies
    - "Policy${Name}":
        Type: AWS::IAM::RolePolicy
        Properties: {RoleName: !Ref Role, PolicyName: !Ref Name, PolicyDocument: !Sub '{"Statement": "${Name}"}'}
`)
	s := build(t, "t.yaml", template, map[string]string{"Policies": "A, B"})[0]
	want := map[string]string{"A": `{"Statement": "A"}`, "B": `{"Statement": "B"}`}
	if got := s.Roles["arn:aws:iam::111122223333:role/n"].InlinePolicies; !maps.Equal(got, want) {
		t.Errorf("the policies are %v", got)
	}
	if s = build(t, "t.yaml", template, nil)[0]; !s.IsMissing(snapshot.FactInlinePolicies, "") {
		t.Errorf("what is missing is %v", s.Missing)
	}
}

// TestMetadata: the options of the instance metadata service are those of the launch template.
func TestMetadata(t *testing.T) {
	text := `
Parameters: {Hops: {Type: Number, Default: 2}}
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: r}}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: c, RoleArn: x}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: nodes
      LaunchTemplateData:
        IamInstanceProfile: {Arn: !GetAtt Profile.Arn}
        MetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: !Ref Hops}
  Group:
    Type: AWS::EKS::Nodegroup
    Properties: {NodegroupName: g, ClusterName: c, NodeRole: !GetAtt Role.Arn, LaunchTemplate: {Id: !Ref Template}}
  Nodes:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      AutoScalingGroupName: a
      LaunchTemplate: {LaunchTemplateName: nodes, Version: 1}
      Tags: [{Key: kubernetes.io/cluster/c, Value: owned, PropagateAtLaunch: true}]
  Configuration:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties: {IamInstanceProfile: !Ref Profile, MetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: !Ref Hops}}
  Older:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      LaunchConfigurationName: !Ref Configuration
      Tags: [{Key: kubernetes.io/cluster/c, Value: owned, PropagateAtLaunch: true}]
`
	s := build(t, "t.yaml", []byte(text), nil)[0]
	want := snapshot.MetadataOptions{HTTPTokens: "required", HopLimit: 2}
	if got := s.NodeGroups["g"].Metadata; got == nil || *got != want {
		t.Errorf("%+v", s.NodeGroups)
	}
	for _, name := range []string{"a", "Older"} {
		if g := s.AutoScalingGroups[name]; g.Metadata == nil || *g.Metadata != want || g.InstanceProfile == "" {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestBadInput(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "is empty",
		"Resources: [":              "is not a CloudFormation template",
		"Resources: {}\n---\nb: 1":  "has several documents",
		"kind: Pod\napiVersion: v1": "is not a CloudFormation template but a Pod",
		`{"format_version":"1.2"}`:  "is a plan or state of Terraform",
		"- a":                       "it has no Resources",
		"Resources: 5":              "it has no Resources",
		strings.Repeat("[", 1000):   "is nested deeper",
		"Resources: &a {b: *a}":     "aliases are not supported",
	} {
		_, err := cloudformation.Read([]cloudformation.Template{{Name: "t.yaml", Content: []byte(text)}}, cloudformation.Options{Place: place})
		var p *problem.Error
		if !errors.As(err, &p) || !strings.Contains(p.Problem, want) || !strings.HasPrefix(p.Problem, "t.yaml ") || p.Next == "" || strings.Contains(p.Problem, "\n") {
			t.Errorf("%q: the error is %v", text, err)
		}
	}
	_, err := cloudformation.Read([]cloudformation.Template{{Name: "t.yaml", Content: []byte("Parameters: {A: {Type: String}}\nResources: {B: {Type: X}}")}}, cloudformation.Options{Place: place, Parameters: map[string]string{"B": "x"}})
	var p *problem.Error
	if !errors.As(err, &p) || p.Problem != "t.yaml has no parameter B" || p.Next != "its parameters are A" {
		t.Errorf("an unknown parameter: %v", err)
	}
}

// TestSeveralTemplates: templates that are read together are one code. Logical IDs may be the same.
func TestSeveralTemplates(t *testing.T) {
	const trust = `AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: ec2.amazonaws.com}}]}`
	read := func(texts ...string) (*iac.Code, error) {
		var templates []cloudformation.Template
		for i, text := range texts {
			templates = append(templates, cloudformation.Template{Name: fmt.Sprintf("%d.yaml", i), Content: []byte(text)})
		}
		return cloudformation.Read(templates, cloudformation.Options{Place: place, Parameters: map[string]string{"Stack": "base"}})
	}
	// exporting is a template that exports its role by a name.
	exporting := func(name string) string {
		return fmt.Sprintf(`
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {%s}}
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {MetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: 1}}}}
Outputs:
  Role: {Value: !GetAtt Role.Arn, Export: {Name: %s}}
  Template: {Value: !Ref Template, Export: {Name: template}}
`, trust, name)
	}
	// importing is a template of a cluster whose node group has a role by an import.
	importing := func(name string) string {
		return fmt.Sprintf(`
Parameters: {Stack: {Type: String}}
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {%s}}
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: c, RoleArn: !GetAtt Role.Arn}}
  Nodes: {Type: AWS::EKS::Nodegroup, Properties: {NodegroupName: g, ClusterName: !Ref Cluster, NodeRole: {"Fn::ImportValue": %s}, LaunchTemplate: {Id: !ImportValue template}}}
`, trust, name)
	}
	for _, c := range []struct{ export, use, want string }{
		{"role", "role", "0.yaml-Role-(after apply)"},
		{"other", "role", ""},
		{`!Sub "${AWS::StackName}-role"`, `!Sub "${Stack}-role"`, "0.yaml-Role-(after apply)"},
		{`!Join [":", [!Ref "AWS::StackName", role]]`, `!Sub "${Stack}:role"`, "0.yaml-Role-(after apply)"},
		{`!Sub "${AWS::StackName}-role"`, `-role`, ""},
		{`!Sub "${AWS::StackName}-role"`, `base-role-2`, ""},
		{`!Sub "${Unknown}-role"`, `base-role`, ""},
		{`!ImportValue role`, `role`, ""},
	} {
		code, err := read(exporting(c.export), importing(c.use))
		if err != nil {
			t.Fatal(err)
		}
		snapshots, err := iac.Build(code)
		if err != nil || len(snapshots) != 1 {
			t.Fatal(err, len(snapshots))
		}
		s := snapshots[0]
		group := s.NodeGroups["g"]
		if snapshot.NameOf(group.NodeRoleARN) != c.want || c.want == "" != s.IsMissing(snapshot.FactNodeGroups, "g") {
			t.Errorf("an export %s and an import %s: the node role is %q, missing %v", c.export, c.use, group.NodeRoleARN, s.Missing)
		}
		if c.want != "" && (group.Metadata == nil || group.Metadata.HopLimit != 1) {
			t.Errorf("the options of the launch template that is imported: %+v", group.Metadata)
		}
		if s.Cluster.RoleARN == group.NodeRoleARN {
			t.Errorf("two roles are one: %s", s.Cluster.RoleARN)
		}
	}

	// One template is one stack: two stacks of it are not both given.
	code, err := read(exporting(`!Sub "${AWS::StackName}-role"`), importing("a-role"), strings.ReplaceAll(importing("b-role"), "Name: c", "Name: d"))
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := iac.Build(code)
	if err != nil || len(snapshots) != 2 {
		t.Fatal(err, len(snapshots))
	}
	if snapshots[0].NodeGroups["g"].NodeRoleARN == "" || snapshots[1].NodeGroups["g"].NodeRoleARN != "" {
		t.Errorf("the node groups have %+v and %+v", snapshots[0].NodeGroups, snapshots[1].NodeGroups)
	}
}

// TestEvaluatedOnce: what many others use is evaluated once, and what uses itself ends.
func TestEvaluatedOnce(t *testing.T) {
	var one, two strings.Builder
	one.WriteString("Resources: {Role: {Type: AWS::IAM::Role, Condition: C0, Properties: {RoleName: !Sub \"${Role.Arn}${Role.Arn}\", Path: !ImportValue b0}}}\nConditions:\n  C40: !Equals [a, a]\n")
	for i := range 40 {
		fmt.Fprintf(&one, "  C%d: !And [!Condition C%d, !Condition C%d]\n", i, i+1, i+1)
	}
	one.WriteString("Outputs:\n")
	two.WriteString("Resources: {Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: c, RoleArn: !ImportValue a0}}}\nOutputs:\n")
	for i := range 40 { // each needs the next one twice, and the last one the first
		fmt.Fprintf(&one, "  O%d: {Value: !Join ['', [!ImportValue b%d, !ImportValue b%d]], Export: {Name: a%d}}\n", i, i, i, i)
		fmt.Fprintf(&two, "  O%d: {Value: !Join ['', [!ImportValue a%d, !ImportValue a%d]], Export: {Name: b%d}}\n", i, (i+1)%40, (i+1)%40, i)
	}
	code, err := cloudformation.Read([]cloudformation.Template{{Name: "1", Content: []byte(one.String())}, {Name: "2", Content: []byte(two.String())}}, cloudformation.Options{Place: place})
	if err != nil {
		t.Fatal(err)
	}
	if len(code.Roles) != 1 || code.Clusters[0].Role.Unknown == "" {
		t.Errorf("%+v %+v", code.Roles, code.Clusters)
	}
}

// TestNamedByStack: a launch template that is named after its stack, as eksctl writes it, is
// found by that name, but not that of another stack. Fn::GetAtt takes a text too.
func TestNamedByStack(t *testing.T) {
	const nodes = `{"Resources": {
"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
"Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
"Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateName": {"Fn::Sub": "${AWS::StackName}%s"},
  "LaunchTemplateData": {"IamInstanceProfile": {"Arn": {"Fn::GetAtt": "Profile.Arn"}}}}},
"Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
  "LaunchTemplate": {"LaunchTemplateName": {"Fn::Sub": "${AWS::StackName}"}, "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}},
  "Tags": [{"Key": "kubernetes.io/cluster/shop", "Value": "owned", "PropagateAtLaunch": "true"}]}}}}`
	s := build(t, "t.json", []byte(fmt.Sprintf(nodes, "")), nil)[0]
	if len(s.Roles) != 1 || s.AutoScalingGroups["Group"].InstanceProfile == "" {
		t.Errorf("roles %v, groups %+v, missing %v", slices.Collect(maps.Keys(s.Roles)), s.AutoScalingGroups, s.Missing)
	}
	s = build(t, "t.json", []byte(fmt.Sprintf(nodes, "-other")), nil)[0]
	if len(s.Roles) != 0 || !s.IsMissing(snapshot.FactAutoScaling, "Group") {
		t.Errorf("another name: roles %v, missing %v", slices.Collect(maps.Keys(s.Roles)), s.Missing)
	}
	code, err := cloudformation.Read([]cloudformation.Template{
		{Name: "1", Content: []byte(fmt.Sprintf(nodes, "-other"))}, {Name: "2", Content: []byte(strings.ReplaceAll(fmt.Sprintf(nodes, ""), "cluster/shop", "other"))},
	}, cloudformation.Options{Place: place})
	if err != nil {
		t.Fatal(err)
	}
	if len(code.Groups) != 1 || code.Groups[0].Profile.Unknown == "" {
		t.Errorf("the launch template of another stack is used: %+v", code.Groups)
	}
}

// TestDuplicateKeys: of a key that a mapping has twice, the last value counts.
func TestDuplicateKeys(t *testing.T) {
	s := build(t, "t.yaml", []byte("Parameters: {A: {Default: x, Type: String, Default: shop}}\nResources: {C: {Type: AWS::EKS::Cluster, Properties: {Name: !Ref A}}}"), nil)[0]
	if got := s.Cluster.Identity().Name(); got != "shop" {
		t.Errorf("the cluster is %s", got)
	}
}

// TestKubernetesObjects: the CDK's manifests have the service account of aws-node and node
// classes, with roles to which CloudFormation gives their names.
func TestKubernetesObjects(t *testing.T) {
	const trust = `AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: ec2.amazonaws.com}}]}`
	template := func(manifests string) []byte {
		return []byte(`
Resources:
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: shop, AccessConfig: {AuthenticationMode: API}}}
  CNI: {Type: AWS::IAM::Role, Properties: {` + trust + `}}
  Node: {Type: AWS::IAM::Role, Properties: {` + trust + `}}
  Named: {Type: AWS::IAM::Role, Properties: {RoleName: named, ` + trust + `}}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Node]}}
` + manifests)
	}
	object := func(id, manifest string) string {
		return "  " + id + ": {Type: Custom::AWSCDK-EKS-KubernetesResource, Properties: {ClusterName: !Ref Cluster, Manifest: " + manifest + "}}\n"
	}
	s := build(t, "t.yaml", template(
		object("Account", `!Join ['', ['[{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"aws-node","namespace":"kube-system","annotations":{"eks.amazonaws.com/role-arn":"', !GetAtt CNI.Arn, '"}}}]']]`)+
			object("A", `!Sub '[{"apiVersion":"karpenter.k8s.aws/v1","kind":"EC2NodeClass","metadata":{"name":"a"},"spec":{"role":"${Node}"}}]'`)+
			object("B", `!Sub '[{"apiVersion":"karpenter.k8s.aws/v1","kind":"EC2NodeClass","metadata":{"name":"b"},"spec":{"role":"${Named}","metadataOptions":{"httpPutResponseHopLimit":2}}}]'`)+
			object("C", `!Sub '[{"apiVersion":"karpenter.k8s.aws/v1beta1","kind":"EC2NodeClass","metadata":{"name":"c"},"spec":{"instanceProfile":"${Profile}"}}]'`)), nil)[0]
	role := func(name string) string { return "arn:aws:iam::111122223333:role/" + name }
	if a := s.AWSNode.ServiceAccount; a == nil || a.RoleARN != role("CNI-(after apply)") || s.Roles[a.RoleARN].TrustPolicy == "" {
		t.Errorf("the service account is %+v", a)
	}
	for name, want := range map[string][2]string{"a": {role("Node-(after apply)"), "hop limit 1"}, "b": {role("named"), "hop limit 2"}, "c": {role("Node-(after apply)"), "hop limit 2"}} {
		class := s.KarpenterNodeClasses[name]
		got := class.RoleARN
		if profile := s.InstanceProfiles[class.ProfileARN]; len(profile.Roles) > 0 {
			got = profile.Roles[0]
		}
		if got != want[0] || s.Roles[got].TrustPolicy == "" || class.Metadata == nil || !strings.Contains(class.Metadata.String(), want[1]) {
			t.Errorf("node class %s: %+v, role %q", name, class, got)
		}
	}
	for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
		if r.ID == "NR603" && r.Status == finding.Fail {
			t.Errorf("%s: %v", r.Message, r.Evidence)
		}
	}

	s = build(t, "t.yaml", template(
		object("Account", `!Sub '[{"kind":"ServiceAccount","metadata":{"name":"aws-node"},"x":"${AWS::StackId}"}]'`)+object("A", `!Sub '[{"kind":"EC2NodeClass","x":"${AWS::StackId}"}]'`)), nil)[0]
	if !s.IsMissing(snapshot.FactServiceAccount, "") || !s.IsMissing(snapshot.FactNodeClasses, "A") {
		t.Errorf("missing are %+v", s.Missing)
	}
}

// TestNestedStack: a nested stack that is given the cluster's name may start nodes.
func TestNestedStack(t *testing.T) {
	for parameters, want := range map[string]bool{
		"{Cluster: !Ref Cluster}": true, "{Cluster: shop}": true, "{Cluster: !Ref Name}": true,
		"{Cluster: !GetAtt Cluster.ClusterSecurityGroupId}": false, "{Subnet: subnet-1}": false, "{}": false,
	} {
		s := build(t, "t.yaml", []byte(`
Parameters: {Name: {Type: String, Default: shop}}
Resources:
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: !Ref Name}}
  Nodes: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "https://example.com/nodes.yaml", Parameters: `+parameters+`}}
`), nil)[0]
		if got := s.IsMissing(snapshot.FactAutoScaling, "Nodes"); got != want {
			t.Errorf("%s: %v", parameters, s.Missing)
		}
	}
}
