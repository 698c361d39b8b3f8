package fleetrules

import (
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Facts are what the rules need of one cluster. They are small, so that a fleet of any size
// fits in memory when its snapshots do not.
type Facts struct {
	ref finding.ClusterRef
	id  snapshot.ARN
	// group is the name of what the cluster belongs to; empty for none.
	group string

	nodeRoles []nodeRole
	// sources is what keeps the list of node roles from being complete.
	sources []string
	// clusterRole is the cluster's own role; empty where it is not known.
	clusterRole string
	// fargate are the pod execution roles of its Fargate profiles, fargateUnread why not
	// all are known.
	fargate       []fargateRole
	fargateUnread []string
	// judged are the clusters that NR102 says about this one: their cluster role is a node
	// role of it.
	judged []string

	identity         view.IdentityKind
	identityRole     string
	identityUnread   []string
	trusts           []view.ProviderTrust
	trustUnread      []string
	issuer           provider
	authentication   string
	cniVersion       string
	cluster          []string // why the cluster itself is unknown
	daemonSetMissing []string

	providers providerFacts
}

// nodeRole is a role that nodes of a cluster have.
type nodeRole struct {
	arn, name string
	// sources says what gives nodes the role, in a few words.
	sources string
	// cni says whether its CNI permissions can be removed, cniUnread why that is not known.
	cni       rules.CNIRemoval
	cniUnread []string
	// rights has a letter for each of the actions of rightsOf; empty for a cluster of no
	// group. rightsUnread says why some are not known.
	rights       string
	rightsUnread []string
}

type fargateRole struct{ profile, arn string }

// provider is an EKS cluster as an OIDC provider or an issuer names it.
type provider struct{ region, id string }

func (p provider) known() bool { return p.id != "" }

func providerOf(name string) provider {
	region, id, _ := view.ProviderOf(name)
	return provider{region, id}
}

// providerFacts are what a cluster's snapshot says of its account's OIDC providers.
type providerFacts struct {
	// arns are the providers of EKS clusters; read is set where they were read, and unread
	// says why not.
	arns   []string
	read   bool
	unread []string
	// issued are the clusters of the cluster's region, itself among them; complete is set
	// where these are all, and incomplete says why not.
	issued     []provider
	incomplete []string
}

// FactsOf returns the facts of a cluster, which belongs to a group or, where that is empty,
// to none.
func FactsOf(v *view.View, group string) Facts {
	s := v.Snapshot
	f := Facts{
		ref: finding.ClusterRef{Name: v.Place.Cluster, ARN: s.Cluster.ARN}, id: s.Cluster.Identity(), group: group,
		clusterRole: s.Cluster.RoleARN, authentication: s.Cluster.AuthenticationMode, cniVersion: v.CNI().Version, issuer: providerOf(s.Cluster.OIDCIssuer),
		sources: lines(v.InventoryUnread()), cluster: lines(v.Unread(snapshot.FactCluster)),
		daemonSetMissing: lines(v.Unread(snapshot.FactDaemonSet)), fargateUnread: lines(v.Unread(snapshot.FactFargateProfiles)),
	}
	if len(f.cluster) > 0 {
		f.issuer, f.clusterRole, f.authentication = provider{}, "", ""
	}
	for _, r := range v.NodeRoles() {
		f.nodeRoles = append(f.nodeRoles, nodeRoleOf(v, r, group))
		for _, arn := range keys(s.OtherClusters) {
			if s.OtherClusters[arn].RoleARN == r.ARN {
				f.judged = append(f.judged, arn)
			}
		}
	}
	for _, name := range keys(s.FargateProfiles) {
		f.fargate = append(f.fargate, fargateRole{name, s.FargateProfiles[name].PodExecutionRoleARN})
	}
	identity := v.ConfiguredIdentity()
	f.identity, f.identityRole, f.identityUnread = identity.Kind, identity.RoleARN, lines(identity.Unread)
	if identity.Own() && identity.RoleARN != "" {
		r := v.Role(identity.RoleARN)
		f.trusts, f.trustUnread = r.TrustedProviders(), lines(r.TrustUnread())
	}
	f.providers = providersOf(v, f.issuer)
	return f
}

func nodeRoleOf(v *view.View, r *view.NodeRole, group string) nodeRole {
	n := nodeRole{arn: r.ARN, name: r.Name}
	var sources []string
	for _, source := range r.Sources {
		sources = append(sources, string(source.Kind)+" "+source.Name)
	}
	n.sources = listed(sources)
	var unread []snapshot.Missing
	n.cni, unread = rules.CNIRemovalOf(v, r)
	n.cniUnread = lines(unread)
	if group != "" {
		n.rights, n.rightsUnread = rightsOf(r)
	}
	return n
}

// compared are the actions by which the rights of node roles are compared: those that nodes,
// the image puller and the VPC CNI call, and the dangerous ones, which no node calls.
var compared = sync.OnceValue(func() []need.Action {
	var list []need.Action
	for _, name := range need.Names() {
		list = append(list, need.Named(name))
	}
	for _, a := range need.Excessive {
		if !slices.ContainsFunc(list, func(b need.Action) bool { return a.Name == b.Name }) {
			list = append(list, a)
		}
	}
	return list
})

// The letters of nodeRole.rights.
const (
	rightAllowed = 'a'
	rightDenied  = 'd'
	rightDepends = 'c'
	rightUnknown = '?'
)

// rightsOf returns a letter for the answer about each of the compared actions.
func rightsOf(r *view.NodeRole) (rights string, unread []string) {
	letters := map[view.Verdict]byte{view.Allowed: rightAllowed, view.Denied: rightDenied, view.Depends: rightDepends, view.Unknown: rightUnknown}
	var b strings.Builder
	for _, a := range compared() {
		answer := r.Can(a)
		b.WriteByte(letters[answer.Verdict])
		for _, l := range lines(answer.Unread) {
			unread = appendNew(unread, l)
		}
	}
	return b.String(), unread
}

func providersOf(v *view.View, own provider) providerFacts {
	s := v.Snapshot
	var f providerFacts
	if f.unread = lines(v.Unread(snapshot.FactClusterProviders)); s.ClusterProviders != nil {
		f.read, f.arns = true, s.ClusterProviders.ARNs
	}
	if own.known() {
		f.issued = append(f.issued, own)
	} else {
		f.incomplete = append(f.incomplete, "the OIDC issuer of "+v.Place.Cluster+" is unknown")
		f.incomplete = append(f.incomplete, lines(v.Unread(snapshot.FactCluster))...)
	}
	for _, arn := range keys(s.OtherClusters) {
		other, _ := snapshot.ParseARN(arn)
		if other.Region != v.Place.Region || other.Account != v.Place.Account {
			continue
		}
		if p := providerOf(s.OtherClusters[arn].OIDCIssuer); p.known() {
			f.issued = append(f.issued, p)
		} else {
			f.incomplete = append(f.incomplete, "the OIDC issuer of "+other.Name()+" is unknown")
		}
	}
	for _, m := range v.Unread(snapshot.FactOtherClusters) {
		if a, ok := snapshot.ParseARN(m.Subject); m.Subject == "" || ok && a.Region == v.Place.Region {
			f.incomplete = append(f.incomplete, lines([]snapshot.Missing{m})...)
		}
	}
	return f
}

// lines returns what was not read, each reason once.
func lines(missing []snapshot.Missing) []string {
	var list []string
	for _, m := range missing {
		list = appendNew(list, m.Operation+": "+m.Error)
	}
	return list
}
