package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var trustChina = Rule{
	ID: "NR302", Name: "trust-china", Severity: finding.Warning, Concern: finding.ConcernTrust,
	Joining:  50,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.TrustEC2,
	Title:    "In China, the node role trusts both service names of EC2",
	Why: `CreateNodegroup and Karpenter have needed ec2.amazonaws.com.cn; AWS's own pages for China show ec2.amazonaws.com. A
role that trusts only one of the two works with some tools and not with others.`,
	Fix: `Add both services to the statement of the trust policy.`,
	Refs: []string{
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3359",
		"https://github.com/awslabs/cdk-eks-blueprints/issues/558",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad:   chinaPatch(`"ec2.amazonaws.com"`),
	Good:  chinaPatch(`["ec2.amazonaws.com","ec2.amazonaws.com.cn"]`),
	Check: func(v *view.View, report Reporter) {
		_, wanted := need.EC2Services(v.Place.Partition)
		for _, r := range v.NodeRoles() {
			switch {
			case len(wanted) == 0:
				continue
			case r.Facts.NotFound:
				report(noSuchRole(r))
				continue
			case len(r.Unread) > 0:
				report(unknown(roleSubject(r), "which service names of EC2 "+r.Name+" trusts is unknown", r.Unread))
				continue
			}
			named := r.TrustedServices()
			var lacks, has []string
			for _, service := range wanted {
				if named[service] {
					has = append(has, service)
				} else {
					lacks = append(lacks, service)
				}
			}
			result := finding.Result{Status: finding.Pass, Subject: roleSubject(r), Message: r.Name + " trusts both service names of EC2", Evidence: has}
			switch {
			case len(has) == 0:
				result = finding.Result{Status: finding.NotApplicable, Subject: roleSubject(r), Message: r.Name + " does not trust EC2"}
			case len(lacks) > 0:
				result = finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Message: fmt.Sprintf("%s trusts EC2 as %s, not as %s", r.Name, has[0], lacks[0]),
					Evidence: []string{"the trust policy allows " + trusted(r.Role)},
				}
			}
			report(result)
		}
	},
}

// chinaPatch turns the healthy example into one in China.
func chinaPatch(services string) string {
	arn := "arn:aws-cn:iam::111122223333:role/cnNodeRole"
	return fmt.Sprintf(`
cluster: {arn: "arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod"}
awsNode: null
nodeGroups: {apps: {nodeRoleArn: %[1]q}, system: {nodeRoleArn: %[1]q}}
accessEntries: {%[1]q: {type: EC2_LINUX, createdAt: "2026-02-01T00:00:00Z"}}
roles:
  %[1]q:
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":%[2]s},"Action":"sts:AssumeRole"}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
`, arn, services)
}
