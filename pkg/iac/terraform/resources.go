package terraform

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// attributes are those that are read of each kind of resource. No other value is kept.
var attributes = map[string][]string{
	"aws_iam_role":                              {"arn", "name", "name_prefix", "path", "assume_role_policy", "permissions_boundary", "tags", "tags_all", "managed_policy_arns", "inline_policy", "unique_id", "create_date"},
	"aws_iam_policy":                            {"arn", "name", "name_prefix", "path", "policy"},
	"aws_iam_policy_document":                   {"json", "version", "statement", "source_policy_documents", "override_policy_documents"},
	"aws_iam_role_policy_attachment":            {"role", "policy_arn"},
	"aws_iam_policy_attachment":                 {"roles", "policy_arn"},
	"aws_iam_role_policy":                       {"role", "name", "policy"},
	"aws_iam_role_policy_attachments_exclusive": {"role_name", "policy_arns"},
	"aws_iam_role_policies_exclusive":           {"role_name", "policy_names"},
	"aws_iam_instance_profile":                  {"arn", "name", "name_prefix", "path", "role"},
	"aws_iam_openid_connect_provider":           {"arn", "url", "client_id_list"},
	"aws_eks_cluster":                           {"arn", "id", "name", "version", "role_arn", "region", "access_config", "kubernetes_network_config", "compute_config", "remote_network_config", "outpost_config", "identity", "bootstrap_self_managed_addons"},
	"aws_eks_node_group":                        {"arn", "node_group_name", "node_group_name_prefix", "cluster_name", "node_role_arn", "ami_type", "launch_template", "region"},
	"aws_eks_fargate_profile":                   {"arn", "fargate_profile_name", "cluster_name", "pod_execution_role_arn"},
	"aws_eks_access_entry":                      {"cluster_name", "principal_arn", "type", "user_name", "kubernetes_groups", "created_at"},
	"aws_eks_access_policy_association":         {"cluster_name", "principal_arn", "policy_arn", "access_scope"},
	"aws_eks_addon":                             {"addon_name", "cluster_name", "addon_version", "service_account_role_arn", "configuration_values", "pod_identity_association"},
	"aws_eks_pod_identity_association":          {"association_id", "cluster_name", "namespace", "service_account", "role_arn", "target_role_arn", "external_id", "disable_session_tags", "policy"},
	"aws_launch_template":                       {"id", "name", "iam_instance_profile", "metadata_options"},
	"aws_launch_configuration":                  {"id", "name", "iam_instance_profile", "metadata_options"},
	"aws_autoscaling_group":                     {"name", "tag", "launch_template", "launch_configuration", "mixed_instances_policy"},
	"aws_caller_identity":                       {"account_id"},
	"aws_region":                                {"id", "name", "region"},
	"aws_partition":                             {"partition"},
	"kubernetes_config_map":                     {"metadata", "data"},
	"kubernetes_config_map_v1":                  {"metadata", "data"},
	"kubernetes_config_map_v1_data":             {"metadata", "data"},
	"kubernetes_annotations":                    {"kind", "metadata", "annotations"},
	"kubernetes_service_account":                {"metadata"},
	"kubernetes_service_account_v1":             {"metadata"},
	"kubernetes_manifest":                       {"manifest"},
	"kubectl_manifest":                          {"yaml_body"},
	"helm_release":                              {"chart"},
}

// The kinds of resources that attributes refer to.
var (
	roles     = []string{"aws_iam_role"}
	policies  = []string{"aws_iam_policy"}
	profiles  = []string{"aws_iam_instance_profile"}
	clusters  = []string{"aws_eks_cluster"}
	templates = []string{"aws_launch_template", "aws_launch_configuration"}
)

// readers read the kinds of resources.
var readers = map[string]func(*reader, *resource){
	"aws_iam_role":                              (*reader).role,
	"aws_iam_policy":                            (*reader).managedPolicy,
	"aws_iam_role_policy_attachment":            (*reader).attachment,
	"aws_iam_policy_attachment":                 (*reader).policyAttachment,
	"aws_iam_role_policy":                       (*reader).inlinePolicy,
	"aws_iam_role_policy_attachments_exclusive": (*reader).exclusive,
	"aws_iam_role_policies_exclusive":           (*reader).exclusive,
	"aws_iam_instance_profile":                  (*reader).profile,
	"aws_iam_openid_connect_provider":           (*reader).oidcProvider,
	"aws_eks_cluster":                           (*reader).cluster,
	"aws_eks_node_group":                        (*reader).nodeGroup,
	"aws_eks_fargate_profile":                   (*reader).fargateProfile,
	"aws_eks_access_entry":                      (*reader).accessEntry,
	"aws_eks_access_policy_association":         (*reader).accessPolicy,
	"aws_eks_addon":                             (*reader).addon,
	"aws_eks_pod_identity_association":          (*reader).association,
	"aws_autoscaling_group":                     (*reader).group,
	"kubernetes_config_map":                     (*reader).configMap,
	"kubernetes_config_map_v1":                  (*reader).configMap,
	"kubernetes_config_map_v1_data":             (*reader).configMap,
	"kubernetes_annotations":                    (*reader).annotations,
	"kubernetes_service_account":                (*reader).serviceAccount,
	"kubernetes_service_account_v1":             (*reader).serviceAccount,
	"kubernetes_manifest":                       (*reader).manifest,
	"kubectl_manifest":                          (*reader).manifest,
	"helm_release":                              (*reader).helm,
}

// name reads the name and ARN of something in IAM.
func (d *reader) name(r *resource) iac.Name {
	return iac.Name{ARN: r.textAt("arn"), Name: d.value(r, nil, "name"), Prefix: r.textAt("name_prefix"), Path: r.textAt("path")}
}

// list reads a list of values. One that is not known has one element that is not known.
func (d *reader) list(r *resource, want []string, attribute string) []iac.Value {
	if _, unknown, _ := r.at(attribute); unknown {
		return []iac.Value{d.value(r, want, attribute)}
	}
	var values []iac.Value
	for i := range r.count(attribute) {
		values = append(values, d.value(r, want, attribute, i))
	}
	return values
}

// unset reports whether an attribute that the provider computes is not known because the
// code does not set it.
func (d *reader) unset(r *resource, want []string, attribute string) bool {
	e := r.config.Expressions[attribute]
	if !e.configured() {
		return true
	}
	if e.Set || len(e.Blocks) > 0 {
		return false
	}
	s := d.search(r, want, []any{attribute})
	return len(s.found) == 0 && len(s.dead) == 0 // it is of known values, so that it is null
}

func (d *reader) role(r *resource) {
	role := iac.Role{
		Declared: d.declared(r), Name: d.name(r), Replaced: r.replaced,
		Trust: d.policy(r, "assume_role_policy"), Boundary: d.value(r, policies, "permissions_boundary"),
	}
	tags := "tags_all"
	if value, _, _ := r.at(tags); value == nil {
		tags = "tags"
	}
	value, _, _ := r.at(tags)
	pairs, _ := value.(map[string]any)
	for key := range pairs {
		if text := r.textAt(tags, key); text != "" {
			if role.Tags == nil {
				role.Tags = map[string]string{}
			}
			role.Tags[key] = text
		}
	}
	role.AttachedOnly = !d.unset(r, policies, "managed_policy_arns")
	if _, unknown, _ := r.at("managed_policy_arns"); !unknown || role.AttachedOnly {
		role.Attached = d.list(r, policies, "managed_policy_arns")
	}
	role.InlineOnly = !d.unset(r, nil, "inline_policy")
	if _, unknown, _ := r.at("inline_policy"); unknown && role.InlineOnly {
		role.Inline = []iac.Document{{Name: d.value(r, nil, "inline_policy")}}
	}
	for i := range r.count("inline_policy") {
		if r.textAt("inline_policy", i, "name") == "" && r.textAt("inline_policy", i, "policy") == "" && !anyMarked(child(child(r.unknown, "inline_policy"), i)) {
			continue // an empty block removes all others
		}
		role.Inline = append(role.Inline, iac.Document{Name: d.value(r, nil, "inline_policy", i, "name"), Document: d.policy(r, "inline_policy", i, "policy")})
	}
	if r.existed {
		role.Facts = snapshot.Role{ID: r.textAt("unique_id"), CreatedAt: timeOf(r.textAt("create_date"))}
	} else if r.replaced {
		role.Facts.CreatedAt = timeOf(d.doc.Timestamp) // not before that
	}
	d.code.Roles = append(d.code.Roles, role)
}

func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (d *reader) managedPolicy(r *resource) {
	if r.data && strings.Contains(r.textAt("arn"), ":iam::aws:") {
		return // AWS's, of which there are copies
	}
	d.code.Policies = append(d.code.Policies, iac.Policy{Declared: d.declared(r), Name: d.name(r), Document: d.policy(r, "policy")})
}

func (d *reader) attachment(r *resource) {
	d.code.Attachments = append(d.code.Attachments, iac.Attachment{
		Declared: d.declared(r), Role: d.value(r, roles, "role"), Policy: d.value(r, policies, "policy_arn"),
	})
}

func (d *reader) policyAttachment(r *resource) {
	d.code.PolicyAttachments = append(d.code.PolicyAttachments, iac.PolicyAttachment{
		Declared: d.declared(r), Policy: d.value(r, policies, "policy_arn"), Roles: d.list(r, roles, "roles"),
	})
}

func (d *reader) inlinePolicy(r *resource) {
	d.code.InlinePolicies = append(d.code.InlinePolicies, iac.InlinePolicy{
		Declared: d.declared(r), Role: d.value(r, roles, "role"),
		Document: iac.Document{Name: d.value(r, nil, "name"), Document: d.policy(r, "policy")},
	})
}

func (d *reader) exclusive(r *resource) {
	e := iac.Exclusive{Declared: d.declared(r), Role: d.value(r, roles, "role_name")}
	if r.kind == "aws_iam_role_policies_exclusive" {
		e.Only = d.list(r, nil, "policy_names")
		d.code.ExclusiveInline = append(d.code.ExclusiveInline, e)
		return
	}
	e.Only = d.list(r, policies, "policy_arns")
	d.code.ExclusiveAttachments = append(d.code.ExclusiveAttachments, e)
}

func (d *reader) profile(r *resource) {
	d.code.Profiles = append(d.code.Profiles, iac.Profile{Declared: d.declared(r), Name: d.name(r), Role: d.value(r, roles, "role")})
}

func (d *reader) oidcProvider(r *resource) {
	d.code.OIDCProviders = append(d.code.OIDCProviders, iac.OIDCProvider{
		Declared: d.declared(r), URL: d.value(r, clusters, "url"), ClientIDs: r.texts("client_id_list"),
	})
}

// setting reads an attribute of a block that the provider completes where the code does not
// set it.
func (d *reader) setting(r *resource, block, attribute string) iac.Value {
	v := d.value(r, nil, block, 0, attribute)
	if v.Unknown == "" {
		return v
	}
	path := []any{block, 0, attribute}
	e, ok := attributeOf(r.config.Expressions, path)
	if s := d.search(r, nil, path); !ok || !e.configured() || !e.Set && len(s.dead) == 0 && !s.computed {
		return iac.Value{} // EKS's default: it is not set, or of known values, so that it is null
	}
	return v
}

func (d *reader) cluster(r *resource) {
	c := iac.Cluster{
		Declared: d.declared(r), Name: d.value(r, nil, "name"), ARN: r.textAt("arn"), Version: r.textAt("version"),
		Role:              d.value(r, roles, "role_arn"),
		Mode:              d.setting(r, "access_config", "authentication_mode"),
		IPFamily:          d.setting(r, "kubernetes_network_config", "ip_family"),
		Issuer:            d.value(r, nil, "identity", 0, "oidc", 0, "issuer"),
		SelfManagedAddons: d.value(r, nil, "bootstrap_self_managed_addons"), LocalControlPlane: r.count("outpost_config") > 0,
	}
	if _, unknown, _ := r.at("bootstrap_self_managed_addons"); unknown && d.unset(r, nil, "bootstrap_self_managed_addons") {
		c.SelfManagedAddons = iac.Value{}
	}
	for i := range r.count("remote_network_config", 0, "remote_node_networks") {
		c.RemoteNetworks = append(c.RemoteNetworks, r.texts("remote_network_config", 0, "remote_node_networks", i, "cidrs")...)
	}
	switch enabled := d.setting(r, "compute_config", "enabled"); {
	case enabled.Unknown != "":
		c.AutoModeUnknown = enabled
	case enabled.Text == "true":
		c.AutoMode = &iac.AutoMode{Pools: r.texts("compute_config", 0, "node_pools"), Role: d.value(r, roles, "compute_config", 0, "node_role_arn")}
	}
	d.code.Clusters = append(d.code.Clusters, c)
}

func (d *reader) nodeGroup(r *resource) {
	if r.data {
		return
	}
	g := iac.NodeGroup{
		Declared: d.declared(r), Name: d.value(r, nil, "node_group_name"), Prefix: r.textAt("node_group_name_prefix"), Cluster: d.value(r, clusters, "cluster_name"),
		Role: d.value(r, roles, "node_role_arn"), AMIType: r.textAt("ami_type"), LaunchTemplate: r.count("launch_template") > 0,
	}
	if g.LaunchTemplate {
		g.Metadata = d.metadata(r, d.template(r))
	}
	d.code.NodeGroups = append(d.code.NodeGroups, g)
}

func (d *reader) fargateProfile(r *resource) {
	d.code.FargateProfiles = append(d.code.FargateProfiles, iac.FargateProfile{
		Declared: d.declared(r), Name: d.value(r, nil, "fargate_profile_name"), Cluster: d.value(r, clusters, "cluster_name"),
		Role: d.value(r, roles, "pod_execution_role_arn"),
	})
}

func (d *reader) accessEntry(r *resource) {
	if r.data {
		return
	}
	e := iac.AccessEntry{
		Declared: d.declared(r), Cluster: d.value(r, clusters, "cluster_name"), Principal: d.value(r, roles, "principal_arn"),
		Type:  d.value(r, nil, "type"),
		Facts: snapshot.AccessEntry{Username: r.textAt("user_name"), Groups: r.texts("kubernetes_groups")},
	}
	if r.existed {
		e.Facts.CreatedAt = timeOf(r.textAt("created_at"))
	}
	d.code.AccessEntries = append(d.code.AccessEntries, e)
}

func (d *reader) accessPolicy(r *resource) {
	d.code.AccessPolicies = append(d.code.AccessPolicies, iac.AccessPolicy{
		Declared: d.declared(r), Cluster: d.value(r, clusters, "cluster_name"), Principal: d.value(r, roles, "principal_arn"),
		Policy: d.value(r, nil, "policy_arn"), Namespaces: r.texts("access_scope", 0, "namespaces"),
	})
}

func (d *reader) addon(r *resource) {
	if r.data {
		return
	}
	a := iac.Addon{
		Declared: d.declared(r), Name: d.value(r, nil, "addon_name"), Cluster: d.value(r, clusters, "cluster_name"),
		Version: d.value(r, nil, "addon_version"), Role: d.value(r, roles, "service_account_role_arn"),
		Config: d.value(r, nil, "configuration_values"),
	}
	if a.Config.Unknown != "" && d.unset(r, nil, "configuration_values") {
		a.Config = iac.Value{}
	}
	if _, unknown, _ := r.at("pod_identity_association"); unknown && !d.unset(r, nil, "pod_identity_association") {
		a.Associations = []iac.Association{{ServiceAccount: d.value(r, nil, "pod_identity_association")}}
	}
	for i := range r.count("pod_identity_association") {
		a.Associations = append(a.Associations, iac.Association{
			ServiceAccount: d.value(r, nil, "pod_identity_association", i, "service_account"), Role: d.value(r, roles, "pod_identity_association", i, "role_arn"),
		})
	}
	d.code.Addons = append(d.code.Addons, a)
}

func (d *reader) association(r *resource) {
	if r.data {
		return
	}
	a := iac.Association{
		Declared: d.declared(r), ID: r.textAt("association_id"), Cluster: d.value(r, clusters, "cluster_name"),
		Namespace: d.value(r, nil, "namespace"), ServiceAccount: d.value(r, nil, "service_account"),
		Role: d.value(r, roles, "role_arn"), TargetRole: d.value(r, roles, "target_role_arn"), ExternalID: r.textAt("external_id"),
		DisableSessionTags: r.textAt("disable_session_tags") == "true",
	}
	if _, unknown, _ := r.at("policy"); !unknown || !d.unset(r, nil, "policy") {
		a.Policy = d.policy(r, "policy")
	}
	if _, unknown, _ := r.at("target_role_arn"); unknown && d.unset(r, roles, "target_role_arn") {
		a.TargetRole = iac.Value{}
	}
	d.code.Associations = append(d.code.Associations, a)
}

// clusterTag is the key of the tag by which instances belong to a cluster.
const clusterTag = "kubernetes.io/cluster/"

func (d *reader) group(r *resource) {
	g := iac.Group{Declared: d.declared(r), Name: cmp.Or(r.textAt("name"), r.text)}
	for i := range r.count("tag") {
		if name, ok := strings.CutPrefix(r.textAt("tag", i, "key"), clusterTag); ok && r.textAt("tag", i, "value") == "owned" {
			g.Cluster = iac.Text(name)
		}
	}
	if g.Cluster.Empty() && anyMarked(child(r.unknown, "tag")) {
		// Its tags name a cluster that the plan creates.
		g.Cluster = d.referenced(r, clusters, []any{"tag", "key"})
	}
	switch {
	case g.Cluster.Empty():
	case g.Cluster.Unknown != "":
		d.code.Unsure = append(d.code.Unsure, iac.Unsure{Fact: snapshot.FactAutoScaling, Subject: r.text, Why: g.Cluster})
	default:
		d.launched(r, &g)
		d.code.Groups = append(d.code.Groups, g)
	}
}

// launched follows a group to the launch template or configuration of the code, and to the
// instance profile in it.
func (d *reader) launched(r *resource, g *iac.Group) {
	t := d.template(r)
	if t == nil {
		g.Profile = iac.Unknown("the launch template of " + r.text + " is known only after apply")
		return // the metadata options are unknown too, but the role is not known either
	}
	g.Template, g.Metadata = t.text, d.metadata(r, t)
	if t.kind == "aws_launch_configuration" {
		g.Profile = d.value(t, profiles, "iam_instance_profile")
		return
	}
	g.Profile = d.value(t, profiles, "iam_instance_profile", 0, "name")
	if arn := d.value(t, profiles, "iam_instance_profile", 0, "arn"); g.Profile.Empty() {
		g.Profile = arn
	}
}

// template is the launch template or configuration of the code that a node group or an Auto
// Scaling group uses; nil where that is not known.
func (d *reader) template(r *resource) *resource {
	paths := [][]any{
		{"launch_template", 0, "id"},
		{"launch_template", 0, "name"},
		{"launch_configuration"},
		{"mixed_instances_policy", 0, "launch_template", 0, "launch_template_specification", 0, "launch_template_id"},
		{"mixed_instances_policy", 0, "launch_template", 0, "launch_template_specification", 0, "launch_template_name"},
	}
	for _, path := range paths {
		v := d.value(r, templates, path...)
		for _, t := range d.resources {
			if slices.Contains(templates, t.kind) && (v.Resource == t.text || v.Text != "" && (v.Text == t.textAt("id") || v.Text == t.textAt("name"))) {
				return t
			}
		}
	}
	// A plan without sources does not show a local value of a module: its only template then is
	// the one, where the module has one node group.
	var own []*resource
	for _, t := range d.resources {
		if len(r.modules) > 0 && path(t.modules) == path(r.modules) && t.kind == templates[0] && !t.data {
			own = append(own, t)
		}
	}
	if _, unknown, _ := r.at("launch_template", 0, "id"); unknown && len(own) == 1 {
		return own[0]
	}
	return nil
}

// metadata reads the options of the instance metadata service from the template of a node
// group or Auto Scaling group.
func (d *reader) metadata(r, template *resource) *iac.Metadata {
	if template == nil {
		if _, unknown, _ := r.at("launch_template", 0, "id"); unknown {
			return &iac.Metadata{Tokens: iac.Unknown("the launch template of " + r.text + " is known only after apply")}
		}
		return nil // it is not in the code
	}
	return &iac.Metadata{
		Tokens:   d.setting(template, "metadata_options", "http_tokens"),
		Endpoint: d.setting(template, "metadata_options", "http_endpoint"),
		HopLimit: d.setting(template, "metadata_options", "http_put_response_hop_limit"),
	}
}
