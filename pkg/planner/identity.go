package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
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

// ipv6PolicyName is the inline policy with what the VPC CNI calls on IPv6, for which
// AWS has no managed policy.
const ipv6PolicyName = "vpc-cni-ipv6"

// restartNote is what there is to know of a rollout.
const restartNote = "its pods are replaced as the DaemonSet's update strategy says; pods that run keep their addresses"

// own are the rules by which aws-node's own role is seen to work.
func own(kind view.IdentityKind) []string {
	if kind == view.IRSA {
		return []string{"NR206", "NR603"}
	}
	return []string{"NR206", "NR604"}
}

// everyPod asks whether every pod of aws-node uses what is configured; where none runs
// none uses anything else.
func everyPod() Check { return Check{Rule: "NR602", Subject: awsNode} }

// checks ask rules about aws-node.
func checks(strict bool, ids ...string) []Check {
	var list []Check
	for _, id := range ids {
		list = append(list, Check{Rule: id, Subject: awsNode, Strict: strict})
	}
	return list
}

// ownRole are the changes that make a role of aws-node's own.
func (p *planner) ownRole(name, path, trust string) []change.Change {
	changes := []change.Change{{Kind: change.Role, Name: name, After: &change.State{
		Document: trust, Path: path, Description: "Role of aws-node, the Amazon VPC CNI, in cluster " + p.v.Place.Cluster,
	}}}
	if p.v.CNI().IPFamily == "ipv6" {
		return append(changes, p.cniInline(name))
	}
	return append(changes, change.Change{Kind: change.Attachment, Name: name, Part: need.ManagedPolicy(p.v.Place.Partition, "AmazonEKS_CNI_Policy"), After: &change.State{}})
}

func (p *planner) cniInline(role string) change.Change {
	cni := p.v.CNI()
	cni.Version = "" // for every version, so that an upgrade needs no more
	document := cni.Document(p.v.Place.Partition)
	return change.Change{Kind: change.InlinePolicy, Name: role, Part: ipv6PolicyName, After: &change.State{Document: document.Compact()}}
}

// allowCNI gives the role that aws-node is given what it calls.
func (p *planner) allowCNI(r finding.Result) string {
	cni, arn := p.v.CNI(), r.Subject.ARN
	identity := p.v.ConfiguredIdentity()
	if identity.Own() {
		arn = identity.RoleARN
	}
	role := p.v.Role(arn)
	switch {
	case p.moving:
		return "" // the role of aws-node's own has it
	case role.Facts.NotFound && identity.Own():
		return p.makeOwnRoleAgain(r, identity)
	case role.Facts.NotFound:
		return whyNoRepair // the role is made again with what it needs
	case cni.IPFamily != "ipv6":
		return p.attachTo(r, role, cni.Required(), "AmazonEKS_CNI_Policy", "allow %s what aws-node calls")
	}
	denied, why := deniedOf(role, cni.Required())
	if why != "" {
		return why
	}
	if role.Facts.InlinePolicies[ipv6PolicyName] != "" {
		return "its inline policy " + ipv6PolicyName + " is somebody's: correct it"
	}
	return p.step(r, Step{
		Title: fmt.Sprintf("allow %s what aws-node calls", role.Name), rank: rankPermissions, provesOwn: true,
		Changes: []change.Change{p.cniInline(role.Name)}, Proof: fmt.Sprintf("%s %s allowed", strings.Join(denied, ", "), becomes(len(denied))),
	})
}

// prepareUpgrade allows what later versions of vpc-cni require.
func (p *planner) prepareUpgrade(r finding.Result) string {
	role := p.v.Role(r.Subject.ARN)
	if identity := p.v.ConfiguredIdentity(); identity.Own() {
		role = p.v.Role(identity.RoleARN)
	}
	more := p.v.CNI().NeedsMoreFrom()
	if len(more) == 0 {
		return whyNoRepair
	}
	var actions []need.Action
	for _, m := range more {
		actions = append(actions, m.Actions...)
	}
	denied, why := deniedOf(role, actions)
	if why != "" {
		return why
	}
	const name = "vpc-cni-upgrade"
	document := need.Only(p.v.Place, actions)
	return p.step(r, Step{
		Title: "allow " + role.Name + " what vpc-cni " + more[0].From + " calls", rank: rankPermissions, provesOwn: true,
		Changes: []change.Change{{Kind: change.InlinePolicy, Name: role.Name, Part: name, After: &change.State{Document: document.Compact()}}},
		Proof:   fmt.Sprintf("%s %s allowed", strings.Join(denied, ", "), becomes(len(denied))),
	})
}

// deniedOf are the actions that a role is denied; why is set where a policy more
// would not help.
func deniedOf(role *view.Role, actions []need.Action) (denied []string, why string) {
	for _, a := range actions {
		answer := role.Can(a)
		if answer.Verdict != view.Denied {
			continue
		}
		if answer.Blocked() {
			return nil, whyDecision
		}
		denied = append(denied, a.Name)
	}
	return denied, ""
}

// restart replaces aws-node's pods.
func (p *planner) restart(r finding.Result) string {
	identity := p.v.ConfiguredIdentity()
	if identity.Own() {
		if why := p.mustWork(identity.Kind); why != "" {
			return why
		}
	}
	step := Step{
		Title: "restart aws-node, so that every pod uses " + identityWords(identity.Kind, identity.RoleARN), rank: rankRollout,
		Changes: []change.Change{p.rollout(nil, identity.Kind, identity.RoleARN)},
		Proof:   "the environment of every pod selects it", Proves: []Check{everyPod()}, Note: restartNote,
	}
	step.Requires = []Check{{Rule: "NR206"}} // the role that the new pods use has what they call
	if identity.Own() {
		step.Requires = checks(false, own(identity.Kind)...)
	}
	return p.step(r, step)
}

// mustWork says why a step that leads to aws-node's own role is not planned: that role
// does not work, and nothing in the plan repairs it.
func (p *planner) mustWork(kind view.IdentityKind) string {
	for _, id := range own(kind) {
		if p.failed[id+" "] && !slices.ContainsFunc(p.plan.Steps, func(s Step) bool { return slices.Contains(s.Rules, id) }) {
			return "first make aws-node's own role work (" + id + ")"
		}
	}
	if p.failed["NR605 "] {
		return "aws-node holds static keys or is skipped by the webhook (NR605): a restart would not give it its role"
	}
	return ""
}

func identityWords(kind view.IdentityKind, arn string) string {
	if arn == "" {
		return kind.String()
	}
	return fmt.Sprintf("%s role %s", kind, snapshot.NameOf(arn))
}

// rollout replaces aws-node's pods. Pods do not show which role EKS Pod Identity gives
// them.
func (p *planner) rollout(before *change.State, kind view.IdentityKind, arn string) change.Change {
	after := &change.State{Type: string(kind)}
	if kind == view.IRSA {
		after.Role = arn
	}
	return change.Change{Kind: change.Rollout, Name: awsNodeFull, Before: before, After: after}
}

// makeIRSAWork repairs what keeps aws-node from its IRSA role.
func (p *planner) makeIRSAWork(r finding.Result) string {
	identity := p.v.ConfiguredIdentity()
	role, provider := p.v.Role(identity.RoleARN), p.v.OIDCProviderARN()
	if role.Facts.NotFound {
		return p.makeOwnRoleAgain(r, identity)
	}
	changes := p.provider()
	if answer := role.TrustAllows(p.v.IRSASession(), "sts:AssumeRoleWithWebIdentity"); answer.Verdict == view.Denied {
		if answer.Result.Explicit {
			return whyTrusted
		}
		document, err := addStatement(role.Facts.TrustPolicy, need.LetsServiceAccountIn(provider, view.AWSNodeSubject, p.v.TokenAudience()))
		if err != nil {
			return whyNoRepair
		}
		changes = append(changes, p.trustChange(role, document))
	}
	if len(changes) == 0 {
		return whyNoRepair
	}
	return p.step(r, Step{
		Title: "let aws-node assume " + role.Name, rank: rankTrust, provesOwn: true, Changes: changes,
		Proof: "the provider is there, and the trust policy lets in " + view.AWSNodeSubject,
	})
}

func (p *planner) trustChange(role *view.Role, document string) change.Change {
	return change.Change{Kind: change.TrustPolicy, Name: role.Name, Before: &change.State{Document: role.Facts.TrustPolicy}, After: &change.State{Document: document}}
}

// provider makes the account's OIDC provider of the cluster's issuer, or adds the
// audience that aws-node's token has.
func (p *planner) provider() []change.Change {
	arn := p.v.OIDCProviderARN()
	found, read := p.v.Snapshot.OIDCProviders[arn]
	audience := p.v.TokenAudience()
	switch {
	case !read || arn == "":
		return nil
	case found.NotFound:
		return []change.Change{{Kind: change.OIDCProvider, Name: arn, After: &change.State{ClientIDs: []string{audience}}}}
	case !slices.Contains(found.ClientIDs, audience):
		return []change.Change{{
			Kind: change.OIDCProvider, Name: arn, Before: &change.State{ClientIDs: found.ClientIDs},
			After: &change.State{ClientIDs: append(slices.Clone(found.ClientIDs), audience)},
		}}
	}
	return nil
}

// makePodIdentityWork repairs what keeps aws-node from its Pod Identity role.
func (p *planner) makePodIdentityWork(r finding.Result) string {
	role := p.v.Role(p.v.AssociatedRole())
	cni := p.v.CNI()
	switch {
	case cni.Before(view.PodIdentitySince):
		return fmt.Sprintf("vpc-cni runs at %s: upgrade it to %s or later first", cni.Version, view.PodIdentitySince)
	case role.Facts.NotFound:
		return p.makeOwnRoleAgain(r, view.Identity{Kind: view.PodIdentity, RoleARN: role.ARN})
	}
	var changes []change.Change
	step := Step{Title: "let aws-node get " + role.Name + " on every node", rank: rankAgent, provesOwn: true, Proof: "the agent is ready on every node, and the role trusts EKS Pod Identity"}
	if without := p.v.WithoutAgent(); len(without) > 0 {
		if p.v.Snapshot.PodIdentityAgent != nil {
			return "eks-pod-identity-agent is installed and not ready on " + strings.Join(without, ", ") + ": see its pods there"
		}
		changes = append(changes, p.agent())
	}
	missing := false
	for _, action := range p.v.PodIdentitySession().TrustActions {
		if answer := role.TrustAllows(p.v.PodIdentitySession(), action); answer.Verdict == view.Denied {
			if answer.Result.Explicit {
				return whyTrusted
			}
			missing = true
		}
	}
	if missing {
		document, err := addStatement(role.Facts.TrustPolicy, need.LetsPodsIn())
		if err != nil {
			return whyNoRepair
		}
		changes = append(changes, p.trustChange(role, document))
	}
	if len(changes) == 0 {
		return whyNoRepair
	}
	step.Changes = changes
	return p.step(r, step)
}

// podIdentityService assumes roles for EKS Pod Identity.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
const podIdentityService = "pods.eks.amazonaws.com"

// agent installs the EKS Pod Identity Agent.
func (p *planner) agent() change.Change {
	return change.Change{Kind: change.Addon, Name: agentAddon, Cluster: p.v.Place.Cluster, After: &change.State{}}
}

// makeOwnRoleAgain makes the role that aws-node is given and that is not there.
func (p *planner) makeOwnRoleAgain(r finding.Result, identity view.Identity) string {
	a, ok := snapshot.ParseARN(identity.RoleARN)
	if !ok || a.Account != p.v.Place.Account {
		return "the role is of another account"
	}
	trust := need.PodIdentityTrust()
	var changes []change.Change
	if identity.Kind == view.IRSA {
		trust = need.IRSATrust(p.v.OIDCProviderARN(), view.AWSNodeSubject, p.v.TokenAudience())
		changes = p.provider()
	}
	return p.step(r, Step{
		Title: "make role " + a.Name() + ", which aws-node is given, again", rank: rankRole, provesOwn: true,
		Changes: append(changes, p.ownRole(a.Name(), pathOf(a), trust.Compact())...), Proof: "aws-node can assume the role, and it allows what aws-node calls",
	})
}

// pathOf is the path in the ARN of a role.
func pathOf(a snapshot.ARN) string {
	path := strings.TrimSuffix(strings.TrimPrefix(a.Resource, "role"), a.Name())
	if path == "/" {
		return ""
	}
	return path
}

// agree makes the add-on name the role that the service account has.
func (p *planner) agree(r finding.Result) string {
	addon, account := p.v.Snapshot.Addons[vpcCNI], p.v.Snapshot.AWSNode.ServiceAccount
	if account == nil || account.RoleARN == "" {
		return "the service account names no role: whether aws-node is to have the add-on's is yours to say"
	}
	return p.step(r, Step{
		Title: "give the vpc-cni add-on the role that the service account has", rank: rankPoint, provesOwn: true,
		Changes: []change.Change{{
			Kind: change.AddonRole, Name: vpcCNI, Part: awsNode, Cluster: p.v.Place.Cluster,
			Before: &change.State{Type: change.IRSA, Role: addon.ServiceAccountRoleARN}, After: &change.State{Type: change.IRSA, Role: account.RoleARN},
		}},
		Proof: "both name " + snapshot.NameOf(account.RoleARN),
	})
}

// moveCNI gives aws-node a role of its own and then takes the CNI permissions off the
// node roles: role, agent or OIDC provider, pointer, restart, proof, and only then
// what is taken away.
func (p *planner) moveCNI(r finding.Result) string {
	kind, why := p.chooseIdentity()
	if why == "" && p.failed["NR605 "] {
		why = "aws-node holds static keys or is skipped by the webhook (NR605): it would not get the role"
	}
	if why != "" {
		return why
	}
	name := p.o.Role
	if name == "" {
		name = cutName(p.v.Place.Cluster, "-aws-node")
	}
	arn := newrole.Role{Name: name, Partition: p.v.Place.Partition, Account: p.v.Place.Account}.ARN()
	before := &change.State{Type: change.NodeRole}
	words := identityWords(kind, arn)

	if kind == view.PodIdentity {
		if why := p.agentAllowed(r); why != "" {
			return why
		}
		p.add(r, Step{
			Title: "make a role for aws-node", rank: rankRole, Changes: p.ownRole(name, "", need.PodIdentityTrust().Compact()),
			Proof: "the role is there with its trust policy and the CNI permissions",
		})
		if p.v.Snapshot.PodIdentityAgent == nil && len(p.v.WithoutAgent()) > 0 {
			p.add(r, Step{
				Title: "install the EKS Pod Identity Agent", rank: rankAgent, Changes: []change.Change{p.agent()},
				Proof: "the agent is ready on every node with aws-node", Proves: []Check{{Agent: true}},
			})
		}
	} else {
		p.add(r, Step{
			Title: "make a role for aws-node", rank: rankRole,
			Changes: append(p.provider(), p.ownRole(name, "", need.IRSATrust(p.v.OIDCProviderARN(), view.AWSNodeSubject, p.v.TokenAudience()).Compact())...),
			Proof:   "the OIDC provider and the role are there, with its trust policy and the CNI permissions",
		})
	}

	point := Step{
		Title: "point aws-node at " + words, rank: rankPoint, Changes: []change.Change{p.point(kind, arn)},
		Proof:  "it is what a new pod of aws-node gets, and the role works",
		Proves: checks(true, append([]string{"NR601"}, own(kind)...)...),
		Note:   "pods that run keep the node role until they are restarted",
	}
	if kind == view.PodIdentity && len(p.v.WithoutAgent()) > 0 {
		point.Requires = []Check{{Agent: true}, {Rule: "NR204"}}
	}
	p.add(r, point)
	p.add(r, Step{
		Title: "restart aws-node, so that every pod uses " + words, rank: rankRollout, Changes: []change.Change{p.rollout(before, kind, arn)},
		Requires: checks(false, own(kind)...), Proof: "the environment of every pod selects it", Proves: []Check{everyPod()}, Note: restartNote,
	})
	p.moving = true
	for _, role := range p.v.NodeRoles() {
		if why := p.detach(r, role, kind); why != "" {
			p.plan.Manual = append(p.plan.Manual, Manual{Rule: "NR205", Subject: role.Name, Message: role.Name + " keeps its CNI permissions", Why: why})
		}
	}
	return ""
}

// add adds a step that stands for itself.
func (p *planner) add(r finding.Result, s Step) {
	s.Rules, s.Subject = []string{r.ID}, r.Subject.Name
	p.plan.Steps = append(p.plan.Steps, s)
}

// cutName joins a name and an ending to at most as much as the name of a role may be
// long.
func cutName(name, ending string) string {
	const most = 64 // https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
	return name[:min(len(name), most-len(ending))] + ending
}

// point gives aws-node a role: by the add-on where vpc-cni is one, as EKS would undo
// any other way with the add-on's next update.
func (p *planner) point(kind view.IdentityKind, arn string) change.Change {
	addon, is := p.v.Snapshot.Addons[vpcCNI]
	after := &change.State{Type: string(kind), Role: arn}
	switch {
	case is:
		c := change.Change{Kind: change.AddonRole, Name: vpcCNI, Part: awsNode, Cluster: p.v.Place.Cluster, After: after}
		if addon.ServiceAccountRoleARN != "" {
			c.Before = &change.State{Type: change.IRSA, Role: addon.ServiceAccountRoleARN}
		}
		return c
	case kind == view.PodIdentity:
		return change.Change{Kind: change.Association, Name: awsNodeFull, Cluster: p.v.Place.Cluster, After: &change.State{Role: arn}}
	default:
		return change.Change{Kind: change.ServiceAccountRole, Name: awsNodeFull, After: &change.State{Role: arn}}
	}
}

// chooseIdentity says how aws-node is to get its role.
func (p *planner) chooseIdentity() (kind view.IdentityKind, why string) {
	s := p.v.Snapshot
	cni := p.v.CNI()
	provider, read := s.OIDCProviders[p.v.OIDCProviderARN()]
	for _, fact := range []snapshot.Fact{snapshot.FactAddons, snapshot.FactPods, snapshot.FactAgent} {
		if m := p.v.Unread(fact); len(m) > 0 {
			return "", fmt.Sprintf("%s could not be read (%s)", fact, m[0].Operation)
		}
	}
	tooOld := cni.Before(view.PodIdentitySince)
	switch p.o.Identity {
	case string(view.PodIdentity):
		if tooOld {
			return "", fmt.Sprintf("vpc-cni runs at %s, and EKS Pod Identity wants %s or later: upgrade it first, or use IRSA", cni.Version, view.PodIdentitySince)
		}
		kind = view.PodIdentity
	case string(view.IRSA):
		kind = view.IRSA
	default:
		switch {
		case tooOld:
			kind = view.IRSA
		case s.PodIdentityAgent == nil && len(p.v.WithoutAgent()) > 0 && read && !provider.NotFound:
			kind = view.IRSA // what it takes is there already
		default:
			kind = view.PodIdentity
		}
	}
	if kind == view.IRSA && !read {
		return "", "the cluster's OIDC provider could not be read, or the cluster has no issuer"
	}
	if kind == view.PodIdentity && s.PodIdentityAgent != nil {
		if without := p.v.WithoutAgent(); len(without) > 0 {
			return "", "eks-pod-identity-agent is installed and not ready on " + strings.Join(without, ", ") + ": see its pods there"
		}
	}
	return kind, ""
}

// agentPolicy is the managed policy by which a node role allows what the Pod Identity
// Agent calls: where the role lacks what kubelet calls too, the one that has both.
func (p *planner) agentPolicy(role string) string {
	if p.failed["NR201 "+role] || p.failed["NR203 "+role] {
		return "AmazonEKSWorkerNodePolicy"
	}
	return "AmazonEKSWorkerNodeMinimalPolicy"
}

// agentAllowed gives the node roles what the agent calls, where they lack it.
func (p *planner) agentAllowed(r finding.Result) string {
	for _, role := range p.v.NodeRoles() {
		if _, shared := p.shared[role.ARN]; shared || role.Facts.NotFound || p.failed["NR204 "+role.ARN] {
			continue
		}
		denied, why := deniedOf(role.Role, need.PodIdentityAgent)
		switch {
		case why != "":
			return fmt.Sprintf("%s may not do what the Pod Identity Agent calls: %s", role.Name, why)
		case len(denied) > 0:
			policy := p.agentPolicy(role.ARN)
			p.add(r, Step{
				Title: fmt.Sprintf("let the Pod Identity Agent on %s get credentials", role.Name), rank: rankPermissions,
				Changes: []change.Change{{Kind: change.Attachment, Name: role.Name, Part: need.ManagedPolicy(p.v.Place.Partition, policy), After: &change.State{}}},
				Proof:   denied[0] + " becomes allowed (" + policy + ")",
			})
		case role.Can(need.PodIdentityAgent[0]).Verdict == view.Unknown:
			return "whether " + role.Name + " allows what the Pod Identity Agent calls could not be read"
		}
	}
	return ""
}

// detachCNI takes the CNI permissions off a node role whose nodes' aws-node has a role
// of its own.
func (p *planner) detachCNI(r finding.Result) string {
	identity := p.v.ConfiguredIdentity()
	if !identity.Own() {
		return "aws-node has no role of its own and uses these permissions: --cni-identity auto moves them"
	}
	if m := p.v.Unread(snapshot.FactPods); len(m) > 0 {
		return "whether every aws-node pod uses its own role could not be read (" + m[0].Operation + ")"
	}
	if why := p.mustWork(identity.Kind); why != "" {
		return why
	}
	if len(p.v.StalePods(identity)) > 0 {
		if why := p.restart(r); why != "" {
			return why
		}
	}
	role := p.nodeRole(r)
	if role == nil {
		return whyNoRepair
	}
	return p.detach(r, role, identity.Kind)
}

// detach takes away the policies of a node role that are for a CNI alone. What else the
// nodes have by them is given first.
func (p *planner) detach(r finding.Result, role *view.NodeRole, kind view.IdentityKind) string {
	if rule, shared := p.shared[role.ARN]; shared {
		return whyShared + " (" + rule + ")"
	}
	if windows, _ := p.v.Kinds(role); windows {
		return "Windows nodes hold this role, and Windows networking has used its CNI permissions: see first that the cluster role carries AmazonEKSVPCResourceController"
	}
	var changes []change.Change
	var attached, inline, names []string
	for _, policy := range p.v.CNIPolicies(role.Role) {
		switch {
		case policy.Other != "":
			return fmt.Sprintf("policy %s grants CNI permissions and more (%s): take them out of its document by hand", policy.Name, policy.Other)
		case policy.ARN != "":
			attached = append(attached, policy.ARN)
			changes = append(changes, change.Change{Kind: change.Attachment, Name: role.Name, Part: policy.ARN, Before: &change.State{}})
		default:
			inline = append(inline, policy.Name)
			changes = append(changes, change.Change{Kind: change.InlinePolicy, Name: role.Name, Part: policy.Name, Before: &change.State{Document: policy.Document}})
		}
		names = append(names, policy.Name)
	}
	if len(changes) == 0 {
		if p.failed["NR205 "+role.ARN] {
			return whyNoRepair
		}
		return ""
	}
	// Describe actions that nodes call stand in the CNI policy too.
	rest := role.Without(attached, inline)
	for _, a := range slices.Concat(need.Worker, need.WorkerRecommended) {
		if role.Can(a).Verdict != view.Denied && rest.Can(a).Verdict == view.Denied {
			worker := need.ManagedPolicy(p.v.Place.Partition, "AmazonEKSWorkerNodePolicy")
			changes = slices.Insert(changes, 0, change.Change{Kind: change.Attachment, Name: role.Name, Part: worker, After: &change.State{}})
			break
		}
	}
	subject := r
	subject.Subject = finding.Subject{Kind: finding.SubjectNodeRole, Name: role.Name, ARN: role.ARN}
	return p.step(subject, Step{
		Title: fmt.Sprintf("take %s off %s", strings.Join(names, ", "), role.Name), rank: rankDetach, Changes: changes,
		Requires: append([]Check{everyPod()}, checks(true, own(kind)...)...),
		Proof:    "the role carries no CNI permissions, and its nodes keep what they call",
		Proves:   []Check{{Rule: "NR205", Subject: role.ARN, Strict: true}, {Rule: "NR201", Subject: role.ARN}, {Rule: "NR202", Subject: role.ARN}},
	})
}
