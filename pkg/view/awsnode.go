package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// IdentityKind is a way to give aws-node credentials.
type IdentityKind string

// The ways, in the words of a report.
const (
	IRSA            IdentityKind = snapshot.CredentialsIRSA
	PodIdentity     IdentityKind = snapshot.CredentialsPodIdentity
	FromNodeRole    IdentityKind = snapshot.CredentialsNodeRole
	StaticKeys      IdentityKind = snapshot.CredentialsStaticKeys
	NotInstalled    IdentityKind = "None"
	UnknownIdentity IdentityKind = snapshot.CredentialsUnknown
)

// String returns the way as a noun in a sentence.
func (k IdentityKind) String() string {
	switch k {
	case IRSA:
		return "IRSA"
	case PodIdentity:
		return "EKS Pod Identity"
	case FromNodeRole:
		return "the node role"
	case StaticKeys:
		return "static access keys"
	case NotInstalled:
		return "nothing"
	case UnknownIdentity:
		return "an unknown identity"
	default:
		return string(k)
	}
}

// Identity is whose credentials aws-node is given.
type Identity struct {
	Kind IdentityKind
	// RoleARN is set for IRSA and, where it is configured, PodIdentity.
	RoleARN string
	// Evidence says what decides it, a line each.
	Evidence []string
	// Unread is set for UnknownIdentity and StaticKeys: what would say whose credentials
	// they are.
	Unread []snapshot.Missing
}

// Own reports whether aws-node has a role of its own.
func (i Identity) Own() bool { return i.Kind == IRSA || i.Kind == PodIdentity }

// ConfiguredIdentity is the identity that a pod of aws-node gets when it starts
// now. What the pod template sets comes first, because the admission webhook does not
// overwrite it; then a Pod Identity association, then the service account's annotation,
// then the node role.
// Source: aws/amazon-eks-pod-identity-webhook pkg/handler/handler.go.
func (v *View) ConfiguredIdentity() Identity {
	s := v.Snapshot
	if m := v.Unread(snapshot.FactDaemonSet); len(m) > 0 {
		return unknownIdentity(m, "whether aws-node is installed is unknown")
	}
	ds := s.AWSNode.DaemonSet
	if ds == nil {
		return Identity{Kind: NotInstalled, Evidence: append([]string{"the cluster has no DaemonSet kube-system/aws-node"}, v.otherCNI()...)}
	}
	if why := v.displacedCNI(); why != "" {
		return Identity{Kind: NotInstalled, Evidence: append([]string{why}, v.otherCNI()...)}
	}
	if own := ownIdentity(ds); own != nil {
		return *own
	}
	if account := ds.ServiceAccount; account != "" && account != awsNodeName {
		why := "aws-node runs as service account kube-system/" + account
		return unknownIdentity([]snapshot.Missing{{
			Fact: snapshot.FactServiceAccount, Operation: "read the role of service account kube-system/" + account,
			Error: why + "; only kube-system/aws-node is read",
		}}, why+", whose role is not read")
	}
	return v.identityFromEKS(ds)
}

// displacedCNI says why no node runs aws-node although its DaemonSet is there, as where
// another CNI is installed and the DaemonSet is kept; empty where that is not certain. The
// DaemonSet then has no pod, not even one that waits, and nodes that it would run on are
// Ready: another CNI gives them their network.
func (v *View) displacedCNI() string {
	s := v.Snapshot
	if len(s.AWSNode.Pods) > 0 || len(v.Unread(snapshot.FactPods, snapshot.FactNodes)) > 0 {
		return ""
	}
	ready := v.nodesWhere(func(n snapshot.Node) bool {
		return n.Ready && n.InstanceID() != "" && n.Provisioner != snapshot.ProvisionedByAutoMode && n.OS() != snapshot.WindowsOS
	})
	others := slices.ContainsFunc(ready, func(name string) bool { return s.Nodes[name].Network != "" })
	selected := selectedLabels(s.SystemImages[snapshot.WorkloadAWSNode])
	switch {
	case len(ready) == 0:
	case len(selected) > 0:
		return fmt.Sprintf("the DaemonSet kube-system/aws-node has no pods: nodes lack a label that its nodeSelector asks for: %s", strings.Join(selected, ", "))
	case others:
		return "the DaemonSet kube-system/aws-node has no pods, and nodes are Ready with another CNI"
	}
	return ""
}

// ownIdentity is the identity that the pod template itself gives aws-node; nil where EKS
// decides.
func ownIdentity(ds *snapshot.DaemonSet) *Identity {
	source, role := snapshot.Pod{Env: ds.Env}.Credentials()
	unknown := func(what string) *Identity {
		why := "the DaemonSet kube-system/aws-node sets " + what
		identity := unknownIdentity([]snapshot.Missing{{
			Fact: snapshot.FactDaemonSet, Operation: "find the role of aws-node", Error: why + "; whose credentials they are is not read",
		}}, why)
		return &identity
	}
	switch source {
	case snapshot.CredentialsNodeRole:
		return nil
	case snapshot.CredentialsIRSA:
		if strings.HasPrefix(role, "arn:") {
			return &Identity{Kind: IRSA, RoleARN: role, Evidence: []string{
				"the DaemonSet kube-system/aws-node sets AWS_WEB_IDENTITY_TOKEN_FILE, and AWS_ROLE_ARN: " + role,
			}}
		}
		return unknown("AWS_WEB_IDENTITY_TOKEN_FILE")
	case snapshot.CredentialsPodIdentity:
		return unknown("the endpoint of container credentials")
	case snapshot.CredentialsStaticKeys:
		identity := unknown("static access keys")
		identity.Kind = StaticKeys
		return identity
	default:
		return unknown("a shared profile")
	}
}

// identityFromEKS is the identity that the admission webhook gives a pod of aws-node.
func (v *View) identityFromEKS(ds *snapshot.DaemonSet) Identity {
	s := v.Snapshot
	if skipsAWSNode(ds.SkipContainers) {
		return Identity{Kind: FromNodeRole, Evidence: []string{"the pods of aws-node are annotated eks.amazonaws.com/skip-containers: " + ds.SkipContainers}}
	}
	for id, a := range sortedPairs(s.PodIdentityAssociations) {
		if a.Namespace == awsNodeNamespace && a.ServiceAccount == awsNodeName {
			identity := Identity{Kind: PodIdentity, RoleARN: a.RoleARN, Evidence: []string{
				fmt.Sprintf("Pod Identity association %s of kube-system/aws-node names role %s", id, snapshot.NameOf(a.RoleARN)),
			}}
			if a.TargetRoleARN != "" {
				identity.RoleARN = a.TargetRoleARN
				identity.Evidence = append(identity.Evidence, "the association's target role is "+snapshot.NameOf(a.TargetRoleARN)+", whose credentials the pods get")
			}
			return identity
		}
	}
	if m := v.Unread(snapshot.FactPodIdentity); len(m) > 0 {
		return unknownIdentity(m, "Pod Identity associations could not be read")
	}
	if m := v.Unread(snapshot.FactServiceAccount); len(m) > 0 {
		return unknownIdentity(m, "the service account kube-system/aws-node could not be read")
	}
	const noAssociation = "no Pod Identity association names kube-system/aws-node"
	sa := s.AWSNode.ServiceAccount
	switch {
	case sa == nil || sa.RoleARN == "":
		return Identity{Kind: FromNodeRole, Evidence: []string{noAssociation, "service account kube-system/aws-node has no annotation eks.amazonaws.com/role-arn"}}
	case ds.Env[envRoleARN] != "":
		return Identity{Kind: FromNodeRole, Evidence: []string{
			noAssociation,
			"the DaemonSet kube-system/aws-node sets " + envRoleARN + ": EKS then adds no token for the role that its service account is annotated with",
		}}
	}
	return Identity{Kind: IRSA, RoleARN: sa.RoleARN, Evidence: []string{"IRSA: no Pod Identity association; role-arn annotation " + sa.RoleARN}}
}

// NoRole says why a text that a service account is annotated with cannot name a role of the
// cluster's partition, as a clause; empty where it can. STS refuses such a request.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func (v *View) NoRole(text string) string {
	a, ok := snapshot.ParseARN(text)
	role, known := v.Snapshot.Roles[text]
	switch {
	case known && !role.NotFound: // also one of code, to which AWS gives its name
	case !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") || !roleName().MatchString(a.Name()):
		return "is not the ARN of a role"
	case v.Place.Partition != "" && a.Partition != v.Place.Partition:
		return "is in partition " + a.Partition + ", the cluster in " + v.Place.Partition
	}
	return ""
}

// roleName matches the names that IAM allows for roles.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var roleName = text.Pattern(`^[A-Za-z0-9+=,.@_-]{1,64}$`)

// envRoleARN is the variable by which the webhook gives a pod its IRSA role.
const envRoleARN = "AWS_ROLE_ARN"

// skipsAWSNode reports whether a value of the annotation eks.amazonaws.com/skip-containers
// names aws-node's main container.
func skipsAWSNode(skip string) bool {
	return slices.Contains(strings.Split(skip, ","), awsNodeName)
}

func unknownIdentity(m []snapshot.Missing, why string) Identity {
	return Identity{Kind: UnknownIdentity, Evidence: []string{why}, Unread: m}
}

// PodIdentityUse is the identity that a running pod of aws-node really uses.
type PodIdentityUse struct {
	Pod, Node string
	Kind      IdentityKind
	// RoleARN is the AWS_ROLE_ARN of an IRSA pod.
	RoleARN string
}

// Session is the session that the pod asks AWS by.
func (u PodIdentityUse) Session(v *View) *Session { return v.sessionBy(u.Kind) }

// RunningIdentities are the identities of aws-node's running pods, by pod name.
func (v *View) RunningIdentities() []PodIdentityUse {
	uses := make([]PodIdentityUse, 0, len(v.Snapshot.AWSNode.Pods))
	for name, pod := range sortedPairs(v.Snapshot.AWSNode.Pods) {
		kind, role := pod.Credentials()
		uses = append(uses, PodIdentityUse{Pod: name, Node: pod.Node, Kind: IdentityKind(kind), RoleARN: role})
	}
	return uses
}

// RoleOfPod is the role whose permissions a running pod of aws-node has: that of its
// environment, of the association, or of its node. It is empty where the pod gets no
// role, or where that is not known; unread says then what was not read.
func (v *View) RoleOfPod(use PodIdentityUse) (arn string, unread []snapshot.Missing) {
	switch use.Kind {
	case IRSA:
		return use.RoleARN, nil
	case PodIdentity:
		_, a := v.association()
		return cmp.Or(a.TargetRoleARN, a.RoleARN), v.Unread(snapshot.FactPodIdentity)
	case FromNodeRole:
		return v.RoleOfNode(use.Node)
	case StaticKeys, NotInstalled, UnknownIdentity:
	}
	return "", nil
}

// RoleOfNode is the role of a node: that of its instance's profile, or else of the source
// of the node. It is empty where that is not known.
func (v *View) RoleOfNode(name string) (arn string, unread []snapshot.Missing) {
	s := v.Snapshot
	node, ok := s.Nodes[name]
	if !ok {
		return "", v.Unread(snapshot.FactNodes)
	}
	if p := s.InstanceProfiles[s.Instances[node.InstanceID()].InstanceProfile]; len(p.Roles) > 0 {
		return p.Roles[0], nil
	}
	if role := s.NodeGroups[node.Owner].NodeRoleARN; node.Provisioner == snapshot.ProvisionedByNodeGroup && role != "" {
		return role, nil
	}
	return "", v.Unread(snapshot.FactNodeGroups, snapshot.FactInstances, snapshot.FactInstanceProfiles)
}

// StalePods returns the running pods whose identity is not the configured one, and
// which therefore have to be restarted.
func (v *View) StalePods(configured Identity) []PodIdentityUse {
	var stale []PodIdentityUse
	for _, use := range v.RunningIdentities() {
		if use.Kind != configured.Kind || (use.Kind == IRSA && use.RoleARN != configured.RoleARN) {
			stale = append(stale, use)
		}
	}
	return stale
}

// AssumeCNIVersion makes CNI answer for another version of vpc-cni than the one
// that runs; empty changes nothing.
func (v *View) AssumeCNIVersion(version string) { v.cniVersion = version }

// CNI is the VPC CNI that runs: its IP family, version and settings.
func (v *View) CNI() need.CNI {
	s := v.Snapshot
	c := need.CNI{IPFamily: s.Cluster.IPFamily, HyperPod: len(v.HyperPodNodes())+len(v.HyperPodRoles()) > 0}
	ds := s.AWSNode.DaemonSet
	if ds == nil {
		return c
	}
	c.Version = cmp.Or(v.cniVersion, imageVersion(ds.Image), addonVersion(s.Addons["vpc-cni"].Version))
	c.Settings = map[need.Setting]bool{}
	for _, setting := range need.Settings {
		switch value, known := ds.Setting(string(setting), setting.Default()); {
		case !known:
			c.Unknown = append(c.Unknown, setting)
		case value != setting.Default():
			c.Settings[setting] = value
		}
	}
	if ipv6, known := ds.Setting("ENABLE_IPv6", c.IPFamily == "ipv6"); known && ipv6 {
		c.IPFamily = "ipv6"
	} else if ipv4, known := ds.Setting("ENABLE_IPv4", c.IPFamily != "ipv6"); known && ipv4 {
		c.IPFamily = "ipv4"
	}
	c.ExcludedSubnet = c.IPFamily == "ipv6" && v.attachesOnIPv6(c)
	return c
}

// attachesOnIPv6 reports whether an event shows that aws-node was denied an additional
// interface on IPv6. Without ENABLE_MULTI_NIC it asks for one only where the subnet of
// the node's first interface is excluded.
// Source: aws/amazon-vpc-cni-k8s pkg/ipamd/ipamd.go of v1.23.0, lines 516 and 662.
func (v *View) attachesOnIPv6(c need.CNI) bool {
	if c.Settings[need.MultiNIC] || slices.Contains(c.Unknown, need.MultiNIC) {
		return false
	}
	return slices.ContainsFunc(v.Snapshot.Events, func(e snapshot.Event) bool {
		action := e.DeniedAction()
		return e.Reason == "MissingIAMPermissions" && (action == "ec2:CreateNetworkInterface" || action == "ec2:AttachNetworkInterface")
	})
}

// addonVersion returns the v1.2.3 of an add-on's version such as v1.20.4-eksbuild.1.
func addonVersion(version string) string {
	version, _, _ = strings.Cut(version, "-")
	return version
}

// imageVersion returns the v1.2.3 of an image such as
// 602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4-eksbuild.1,
// or empty where the image has no such tag.
func imageVersion(image string) string {
	image, _, _ = strings.Cut(image, "@")
	i := strings.LastIndexByte(image, ':')
	if i < 0 || strings.Contains(image[i:], "/") {
		return ""
	}
	version := addonVersion(image[i+1:])
	if !semver.IsValid(version) {
		return ""
	}
	return version
}

// PodIdentityInUse reports whether the cluster uses EKS Pod Identity: the agent is
// there, or aws-node has an association. why says by what; unread is set where it
// is not known.
func (v *View) PodIdentityInUse() (inUse bool, why string, unread []snapshot.Missing) {
	s := v.Snapshot
	switch {
	case s.PodIdentityAgent != nil:
		return true, "the cluster has the DaemonSet kube-system/eks-pod-identity-agent", nil
	case len(s.PodIdentityAssociations) > 0:
		return true, "the service account kube-system/aws-node has a Pod Identity association", nil
	}
	return false, "", v.Unread(snapshot.FactAgent, snapshot.FactPodIdentity)
}

// PodIdentitySince is the first vpc-cni that takes EKS Pod Identity's credentials.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
const PodIdentitySince = "v1.15.5"

// OIDCProviderARN is the ARN of the account's IAM OIDC provider of the cluster's
// issuer; empty where the issuer is not known.
func (v *View) OIDCProviderARN() string {
	issuer, ok := strings.CutPrefix(v.Snapshot.Cluster.OIDCIssuer, "https://")
	if !ok {
		return ""
	}
	return fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", v.Place.Partition, v.Place.Account, issuer)
}

// AWSNodeSubject is the subject of the token of aws-node's service account.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
const AWSNodeSubject = "system:serviceaccount:kube-system:aws-node"

// TokenAudience is the audience of that token: the service account's annotation
// eks.amazonaws.com/audience, or else sts.amazonaws.com.
// Source: aws/amazon-eks-pod-identity-webhook README.
func (v *View) TokenAudience() string {
	if sa := v.Snapshot.AWSNode.ServiceAccount; sa != nil && sa.Audience != "" {
		return sa.Audience
	}
	return defaultAudience
}

// defaultAudience is the audience of tokens where no annotation says another.
const defaultAudience = "sts.amazonaws.com"

// AssociatedRole is the role of aws-node's Pod Identity association, which the
// agent assumes, also where the pods then get a target role; empty without one.
func (v *View) AssociatedRole() string {
	_, a := v.association()
	return a.RoleARN
}

// association is aws-node's Pod Identity association; without one, what one would
// have.
func (v *View) association() (id string, a snapshot.PodIdentityAssociation) {
	for id, a := range sortedPairs(v.Snapshot.PodIdentityAssociations) {
		if a.Namespace == awsNodeNamespace && a.ServiceAccount == awsNodeName {
			return id, a
		}
	}
	return "", snapshot.PodIdentityAssociation{Namespace: awsNodeNamespace, ServiceAccount: awsNodeName}
}

// aws-node's service account.
const (
	awsNodeNamespace = "kube-system"
	awsNodeName      = "aws-node"
)

// WithoutAgent are the nodes with a pod of aws-node and no ready pod of the Pod
// Identity Agent. Auto Mode nodes include the agent.
func (v *View) WithoutAgent() []string {
	s := v.Snapshot
	var nodes []string
	for _, pod := range sortedPairs(s.AWSNode.Pods) {
		if s.Nodes[pod.Node].Provisioner == snapshot.ProvisionedByAutoMode {
			continue
		}
		if s.PodIdentityAgent == nil || !s.PodIdentityAgent.Nodes[pod.Node] {
			nodes = append(nodes, pod.Node)
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// HybridNodesWithAgent are the hybrid nodes on which a pod of the Pod Identity Agent
// runs, by name.
func (v *View) HybridNodesWithAgent() []string {
	var nodes []string
	if agent := v.Snapshot.PodIdentityAgent; agent != nil {
		for name := range sortedPairs(agent.Nodes) {
			if v.Snapshot.Nodes[name].Provisioner == snapshot.ProvisionedByHybrid {
				nodes = append(nodes, name)
			}
		}
	}
	return nodes
}

// Exposed is an instance whose metadata service pods can reach.
type Exposed struct {
	ID string
	// Why says by which setting.
	Why string
}

// ExposedInstances returns, by role ARN, the instances on which pods can get the
// node role's credentials, and how many instances with that role were seen.
// Source: https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
func (v *View) ExposedInstances() (exposed map[string][]Exposed, seen map[string]int) {
	s := v.Snapshot
	exposed, seen = map[string][]Exposed{}, map[string]int{}
	for id, i := range sortedPairs(s.Instances) {
		role := v.RoleOfInstance(id)
		if i.NotFound || role == "" || i.HTTPTokens == "" {
			continue
		}
		seen[role]++
		if why, _ := i.MetadataOptions().Exposed(); why != "" {
			exposed[role] = append(exposed[role], Exposed{id, why})
		}
	}
	return exposed, seen
}

// MetadataSource is what a source of nodes sets of the instance metadata service.
type MetadataSource struct {
	Source
	// Why says by which setting pods can get the node role's credentials; Decided is set
	// where the source's settings decide it. Unset are the settings that do not.
	Why     string
	Decided bool
	Unset   []string
	// Instances is how many running instances of it were read.
	Instances int
}

// MetadataSources are the sources of a node role whose settings of the instance metadata
// service are known, and how many others it has.
func (v *View) MetadataSources(r *NodeRole) (known []MetadataSource, others int) {
	for _, source := range r.Sources {
		options := v.metadataOf(source.Kind, source.Name)
		if options == nil {
			others++
			continue
		}
		why, decided := options.Exposed()
		known = append(known, MetadataSource{source, why, decided, options.Unset(), v.instancesOf(source)})
	}
	return known, others
}

// instancesOf counts the instances of a node group or an Auto Scaling group whose settings
// of the instance metadata service were read.
func (v *View) instancesOf(source Source) int {
	count := 0
	for _, i := range v.Snapshot.Instances {
		if !i.NotFound && i.HTTPTokens != "" && (source.Kind == NodeGroup && i.NodeGroup == source.Name || source.Kind == AutoScaling && i.AutoScalingGroup == source.Name) {
			count++
		}
	}
	return count
}

// UnjoinedInstances are the running instances of the cluster that are not nodes of
// it, by ID.
func (v *View) UnjoinedInstances() []string { return v.unjoined() }

// otherCNI returns which other CNI the nodes report, if any.
func (v *View) otherCNI() []string {
	count := map[string]int{}
	for _, n := range v.Snapshot.Nodes {
		if n.Network != "" {
			count[n.Network]++
		}
	}
	var lines []string
	for reason, n := range sortedPairs(count) {
		lines = append(lines, fmt.Sprintf("%d nodes report %s", n, reason))
	}
	return lines
}

// OwnCredentials returns, a line each, what gives aws-node credentials other than those from EKS: static
// keys, a profile or a role in its environment, or an annotation that makes the webhook skip it.
func (v *View) OwnCredentials() []string {
	var lines []string
	look := func(what string, env map[string]string, skip string, names ...string) {
		for _, name := range append([]string{"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"}, names...) {
			if env[name] != "" {
				lines = append(lines, what+" sets "+name)
			}
		}
		if skipsAWSNode(skip) {
			lines = append(lines, what+" is annotated eks.amazonaws.com/skip-containers: "+skip)
		}
	}
	if ds := v.Snapshot.AWSNode.DaemonSet; ds != nil {
		look("the DaemonSet", ds.Env, ds.SkipContainers, injected...)
	}
	for name, pod := range sortedPairs(v.Snapshot.AWSNode.Pods) {
		look("pod "+name, pod.Env, pod.SkipContainers)
	}
	return lines
}

// injected are the variables that the webhook adds to pods, and does not add where the pod
// template sets them.
var injected = []string{
	envRoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}
