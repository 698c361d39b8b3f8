package need

import "slices"

// Reads are the AWS operations that check and snapshot call, and nothing else.
// An end-to-end test compares them with the calls that are made.
var Reads = []string{
	"autoscaling:DescribeAutoScalingGroups",
	"autoscaling:DescribeLaunchConfigurations",
	"ec2:DescribeInstances",
	"ec2:DescribeLaunchTemplateVersions",
	"eks:DescribeAccessEntry",
	"eks:DescribeAddon",
	"eks:DescribeCluster",
	"eks:DescribeFargateProfile",
	"eks:DescribeNodegroup",
	"eks:DescribePodIdentityAssociation",
	"eks:ListAccessEntries",
	"eks:ListAssociatedAccessPolicies",
	"eks:ListClusters",
	"eks:ListFargateProfiles",
	"eks:ListNodegroups",
	"eks:ListPodIdentityAssociations",
	"iam:GetInstanceProfile",
	"iam:GetOpenIDConnectProvider",
	"iam:GetPolicy",
	"iam:GetPolicyVersion",
	"iam:GetRole",
	"iam:GetRolePolicy",
	"iam:ListAttachedRolePolicies",
	"iam:ListInstanceProfilesForRole",
	"iam:ListPolicies",
	"iam:ListRolePolicies",
}

// EndpointReads are what check and snapshot call to read the policies of VPC endpoints.
var EndpointReads = []string{"ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints"}

// OrganizationReads are what check and snapshot call in the management or a delegated
// administrator account, with --org-profile. RepositoryReads they call for repositories of
// other accounts, whose policies have to allow it too.
var (
	OrganizationReads = []string{"organizations:DescribeOrganization", "organizations:DescribePolicy", "organizations:ListParents", "organizations:ListPoliciesForTarget"}
	RepositoryReads   = []string{"ecr:GetRepositoryPolicy"}
)

// RegistryReads are what check and snapshot call where an image could not be pulled from a
// private registry of the account. QuotaReads they call where Karpenter or EKS Auto Mode
// creates instance profiles.
var (
	RegistryReads = []string{"ecr:DescribePullThroughCacheRules", "ecr:GetRegistryPolicy"}
	QuotaReads    = []string{"iam:GetAccountSummary"}
)

// OptionalReads are what a run is complete without; each has a statement of its own in
// ReaderDocument.
var OptionalReads = slices.Concat(EndpointReads, OrganizationReads, RepositoryReads, RegistryReads, QuotaReads)

// ListReads are what list calls besides. iam:ListInstanceProfiles saves check time where an
// Auto Scaling group has no instances.
var ListReads = []string{"iam:ListEntitiesForPolicy", "iam:ListInstanceProfiles", "iam:ListRoles"}

// BulkReads are what reading roles and policies at once needs; without them each is read.
var BulkReads = []string{"iam:GetAccountAuthorizationDetails", "iam:ListEntitiesForPolicy"}

// UsageReads are what usage calls besides. The first makes a report in IAM and changes
// nothing else.
var UsageReads = []string{"iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"}

// FleetReads are what check and snapshot call besides for fleets: to find the clusters of all
// regions, and an account's OIDC providers, without which a run is complete. The last three
// are for --org, in the management account or a delegated administrator's.
var FleetReads = []string{
	"ec2:DescribeRegions", "iam:ListOpenIDConnectProviders",
	"organizations:ListAccounts", "organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent",
}

// ReaderDocument is the IAM policy that check and snapshot need and, in statements of their
// own, what list, usage and fleets need besides.
func ReaderDocument() Document {
	return document(
		Statement{Sid: "NodeRoleCheck", Effect: "Allow", Action: Reads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleEndpoints", Effect: "Allow", Action: EndpointReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleOrganization", Effect: "Allow", Action: OrganizationReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleRepositories", Effect: "Allow", Action: RepositoryReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleRegistries", Effect: "Allow", Action: RegistryReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleQuota", Effect: "Allow", Action: QuotaReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleList", Effect: "Allow", Action: ListReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleBulk", Effect: "Allow", Action: BulkReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleUsage", Effect: "Allow", Action: UsageReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleFleet", Effect: "Allow", Action: FleetReads, Resource: []string{"*"}},
	)
}

// ReaderTrust is the trust policy of a role that a principal assumes in each account of an
// organization: with the external ID, and only while the principal's account is in the
// organization. A principal whose session has transitive tags, as those of EKS Pod Identity
// have, also needs sts:TagSession. That action has no sts:ExternalId, and gives no
// credentials without the other one.
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html (permissions
// required to add session tags, role chaining),
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
func ReaderTrust(principal, externalID, organizationID string) Document {
	trust := func(sid, action string, equal map[string]any) Statement {
		return Statement{
			Sid: sid, Effect: "Allow", Principal: map[string][]string{"AWS": {principal}}, Action: []string{action},
			Condition: map[string]map[string]any{"StringEquals": equal},
		}
	}
	return document(
		trust("NodeRoleReader", "sts:AssumeRole", map[string]any{"aws:PrincipalOrgID": organizationID, "sts:ExternalId": externalID}),
		trust("NodeRoleReaderTags", "sts:TagSession", map[string]any{"aws:PrincipalOrgID": organizationID}),
	)
}

// ReaderRBAC is what check and snapshot need in the cluster, as YAML; of it list
// needs the node classes.
const ReaderRBAC = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: noderole-check
rules:
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
- apiGroups: [karpenter.k8s.aws]
  resources: [ec2nodeclasses, awsnodetemplates]
  verbs: [list]
- apiGroups: [eks.amazonaws.com]
  resources: [nodeclasses]
  verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: noderole-check
  namespace: kube-system
rules:
- apiGroups: [""]
  resources: [pods, events]
  verbs: [list]
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: [aws-node]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [aws-auth]
  verbs: [get]
- apiGroups: [apps]
  resources: [daemonsets]
  resourceNames: [aws-node, eks-pod-identity-agent, kube-proxy]
  verbs: [get]
- apiGroups: [apps]
  resources: [deployments]
  resourceNames: [coredns]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: noderole-check
  namespace: default
rules:
- apiGroups: [""]
  resources: [events]
  verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: noderole-addons # optional: add-ons that use the node role's credentials
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get]
`
