package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// What aws-node is in the cluster.
const (
	awsNode     = "aws-node"
	awsNodeFull = "kube-system/aws-node"
	vpcCNI      = "vpc-cni"
	agentAddon  = "eks-pod-identity-agent"
)

// restartNote says what a rollout does to the pods.
const restartNote = "the update strategy of the DaemonSet replaces its pods; running pods keep their addresses"

// workKinds are the repairs of the rules that show whether aws-node's own role works.
func workKinds(kind view.IdentityKind) []finding.Repair {
	if kind == view.IRSA {
		return []finding.Repair{finding.AllowCNI, finding.RepairIRSA}
	}
	return []finding.Repair{finding.AllowCNI, finding.RepairPodIdentity}
}

// works returns the checks that show whether aws-node's own role works.
func (p *planner) works(kind view.IdentityKind, strict bool) ([]Check, error) {
	var list []Check
	for _, repair := range workKinds(kind) {
		checks, err := p.checks(repair, awsNode, strict)
		if err != nil {
			return nil, err
		}
		list = append(list, checks...)
	}
	return list, nil
}

// everyPod returns the checks that show whether every pod of aws-node uses the configured identity.
func (p *planner) everyPod() ([]Check, error) {
	return p.checks(finding.RestartAWSNode, "", false)
}

// blockedByRole says why a step that relies on aws-node's own role is not planned: that
// role does not work, and nothing in the plan repairs it.
func (p *planner) blockedByRole(kind view.IdentityKind) error {
	var first []finding.Result
	for _, repair := range workKinds(kind) {
		for _, r := range p.failures(repair, awsNode) {
			if !p.planned(r) {
				first = append(first, r)
			}
		}
	}
	if len(first) > 0 {
		return blocked(first)
	}
	return p.blockedByCredentials()
}

// blockedByCredentials says why aws-node would not use a configured role.
func (p *planner) blockedByCredentials() error {
	if own := p.v.OwnCredentials(); len(own) > 0 {
		return manual("aws-node does not get its credentials from EKS, so that it would not use the role: %s", strings.Join(own, "; "))
	}
	return nil
}

func identityWords(kind view.IdentityKind, arn string) string {
	if arn == "" {
		return kind.String()
	}
	return fmt.Sprintf("%s role %s", kind, snapshot.NameOf(arn))
}

// ownRole are the changes that create a role of aws-node's own.
func (p *planner) ownRole(name, path, trust string) []change.Change {
	changes := []change.Change{{Kind: change.Role, Name: name, After: &change.State{
		Document: trust, Path: path, Description: "Role of aws-node, the Amazon VPC CNI, in cluster " + p.v.Place.Cluster,
	}}}
	if p.inlineCNI() != "" {
		return append(changes, p.cniInline(name))
	}
	return append(changes, attachment(name, need.ManagedPolicy(p.v.Place.Partition, "AmazonEKS_CNI_Policy")))
}

// recreateOwnRole recreates the role that aws-node is configured with and that does not
// exist.
func (p *planner) recreateOwnRole(identity view.Identity) ([]Step, error) {
	a, ok := snapshot.ParseARN(identity.RoleARN)
	if !ok || a.Account != p.v.Place.Account {
		return nil, manual("the role belongs to another account").next(finding.Advise("recreate role " + a.Name() + " in account " + a.Account))
	}
	trust := need.PodIdentityTrust()
	var changes []change.Change
	if identity.Kind == view.IRSA {
		trust = need.IRSATrust(p.v.OIDCProviderARN(), view.AWSNodeSubject, p.v.TokenAudience())
		changes = p.provider()
	}
	return []Step{{
		Title: "recreate " + a.Name() + ", the role of aws-node", rank: rankRole, provesOwn: true,
		Changes: append(changes, p.ownRole(a.Name(), pathOf(a), trust.Compact())...), Proof: "aws-node can assume the role, which has the permissions that aws-node needs",
	}}, nil
}

// pathOf is the path in the ARN of a role.
func pathOf(a snapshot.ARN) string {
	path := strings.TrimSuffix(strings.TrimPrefix(a.Resource, "role"), a.Name())
	if path == "/" {
		return ""
	}
	return path
}

// ofOthers says why the role that aws-node is configured with is not changed: it is the
// role of something else.
func (p *planner) ofOthers(role *view.Role) error {
	for _, owner := range p.v.Owners(role.ARN) {
		if owner.Kind == view.ClusterOwner || owner.Kind == view.FargateOwner {
			return p.notAWSNodes(role, owner.String())
		}
	}
	accounts := role.ServiceAccounts()
	if len(accounts) > 0 && !slices.ContainsFunc(accounts, func(subject string) bool {
		return strings.Contains(subject, awsNode) || strings.ContainsAny(subject, "*?")
	}) {
		return p.notAWSNodes(role, "the role of "+strings.Join(accounts, ", "))
	}
	return nil
}

func (p *planner) notAWSNodes(role *view.Role, owner string) error {
	return manual("%s is %s, which fix does not change: aws-node needs a role of its own", role.Name, owner).
		next(finding.Advise("create a role for aws-node and configure the vpc-cni add-on with it").See("https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html"))
}
