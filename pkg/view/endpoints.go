package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Endpoint is a VPC endpoint through which calls of nodes go.
type Endpoint struct {
	// Name is how evidence calls its policy.
	Name  string
	Facts snapshot.VPCEndpoint

	id     string
	policy document
	set    *iampolicy.Set
}

// Endpoints are the VPC endpoints of the cluster's VPC for a service, ordered by id.
func (v *View) Endpoints(service string) []Endpoint {
	var list []Endpoint
	for id, facts := range sortedPairs(v.Snapshot.VPCEndpoints) {
		if facts.Service != service {
			continue
		}
		e := Endpoint{Name: fmt.Sprintf("policy of VPC endpoint %s (%s)", id, service), Facts: facts, id: id}
		e.policy = v.parse(iampolicy.Resource, "vpcEndpoints#"+id, iampolicy.Policy{Name: e.Name}, facts.Policy)
		e.set = iampolicy.Prepare(iampolicy.Policies{
			Identity: []iampolicy.Policy{{Name: "everything", Document: everything}}, Endpoint: &e.policy.policy, ResourceState: iampolicy.Delegates,
		})
		list = append(list, e)
	}
	return list
}

// Carries reports whether the calls of a role's nodes go through the endpoint: those of
// all of its nodes, or of some or perhaps some.
func (v *View) Carries(e Endpoint, r *NodeRole) (all, some bool) {
	routes := e.Facts.Routes
	if routes == nil {
		return true, true
	}
	all = true
	for _, source := range r.Sources {
		subnets := v.Snapshot.NodeGroups[source.Name].Subnets
		if source.Kind != NodeGroup || len(subnets) == 0 {
			all, some = false, true // in which subnets its nodes are is unknown
			continue
		}
		for _, subnet := range subnets {
			through := slices.Contains(routes.Subnets, subnet) || routes.Main && !slices.Contains(routes.Others, subnet)
			all, some = all && through, some || through
		}
	}
	return all && some, some
}

// Passes answers whether the endpoint's policy lets a role's requests for an action pass,
// whatever the role's own policies say.
func (r *Role) Passes(e Endpoint, s *Session, a need.Action) Answer {
	known := s.known(r)
	r.v.throughEndpoint(known, e)
	var worst Answer
	for i, request := range a.Requests(r.v.Place, r.ARN, known) {
		request.Account = r.v.Place.Account // the resource's policy is another question
		result, err := e.set.Evaluate(request)
		one := answer(a, result, err, e.policy.unread)
		if request.Resource != "*" {
			one.On = resourceType(request.Resource)
		}
		if i == 0 || graver(one.Verdict, worst.Verdict) {
			worst = one
		}
	}
	return worst
}

// TokenPasses answers whether the endpoint's policy lets the request pass by which pods of
// aws-node get the credentials of an IRSA role.
func (r *Role) TokenPasses(e Endpoint) Answer {
	s := r.v.IRSASession()
	known := iampolicy.NewContext()
	s.assume(known)
	r.v.throughEndpoint(known, e)
	// The trust policy is another question.
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":%q},"Action":%q}}`, s.Principal, webIdentityAction)
	trusting := r.v.parse(iampolicy.Trust, "trust in "+s.Principal, iampolicy.Policy{Name: "trust in " + s.Principal}, trust)
	set := iampolicy.Prepare(iampolicy.Policies{Endpoint: &e.policy.policy, Resource: &trusting.policy})
	action := need.Action{Name: s.TrustActions[0], For: "the credentials of aws-node"}
	result, err := set.Evaluate(&iampolicy.Request{Principal: s.Principal, Action: action.Name, Resource: r.ARN, Account: r.v.Place.Account, Context: known})
	return answer(action, result, err, e.policy.unread)
}

// LayersPass answers whether the endpoint's policy lets the downloads of image layers from
// ECR's bucket pass. ECR signs them itself: who the principal is, is not known.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-minimum-s3-perms
func (v *View) LayersPass(e Endpoint) Answer {
	known := iampolicy.NewContext()
	known.Set("aws:SecureTransport", "true").Set("aws:RequestedRegion", v.Place.Region)
	v.throughEndpoint(known, e)
	action := need.Action{Name: "s3:GetObject", For: "the layers of images", Resources: []string{need.LayerBucket}}
	request := action.Requests(v.Place, fmt.Sprintf("arn:%s:ecr:%s::layers", v.Place.Partition, v.Place.Region), nil)[0]
	request.Account, request.Context = v.Place.Account, known
	result, err := e.set.Evaluate(request)
	one := answer(action, result, err, e.policy.unread)
	one.On = strings.TrimPrefix(request.Resource, "arn:"+v.Place.Partition+":s3:::")
	return one
}

func (v *View) throughEndpoint(known *iampolicy.Context, e Endpoint) {
	known.Set("aws:SourceVpce", e.id)
	if vpc := v.Snapshot.Cluster.VPCID; vpc != "" {
		known.Set("aws:SourceVpc", vpc)
	}
}
