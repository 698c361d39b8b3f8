// Package export writes a plan or a new role as the text of other tools: AWS CLI
// commands, Terraform, CloudFormation and eksctl configurations.
package export

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Commands returns the role as AWS CLI commands, a line each, for a POSIX shell.
// An account that is not known is asked for by the first line.
func Commands(n newrole.Role, complete Complete) string {
	if n.Account == "" {
		n.Account = command.AccountVariable
	}
	var b strings.Builder
	for _, c := range n.Changes() {
		for _, line := range c.Commands() {
			b.WriteString(line.Map(complete).String() + "\n")
		}
		if why := c.NoCommand(); why != "" {
			b.WriteString(comment("no command for " + c.String() + ": " + why))
		}
	}
	if lines := b.String(); strings.Contains(lines, command.AccountVariable) {
		ask := command.AWS("sts", "get-caller-identity", "--query", "Account", "--output", "text")
		return "ACCOUNT=$(" + complete(ask).String() + ")\n" + lines
	}
	return b.String()
}

// CloudFormation returns the role as a CloudFormation template. Names make the
// stack need CAPABILITY_NAMED_IAM.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
func CloudFormation(n newrole.Role) (string, error) {
	resources := map[string]any{}
	add := func(name, kind string, properties map[string]any) {
		for k, v := range properties {
			if v == "" || v == nil {
				delete(properties, k)
			}
		}
		resources[name] = map[string]any{"Type": kind, "Properties": properties}
	}
	ref := func(name string) map[string]any { return map[string]any{"Ref": name} }
	policies := []any{}
	for _, arn := range n.ManagedPolicies() {
		policies = append(policies, arn)
	}
	if d, ok := n.CNIDocument(); ok {
		add("CNIPolicy", "AWS::IAM::ManagedPolicy", map[string]any{"ManagedPolicyName": newrole.IPv6PolicyName, "PolicyDocument": d})
		policies = append(policies, ref("CNIPolicy"))
	}
	role := map[string]any{
		"RoleName": n.Name, "Path": n.Path, "Description": n.Description, "PermissionsBoundary": n.Boundary,
		"AssumeRolePolicyDocument": need.NodeTrust(n.Partition), "ManagedPolicyArns": policies,
	}
	if tags := cloudFormationTags(n.Tags); len(tags) > 0 {
		role["Tags"] = tags
	}
	var inline []any
	for name, d := range n.InlinePolicies() {
		inline = append(inline, map[string]any{"PolicyName": name, "PolicyDocument": d})
	}
	if len(inline) > 0 {
		role["Policies"] = inline
	}
	add("NodeRole", "AWS::IAM::Role", role)
	outputs := map[string]any{"NodeRoleArn": map[string]any{"Value": map[string]any{"Fn::GetAtt": []string{"NodeRole", "Arn"}}}}
	if n.InstanceProfile != "" {
		add("InstanceProfile", "AWS::IAM::InstanceProfile", map[string]any{"InstanceProfileName": n.InstanceProfile, "Path": n.Path, "Roles": []any{ref("NodeRole")}})
	}
	if n.EntryType != "" {
		entry := map[string]any{"ClusterName": n.Cluster, "PrincipalArn": map[string]any{"Fn::GetAtt": []string{"NodeRole", "Arn"}}, "Type": n.EntryType}
		if policy, ok := n.AccessPolicy(); ok {
			entry["AccessPolicies"] = []any{map[string]any{"PolicyArn": policy, "AccessScope": map[string]any{"Type": "cluster"}}}
		}
		if tags := cloudFormationTags(n.Tags); len(tags) > 0 {
			entry["Tags"] = tags
		}
		add("AccessEntry", "AWS::EKS::AccessEntry", entry)
	}
	out, err := asYAML(map[string]any{
		"AWSTemplateFormatVersion": "2010-09-09", "Description": "Node role of Amazon EKS nodes", "Resources": resources, "Outputs": outputs,
	})
	return out, err
}

func cloudFormationTags(tags map[string]string) []map[string]string {
	var list []map[string]string
	for _, k := range text.SortedKeys(tags) {
		list = append(list, map[string]string{"Key": k, "Value": tags[k]})
	}
	return list
}

// Eksctl returns a managed node group for which eksctl creates the role. Without a node
// group eksctl creates no role; it creates the access entry and the instance profile itself.
// The error says which part of the role eksctl cannot create.
// Source: https://docs.aws.amazon.com/eks/latest/eksctl/iam-policies.html,
// eksctl-io/eksctl pkg/apis/eksctl.io/v1alpha5/types.go (NodeGroupIAM)
func Eksctl(n newrole.Role, cluster, region string) (string, error) {
	switch {
	case n.Minimal:
		return "", errors.New("eksctl attaches its own policies to a role without managed policies: it cannot create a --minimal role")
	case n.AutoMode:
		return "", errors.New("eksctl creates the node role of EKS Auto Mode together with the cluster")
	case n.Path != "" && n.Path != "/":
		return "", errors.New("eksctl cannot give node roles a path")
	}
	iam := map[string]any{"instanceRoleName": n.Name, "attachPolicyARNs": n.ManagedPolicies()}
	if d, ok := n.CNIDocument(); ok {
		iam["attachPolicy"] = d
	}
	if n.Boundary != "" {
		iam["instanceRolePermissionsBoundary"] = n.Boundary
	}
	group := map[string]any{"name": strings.ToLower(snapshot.NameOf(n.Name)), "iam": iam}
	if len(n.Tags) > 0 {
		group["tags"] = n.Tags
	}
	out, err := asYAML(map[string]any{
		"apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig",
		"metadata":          map[string]any{"name": cluster, "region": region},
		"managedNodeGroups": []any{group},
	})
	if err != nil {
		return "", fmt.Errorf("write the eksctl configuration: %w", err)
	}
	return out, nil
}
