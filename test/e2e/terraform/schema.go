package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// attributes has the attributes of a block in the order of their words: the name, then r for
// required, o for optional, c for computed, and the type where it is not a string.
func attributes(lines string) []*tfprotov5.SchemaAttribute {
	var list []*tfprotov5.SchemaAttribute
	for line := range strings.SplitSeq(lines, ",") {
		words := strings.Fields(line)
		a := &tfprotov5.SchemaAttribute{Name: words[0], Type: tftypes.String}
		a.Required, a.Optional, a.Computed = strings.Contains(words[1], "r"), strings.Contains(words[1], "o"), strings.Contains(words[1], "c")
		if len(words) > 2 {
			a.Type = map[string]tftypes.Type{
				"bool": tftypes.Bool, "number": tftypes.Number, "list": tftypes.List{ElementType: tftypes.String}, "set": tftypes.Set{ElementType: tftypes.String},
				"map": tftypes.Map{ElementType: tftypes.String}, "any": tftypes.DynamicPseudoType,
			}[words[2]]
		}
		list = append(list, a)
	}
	return list
}

func schema(lines string, blocks ...*tfprotov5.SchemaNestedBlock) *tfprotov5.Schema {
	return &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{Attributes: attributes(lines), BlockTypes: blocks}}
}

func block(name, lines string, blocks ...*tfprotov5.SchemaNestedBlock) *tfprotov5.SchemaNestedBlock {
	return &tfprotov5.SchemaNestedBlock{TypeName: name, Nesting: tfprotov5.SchemaNestedBlockNestingModeList, Block: schema(lines, blocks...).Block}
}

var providerBlock = schema("region o, host o, allowed_account_ids o set").Block

// resources and dataSources are by their kinds.
var resources = map[string]*tfprotov5.Schema{
	"aws_iam_role": schema("id c, arn c, unique_id c, create_date c, name oc, name_prefix oc, path o, assume_role_policy r, permissions_boundary o, managed_policy_arns oc set, tags o map, tags_all oc map, description o",
		block("inline_policy", "name o, policy o")),
	"aws_iam_policy":                            schema("id c, arn c, name oc, name_prefix oc, path o, policy r, tags o map"),
	"aws_iam_role_policy_attachment":            schema("id c, role r, policy_arn r"),
	"aws_iam_policy_attachment":                 schema("id c, name r, roles o set, policy_arn r"),
	"aws_iam_role_policy":                       schema("id c, name oc, role r, policy r"),
	"aws_iam_role_policy_attachments_exclusive": schema("role_name r, policy_arns r set"),
	"aws_iam_instance_profile":                  schema("id c, arn c, name oc, name_prefix oc, path o, role o, tags o map"),
	"aws_eks_cluster": schema("id c, arn c, name r, version oc, role_arn r, endpoint c, bootstrap_self_managed_addons o bool",
		block("access_config", "authentication_mode oc"), block("kubernetes_network_config", "ip_family oc"), block("vpc_config", "subnet_ids r set"),
		block("compute_config", "enabled o bool, node_pools o set, node_role_arn o")),
	"aws_eks_node_group":                schema("id c, arn c, node_group_name oc, node_group_name_prefix oc, cluster_name r, node_role_arn r, ami_type oc, subnet_ids r set", block("scaling_config", "desired_size o"), block("launch_template", "id oc, name oc, version r")),
	"aws_eks_fargate_profile":           schema("id c, arn c, fargate_profile_name r, cluster_name r, pod_execution_role_arn r"),
	"aws_eks_access_entry":              schema("id c, access_entry_arn c, cluster_name r, principal_arn r, type o, user_name oc, kubernetes_groups oc set, created_at c, tags o map"),
	"aws_eks_access_policy_association": schema("id c, cluster_name r, principal_arn r, policy_arn r", block("access_scope", "type r, namespaces o set")),
	"aws_eks_addon":                     schema("id c, arn c, addon_name r, cluster_name r, addon_version oc, service_account_role_arn o, configuration_values oc", block("pod_identity_association", "role_arn r, service_account r")),
	"aws_eks_pod_identity_association":  schema("id c, association_id c, cluster_name r, namespace r, service_account r, role_arn r"),
	"aws_launch_template":               schema("id c, arn c, name oc", block("iam_instance_profile", "arn o, name o"), block("metadata_options", "http_endpoint oc, http_tokens oc, http_put_response_hop_limit oc number")),
	"aws_autoscaling_group":             schema("id c, arn c, name oc, max_size r, min_size r", block("tag", "key r, value r, propagate_at_launch r bool"), block("launch_template", "id oc, name oc, version o")),
	"kubernetes_config_map_v1_data":     schema("id c, data r map, force o bool", block("metadata", "name r, namespace o")),
	"kubernetes_manifest":               schema("manifest r any"),
	"time_sleep":                        schema("id c, create_duration o, triggers o map"),
}

var dataSources = map[string]*tfprotov5.Schema{
	"aws_caller_identity": schema("id c, account_id c"),
	"aws_eks_cluster":     schema("id c, name r, endpoint c"),
	"aws_region":          schema("id c, name c"),
	"aws_partition":       schema("id c, partition c, dns_suffix c"),
	"aws_iam_policy_document": schema("id c, json c, version o, source_policy_documents o list", block("statement", "sid o, effect o, actions o set, resources o set",
		block("principals", "type r, identifiers r set"), block("condition", "test r, variable r, values r list"))),
}

// replacedBy are the attributes that AWS cannot change.
var replacedBy = map[string][]string{
	"aws_iam_role": {"name", "name_prefix", "path"}, "aws_iam_role_policy_attachment": {"role", "policy_arn"},
	"aws_eks_node_group": {"node_role_arn", "cluster_name"}, "aws_eks_access_entry": {"principal_arn", "cluster_name"},
}

// computedBlocks are blocks that the provider fills in where the code has none.
var computedBlocks = []string{"inline_policy", "access_config", "kubernetes_network_config"}

// kinds are the schemas of one provider.
func kinds(all map[string]*tfprotov5.Schema, provider string) map[string]*tfprotov5.Schema {
	own := map[string]*tfprotov5.Schema{}
	for kind, s := range all {
		if strings.HasPrefix(kind, provider+"_") {
			own[kind] = s
		}
	}
	return own
}

func computed(s *tfprotov5.Schema, name string) bool {
	for _, a := range s.Block.Attributes {
		if a.Name == name {
			return a.Computed
		}
	}
	return slices.Contains(computedBlocks, name)
}

// decide fills in what is unknown, as AWS would.
func decide(kind string, v map[string]tftypes.Value) {
	set := func(name, text string) {
		if old, ok := v[name]; ok && (!old.IsKnown() || old.IsNull()) {
			v[name] = tftypes.NewValue(tftypes.String, text)
		}
	}
	set("name", text(v["name_prefix"])+"20260101000000000000000001")
	path := text(v["path"])
	if path == "" {
		path = "/"
	}
	for prefix, resource := range map[string]string{"aws_iam_role": "role", "aws_iam_policy": "policy", "aws_iam_instance_profile": "instance-profile"} {
		if kind == prefix {
			set("arn", "arn:aws:iam::"+account+":"+resource+path+text(v["name"]))
		}
	}
	set("id", text(v["name"])+text(v["role"])+text(v["cluster_name"]))
	set("unique_id", "AROAEXAMPLE")
	set("create_date", "2026-01-12T09:30:00Z")
	set("created_at", "2026-01-12T09:40:00Z")
	set("account_id", account)
	set("partition", "aws")
	set("dns_suffix", "amazonaws.com")
	set("ip_family", "ipv4")
	if kind == "aws_eks_cluster" {
		set("arn", "arn:aws:eks:"+region+":"+account+":cluster/"+text(v["name"]))
	}
	if kind == "data.aws_region" {
		v["name"], v["id"] = tftypes.NewValue(tftypes.String, region), tftypes.NewValue(tftypes.String, region)
	}
	if kind == "data.aws_iam_policy_document" {
		set("json", document(v))
	}
	for name, value := range v {
		if value.IsKnown() {
			continue
		}
		switch value.Type().(type) {
		case tftypes.List, tftypes.Set:
			v[name] = tftypes.NewValue(value.Type(), []tftypes.Value{})
		case tftypes.Map:
			v[name] = tftypes.NewValue(value.Type(), map[string]tftypes.Value{})
		default:
			set(name, name)
		}
	}
}

func text(v tftypes.Value) string {
	var s *string
	if !v.IsKnown() || v.As(&s) != nil || s == nil {
		return ""
	}
	return *s
}

// document is the JSON of the data source aws_iam_policy_document.
func document(v map[string]tftypes.Value) string {
	statements := []any{}
	for _, s := range objects(v["statement"]) {
		effect := text(s["effect"])
		if effect == "" {
			effect = "Allow"
		}
		statement := map[string]any{"Effect": effect, "Action": texts(s["actions"])}
		if list := texts(s["resources"]); len(list) > 0 {
			statement["Resource"] = list
		}
		principals := map[string][]string{}
		for _, p := range objects(s["principals"]) {
			principals[text(p["type"])] = texts(p["identifiers"])
		}
		if len(principals) > 0 {
			statement["Principal"] = principals
		}
		conditions := map[string]map[string][]string{}
		for _, c := range objects(s["condition"]) {
			conditions[text(c["test"])] = map[string][]string{text(c["variable"]): texts(c["values"])}
		}
		if len(conditions) > 0 {
			statement["Condition"] = conditions
		}
		statements = append(statements, statement)
	}
	out, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // texts and lists of texts
	}
	return string(out)
}

func objects(v tftypes.Value) []map[string]tftypes.Value {
	var list []tftypes.Value
	if err := v.As(&list); err != nil {
		panic(err) // the schema says that it is a list
	}
	var all []map[string]tftypes.Value
	for _, element := range list {
		var o map[string]tftypes.Value
		if err := element.As(&o); err != nil {
			panic(err)
		}
		all = append(all, o)
	}
	return all
}

func texts(v tftypes.Value) []string {
	var list []tftypes.Value
	if v.IsNull() || v.As(&list) != nil {
		return nil
	}
	all := make([]string, 0, len(list))
	for _, element := range list {
		all = append(all, text(element))
	}
	return all
}
