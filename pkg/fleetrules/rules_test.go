package fleetrules_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
)

// The policies of roles in the fleets below.
const (
	cniPolicies  = `["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]`
	providerARN  = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/"
	withoutOwn   = `addons: {vpc-cni: {serviceAccountRoleArn: null}}, awsNode: {serviceAccount: {roleArn: null}}`
	withProvider = `clusterProviders: {arns: ["` + providerARN + `SHOP", "` + providerARN + `GONE"]}`
)

// statement trusts the provider of a cluster, for some service accounts.
func statement(id, sub string) string {
	condition := ""
	if sub != "" {
		condition = `,"Condition":{"StringLike":{"oidc.eks.eu-west-1.amazonaws.com/id/` + id + `:sub":"` + sub + `"}}`
	}
	return `{"Effect":"Allow","Principal":{"Federated":"` + providerARN + id + `"},"Action":"sts:AssumeRoleWithWebIdentity"` + condition + `}`
}

func trust(role string, statements ...string) string {
	return `roles: {"arn:aws:iam::111122223333:role/` + role + `": {trustPolicy: '{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}'}}`
}

// TestSharedNodeRole: a role of clusters of several groups is a warning, of several regions of
// one group worth knowing; of one group and region nothing.
func TestSharedNodeRole(t *testing.T) {
	t.Parallel()
	table(t, "NR901", map[string]string{
		`[{name: shop, group: prod, nodeRole: r}, {name: lab, group: test, nodeRole: r}, {name: bank, region: us-east-1, nodeRole: r}]`: `
fail warning: r is the node role of clusters of the groups prod, test
  bank in account 111122223333, region us-east-1: node group apps, node group system
  lab in account 111122223333, region eu-west-1, group test: node group apps, node group system
  shop in account 111122223333, region eu-west-1, group prod: node group apps, node group system
  > # create a node role for each of them, and move their node groups to it`,
		`[{name: shop, group: prod, nodeRole: r}, {name: bank, group: prod, region: us-east-1, nodeRole: r}]`: `
fail info: r is the node role of clusters of the regions eu-west-1, us-east-1
  bank in account 111122223333, region us-east-1, group prod: node group apps, node group system
  shop in account 111122223333, region eu-west-1, group prod: node group apps, node group system
  > # create a node role for each of them, and move their node groups to it`,
		`[{name: shop, nodeRole: r}, {name: bank, account: "444455556666", patch: {nodeGroups: {apps: {nodeRoleArn: "arn:aws:iam::111122223333:role/r"}}, roles: {"arn:aws:iam::111122223333:role/r": {notFound: true}}}}]`: `
fail warning: r is the node role of clusters of the accounts 111122223333, 444455556666
  bank in account 444455556666, region eu-west-1: node group apps
  shop in account 111122223333, region eu-west-1: node group apps, node group system
  > # create a node role for each of them, and move their node groups to it`,
		`[{name: shop, nodeRole: r}, {name: bank, nodeRole: r}]`: `
pass: no node role serves clusters of several regions, accounts or groups
  1 node role of 2 clusters were compared`,
		`[{name: shop}]`: `
notApplicable: the fleet has no two clusters`,
		`[{name: shop}, {name: gone, notRead: "no answer"}]`: `
unknown: whether clusters of other regions, accounts or groups use the node roles too is unknown
  gone was not read: no answer`,
	})
}

// TestControlPlaneRole: the cluster role or a pod execution role of another cluster. What the
// cluster's own facts show is NR102's.
func TestControlPlaneRole(t *testing.T) {
	t.Parallel()
	const bank = `{name: bank, region: us-east-1, patch: {cluster: {roleArn: "arn:aws:iam::111122223333:role/shopNode"}}}`
	table(t, "NR902", map[string]string{
		`[{name: shop}, {name: bank, patch: {cluster: {roleArn: "arn:aws:iam::111122223333:role/shopNode"}, fargateProfiles: {batch: {podExecutionRoleArn: "arn:aws:iam::111122223333:role/shopNode"}}}}]`: `
fail error: shopNode, the node role of shop, is also the cluster role of bank and the pod execution role of Fargate profile batch of bank
  eks:DescribeCluster bank in eu-west-1: roleArn arn:aws:iam::111122223333:role/shopNode
  nodes of shop have it: node group apps, node group system
  eks:DescribeFargateProfile batch of bank in eu-west-1: podExecutionRoleArn arn:aws:iam::111122223333:role/shopNode
  > # create a role for the nodes only, and move the node groups to it`,
		`[{name: shop, patch: {otherRegions: [us-east-1], otherClusters: {"arn:aws:eks:us-east-1:111122223333:cluster/bank": {roleArn: "arn:aws:iam::111122223333:role/shopNode"}}}}, ` + bank + `]`: `
pass: no node role is the cluster role or the pod execution role of another cluster
  2 node roles compared with the roles of 2 clusters`,
		`[{name: shop, patch: {fargateProfiles: {batch: {podExecutionRoleArn: "arn:aws:iam::111122223333:role/shopNode"}}}}, {name: bank}]`: `
pass: no node role is the cluster role or the pod execution role of another cluster
  2 node roles compared with the roles of 2 clusters`,
	})
}

// TestCrossClusterTrust: whose pods can get the role of aws-node, by what the trust policy
// allows.
func TestCrossClusterTrust(t *testing.T) {
	t.Parallel()
	const lab = `{name: lab, patch: {awsNode: {serviceAccount: {roleArn: null}}}}`
	const awsNode = "system:serviceaccount:kube-system:aws-node"
	table(t, "NR903", map[string]string{
		`[{name: shop, patch: {` + trust("shopCNI", statement("SHOP", awsNode), statement("LAB", "")) + `}}, ` + lab + `]`: `
fail warning: pods of lab can get the credentials of shopCNI, the role of aws-node of shop
  trust policy of shopCNI, statement 2: oidc.eks.eu-west-1.amazonaws.com/id/LAB, tokens of every service account; of cluster lab, whose aws-node does not use the role
  > # remove from the trust policy what no aws-node uses; where clusters share the role, give each aws-node a role of its own first`,
		`[{name: shop, patch: {` + trust("shopCNI", statement("SHOP", awsNode), statement("LAB", "system:serviceaccount:tools:*")) + `}}, ` + lab + `]`: `
fail warning: pods of lab can get the credentials of shopCNI, the role of aws-node of shop
  trust policy of shopCNI, statement 2: oidc.eks.eu-west-1.amazonaws.com/id/LAB, tokens that a condition selects; of cluster lab, whose aws-node does not use the role
  > # remove from the trust policy what no aws-node uses; where clusters share the role, give each aws-node a role of its own first`,
		// A Deny takes the trust back.
		`[{name: shop, patch: {` + trust("shopCNI", statement("SHOP", awsNode), statement("LAB", ""), strings.Replace(statement("LAB", ""), "Allow", "Deny", 1)) + `}}, ` + lab + `]`: `
pass: no role of aws-node trusts another cluster's OIDC provider
  the trust policies of 1 role were evaluated`,
		`[{name: shop, patch: {` + trust("shopCNI", statement("SHOP", awsNode), statement("OTHER", awsNode)) + `}}, ` + lab + `]`: `
fail info: shopCNI, the role of aws-node of shop, trusts the OIDC provider of a cluster that was not read: eu-west-1 OTHER
  trust policy of shopCNI, statement 2: oidc.eks.eu-west-1.amazonaws.com/id/OTHER, tokens of aws-node; of no cluster that was read
  > # remove from the trust policy what no aws-node uses; where clusters share the role, give each aws-node a role of its own first`,
		`[{name: shop, patch: {` + trust("shopCNI", statement("SHOP", awsNode), statement("BANK", awsNode)) + `}}, {name: bank, patch: {awsNode: {serviceAccount: {roleArn: "arn:aws:iam::111122223333:role/shopCNI"}}, ` + trust("shopCNI", statement("SHOP", awsNode), statement("BANK", awsNode)) + `}}]`: `
fail info: aws-node of bank, shop share the role shopCNI
  trust policy of shopCNI, statement 2: oidc.eks.eu-west-1.amazonaws.com/id/BANK, tokens of aws-node; of cluster bank, whose aws-node uses the role
  trust policy of shopCNI, statement 1: oidc.eks.eu-west-1.amazonaws.com/id/SHOP, tokens of aws-node; of cluster shop, whose aws-node uses the role
  > # remove from the trust policy what no aws-node uses; where clusters share the role, give each aws-node a role of its own first`,
		`[` + lab + `]`: `
notApplicable: no aws-node of the fleet has a role of its own`,
	})
}

// TestOrphanedProvider: a provider is without a cluster only where all clusters of its account
// and region are known.
func TestOrphanedProvider(t *testing.T) {
	t.Parallel()
	const gone = `
fail info: account 111122223333 has an OIDC provider of no cluster: GONE in eu-west-1
  iam:ListOpenIDConnectProviders: ` + providerARN + `GONE
  no cluster of account 111122223333 in eu-west-1 has this issuer, and no cluster of another account that was read
  > aws iam get-open-id-connect-provider --open-id-connect-provider-arn ` + providerARN + `GONE # its tags often name the cluster; a cluster of an account that was not read may have it`
	const other = `"arn:aws:eks:eu-west-1:111122223333:cluster/other"`
	table(t, "NR904", map[string]string{
		`[{name: shop, patch: {` + withProvider + `}}]`: gone,
		// Another cluster of the region has it, which another snapshot or another account may show.
		`[{name: shop, patch: {` + withProvider + `, otherClusters: {` + other + `: {oidcIssuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/GONE"}}}}]`: `
pass: every OIDC provider of EKS belongs to a cluster that exists
  2 OIDC providers of 1 account compared with the clusters`,
		`[{name: shop, patch: {` + withProvider + `}}, {name: gone, account: "444455556666"}]`: `
pass: every OIDC provider of EKS belongs to a cluster that exists
  3 OIDC providers of 2 accounts compared with the clusters`,
		// The region was not listed in full, or not by this version.
		`[{name: shop, patch: {` + withProvider + `, otherClusters: {` + other + `: {roleArn: x}}}}]`: `
unknown: whether other OIDC providers belong to clusters that exist is unknown
  account 111122223333, region eu-west-1: 1 OIDC provider of no cluster that was read: the OIDC issuer of other is unknown`,
		`[{name: shop, patch: {` + withProvider + `, missing: [{fact: otherClusters, operation: "eks:ListClusters", error: refused}]}}]`: `
unknown: whether other OIDC providers belong to clusters that exist is unknown
  account 111122223333, region eu-west-1: 1 OIDC provider of no cluster that was read: eks:ListClusters: refused`,
		// What another region misses does not matter here.
		`[{name: shop, patch: {` + withProvider + `, missing: [{fact: otherClusters, subject: us-east-1, operation: "eks:ListClusters", error: refused}]}}]`: gone,
		`[{name: shop, region: us-east-1, patch: {clusterProviders: {arns: ["` + providerARN + `GONE"]}}}]`: `
unknown: whether OIDC providers belong to clusters that exist is unknown
  account 111122223333, region eu-west-1: 1 OIDC provider of no cluster that was read: the clusters of the region were not listed`,
		`[{name: shop, patch: {clusterProviders: null}}]`: `
unknown: whether OIDC providers belong to clusters that exist is unknown
  the OIDC providers of account 111122223333 were not read: the snapshots are not of a fleet, or of an earlier version`,
		`[{name: shop, patch: {clusterProviders: {arns: null}}}]`: `
notApplicable: the accounts have no OIDC providers of EKS clusters`,
	})
}

// TestEmptyRegion: where EKS lists no cluster in a region, its providers are without one.
func TestEmptyRegion(t *testing.T) {
	t.Parallel()
	f := &fleetrules.Fleet{}
	for _, m := range fleetOf(t, `[{name: shop, region: us-east-1, patch: {clusterProviders: {arns: ["`+providerARN+`GONE"]}}}]`) {
		m.add(f)
	}
	f.AddEmpty("444455556666", "eu-west-1")
	if got := only(fleetrules.Judge(f, fleetrules.Options{}), "NR904"); got[0].Status != finding.Unknown {
		t.Errorf("%+v", got)
	}
	f.AddEmpty("111122223333", "eu-west-1")
	if got := only(fleetrules.Judge(f, fleetrules.Options{}), "NR904"); got[0].Status != finding.Fail || len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestGroupDifferences: what the clusters of a group differ in, by meaning.
func TestGroupDifferences(t *testing.T) {
	t.Parallel()
	const (
		advice   = "\n  > # configure them alike, or put those that are meant to differ into another group"
		unlike   = `inlinePolicies: {same: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}'}`
		equalNow = `attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"], inlinePolicies: {pull: '{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage"],"Resource":"*"},{"Effect":"Allow","Action":["ecr:GetDownloadUrlForLayer","ecr:BatchImportUpstreamImage"],"Resource":"*"}]}'}`
	)
	role := func(name, patch string) string {
		return `roles: {"arn:aws:iam::111122223333:role/` + name + `": {` + patch + `}}`
	}
	table(t, "NR905", map[string]string{
		`[{name: shop, group: prod}, {name: bank, group: prod, patch: {cluster: {authenticationMode: API}}}, {name: shed, group: prod}]`: `
fail info: the clusters of group prod differ in the authentication mode
  API_AND_CONFIG_MAP: shed, shop
  API: bank` + advice,
		`[{name: shop, group: prod}, {name: bank, group: prod, patch: {` + withoutOwn + `}}]`: `
fail info: the clusters of group prod differ in the identity of aws-node
  IRSA: shop
  the node role: bank` + advice,
		`[{name: shop, group: prod}, {name: bank, group: prod, patch: {awsNode: {daemonSet: {image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.19.0"}}}}]`: `
fail info: the clusters of group prod differ in the VPC CNI version
  v1.19.0: bank
  v1.20.4: shop` + advice,
		`[{name: shop, group: prod}, {name: shed, group: prod}, {name: bank, group: prod, patch: {` + role("bankNode", `inlinePolicies: {extra: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:PassRole","ec2:CreateTags"],"Resource":"*"}}'}`) + `}}]`: `
fail info: the clusters of group prod differ in the permissions of node roles
  compared with shed, shop
  bank (bankNode): also allows ec2:CreateTags, iam:PassRole` + advice,
		// Other policies that allow the same are no difference.
		`[{name: shop, group: prod}, {name: bank, group: prod, account: "111122223333", patch: {` + role("bankNode", equalNow) + `}}]`: `
pass: the clusters of group prod are configured alike
  2 clusters compared: authentication mode, VPC CNI version, identity of aws-node, permissions of node roles`,
		`[{name: shop, group: prod}, {name: bank, group: prod, patch: {` + role("bankNode", unlike) + `}}]`: `
pass: the clusters of group prod are configured alike
  2 clusters compared: authentication mode, VPC CNI version, identity of aws-node, permissions of node roles`,
		`[{name: shop, group: prod}, {name: bank, group: prod, notRead: "no answer"}]`: `
unknown: whether all clusters of group prod are configured alike is unknown
  bank was not read: no answer`,
		`[{name: shop, group: prod}, {name: bank}]`: `
notApplicable: no two clusters are in one group; a file of --targets names groups`,
	})
}

// TestCNIRollUp: the order in which the CNI policy is removed. A role that clusters share is
// ready when all of them are.
func TestCNIRollUp(t *testing.T) {
	t.Parallel()
	with := func(role string, more ...string) string {
		return `{` + strings.Join(append(more, `roles: {"arn:aws:iam::111122223333:role/`+role+`": {attachedPolicies: `+cniPolicies+`}}`), ", ") + `}`
	}
	table(t, "NR906", map[string]string{
		`[{name: shop, patch: ` + with("shopNode") + `}, {name: bank, patch: ` + with("bankNode", withoutOwn) + `}, {name: shed}]`: `
fail info: node roles of 2 of 3 clusters have CNI permissions; remove them from 1 role now, from 1 role when aws-node has a role of its own
  remove now, every aws-node uses its own role: shopNode of shop
  give aws-node a role of its own, then remove: bankNode of bank
  > kubectl noderole fix --only NR205 --on shop # shop: remove now, every aws-node uses its own role
  > kubectl noderole fix --cni-identity auto --on bank # bank: give aws-node a role of its own, then remove`,
		`[{name: shop, nodeRole: r, patch: ` + with("r") + `}, {name: bank, nodeRole: r, patch: ` + with("r") + `}]`: `
fail info: node roles of 2 of 2 clusters have CNI permissions; remove them from 1 role now
  remove now, every aws-node uses its own role: r of bank, shop
  > kubectl noderole fix --only NR205 --on bank # bank: remove now, every aws-node uses its own role`,
		// One of two is not ready: what NR205 says of the other is not enough.
		`[{name: shop, nodeRole: r, patch: ` + with("r") + `}, {name: bank, nodeRole: r, patch: ` + with("r", withoutOwn) + `}]`: `
fail warning: node roles of 2 of 2 clusters have CNI permissions; remove them from 1 role when aws-node has a role of its own; 1 role of several clusters, of which some still need them
  give aws-node a role of its own, then remove: r of bank, shop; bank: aws-node has no role of its own; shop: every aws-node uses its own role
  > # r is the node role of bank, shop: do not remove its CNI permissions before aws-node of each of them uses its own role; fix for one of them plans to remove them`,
		// Whether the other needs them is not known.
		`[{name: shop, nodeRole: r, patch: ` + with("r") + `}, {name: bank, nodeRole: r, patch: ` + with("r", `missing: [{fact: daemonSet, operation: "get daemonsets", error: refused}]`) + `}]`: `
fail warning: node roles of 2 of 2 clusters have CNI permissions; remove them from 1 role when it is known whether aws-node needs them; 1 role of several clusters, of which some still need them
  read whether aws-node needs them: r of bank, shop; bank: whether aws-node needs them is unknown; shop: every aws-node uses its own role
  > # r is the node role of bank, shop: do not remove its CNI permissions before aws-node of each of them uses its own role; fix for one of them plans to remove them
unknown: whether other node roles have CNI permissions is unknown
  bank: get daemonsets: refused`,
		`[{name: shop, patch: ` + with("shopNode") + `}, {name: gone, notRead: "no answer"}]`: `
fail info: node roles of 1 of 1 cluster have CNI permissions; remove them from 1 role now
  remove now, every aws-node uses its own role: shopNode of shop
  what was not read may have these node roles too: gone
  > kubectl noderole fix --only NR205 --on shop # shop: remove now, every aws-node uses its own role
unknown: whether other node roles have CNI permissions is unknown
  gone was not read: no answer`,
	})
}

// table compares what a rule says of fleets.
func table(t *testing.T, id string, fleets map[string]string) {
	t.Helper()
	for text, want := range fleets {
		f := &fleetrules.Fleet{}
		for _, m := range fleetOf(t, text) {
			m.add(f)
		}
		results := fleetrules.Judge(f, fleetrules.Options{Complete: func(arn string, c command.Command) command.Command {
			if c.Word(0) == "aws" {
				return c
			}
			return c.With("--on", arn[strings.LastIndexByte(arn, '/')+1:])
		}})
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n")+"\n", says(results, id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// TestTeam: a team's severity counts for every result of the rule, and a rule that is off is
// not judged.
func TestTeam(t *testing.T) {
	t.Parallel()
	f := &fleetrules.Fleet{}
	for _, m := range fleetOf(t, `[{name: shop, group: prod}, {name: bank, group: prod, patch: {cluster: {authenticationMode: API}}}]`) {
		m.add(f)
	}
	results := fleetrules.Judge(f, fleetrules.Options{Severities: map[string]finding.Severity{"NR905": finding.Error}, Off: []string{"NR901"}})
	if r := only(results, "NR905"); len(r) != 1 || r[0].Severity != finding.Error || results[0].ID != "NR905" {
		t.Errorf("%+v", r)
	}
	if r := only(results, "NR901"); len(r) > 0 {
		t.Errorf("%+v", r)
	}
}
