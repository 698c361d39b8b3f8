package need_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

const (
	roleARN  = "arn:aws:iam::111122223333:role/eksNodeRole"
	provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"
	issuer   = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
	subject  = "system:serviceaccount:kube-system:aws-node"
)

var place = need.Place{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Cluster: "prod"}

func grants(t *testing.T, d need.Document, a need.Action) bool {
	t.Helper()
	doc, err := iampolicy.Parse(iampolicy.Identity, []byte(d.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, d)
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "p", Document: doc}}})
	return !slices.ContainsFunc(a.Requests(place, roleARN, nil), func(r *iampolicy.Request) bool {
		decision, err := set.Decide(r)
		if err != nil {
			t.Fatal(err)
		}
		return decision != iampolicy.Allowed
	})
}

// TestDocumentsGrantTheirNeed: what is printed grants what is judged, and no more.
func TestDocumentsGrantTheirNeed(t *testing.T) {
	ipv4, ipv6 := need.CNI{IPFamily: "ipv4"}, need.CNI{IPFamily: "ipv6"}
	tests := map[string]struct {
		document need.Document
		grants   []need.Action
		refuses  []need.Action
	}{
		"worker":         {need.WorkerDocument(false), slices.Concat(need.Worker, need.WorkerRecommended), need.Pull},
		"worker minimal": {need.WorkerDocument(true), need.Worker, need.WorkerRecommended},
		"pull":           {need.PullDocument(false), slices.Concat(need.Pull, need.PullThroughCache), slices.Concat(need.Worker, need.ExcessivePull)},
		"pull minimal":   {need.PullDocument(true), need.Pull, need.PullThroughCache},
		"pod identity":   {need.PodIdentityAgentDocument(), need.PodIdentityAgent, need.Worker},
		"minimal node":   {need.MinimalNodeDocument(), slices.Concat(need.Worker, need.Pull, need.PodIdentityAgent), slices.Concat(need.WorkerRecommended, need.PullThroughCache, need.Excessive)},
		"cni ipv4":       {ipv4.Document("aws"), slices.Concat(ipv4.Required(), ipv4.Recommended()), slices.Concat(ipv6.Indicative(), need.Pull)},
		"cni ipv6":       {ipv6.Document("aws"), slices.Concat(ipv6.Required(), ipv6.Recommended()), slices.Concat(ipv4.Indicative(), need.Pull)},
		"original ipv6": {
			need.OriginalIPv6Document("aws"), need.CNI{IPFamily: "ipv6", Version: "v1.20.4"}.Required(),
			[]need.Action{{Name: "ec2:DescribeSubnets"}, {Name: "ec2:DescribeSecurityGroups"}},
		},
		"only": {need.Only(place, slices.Concat(need.Pull, need.PodIdentityAgent)), slices.Concat(need.Pull, need.PodIdentityAgent), need.PullThroughCache},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, a := range tt.grants {
				if !grants(t, tt.document, a) {
					t.Errorf("%s is not granted:\n%s", a.Name, tt.document)
				}
			}
			for _, a := range tt.refuses {
				if grants(t, tt.document, a) {
					t.Errorf("%s is granted:\n%s", a.Name, tt.document)
				}
			}
		})
	}
}

// TestCNIDocumentIsAWSs: the actions of AmazonEKS_CNI_Policy v6 (2026-03-04).
func TestCNIDocumentIsAWSs(t *testing.T) {
	d := need.CNI{IPFamily: "ipv4"}.Document("aws-us-gov")
	want := strings.Fields(`ec2:AssignPrivateIpAddresses ec2:AttachNetworkInterface ec2:CreateNetworkInterface ec2:DeleteNetworkInterface
		ec2:DescribeInstanceTypes ec2:DescribeInstances ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups ec2:DescribeSubnets
		ec2:DescribeTags ec2:DetachNetworkInterface ec2:ModifyNetworkInterfaceAttribute ec2:UnassignPrivateIpAddresses`)
	if diff := cmp.Diff(want, d.Statement[0].Action); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"arn:aws-us-gov:ec2:*:*:network-interface/*"}, d.Statement[1].Resource); diff != "" {
		t.Errorf("resource of ec2:CreateTags (-want +got):\n%s", diff)
	}
}

// TestTrust: each trust policy lets in whom it is for, and nobody else.
func TestTrust(t *testing.T) {
	letsIn := func(d need.Document, principal, action, sub string) iampolicy.Decision {
		doc, err := iampolicy.Parse(iampolicy.Trust, []byte(d.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, d)
		}
		known := iampolicy.NewContext().Set(issuer+":sub", sub).Set(issuer+":aud", "sts.amazonaws.com")
		decision, err := iampolicy.Prepare(iampolicy.Policies{Resource: &iampolicy.Policy{Name: "trust", Document: doc}}).
			Decide(&iampolicy.Request{Principal: principal, Action: action, Resource: roleARN, Account: place.Account, Context: known})
		if err != nil {
			t.Fatal(err)
		}
		return decision
	}
	irsa := need.IRSATrust(provider, subject, "sts.amazonaws.com")
	tests := []struct {
		name              string
		document          need.Document
		principal, action string
		sub               string
		want              iampolicy.Decision
	}{
		{"EC2", need.NodeTrust("aws"), "ec2.amazonaws.com", "sts:AssumeRole", "", iampolicy.Allowed},
		{"another service", need.NodeTrust("aws"), "lambda.amazonaws.com", "sts:AssumeRole", "", iampolicy.Denied},
		{"GovCloud", need.NodeTrust("aws-us-gov"), "ec2.amazonaws.com", "sts:AssumeRole", "", iampolicy.Allowed},
		{"China, its name", need.NodeTrust("aws-cn"), "ec2.amazonaws.com.cn", "sts:AssumeRole", "", iampolicy.Allowed},
		{"ISO, its name", need.NodeTrust("aws-iso"), "ec2.c2s.ic.gov", "sts:AssumeRole", "", iampolicy.Allowed},
		{"ISO, the plain name", need.NodeTrust("aws-iso"), "ec2.amazonaws.com", "sts:AssumeRole", "", iampolicy.Allowed},
		{"ISO B, its name", need.NodeTrust("aws-iso-b"), "ec2.sc2s.sgov.gov", "sts:AssumeRole", "", iampolicy.Allowed},
		{"ISO B, the plain name", need.NodeTrust("aws-iso-b"), "ec2.amazonaws.com", "sts:AssumeRole", "", iampolicy.Allowed},
		{"ISO B, ISO's name", need.NodeTrust("aws-iso-b"), "ec2.c2s.ic.gov", "sts:AssumeRole", "", iampolicy.Denied},
		{"China, the plain name", need.NodeTrust("aws-cn"), "ec2.amazonaws.com", "sts:AssumeRole", "", iampolicy.Allowed},
		{"Pod Identity", need.PodIdentityTrust(), "pods.eks.amazonaws.com", "sts:TagSession", "", iampolicy.Allowed},
		{"Pod Identity is not EC2", need.PodIdentityTrust(), "ec2.amazonaws.com", "sts:AssumeRole", "", iampolicy.Denied},
		{"IRSA", irsa, provider, "sts:AssumeRoleWithWebIdentity", subject, iampolicy.Allowed},
		{"IRSA of another service account", irsa, provider, "sts:AssumeRoleWithWebIdentity", "system:serviceaccount:default:app", iampolicy.Denied},
	}
	for _, tt := range tests {
		if got := letsIn(tt.document, tt.principal, tt.action, tt.sub); got != tt.want {
			t.Errorf("%s: %v, want %v\n%s", tt.name, got, tt.want, tt.document)
		}
	}
}
