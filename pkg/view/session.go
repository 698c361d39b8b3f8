package view

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Session is a principal that assumes a role, and what is known of its requests. No other
// type describes which condition keys such requests have
// and which they certainly do not have; every other key is unknown.
//
// The keys are AWS's global condition keys,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html,
// and those of IAM and STS,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html,
// unless another source is given.
type Session struct {
	// Name says who it is, such as "EC2 instance".
	Name string
	// Principal assumes the role: a service, or the ARN of an OIDC provider or role.
	Principal string
	// TrustActions are what a role's trust policy has to allow the principal.
	TrustActions []string

	// assume adds what is known of the request that assumes the role, and use what
	// is known of every request with the role's credentials.
	assume, use func(*iampolicy.Context)
	// open are the values of the assuming request that are not known exactly.
	open []openValue
	// sources are all that the assuming request may say of the resource on whose behalf
	// it is made; empty where assume says it.
	sources []func(*iampolicy.Context)
	// instance is set where EC2 gives the credentials to an instance.
	instance bool
	// policy is the session policy; nil for none.
	policy *document
	// asks is what Asks says.
	asks string
	// tags are the session tags.
	tags map[string]string
	// via is the role whose credentials assume this one, and viaSession the session
	// that they are of; nil where the principal is not a role.
	via        *Role
	viaSession *Session
}

// openValue is a value of a request whose beginning only is known. All of its
// keys have that value.
type openValue struct {
	keys   []string
	prefix string
}

// known returns what is known of the requests with a role's credentials.
func (s *Session) known(r *Role) *iampolicy.Context {
	place := r.v.Place
	tags := maps.Clone(r.Facts.Tags)
	maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(podIdentityTags, key) && len(s.tags) > 0 })
	c := iampolicy.RoleSession(r.ARN, cmp.Or(AccountOf(r.ARN), place.Account), place.Region, tags)
	direct(c)
	if r.OfAccount() {
		r.v.inOrganization(c, "aws:Principal")
		r.v.inOrganization(c, "aws:Resource")
	}
	r.v.atTime(c)
	if t := r.v.Snapshot.Source.CollectedAt; !t.IsZero() {
		c.Since("aws:TokenIssueTime", t.Add(-longestSession))
	}
	s.use(c)
	if s.instance && r.v.tokensRequired()[r.ARN] {
		c.Set("ec2:RoleDelivery", "2.0")
	}
	return c
}

// longestSession is how long a role session can last.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html
const longestSession = 12 * time.Hour

// atTime adds what is known of the time of a request: it is not before the facts were read.
func (v *View) atTime(c *iampolicy.Context) {
	if t := v.Snapshot.Source.CollectedAt; !t.IsZero() {
		c.Since("aws:CurrentTime", t).Since("aws:EpochTime", t)
	}
}

// tokensRequired are the roles, by ARN, whose running instances all give credentials by
// IMDSv2 alone.
func (v *View) tokensRequired() map[string]bool {
	if v.tokens != nil {
		return v.tokens
	}
	v.tokens = map[string]bool{}
	unread := len(v.Unread(snapshot.FactInstances)) > 0
	for _, n := range v.Snapshot.Nodes {
		id := n.InstanceID()
		_, read := v.Snapshot.Instances[id]
		unread = unread || id != "" && !read
	}
	if unread {
		return v.tokens
	}
	for id, i := range v.Snapshot.Instances {
		if role := v.RoleOfInstance(id); role != "" && !i.NotFound {
			required, seen := v.tokens[role]
			v.tokens[role] = i.HTTPTokens == "required" && (required || !seen)
		}
	}
	return v.tokens
}

// OfAccount reports whether the role is in the cluster's account, which the organization's
// policies that were read are about.
func (r *Role) OfAccount() bool {
	account := AccountOf(r.ARN)
	return account == "" || account == r.v.Place.Account
}

// AccountOf is the account in an ARN; empty where it has none.
func AccountOf(arn string) string {
	a, _ := snapshot.ParseARN(arn)
	return a.Account
}

// direct adds what is known of a request that nodes and pods make themselves, not a
// service on their behalf, from no web page and with no root user's credentials.
//
// No service signs in with MFA. AWS documents that aws:MultiFactorAuthPresent is part of
// requests with temporary credentials, and also that it is part of those alone that could
// have been authenticated with MFA: it is false or absent.
func direct(c *iampolicy.Context) {
	c.Optional("aws:MultiFactorAuthPresent", "false").Absent("aws:MultiFactorAuthAge").
		Absent("aws:PrincipalServiceName").Absent("aws:PrincipalServiceNamesList").
		Absent("aws:referer").Absent("aws:AssumedRoot").Absent("lambda:SourceFunctionArn")
	notOnBehalf(c)
	withoutSource(c)
}

// notOnBehalf adds what is known of a request that no service makes with the credentials
// of someone else.
func notOnBehalf(c *iampolicy.Context) {
	c.Set("aws:ViaAWSService", "false").Absent("aws:CalledVia").Absent("aws:CalledViaFirst").Absent("aws:CalledViaLast")
}

// withoutSource says that a request is not made by a service because of a resource.
func withoutSource(c *iampolicy.Context) {
	c.Absent("aws:SourceArn").Absent("aws:SourceAccount").Absent("aws:SourceOrgID").Absent("aws:SourceOrgPaths")
}

// withoutMFA adds what is known of a request that is not made with temporary credentials.
func withoutMFA(c *iampolicy.Context) {
	c.Absent("aws:MultiFactorAuthPresent").Absent("aws:MultiFactorAuthAge")
}

// byService adds what is known of a request that a service makes itself, as its own
// principal: it is no member of an organization, and does not call through an endpoint
// of a customer's VPC.
func byService(c *iampolicy.Context) {
	withoutMFA(c)
	notOnBehalf(c)
	c.Set("aws:PrincipalIsAWSService", "true").Set("aws:SecureTransport", "true").
		Present("aws:PrincipalServiceName").Present("aws:PrincipalServiceNamesList").
		Absent("aws:PrincipalOrgID").Absent("aws:PrincipalOrgPaths").
		Absent("aws:SourceVpc").Absent("aws:SourceVpce").Absent("aws:SourceVpcArn").Absent("aws:VpcSourceIp").
		Absent("aws:VpceAccount").Absent("aws:VpceOrgID").Absent("aws:VpceOrgPaths")
}

// fromAccount says that a service makes a request because of a resource of the account.
func (v *View) fromAccount(c *iampolicy.Context) {
	c.Set("aws:SourceAccount", v.Place.Account)
	v.inOrganization(c, "aws:Source")
}

// sources are what a service may say of the resource because of which it makes a request:
// nothing, or that it is one of the account. AWS does not document which of the two EC2
// and SageMaker do; that a service hands on the account is optional.
func (v *View) sources() []func(*iampolicy.Context) {
	return []func(*iampolicy.Context){withoutSource, v.fromAccount}
}

// notOfInstance says that the credentials were not given to an EC2 instance.
func notOfInstance(c *iampolicy.Context) {
	for _, key := range ofInstance {
		c.Absent(key)
	}
}

// ofInstance are the keys of requests with the credentials that EC2 gives an instance,
// and of no others.
var ofInstance = []string{"ec2:SourceInstanceARN", "ec2:RoleDelivery", "aws:Ec2InstanceSourceVpc", "aws:Ec2InstanceSourcePrivateIPv4"}

// InstanceSessions are the sessions of EC2 instances with a node role: one for each
// name that EC2 has in the partition.
func (v *View) InstanceSessions() []*Session {
	return cached(v, "instances", func() []*Session {
		accepted, _ := need.EC2Services(v.Place.Partition)
		var sessions []*Session
		for _, service := range accepted {
			sessions = append(sessions, &Session{
				Name: "EC2 instance", Principal: service, TrustActions: []string{"sts:AssumeRole"},
				assume: byService, sources: v.sources(), instance: true,
				use: func(c *iampolicy.Context) {
					for _, key := range ofInstance {
						c.Present(key)
					}
					c.Absent("ssm:SourceInstanceArn").Absent("aws:FederatedProvider").Absent("aws:SourceIdentity")
				},
			})
		}
		return sessions
	})
}

// InstanceSession is the session of an EC2 instance with a node role.
func (v *View) InstanceSession() *Session { return v.InstanceSessions()[0] }

// IRSASession is the session of a pod of aws-node by IAM roles for service accounts:
// the token of its service account is of the cluster's issuer, and keys of any other
// issuer are absent. Its principal is empty where the issuer is not known.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html
func (v *View) IRSASession() *Session {
	return cached(v, "irsa", func() []*Session {
		issuer := strings.TrimPrefix(v.Snapshot.Cluster.OIDCIssuer, "https://")
		return []*Session{v.webIdentity(v.OIDCProviderARN(), issuer, v.TokenAudience(), AWSNodeSubject)}
	})[0]
}

// webIdentity is the session of a pod with the token of an issuer; an empty subject is that
// of any service account.
func (v *View) webIdentity(provider, issuer, audience, subject string) *Session {
	return &Session{
		Name: "pod with IRSA", Principal: provider, TrustActions: []string{webIdentityAction},
		assume: func(c *iampolicy.Context) {
			c.AbsentPrefix("").UnknownPrefix("aws:").UnknownPrefix("sts:").UnknownPrefix("iam:").UnknownPrefix(issuer+":").
				Set(issuer+":aud", audience).
				AbsentPrefix("aws:RequestTag/").AbsentPrefix("aws:PrincipalTag/").Absent("aws:TagKeys").
				Present("sts:RoleSessionName").Absent("sts:ExternalId")
			if subject == "" {
				c.Present(issuer + ":sub")
			} else {
				c.Set(issuer+":sub", subject)
			}
			// The token authenticates the request, which no principal of AWS signs.
			withoutMFA(c)
			notOnBehalf(c)
			withoutSource(c)
			c.Set("aws:SecureTransport", "true").Absent("aws:PrincipalIsAWSService").
				Absent("aws:PrincipalServiceName").Absent("aws:PrincipalServiceNamesList").
				Absent("aws:PrincipalOrgID").Absent("aws:PrincipalOrgPaths")
			if provider != "" {
				c.Set("aws:FederatedProvider", provider)
			}
		},
		use: func(c *iampolicy.Context) {
			withoutMFA(c) // the key is not part of requests of federated identities
			notOfInstance(c)
			c.Absent("ssm:SourceInstanceArn").Absent("aws:SourceIdentity")
			if provider != "" {
				c.Set("aws:FederatedProvider", provider)
			}
		},
	}
}

// webIdentityAction is the action by which a token of an OIDC provider gets a role's
// credentials.
const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

// The service that assumes roles for EKS Pod Identity, and the session tags that it
// adds.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html,
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
const podIdentityService = "pods.eks.amazonaws.com"

const (
	tagPodName = "kubernetes-pod-name"
	tagPodUID  = "kubernetes-pod-uid"
)

var podIdentityTags = []string{"eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account", tagPodName, tagPodUID}

// PodIdentitySession is the session of the role of aws-node's Pod Identity
// association, whether or not there is one yet. EKS names the cluster as the source
// of the request that assumes the role, and tags the session unless the association
// disables that.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html,
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
func (v *View) PodIdentitySession() *Session {
	return cached(v, "podIdentity", func() []*Session {
		id, association := v.association()
		s := &Session{
			Name: "pod with EKS Pod Identity", Principal: podIdentityService, tags: v.sessionTags(association),
			TrustActions: tagging(association),
		}
		if association.TargetRoleARN == "" {
			s.policy = v.sessionPolicy(id, association)
		}
		s.assume = func(c *iampolicy.Context) {
			byService(c)
			v.fromAccount(c)
			c.Set("aws:SourceArn", v.Snapshot.Cluster.ARN).
				AbsentPrefix("aws:PrincipalTag/").Present("sts:RoleSessionName").Absent("sts:ExternalId")
			s.setTags(c, "aws:RequestTag/")
		}
		s.use = func(c *iampolicy.Context) {
			notOfInstance(c)
			c.Absent("ssm:SourceInstanceArn").Absent("aws:FederatedProvider").Absent("aws:SourceIdentity")
			s.setPrincipalTags(c)
		}
		s.asks = "EKS Pod Identity sends aws:SourceArn " + v.Snapshot.Cluster.ARN + ", aws:SourceAccount " + v.Place.Account + s.asksTags()
		if len(s.tags) > 0 {
			s.open = []openValue{{[]string{"aws:RequestTag/" + tagPodName}, "aws-node-"}}
		}
		return []*Session{s}
	})[0]
}

// asksTags returns which session tags a request passes.
func (s *Session) asksTags() string {
	if len(s.tags) == 0 {
		return " and no session tags"
	}
	var tags []string
	for _, key := range podIdentityTags {
		if value := s.tags[key]; value != "" {
			tags = append(tags, key+" "+value)
		}
	}
	return " and session tags: " + strings.Join(tags, ", ")
}

// TargetSession is the session of the target role of aws-node's Pod Identity
// association, which EKS assumes with the credentials of the association's own role;
// nil where the association has no target role. Session tags are transitive.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
func (v *View) TargetSession() *Session {
	return cached(v, "target", func() []*Session {
		id, association := v.association()
		if association.TargetRoleARN == "" {
			return []*Session{nil}
		}
		first := v.PodIdentitySession()
		s := &Session{
			Name: "pod with EKS Pod Identity and a target role", Principal: association.RoleARN, tags: first.tags,
			TrustActions: tagging(association), policy: v.sessionPolicy(id, association),
			via: v.Role(association.RoleARN), viaSession: first,
		}
		s.assume = func(c *iampolicy.Context) {
			c.Present("sts:RoleSessionName")
			s.setTags(c, "aws:RequestTag/")
			switch {
			case association.ExternalID != "":
				c.Set("sts:ExternalId", association.ExternalID)
			case association.DisableSessionTags:
				c.Set("sts:ExternalId", strings.Join([]string{v.Place.Region, v.Place.Account, v.Place.Cluster, association.Namespace, association.ServiceAccount}, "/"))
			}
		}
		s.use = first.use
		s.asks = "EKS Pod Identity calls as " + association.RoleARN + s.asksTags()
		if id := association.ExternalID; id != "" {
			s.asks += ", sts:ExternalId " + id
		}
		if len(s.tags) > 0 {
			s.open = []openValue{{[]string{"aws:RequestTag/" + tagPodName, "aws:PrincipalTag/" + tagPodName}, "aws-node-"}}
		}
		return []*Session{s}
	})[0]
}

// tagging returns what EKS has to be allowed to assume a role: session tags need a
// permission of their own.
func tagging(a snapshot.PodIdentityAssociation) []string {
	if a.DisableSessionTags {
		return []string{"sts:AssumeRole"}
	}
	return []string{"sts:AssumeRole", "sts:TagSession"}
}

// sessionTags returns the tags of an association's session; the values of the pod's
// own are not known.
func (v *View) sessionTags(a snapshot.PodIdentityAssociation) map[string]string {
	if a.DisableSessionTags {
		return nil
	}
	return map[string]string{
		"eks-cluster-arn": v.Snapshot.Cluster.ARN, "eks-cluster-name": v.Place.Cluster,
		"kubernetes-namespace": a.Namespace, "kubernetes-service-account": a.ServiceAccount, tagPodName: "", tagPodUID: "",
	}
}

// setTags says which session tags a request passes.
func (s *Session) setTags(c *iampolicy.Context, prefix string) {
	c.AbsentPrefix(prefix)
	if len(s.tags) == 0 {
		c.Absent("aws:TagKeys").Absent("sts:TransitiveTagKeys")
		return
	}
	c.Set("aws:TagKeys", podIdentityTags...).Set("sts:TransitiveTagKeys", podIdentityTags...)
	s.setTagValues(c, prefix)
}

func (s *Session) setPrincipalTags(c *iampolicy.Context) { s.setTagValues(c, "aws:PrincipalTag/") }

func (s *Session) setTagValues(c *iampolicy.Context, prefix string) {
	for key, value := range s.tags {
		if value == "" {
			c.Present(prefix + key)
		} else {
			c.Set(prefix+key, value)
		}
	}
}

// SessionPolicy returns the name and the text of the session policy of aws-node's Pod
// Identity association; empty where it has none.
func (v *View) SessionPolicy() (name, document string) {
	id, a := v.association()
	if a.Policy == "" {
		return "", ""
	}
	return sessionPolicyName(id), a.Policy
}

func sessionPolicyName(id string) string { return "session policy of association " + id }

// sessionPolicy returns the session policy of an association, nil where it has none.
func (v *View) sessionPolicy(id string, a snapshot.PodIdentityAssociation) *document {
	if a.Policy == "" {
		return nil
	}
	d := v.parse(iampolicy.Identity, "podIdentityAssociations#"+id, iampolicy.Policy{Name: sessionPolicyName(id)}, a.Policy)
	return &d
}

// HybridSessions are the sessions of hybrid nodes: by Systems Manager and by IAM
// Roles Anywhere, which name as the source of the request that assumes the role
// something of the account and region, and the trust anchor.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html,
// https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html
func (v *View) HybridSessions() []*Session {
	return cached(v, "hybrid", func() []*Session {
		use := func(c *iampolicy.Context) {
			notOfInstance(c)
			c.Absent("aws:FederatedProvider").UnknownPrefix("aws:PrincipalTag/x509")
		}
		source := func(service, resource string) openValue {
			p := v.Place
			return openValue{[]string{"aws:SourceArn"}, strings.Join([]string{"arn", p.Partition, service, p.Region, p.Account, resource}, ":")}
		}
		ofAccount := func(c *iampolicy.Context) {
			byService(c)
			v.fromAccount(c)
			c.Absent("sts:ExternalId")
		}
		anchor := source("rolesanywhere", "trust-anchor/")
		return []*Session{
			{
				Name: "hybrid node with Systems Manager", Principal: "ssm.amazonaws.com", TrustActions: need.HybridServices["ssm.amazonaws.com"],
				assume: ofAccount, use: use, open: []openValue{source("ssm", "")},
				asks: "Systems Manager sends aws:SourceAccount " + v.Place.Account + " and an aws:SourceArn of " + source("ssm", "").prefix + "*",
			},
			{
				// The name of the session is the node's, which the certificate's subject names.
				Name: "hybrid node with IAM Roles Anywhere", Principal: "rolesanywhere.amazonaws.com", TrustActions: need.HybridServices["rolesanywhere.amazonaws.com"],
				assume: ofAccount, use: use,
				asks: "IAM Roles Anywhere sends aws:SourceAccount " + v.Place.Account + " and an aws:SourceArn of " + anchor.prefix + "*",
				open: []openValue{anchor, {[]string{"sts:RoleSessionName", "aws:PrincipalTag/x509Subject/CN"}, ""}},
			},
		}
	})
}

// HyperPodSession is the session of instances of SageMaker HyperPod, whose role
// SageMaker assumes.
// Source: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-hyperpod-prerequisites-iam.html
func (v *View) HyperPodSession() *Session {
	return cached(v, "hyperPod", func() []*Session {
		return []*Session{{
			Name: "HyperPod instance", Principal: need.HyperPodService, TrustActions: []string{"sts:AssumeRole"},
			assume: byService, sources: v.sources(), use: func(c *iampolicy.Context) { c.Absent("aws:FederatedProvider") },
		}}
	})[0]
}

// AWSNodeSession is the session of a pod of aws-node with the configured identity.
func (v *View) AWSNodeSession() *Session { return v.sessionBy(v.ConfiguredIdentity().Kind) }

// sessionBy is the session of a pod of aws-node that gets its credentials this way.
func (v *View) sessionBy(kind IdentityKind) *Session {
	switch kind {
	case IRSA:
		return v.IRSASession()
	case PodIdentity:
		return cmp.Or(v.TargetSession(), v.PodIdentitySession())
	case FromNodeRole, StaticKeys, NotInstalled, UnknownIdentity:
	}
	return v.InstanceSession()
}

// SessionOf is the session that uses a role: that of nodes for a role that nodes
// have, otherwise that of aws-node or of hybrid nodes; that of an EC2 instance
// where the cluster does not use it.
func (v *View) SessionOf(roleARN string) *Session {
	holds := func(r *NodeRole) bool { return r.ARN == roleARN }
	switch identity := v.ConfiguredIdentity(); {
	case slices.ContainsFunc(v.roles, holds):
		return v.InstanceSession()
	case identity.Own() && identity.RoleARN == roleARN:
		return v.sessionBy(identity.Kind)
	case roleARN != "" && roleARN == v.Snapshot.Cluster.RoleARN:
		return v.ClusterSession()
	case v.AssociatedRole() == roleARN:
		return v.PodIdentitySession()
	case slices.ContainsFunc(v.HybridRoles(), func(r *Role) bool { return r.ARN == roleARN }):
		return v.HybridSessions()[0]
	case slices.ContainsFunc(v.HyperPodRoles(), func(r *Role) bool { return r.ARN == roleARN }):
		return v.HyperPodSession()
	}
	return v.InstanceSession()
}

// cached creates each session once.
func cached(v *View, key string, build func() []*Session) []*Session {
	if s, ok := v.sessions[key]; ok {
		return s
	}
	if v.sessions == nil {
		v.sessions = map[string][]*Session{}
	}
	s := build()
	v.sessions[key] = s
	return s
}

// Asks returns what is known of the request that assumes a role, as evidence where a
// trust policy denies it; empty where nothing is known.
func (s *Session) Asks() string { return s.asks }

// decide evaluates a trust policy for each source of the request, and each open value that
// it distinguishes. Where the answers differ, the answer depends, as for a request whose
// relevant values are unknown.
func (s *Session) decide(trust *iampolicy.Document, known func() *iampolicy.Context, evaluate func(*iampolicy.Context) iampolicy.Result) iampolicy.Result {
	if len(s.sources) == 0 {
		return s.decideOpen(trust, known, evaluate)
	}
	var first iampolicy.Result
	for i, source := range s.sources {
		result := s.decideOpen(trust, func() *iampolicy.Context {
			c := known()
			source(c)
			return c
		}, evaluate)
		switch {
		case i == 0:
			first = result
		case result.Decision != first.Decision:
			result = s.decideOpen(trust, known, evaluate)
			result.Decision = iampolicy.Depends
			return result
		}
	}
	return first
}

// decideOpen is decide for one source of the request.
func (s *Session) decideOpen(trust *iampolicy.Document, known func() *iampolicy.Context, evaluate func(*iampolicy.Context) iampolicy.Result) iampolicy.Result {
	choices := make([][]string, len(s.open))
	for i, o := range s.open {
		choices[i] = o.values(trust)
	}
	ask := func(choice []int) iampolicy.Result {
		c := known()
		for i, o := range s.open {
			if len(choices[i]) == 0 {
				o.unknown(c)
			} else {
				o.set(c, choices[i][choice[i]])
			}
		}
		return evaluate(c)
	}
	first := make([]int, len(s.open))
	result := ask(first)
	matters := make([]bool, len(s.open))
	for choice := range combinations(choices) {
		decision := ask(choice).Decision
		for i := range choices {
			other := slices.Clone(choice)
			other[i] = 0
			if choice[i] > 0 && ask(other).Decision != decision {
				matters[i] = true
			}
		}
	}
	if !slices.Contains(matters, true) {
		return result
	}
	c := known()
	for i, o := range s.open {
		if matters[i] || len(choices[i]) == 0 {
			o.unknown(c)
		} else {
			o.set(c, choices[i][0])
		}
	}
	result = evaluate(c)
	result.Decision = iampolicy.Depends
	return result
}

// combinations ranges over one choice of each list, as indices.
func combinations(lists [][]string) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		choice := make([]int, len(lists))
		for {
			if !yield(choice) {
				return
			}
			i := 0
			for ; i < len(lists); i++ {
				if choice[i]++; choice[i] < len(lists[i]) {
					break
				}
				choice[i] = 0
			}
			if i == len(lists) {
				return
			}
		}
	}
}

func (o openValue) set(c *iampolicy.Context, value string) {
	for _, key := range o.keys {
		c.Set(key, value)
	}
}

func (o openValue) unknown(c *iampolicy.Context) {
	for _, key := range o.keys {
		c.Present(key)
	}
}

// maxValues bounds the values of one key that are tried. A trust policy has 8,192
// characters at most, and real ones name a few values.
const maxValues = 64

// values returns the values that the policy distinguishes: one that it does not name,
// and some of each pattern that it names and that can be. It returns none where these
// are too many, or where a statement asks for several at once.
func (o openValue) values(trust *iampolicy.Document) []string {
	values := []string{o.prefix + "a-value-that-no-policy-names"}
	for i := range trust.Statements {
		conditions := 0
		for _, c := range trust.Statements[i].Conditions {
			if !slices.ContainsFunc(o.keys, func(key string) bool { return strings.EqualFold(key, c.Key) }) {
				continue
			}
			conditions++
			for _, pattern := range c.Values {
				if strings.Contains(pattern, "${") {
					continue
				}
				values = append(values, o.instances(pattern)...)
			}
		}
		if conditions > 1 {
			return nil
		}
	}
	slices.Sort(values[1:])
	if values = slices.Compact(values); len(values) > maxValues {
		return nil
	}
	return values
}

// instances returns values that begin as o does and that a pattern matches, one for
// each way in which the pattern can match the beginning.
func (o openValue) instances(pattern string) []string {
	reached := map[int]bool{0: true} // places in the pattern
	skip := func() {
		for i := range len(pattern) {
			if reached[i] && pattern[i] == '*' {
				reached[i+1] = true // it matches nothing more
			}
		}
	}
	skip()
	for i := range len(o.prefix) {
		next := map[int]bool{}
		for at := range reached {
			switch {
			case at == len(pattern):
			case pattern[at] == '*':
				next[at] = true
			case pattern[at] == '?' || pattern[at] == o.prefix[i]:
				next[at+1] = true
			}
		}
		reached = next
		skip()
	}
	var values []string
	for _, at := range slices.Sorted(maps.Keys(reached)) {
		for _, fill := range []string{"x", "0"} {
			values = append(values, o.prefix+strings.NewReplacer("*", fill, "?", fill).Replace(pattern[at:]))
		}
	}
	return values
}
