package need

// Writes are the AWS operations by which create changes something. An end-to-end
// test compares them with the calls that are made.
var Writes = []string{
	"eks:AssociateAccessPolicy",
	"eks:CreateAccessEntry",
	"iam:AddRoleToInstanceProfile",
	"iam:AttachRolePolicy",
	"iam:CreateInstanceProfile",
	"iam:CreatePolicy",
	"iam:CreateRole",
	"iam:PutRolePolicy",
}

// FixWrites are the AWS operations by which fix changes something and create does
// not, UndoWrites those by which only fix --undo does. All of them together are what
// pkg/collect/aws can send, which a test compares.
var (
	FixWrites = []string{
		"eks:CreateAddon",
		"eks:CreatePodIdentityAssociation",
		"eks:DeleteAccessEntry",
		"eks:UpdateAddon",
		"eks:UpdatePodIdentityAssociation",
		"iam:AddClientIDToOpenIDConnectProvider",
		"iam:CreateOpenIDConnectProvider",
		"iam:DeleteRolePolicy",
		"iam:DetachRolePolicy",
		"iam:UpdateAssumeRolePolicy",
	}
	UndoWrites = []string{
		"eks:DeleteAddon",
		"eks:DeletePodIdentityAssociation",
		"eks:DisassociateAccessPolicy",
		"iam:DeleteInstanceProfile",
		"iam:DeleteOpenIDConnectProvider",
		"iam:DeletePolicy",
		"iam:DeleteRole",
		"iam:RemoveClientIDFromOpenIDConnectProvider",
		"iam:RemoveRoleFromInstanceProfile",
	}
)

// The resources of FixWrites and UndoWrites: entries of roles alone, the two
// add-ons, the identity providers of EKS clusters. Each operation takes those of its
// own type.
// Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_eks.html
// and list_iam.html there.
var (
	fixed = []string{
		"arn:*:eks:*:*:access-entry/*/role/*",
		"arn:*:eks:*:*:addon/*/vpc-cni/*",
		"arn:*:eks:*:*:cluster/*",
		"arn:*:eks:*:*:podidentityassociation/*",
		"arn:*:iam::*:oidc-provider/oidc-eks.*",
		"arn:*:iam::*:oidc-provider/oidc.eks.*",
		"arn:*:iam::*:role/*",
	}
	undone = []string{
		"arn:*:eks:*:*:access-entry/*/role/*",
		"arn:*:eks:*:*:addon/*/eks-pod-identity-agent/*",
		"arn:*:eks:*:*:podidentityassociation/*",
		"arn:*:iam::*:instance-profile/*",
		"arn:*:iam::*:oidc-provider/oidc-eks.*",
		"arn:*:iam::*:oidc-provider/oidc.eks.*",
		"arn:*:iam::*:policy/*",
		"arn:*:iam::*:role/*",
	}
)

// passedTo are the services that EKS passes roles on to: EC2 for access entries,
// EKS for the roles of add-ons, its Pod Identity for associations.
// Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_eks.html
// (operations CreateAccessEntry and CreateAddon);
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html
// (whoever creates an association must have iam:PassRole). EC2's second name is
// China's, as in AWS's own managed policies.
var passedTo = []string{"ec2.amazonaws.com", "ec2.amazonaws.com.cn", "eks.amazonaws.com", "pods.eks.amazonaws.com"}

// tagging is what the same calls need where they set tags.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
var tagging = []string{"eks:TagResource", "iam:TagInstanceProfile", "iam:TagPolicy", "iam:TagRole"}

// AdminDocument is the IAM policy that create and fix need, with all that check
// reads.
func AdminDocument() Document {
	d := ReaderDocument()
	d.Statement = append(
		d.Statement,
		Statement{Sid: "NodeRoleCreate", Effect: "Allow", Action: Writes, Resource: []string{"*"}},
		Statement{Sid: "NodeRoleFix", Effect: "Allow", Action: FixWrites, Resource: fixed},
		Statement{Sid: "NodeRoleUndo", Effect: "Allow", Action: UndoWrites, Resource: undone},
		Statement{
			Sid: "NodeRolePass", Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: []string{"arn:*:iam::*:role/*"},
			Condition: map[string]map[string]any{"StringEquals": {"iam:PassedToService": passedTo}},
		},
		Statement{Sid: "NodeRoleTags", Effect: "Allow", Action: tagging, Resource: []string{"*"}},
	)
	return d
}

// FixRBAC is what fix needs in the cluster besides ReaderRBAC, as YAML.
const FixRBAC = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: noderole-fix
  namespace: kube-system
rules:
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create] # where there is no aws-auth; RBAC cannot limit create by name
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [aws-auth]
  verbs: [update]
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: [aws-node]
  verbs: [patch]
- apiGroups: [apps]
  resources: [daemonsets]
  resourceNames: [aws-node]
  verbs: [patch]
- apiGroups: [coordination.k8s.io] # optional: keeps the runs on several machines apart
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [kubectl-noderole]
  verbs: [get, update]
`

// AdminRBAC is what fix needs in the cluster, as YAML.
const AdminRBAC = ReaderRBAC + "---\n" + FixRBAC
