package export

import "github.com/kubectl-noderole/kubectl-noderole/pkg/need"

// ReaderRole is the role by which check and snapshot read an account of an organization.
type ReaderRole struct {
	Name string
	// Path begins and ends with a slash.
	Path string
	// Principal is the ARN of what assumes the role, OrganizationID that of the organization
	// whose principals may.
	Principal, ExternalID, OrganizationID string
}

// The texts of a reader role.
const (
	readerDescription = "kubectl noderole reads the node roles of EKS clusters"
	readerPolicy      = "noderole-check"
)

func (r ReaderRole) trust() need.Document {
	return need.ReaderTrust(r.Principal, r.ExternalID, r.OrganizationID)
}

// CloudFormation returns the role as a CloudFormation template without parameters, which a
// StackSet creates in each account. The name makes it need CAPABILITY_NAMED_IAM.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs.html
func (r ReaderRole) CloudFormation() (string, error) {
	return asYAML(map[string]any{
		"AWSTemplateFormatVersion": "2010-09-09", "Description": readerDescription,
		"Resources": map[string]any{"ReaderRole": map[string]any{"Type": "AWS::IAM::Role", "Properties": map[string]any{
			"RoleName": r.Name, "Path": r.Path, "Description": readerDescription, "AssumeRolePolicyDocument": r.trust(),
			"Policies": []any{map[string]any{"PolicyName": readerPolicy, "PolicyDocument": need.ReaderDocument()}},
		}}},
		"Outputs": map[string]any{"ReaderRoleArn": map[string]any{"Value": map[string]any{"Fn::GetAtt": []string{"ReaderRole", "Arn"}}}},
	})
}

// Terraform returns the role as a Terraform configuration for the AWS provider, formatted as
// terraform fmt does. It is for a module that is used once for each account.
func (r ReaderRole) Terraform() string {
	var w terraform
	w.block("aws_iam_role", "reader", func(b *terraformBlock) {
		b.text("name", r.Name)
		b.text("path", r.Path)
		b.text("description", readerDescription)
		b.document("assume_role_policy", r.trust().Compact())
	})
	w.block("aws_iam_role_policy", "reader", func(b *terraformBlock) {
		b.text("name", readerPolicy)
		b.raw("role", "aws_iam_role.reader.name")
		b.document("policy", need.ReaderDocument().Compact())
	})
	return w.String()
}
