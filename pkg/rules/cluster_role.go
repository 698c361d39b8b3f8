package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// clusterRolePatch adds the cluster role to the healthy example: with a trust policy of
// one service and an inline policy, a list of statements.
func clusterRolePatch(service, statements string) string {
	return fmt.Sprintf(`
roles:
  "arn:aws:iam::111122223333:role/eksClusterRole":
    createdAt: "2026-01-12T09:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]
    inlinePolicies: {cluster: '{"Version":"2012-10-17","Statement":[%s]}'}
`, service, statements)
}

// clusterDescribes is what the control plane calls, as a statement.
const clusterDescribes = `{"Effect":"Allow","Action":["ec2:DescribeInstances","ec2:DescribeNetworkInterfaces","ec2:DescribeVpcs","ec2:DescribeDhcpOptions"],"Resource":"*"}`

func clusterRoleSubject(v *view.View) finding.Subject {
	arn := v.Snapshot.Cluster.RoleARN
	return finding.Subject{Kind: finding.SubjectClusterRole, Name: snapshot.NameOf(arn), ARN: arn}
}

// judgedClusterRole returns the cluster role where a rule that nothing depends on can judge
// it. Otherwise it returns nil and reports why: the role is optional to read, and nodes
// must not hold it.
func judgedClusterRole(v *view.View, report Reporter) *view.Role {
	r := v.ClusterRole()
	idle := finding.Result{Status: finding.NotApplicable, Subject: clusterRoleSubject(v)}
	switch {
	case v.Snapshot.Cluster.RoleARN == "":
		return nil
	case v.Snapshot.Cluster.LocalControlPlane:
		idle.Message = "the instances of the control plane on AWS Outposts have the cluster role " + idle.Subject.Name + ", which needs other permissions"
	case r == nil:
		idle.Message = "the facts do not have the cluster role " + idle.Subject.Name
	case r.Facts.NotFound:
		idle.Message = "the cluster role " + idle.Subject.Name + " does not exist; where EKS misses it, the health of the cluster shows it"
		idle.Evidence = []string{"iam:GetRole " + r.Name + ": NoSuchEntity"}
	case v.UsedByNodes(r.ARN):
		idle.Message = "nodes hold the cluster role " + idle.Subject.Name + ", which has to end first"
	case optionalOnly(r.Unread):
		idle.Message = "the cluster role " + idle.Subject.Name + " was not read"
		for _, m := range r.Unread {
			idle.Evidence = appendNew(idle.Evidence, missingLine(m))
		}
	default:
		return r
	}
	report(idle)
	return nil
}

// attachToCluster attaches a managed policy to the cluster role. Where something else uses
// the role too, people decide whether that may have the permissions.
func attachToCluster(v *view.View, r *view.Role, policy string) finding.Next {
	var others []string
	for _, o := range v.Owners(r.ARN) {
		if o.Kind != view.ClusterOwner || o.Name != v.Place.Cluster {
			others = append(others, o.String())
		}
	}
	if len(others) > 0 {
		return finding.Advise(fmt.Sprintf("attach %s to %s, if its other users may have the permissions: it is also %s", policy, r.Name, strings.Join(others, " and ")))
	}
	return attach(r, v.Place.Partition, policy)
}

// optionalOnly reports whether something was not read, and all of it is optional.
func optionalOnly(unread []snapshot.Missing) bool {
	return len(unread) > 0 && !slices.ContainsFunc(unread, func(m snapshot.Missing) bool { return !m.Fact.Optional() })
}

// unreadOptional returns, in a line for each kind, which optional facts could not be read.
func unreadOptional(s *snapshot.Snapshot) []string {
	var lines, older []string
	for _, fact := range snapshot.Facts {
		if !fact.Optional() {
			continue
		}
		var why, permissions []string
		for _, m := range s.Missing {
			if m.Fact != fact {
				continue
			}
			if m.OfOlderRelease() {
				older = append(older, optionalFacts[fact])
				continue
			}
			why = appendNew(why, missingLine(m))
			if m.Permission != "" {
				permissions = appendNew(permissions, m.Permission)
			}
		}
		if len(why) == 0 {
			continue
		}
		line := optionalFacts[fact] + ", which could not be read: " + why[0]
		if len(why) > 1 {
			line += fmt.Sprintf(", and %d more", len(why)-1)
		}
		if len(permissions) > 0 {
			line += "; it needs " + strings.Join(permissions, ", ")
		}
		lines = append(lines, line)
	}
	if len(older) > 0 {
		lines = append(lines, "what the release that saved the snapshot did not read: "+strings.Join(older, ", "))
	}
	return lines
}

// optionalFacts are what the optional facts are called.
var optionalFacts = map[snapshot.Fact]string{
	snapshot.FactClusterRole:        "the cluster role and its policies",
	snapshot.FactVPCEndpoints:       "the policies of VPC endpoints",
	snapshot.FactOrganization:       "the policies of the organization",
	snapshot.FactRepositoryPolicies: "the policies of repositories",
	snapshot.FactAddonPods:          "the pods of add-ons",
	snapshot.FactAddonAccounts:      "the service accounts of add-ons",
	snapshot.FactRegistries:         "the pull-through cache rules of the registry",
	snapshot.FactProfileQuota:       "the quota of instance profiles",
	snapshot.FactClusterProviders:   "the account's OIDC providers",
}
