package iac

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// nodeEntry reports whether access entries of a type are for nodes.
func nodeEntry(kind string) bool {
	return slices.Contains([]string{"EC2_LINUX", "EC2_WINDOWS", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"}, kind)
}

// launched reports whether EC2 instances join by an entry of a type.
func launched(kind string) bool { return strings.HasPrefix(kind, "EC2") }

func (w *work) accessEntries() {
	var declared []string
	for _, e := range w.code.AccessEntries {
		principal, why := w.roleARN(e.Principal)
		if !w.mine(e.Cluster, snapshot.FactAccessEntries, principal) {
			continue
		}
		if why = cmp.Or(why, e.Type.unknown()); why.Unknown != "" {
			w.missing(snapshot.FactAccessEntries, principal, why)
			w.unknownEntry(e, principal, why)
			continue
		}
		entry := e.Facts
		entry.Type = cmp.Or(e.Type.Text, "STANDARD")
		if have, ok := w.s.AccessEntries[principal]; ok && (e.Existed || w.code.Timeless) {
			entry.Policies = maps.Clone(have.Policies)
			entry.CreatedAt = cmp.Or(entry.CreatedAt, have.CreatedAt)
			entry.Username = cmp.Or(entry.Username, have.Username)
			if len(entry.Groups) == 0 {
				entry.Groups = have.Groups
			}
		}
		_, node := w.s.Roles[principal]
		if !node && !nodeEntry(entry.Type) {
			continue
		}
		w.role(principal)
		if launched(entry.Type) {
			put(&w.s.MappedRoles, principal, "access entry of type "+entry.Type)
		}
		w.accessPolicies(principal, &entry)
		put(&w.s.AccessEntries, principal, entry)
		declared = append(declared, principal)
	}
	for _, principal := range text.SortedKeys(w.s.AccessEntries) {
		if entry := w.s.AccessEntries[principal]; !slices.Contains(declared, principal) {
			entry.Policies = maps.Clone(entry.Policies)
			w.accessPolicies(principal, &entry)
			w.s.AccessEntries[principal] = entry
		}
	}
}

// unknownEntry notes that an access entry may be of nodes whose role is not known.
func (w *work) unknownEntry(e AccessEntry, principal string, why Value) {
	if principal != "" && e.Type.Text != "" {
		return
	}
	if e.Type.Unknown != "" || e.Type.Text != "" && nodeEntry(e.Type.Text) && !launched(e.Type.Text) {
		w.missing(snapshot.FactHybridEntries, "", why)
	}
	if e.Type.Unknown != "" || launched(e.Type.Text) {
		w.missing(snapshot.FactAutoScaling, e.Address, why)
	}
}

func (w *work) accessPolicies(principal string, entry *snapshot.AccessEntry) {
	for _, p := range w.code.AccessPolicies {
		of, why := w.roleARN(p.Principal)
		is, perhaps := w.belongs(p.Cluster)
		why = cmp.Or(perhaps, why, p.Policy.unknown())
		switch {
		case !is && perhaps.Unknown == "" || of != "" && of != principal:
		case why.Unknown != "":
			w.missing(snapshot.FactAccessPolicies, principal, why)
		default:
			put(&entry.Policies, p.Policy.Text, p.Namespaces)
		}
	}
}

// entriesElsewhere notes, for a cluster that is not in the code, that access entries of its
// node roles are not known.
func (w *work) entriesElsewhere() {
	if w.declared() {
		return
	}
	for _, arn := range slices.Concat(text.SortedKeys(w.s.Roles), missingRoles(w.s)) {
		if _, ok := w.s.AccessEntries[arn]; !ok {
			w.missing(snapshot.FactAccessEntries, arn, w.elsewhere("the access entry of "+snapshot.NameOf(arn)+" is"))
		}
	}
}

func missingRoles(s *snapshot.Snapshot) []string {
	var arns []string
	for _, m := range s.Missing {
		if m.Fact == snapshot.FactRoles && m.Subject != "" {
			arns = append(arns, m.Subject)
		}
	}
	return arns
}

// awsAuth adds the ConfigMap of the code, or else what EKS writes into it.
func (w *work) awsAuth() {
	found := false
	for _, a := range w.code.AWSAuths {
		is, why := w.belongs(a.Cluster)
		if is {
			why = a.MapRoles.unknown()
		}
		switch {
		case why.Unknown != "":
			w.missing(snapshot.FactAWSAuth, "", why)
			return
		case is:
			w.s.AWSAuth, found = &snapshot.AWSAuth{MapRoles: a.MapRoles.Text}, true
			w.mapped(a.MapRoles.Text)
		}
	}
	switch {
	case found:
	case w.base != nil:
		w.mapGroups()
	case !w.created() && w.s.Cluster.AuthenticationMode != "API":
		w.missing(snapshot.FactAWSAuth, "", w.elsewhere("the ConfigMap aws-auth is"))
	case w.s.Cluster.AuthenticationMode == "CONFIG_MAP" && len(w.s.NodeGroups) > 0:
		w.s.AWSAuth = &snapshot.AWSAuth{MapRoles: w.derivedMapping()}
		w.mappedElsewhere()
	default:
		w.mappedElsewhere()
	}
}

// mappedElsewhere notes that what is applied with kubectl may map the roles to which EKS gives
// no access: code without objects of Kubernetes does not say it.
func (w *work) mappedElsewhere() {
	if w.code.Kubernetes || w.s.Cluster.AuthenticationMode == "API" {
		return
	}
	given := map[string]bool{}
	for _, g := range w.s.NodeGroups {
		given[g.NodeRoleARN] = true
	}
	if w.s.Cluster.AuthenticationMode != "CONFIG_MAP" {
		for arn := range w.s.AccessEntries {
			given[arn] = true
		}
	}
	var roles []string
	for _, g := range w.s.AutoScalingGroups {
		roles = append(roles, w.roleOf(g.InstanceProfile))
	}
	for _, c := range w.s.KarpenterNodeClasses {
		roles = append(roles, cmp.Or(c.RoleARN, w.roleOf(c.ProfileARN)))
	}
	slices.Sort(roles)
	for _, arn := range slices.Compact(roles) {
		if arn != "" && !given[arn] {
			w.missing(snapshot.FactAWSAuth, arn, w.elsewhere("what else is in the ConfigMap aws-auth is"))
		}
	}
}

// mapGroups adds to aws-auth what EKS writes for managed node groups that the code creates.
func (w *work) mapGroups() {
	if w.s.Cluster.AuthenticationMode != "CONFIG_MAP" {
		return
	}
	for _, g := range w.code.NodeGroups {
		role, _ := w.roleARN(g.Role)
		if is, _ := w.belongs(g.Cluster); !is || g.Existed || role == "" {
			continue
		}
		auth := snapshot.AWSAuth{}
		if w.s.AWSAuth != nil {
			auth = *w.s.AWSAuth
		}
		arn := snapshot.WithoutPath(role)
		mappings, err := awsauth.Parse(auth.MapRoles)
		if err != nil || slices.ContainsFunc(mappings, func(m awsauth.Mapping) bool { return strings.EqualFold(m.RoleARN, arn) }) {
			continue
		}
		mapped, err := awsauth.Set(auth.MapRoles, "", awsauth.Mapping{RoleARN: arn, Username: nodeUser, Groups: []string{"system:bootstrappers", "system:nodes"}})
		if err == nil {
			w.s.AWSAuth = &snapshot.AWSAuth{MapRoles: mapped}
		}
	}
}

// derivedMapping is what EKS writes into aws-auth for managed node groups.
func (w *work) derivedMapping() string {
	var b strings.Builder
	var done []string
	for _, name := range text.SortedKeys(w.s.NodeGroups) {
		g := w.s.NodeGroups[name]
		if g.NodeRoleARN == "" || slices.Contains(done, g.NodeRoleARN) {
			continue
		}
		done = append(done, g.NodeRoleARN)
		fmt.Fprintf(&b, "- rolearn: %s\n  username: %s\n  groups:\n    - system:bootstrappers\n    - system:nodes\n", snapshot.WithoutPath(g.NodeRoleARN), nodeUser)
		if strings.HasPrefix(g.AMIType, "WINDOWS") {
			b.WriteString("    - eks:kube-proxy-windows\n")
		}
	}
	return b.String()
}

// mapped adds the roles of the code that aws-auth maps to nodes.
func (w *work) mapped(mapRoles string) {
	mappings, err := awsauth.Parse(mapRoles)
	if err != nil {
		return // a rule says so
	}
	for _, m := range mappings {
		// A node of Fargate is in the group of kube-proxy too, which it runs itself.
		// Source: https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
		if !slices.Contains(m.Groups, "system:nodes") || slices.Contains(m.Groups, "system:node-proxier") {
			continue
		}
		for _, r := range w.code.Roles {
			if arn := w.arns[r.Address]; strings.EqualFold(snapshot.WithoutPath(arn), m.RoleARN) {
				w.role(arn)
				put(&w.s.MappedRoles, arn, "aws-auth")
			}
		}
	}
}

// The add-ons that matter here.
const (
	addonVPCCNI = "vpc-cni"
	addonAgent  = "eks-pod-identity-agent"
)

func (w *work) addons() {
	for _, a := range w.code.Addons {
		name := label(a.Name, a.Declared)
		if is, why := w.belongs(a.Cluster); a.Name.Unknown != "" && (is || why.Unknown != "") {
			w.missing(snapshot.FactAddons, addonVPCCNI, a.Name)
			continue
		}
		if name != addonVPCCNI && name != addonAgent || !w.mine(a.Cluster, snapshot.FactAddons, name) {
			continue
		}
		addon := w.s.Addons[name]
		addon.Version = cmp.Or(a.Version.Text, addon.Version)
		role, why := w.roleARN(a.Role)
		if why.Unknown != "" {
			w.missing(snapshot.FactAddons, name, why)
		}
		addon.ServiceAccountRoleARN = role
		put(&w.s.Addons, name, addon)
		if name == addonAgent {
			w.s.PodIdentityAgent = cmp.Or(w.s.PodIdentityAgent, &snapshot.PodIdentityAgent{})
			continue
		}
		w.role(role)
		for i, association := range a.Associations {
			association.Cluster, association.Namespace = a.Cluster, Text("kube-system")
			association.Address = fmt.Sprintf("%s.pod_identity_association[%d]", a.Address, i)
			w.association(association)
		}
	}
	for _, a := range w.code.Associations {
		w.association(a)
	}
	if !w.declared() {
		w.missing(snapshot.FactPodIdentity, "", w.elsewhere("the cluster's Pod Identity associations are"))
		if w.s.PodIdentityAgent == nil {
			w.missing(snapshot.FactAgent, "", w.elsewhere("the EKS Pod Identity Agent is"))
		}
	}
}

// awsNode's service account.
const (
	awsNodeNamespace = "kube-system"
	awsNodeName      = "aws-node"
)

// association adds a Pod Identity association of aws-node.
func (w *work) association(a Association) {
	may := func(v Value, want string) bool { return v.Unknown != "" || v.Text == want }
	is, perhaps := w.belongs(a.Cluster)
	if !may(a.Namespace, awsNodeNamespace) || !may(a.ServiceAccount, awsNodeName) || !is && perhaps.Unknown == "" {
		return
	}
	role, why := w.roleARN(a.Role)
	target, whyTarget := w.roleARN(a.TargetRole)
	for _, v := range []Value{perhaps, a.Namespace, a.ServiceAccount, why, whyTarget, a.Policy} {
		if v.Unknown != "" {
			w.missing(snapshot.FactPodIdentity, cmp.Or(a.ID, a.Address), v)
			return
		}
	}
	w.role(role)
	w.role(target)
	key := cmp.Or(a.ID, a.Address)
	for id, have := range w.s.PodIdentityAssociations {
		if w.base != nil && a.ID == "" && have.Namespace == a.Namespace.Text && have.ServiceAccount == a.ServiceAccount.Text {
			key = id // EKS takes one for a service account
		}
	}
	put(&w.s.PodIdentityAssociations, key, snapshot.PodIdentityAssociation{
		Namespace: a.Namespace.Text, ServiceAccount: a.ServiceAccount.Text, RoleARN: role, TargetRoleARN: target,
		ExternalID: a.ExternalID, DisableSessionTags: a.DisableSessionTags, Policy: a.Policy.Text,
	})
}

// awsNode derives what runs as aws-node: EKS installs it in a new cluster, unless the code
// says otherwise, and so does the add-on.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html
func (w *work) awsNode() {
	n := &w.s.AWSNode
	addon, installed := w.s.Addons[addonVPCCNI]
	i := slices.IndexFunc(w.code.Addons, func(a Addon) bool { return a.Name.Text == addonVPCCNI && w.of(w.target, a.Cluster) })
	switch {
	case w.base != nil && i < 0:
		w.annotated()
		return
	case w.base != nil:
		n.DaemonSet = cmp.Or(n.DaemonSet, &snapshot.DaemonSet{ServiceAccount: awsNodeName})
	case installed:
		n.DaemonSet = &snapshot.DaemonSet{ServiceAccount: awsNodeName}
		setEnv(n.DaemonSet, w.code.Addons[i])
	case w.created() && w.AutoMode == nil && w.SelfManagedAddons.Unknown != "":
		w.missing(snapshot.FactDaemonSet, "", w.SelfManagedAddons)
		return
	case w.created() && (w.SelfManagedAddons.Text == "false" || w.AutoMode != nil):
		return // EKS creates a cluster with Auto Mode only without these add-ons: hashicorp/terraform-provider-aws#40483
	case w.created():
		n.DaemonSet = &snapshot.DaemonSet{ServiceAccount: awsNodeName}
		w.derived("EKS installs aws-node in the new cluster")
	default:
		w.missing(snapshot.FactDaemonSet, "", w.elsewhere("the DaemonSet aws-node is"))
		w.missing(snapshot.FactServiceAccount, "", w.elsewhere("the service account aws-node is"))
		return
	}
	account := snapshot.ServiceAccount{}
	if n.ServiceAccount != nil {
		account = *n.ServiceAccount
	}
	account.RoleARN = addon.ServiceAccountRoleARN
	n.ServiceAccount = &account
	w.annotated()
}

// annotated applies what the code says of aws-node's service account, and adds the role that
// it names.
func (w *work) annotated() {
	n := &w.s.AWSNode
	for _, sa := range w.code.ServiceAccounts {
		role, why := w.roleARN(sa.Role)
		is, perhaps := w.belongs(sa.Cluster)
		switch why = cmp.Or(perhaps, why); {
		case !is && perhaps.Unknown == "":
		case why.Unknown != "":
			w.missing(snapshot.FactServiceAccount, "", why)
		default:
			account := snapshot.ServiceAccount{}
			if n.ServiceAccount != nil {
				account = *n.ServiceAccount
			}
			account.RoleARN = role
			n.ServiceAccount = &account
		}
	}
	for _, m := range w.s.MissingOf(snapshot.FactAddons, addonVPCCNI) {
		w.missing(snapshot.FactServiceAccount, "", Value{Unknown: m.Error, Until: m.Until})
	}
	if n.ServiceAccount != nil && n.ServiceAccount.RoleARN != "" {
		w.role(n.ServiceAccount.RoleARN)
		w.oidcProvider()
	}
}

// setEnv reads the variables of aws-node from the add-on's configuration.
func setEnv(ds *snapshot.DaemonSet, a Addon) {
	if a.Config.Unknown != "" {
		ds.EnvFrom = []string{"the configuration of the add-on, where " + a.Config.Unknown}
		return
	}
	var config struct {
		Env map[string]any `yaml:"env"`
	}
	if err := decodeConfig(a.Config.Text, &config); err != nil {
		ds.EnvFrom = []string{"the configuration of the add-on, which cannot be parsed"}
		return
	}
	for _, name := range snapshot.KeptEnv {
		if value, ok := config.Env[name]; ok {
			put(&ds.Env, name, fmt.Sprint(value))
		}
	}
}

// decodeConfig decodes the configuration of an add-on, which is YAML or JSON.
func decodeConfig(text string, into any) error {
	file, err := files.YAML([]byte(text))
	if err != nil || len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return err
	}
	return yaml.NodeToValue(file.Docs[0].Body, into)
}

// oidcProvider adds the provider of the cluster's issuer, which only IRSA needs.
func (w *work) oidcProvider() {
	issuer, ok := strings.CutPrefix(w.s.Cluster.OIDCIssuer, "https://")
	if !ok {
		w.missing(snapshot.FactOIDCProviders, "", Unknown(w.issuerUnknown()))
		return
	}
	arn := fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", w.at.Partition, w.at.Account, issuer)
	if known, ok := w.s.OIDCProviders[arn]; ok && !known.NotFound {
		return
	}
	for _, p := range w.code.OIDCProviders {
		if strings.TrimPrefix(p.URL.Text, "https://") == issuer {
			put(&w.s.OIDCProviders, arn, snapshot.OIDCProvider{ClientIDs: p.ClientIDs})
			w.declare(arn, p.Declared)
			return
		}
	}
	w.missing(snapshot.FactOIDCProviders, arn, w.elsewhere("the OIDC provider of the cluster's issuer is"))
}

func (w *work) issuerUnknown() string {
	if w.Cluster != nil && w.Issuer.Unknown != "" {
		return w.Issuer.Unknown
	}
	return "the cluster's OIDC issuer is known only after apply"
}
