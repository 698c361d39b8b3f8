package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var endpointPolicy = Rule{
	ID: "NR231", Name: "endpoint-policy", Severity: finding.Error, Concern: finding.ConcernPull,
	Joining:  175,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoImage, finding.NoNetwork, finding.DeniedCall},
	NoRepair: "fix does not change policies of VPC endpoints",
	Title:    "The policies of the VPC's endpoints allow what nodes call through them",
	Why: `New nodes cannot pull images or call AWS, although their role allows it. In this VPC the calls go through VPC endpoints,
and the policy of an endpoint limits them. The layers of images are downloaded from an S3 bucket that belongs to ECR; the
policy of the S3 endpoint has to allow that too.`,
	Fix: `Allow the actions in the policy of the endpoint. For the layers of images, allow s3:GetObject on
arn:aws:s3:::prod-REGION-starport-layer-bucket/* for everyone.`,
	Refs: []string{
		"https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html",
		"https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html",
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/917",
	},
	Needs: []snapshot.Fact{snapshot.FactDaemonSet, snapshot.FactSystemImages},
	Bad:   endpointPatch(`{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/*"}`),
	Good:  endpointPatch(`{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":["arn:aws:ecr:eu-west-1:602401143452:repository/*","arn:aws:ecr:eu-west-1:111122223333:repository/*"]}`),
	Check: func(v *view.View, report Reporter) {
		if len(v.Snapshot.VPCEndpoints) == 0 {
			return
		}
		for _, r := range v.NodeRoles() {
			report(nodesThroughEndpoints(v, r))
		}
		if identity := v.ConfiguredIdentity(); identity.Own() && identity.RoleARN != "" {
			report(awsNodeThroughEndpoints(v, identity))
		}
	},
}

// endpointPatch adds an interface endpoint for image pulls to the healthy example, with a
// statement as its policy.
func endpointPatch(statement string) string {
	return fmt.Sprintf(`
cluster: {vpcId: vpc-0a1b2c3d}
vpcEndpoints:
  vpce-0a1b2c3d: {service: ecr.dkr, policy: '{"Version":"2012-10-17","Statement":[%s]}'}
`, statement)
}

// passage is a call and the endpoint that it goes through.
type passage struct {
	view.Answer
	endpoint view.Endpoint
	// someNodes is set where only some of the nodes, or perhaps some, call through it.
	someNodes bool
}

// nodesThroughEndpoints asks for all that nodes call, each through the endpoint of its
// service.
func nodesThroughEndpoints(v *view.View, r *view.NodeRole) finding.Result {
	var all []passage
	session := v.InstanceSession()
	through := func(service string, ask func(view.Endpoint) view.Answer) {
		for _, e := range v.Endpoints(service) {
			if whole, some := v.Carries(e, r); some {
				all = append(all, passage{ask(e), e, !whole})
			}
		}
	}
	call := func(service string, actions ...need.Action) {
		for _, a := range actions {
			if a.Region == "" || a.Region == v.Place.Region {
				through(service, func(e view.Endpoint) view.Answer { return r.Passes(e, session, a) })
			}
		}
	}
	call("ec2", ofEC2(v.NeedsOf(r).Required())...)
	if v.ConfiguredIdentity().Kind == view.FromNodeRole && v.RunsSystemImages(r) {
		cni := v.CNI()
		call("ec2", ofEC2(cni.Required())...)
	}
	if inUse, _, _ := v.PodIdentityInUse(); inUse && v.RunsAgent(r) {
		call("eks-auth", need.PodIdentityAgent...)
	}
	images, complete, unread := pulledBy(v, r)
	for _, a := range images {
		if len(a.Resources) == 0 {
			call("ecr.api", a)
		} else {
			call("ecr.dkr", a)
		}
	}
	if len(images) > 0 {
		through("s3", v.LayersPass)
	}
	return judgePassages(roleSubject(r), "the nodes of "+r.Name+" call", all, complete, unread)
}

// pulledBy is what pulling the images of kube-system calls, or of every repository where
// these are not known.
func pulledBy(v *view.View, r *view.NodeRole) (actions []need.Action, complete bool, unread []snapshot.Missing) {
	if !v.RunsSystemImages(r) {
		return need.Pull, true, nil
	}
	images, complete, unread := v.SystemImages()
	for _, i := range images {
		if i.NotNeeded == "" {
			actions = append(actions, view.PullOf(i.Image)...)
		}
	}
	if !complete {
		actions = append(actions, need.Pull...)
	}
	return actions, complete || len(unread) == 0, unread
}

func ofEC2(actions []need.Action) []need.Action {
	return slices.DeleteFunc(slices.Clone(actions), func(a need.Action) bool { return !strings.HasPrefix(a.Name, "ec2:") })
}

// awsNodeThroughEndpoints asks for what aws-node calls with a role of its own.
func awsNodeThroughEndpoints(v *view.View, identity view.Identity) finding.Result {
	var all []passage
	r := v.Role(identity.RoleARN)
	cni := v.CNI()
	for _, e := range v.Endpoints("ec2") {
		for _, a := range ofEC2(cni.Required()) {
			all = append(all, passage{Answer: r.Passes(e, v.AWSNodeSession(), a), endpoint: e})
		}
	}
	if identity.Kind == view.IRSA && v.OIDCProviderARN() != "" {
		for _, e := range v.Endpoints("sts") {
			all = append(all, passage{Answer: r.TokenPasses(e), endpoint: e})
		}
	}
	return judgePassages(awsNodeSubject(), "aws-node calls", all, true, nil)
}

// judgePassages sums up. What depends on a value that is not known, such as the
// organization of the principal, is not a finding: such policies are common and mostly right.
func judgePassages(subject finding.Subject, calls string, all []passage, complete bool, unread []snapshot.Missing) finding.Result {
	var denied, open, passed []string
	var names []string
	for _, p := range all {
		switch {
		case p.Verdict == view.Denied && p.someNodes:
			open = appendNew(open, asked(p.Answer)+": "+whyBlocked(p)+", for the subnets whose route table has the endpoint")
		case p.Verdict == view.Denied:
			denied = appendNew(denied, asked(p.Answer)+": "+whyBlocked(p))
			names = appendNew(names, p.Action.Name)
		case p.Verdict == view.Allowed:
			passed = appendNew(passed, p.endpoint.Name+" allows "+asked(p.Answer))
		default:
			open = appendNew(open, whyDepends(p.Answer).of(asked(p.Answer)))
		}
	}
	switch {
	case len(all) == 0:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "no VPC endpoint is known for what " + calls}
	case len(denied) > 0:
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: "VPC endpoints block what " + calls, Evidence: firstLines(denied), Denied: names,
			Next: []finding.Next{finding.Advise("allow it in the policy of the endpoint: no policy of the role can")},
		}
	case !complete && len(open) > 0:
		return unknown(subject, "whether VPC endpoints block what "+calls+" is unknown", unread)
	case len(open) > 0:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "whether VPC endpoints block what " + calls + " depends on the request", Evidence: firstLines(open)}
	default:
		return finding.Result{Status: finding.Pass, Subject: subject, Message: "VPC endpoints allow what " + calls, Evidence: firstLines(passed)}
	}
}

// whyBlocked names the endpoint and, for a Deny, its statement.
func whyBlocked(p passage) string {
	if p.Result.Explicit {
		return "denied by " + statementList(p.Result.Statements)
	}
	return "no statement of the " + p.endpoint.Name + " allows it" + nearest(p.Result)
}
