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

// EndpointReads are what check and snapshot call to know the policies of VPC endpoints.
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

// UsageReads are what usage calls besides. The first makes a report in IAM and changes
// nothing else.
var UsageReads = []string{"iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"}

// FleetReads are what check and snapshot call besides to find the clusters of all regions.
// The last three are for --org, in the management account or a delegated administrator's.
var FleetReads = []string{
	"ec2:DescribeRegions",
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
		Statement{Sid: "NodeRoleUsage", Effect: "Allow", Action: UsageReads, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleFleet", Effect: "Allow", Action: FleetReads, Resource: []string{"*"}},
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
