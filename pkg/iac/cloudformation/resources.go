package cloudformation

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/manifests"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// The types of resources that attributes refer to.
const (
	role     = "AWS::IAM::Role"
	policy   = "AWS::IAM::ManagedPolicy"
	profile  = "AWS::IAM::InstanceProfile"
	cluster  = "AWS::EKS::Cluster"
	cdkOwned = "Custom::AWSCDK-EKS-Cluster" // what the CDK's construct Cluster is
	launch   = "AWS::EC2::LaunchTemplate"
	config   = "AWS::AutoScaling::LaunchConfiguration"
)

// readers read the types of resources.
var readers = map[string]func(t *template, id string){
	role: (*template).role, policy: (*template).managedPolicy, profile: (*template).profile,
	"AWS::IAM::Policy": (*template).inlinePolicy, "AWS::IAM::RolePolicy": (*template).inlinePolicy,
	"AWS::IAM::OIDCProvider": (*template).oidcProvider,
	cluster:                  (*template).cluster, cdkOwned: (*template).cluster,
	"AWS::EKS::Nodegroup":                   (*template).nodeGroup,
	"AWS::EKS::FargateProfile":              (*template).fargateProfile,
	"Custom::AWSCDK-EKS-FargateProfile":     (*template).fargateProfile,
	"AWS::EKS::AccessEntry":                 (*template).accessEntry,
	"AWS::EKS::Addon":                       (*template).addon,
	"AWS::EKS::PodIdentityAssociation":      (*template).association,
	"AWS::AutoScaling::AutoScalingGroup":    (*template).group,
	"Custom::AWSCDK-EKS-KubernetesResource": (*template).kubernetes,
	"AWS::CloudFormation::Stack":            (*template).nestedStack,
}

// facts are what is not known where a resource may be left out by a condition.
var facts = map[string]snapshot.Fact{
	role: snapshot.FactRoles, policy: snapshot.FactPolicies, profile: snapshot.FactInstanceProfiles,
	"AWS::IAM::Policy": snapshot.FactInlinePolicies, "AWS::IAM::RolePolicy": snapshot.FactInlinePolicies,
	"AWS::IAM::OIDCProvider": snapshot.FactOIDCProviders, cluster: snapshot.FactCluster, cdkOwned: snapshot.FactCluster,
	"AWS::EKS::Nodegroup": snapshot.FactNodeGroups, "AWS::EKS::FargateProfile": snapshot.FactFargateProfiles,
	"Custom::AWSCDK-EKS-FargateProfile": snapshot.FactFargateProfiles, "AWS::EKS::AccessEntry": snapshot.FactAccessEntries,
	"AWS::EKS::Addon": snapshot.FactAddons, "AWS::EKS::PodIdentityAssociation": snapshot.FactPodIdentity,
	"AWS::AutoScaling::AutoScalingGroup": snapshot.FactAutoScaling, "Custom::AWSCDK-EKS-KubernetesResource": snapshot.FactAWSAuth,
	"AWS::CloudFormation::Stack": snapshot.FactAutoScaling,
}

// read reads a resource, if its condition is true.
func (t *template) read(id string) {
	kind := scalar(t.resources[id]["Type"])
	reader, known := readers[kind]
	if !known {
		return
	}
	if name := scalar(t.resources[id]["Condition"]); name != "" {
		switch c := t.condition(name).(type) {
		case bool:
			if !c {
				return
			}
		default:
			t.code.Unsure = append(t.code.Unsure, iac.Unsure{Fact: facts[kind], Why: iac.Unknown(fmt.Sprintf("whether %s exists: %s", id, whyPart(c)))})
			if kind != role && kind != policy && kind != profile {
				return // a role that nothing names does no harm
			}
		}
	}
	reader(t, id)
}

func (t *template) declared(id string) iac.Declared {
	return iac.Declared{Address: t.address(id), LogicalID: id, File: t.name, Line: t.lines[id]}
}

// named reads the name of something in IAM, which AWS makes up where the template has none.
func (t *template) named(id, property string) iac.Name {
	name := t.valueOf(t.property(id, property))
	if name.Empty() {
		name = iac.Unknown(id + " has a name only after deployment")
	}
	n := iac.Name{Name: name, ARN: t.arn(id)}
	if name.Unknown != "" {
		n.Prefix = t.prefix(id)
	}
	if path, ok := t.property(id, "Path").(string); ok {
		n.Path = path
	}
	return n
}

// each evaluates a list; one that is not known has one element that is not known.
func (t *template) each(id string, path ...string) []any {
	switch v := t.property(id, path...).(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func (t *template) list(id string, types []string, path ...string) []iac.Value {
	var values []iac.Value
	for _, v := range t.each(id, path...) {
		values = append(values, t.valueOf(v, types...))
	}
	return values
}

// texts are the known texts of a list.
func (t *template) texts(v any) []string {
	var list []string
	elements, _ := v.([]any)
	for _, e := range elements {
		if s := scalar(e); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// field is an element of an evaluated map.
func field(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}

func (t *template) role(id string) {
	r := iac.Role{
		Declared: t.declared(id), Name: t.named(id, "RoleName"), Trust: t.document(t.property(id, "AssumeRolePolicyDocument")),
		Boundary: t.valueOf(t.property(id, "PermissionsBoundary"), policy), Attached: t.list(id, []string{policy}, "ManagedPolicyArns"),
	}
	for _, p := range t.each(id, "Policies") {
		if reason := why(p); reason != "" && field(p, "PolicyName") == nil {
			r.Inline = append(r.Inline, iac.Document{Name: iac.Unknown(reason)})
			continue
		}
		r.Inline = append(r.Inline, iac.Document{Name: t.valueOf(field(p, "PolicyName")), Document: t.document(field(p, "PolicyDocument"))})
	}
	for _, tag := range t.each(id, "Tags") {
		if key := scalar(field(tag, "Key")); key != "" {
			if r.Tags == nil {
				r.Tags = map[string]string{}
			}
			r.Tags[key] = scalar(field(tag, "Value"))
		}
	}
	t.code.Roles = append(t.code.Roles, r)
}

func (t *template) managedPolicy(id string) {
	t.code.Policies = append(t.code.Policies, iac.Policy{
		Declared: t.declared(id), Name: t.named(id, "ManagedPolicyName"), Document: t.document(t.property(id, "PolicyDocument")),
	})
	for _, r := range t.list(id, []string{role}, "Roles") {
		t.code.Attachments = append(t.code.Attachments, iac.Attachment{Declared: t.declared(id), Role: r, Policy: iac.Value{Resource: t.address(id)}})
	}
}

func (t *template) inlinePolicy(id string) {
	roles := t.list(id, []string{role}, "Roles")
	if name := t.property(id, "RoleName"); name != nil {
		roles = append(roles, t.valueOf(name, role))
	}
	for _, r := range roles {
		t.code.InlinePolicies = append(t.code.InlinePolicies, iac.InlinePolicy{
			Declared: t.declared(id), Role: r,
			Document: iac.Document{Name: t.valueOf(t.property(id, "PolicyName")), Document: t.document(t.property(id, "PolicyDocument"))},
		})
	}
}

func (t *template) profile(id string) {
	p := iac.Profile{Declared: t.declared(id), Name: t.named(id, "InstanceProfileName")}
	if roles := t.list(id, []string{role}, "Roles"); len(roles) > 0 {
		p.Role = roles[0]
	}
	t.code.Profiles = append(t.code.Profiles, p)
}

func (t *template) oidcProvider(id string) {
	t.code.OIDCProviders = append(t.code.OIDCProviders, iac.OIDCProvider{
		Declared: t.declared(id), URL: t.valueOf(t.property(id, "Url")), ClientIDs: t.texts(t.property(id, "ClientIdList")),
	})
}

// cluster reads a cluster. The CDK's own resource has the properties of EKS's API, under
// Config and in lower case.
func (t *template) cluster(id string) {
	get := func(path ...string) any { return t.property(id, path...) }
	if scalar(t.resources[id]["Type"]) == cdkOwned {
		get = func(path ...string) any {
			lower := []string{"Config"}
			for _, p := range path {
				lower = append(lower, strings.ToLower(p[:1])+p[1:])
			}
			return t.property(id, lower...)
		}
	}
	c := iac.Cluster{
		Declared: t.declared(id), Name: t.valueOf(get("Name")), Version: scalar(get("Version")), Role: t.valueOf(get("RoleArn"), role),
		Mode:     t.valueOf(get("AccessConfig", "AuthenticationMode")),
		IPFamily: t.valueOf(get("KubernetesNetworkConfig", "IpFamily")), Issuer: iac.Unknown("the OIDC issuer of " + id + " is known only after deployment"),
		SelfManagedAddons: t.valueOf(get("BootstrapSelfManagedAddons")),
	}
	if c.Name.Empty() {
		c.Name = iac.Unknown(id + " has a name only after deployment")
	}
	if outpost, set := get("OutpostConfig").(map[string]any); set {
		c.LocalControlPlane = outpost["EtcdInstanceType"] == nil
	}
	networks, _ := get("RemoteNetworkConfig", "RemoteNodeNetworks").([]any)
	for _, n := range networks {
		c.RemoteNetworks = append(c.RemoteNetworks, t.texts(field(n, "Cidrs"))...)
	}
	switch enabled := t.valueOf(get("ComputeConfig", "Enabled")); {
	case enabled.Unknown != "":
		c.AutoModeUnknown = enabled
	case enabled.Text == "true":
		c.AutoMode = &iac.AutoMode{Pools: t.texts(get("ComputeConfig", "NodePools")), Role: t.valueOf(get("ComputeConfig", "NodeRoleArn"), role)}
	}
	t.code.Clusters = append(t.code.Clusters, c)
}

// clusterName is the cluster that a resource is for.
func (t *template) clusterName(v any) iac.Value { return t.valueOf(v, cluster, cdkOwned) }

func (t *template) nodeGroup(id string) {
	g := iac.NodeGroup{
		Declared: t.declared(id), Name: t.valueOf(t.property(id, "NodegroupName")), Cluster: t.clusterName(t.property(id, "ClusterName")),
		Role: t.valueOf(t.property(id, "NodeRole"), role), AMIType: scalar(t.property(id, "AmiType")), LaunchTemplate: t.property(id, "LaunchTemplate") != nil,
	}
	if of, template := t.launchTemplate(id, []string{"LaunchTemplate", "Id"}, []string{"LaunchTemplate", "Name"}); of != nil {
		g.Metadata = of.metadata(template)
	}
	t.code.NodeGroups = append(t.code.NodeGroups, g)
}

// launchTemplate is the launch template or configuration that a property of a resource refers
// to, and the template that has it; nil where there is none.
func (t *template) launchTemplate(id string, paths ...[]string) (of *template, launched string) {
	names := map[string]string{launch: "LaunchTemplateName", config: "LaunchConfigurationName"}
	for _, path := range paths {
		r, _ := t.property(id, path...).(reference)
		name := t.nameAt(id, path...)
		for _, of := range t.all {
			same := of == t || !strings.Contains(name, stackStandIn)
			for _, other := range text.SortedKeys(of.resources) {
				property, launches := names[scalar(of.resources[other]["Type"])]
				if launches && (of == r.of && other == r.id || same && name != "" && of.nameAt(other, property) == name) {
					return of, other
				}
			}
		}
	}
	return nil, ""
}

// nameAt is a property of a resource as withStack evaluates it.
func (t *template) nameAt(id string, path ...string) string {
	value := t.resources[id]["Properties"]
	for _, name := range path {
		value = field(value, name)
	}
	return t.withStack(value)
}

// launchData is a property of a launch template or configuration.
func (t *template) launchData(id string, path ...string) any {
	if scalar(t.resources[id]["Type"]) == launch {
		path = append([]string{"LaunchTemplateData"}, path...)
	}
	return t.property(id, path...)
}

// launchProfile is the instance profile that a launch template or configuration names.
func (t *template) launchProfile(id string) iac.Value {
	if scalar(t.resources[id]["Type"]) == config {
		return t.valueOf(t.launchData(id, "IamInstanceProfile"), profile)
	}
	if arn := t.launchData(id, "IamInstanceProfile", "Arn"); arn != nil {
		return t.valueOf(arn, profile)
	}
	return t.valueOf(t.launchData(id, "IamInstanceProfile", "Name"), profile)
}

// metadata reads the options of the instance metadata service from a launch template.
func (t *template) metadata(id string) *iac.Metadata {
	get := func(name string) iac.Value {
		return t.valueOf(t.launchData(id, "MetadataOptions", name))
	}
	return &iac.Metadata{Tokens: get("HttpTokens"), Endpoint: get("HttpEndpoint"), HopLimit: get("HttpPutResponseHopLimit")}
}

func (t *template) fargateProfile(id string) {
	get := func(names ...string) any {
		for _, n := range names {
			if v := t.property(id, strings.Split(n, ".")...); v != nil {
				return v
			}
		}
		return nil
	}
	t.code.FargateProfiles = append(t.code.FargateProfiles, iac.FargateProfile{
		Declared: t.declared(id), Name: t.valueOf(get("FargateProfileName", "Config.fargateProfileName")),
		Cluster: t.clusterName(get("ClusterName", "Config.clusterName")), Role: t.valueOf(get("PodExecutionRoleArn", "Config.podExecutionRoleArn"), role),
	})
}

func (t *template) accessEntry(id string) {
	e := iac.AccessEntry{
		Declared: t.declared(id), Cluster: t.clusterName(t.property(id, "ClusterName")), Principal: t.valueOf(t.property(id, "PrincipalArn"), role),
		Type:  t.valueOf(t.property(id, "Type")),
		Facts: snapshot.AccessEntry{Username: scalar(t.property(id, "Username")), Groups: t.texts(t.property(id, "KubernetesGroups"))},
	}
	t.code.AccessEntries = append(t.code.AccessEntries, e)
	for _, p := range t.each(id, "AccessPolicies") {
		t.code.AccessPolicies = append(t.code.AccessPolicies, iac.AccessPolicy{
			Declared: e.Declared, Cluster: e.Cluster, Principal: e.Principal, Policy: t.valueOf(field(p, "PolicyArn")),
			Namespaces: t.texts(field(field(p, "AccessScope"), "Namespaces")),
		})
	}
}

func (t *template) addon(id string) {
	a := iac.Addon{
		Declared: t.declared(id), Name: t.valueOf(t.property(id, "AddonName")), Cluster: t.clusterName(t.property(id, "ClusterName")),
		Version: t.valueOf(t.property(id, "AddonVersion")), Role: t.valueOf(t.property(id, "ServiceAccountRoleArn"), role),
		Config: t.valueOf(t.property(id, "ConfigurationValues")),
	}
	for _, p := range t.each(id, "PodIdentityAssociations") {
		if reason := why(p); reason != "" && field(p, "ServiceAccount") == nil {
			a.Associations = append(a.Associations, iac.Association{ServiceAccount: iac.Unknown(reason)})
			continue
		}
		a.Associations = append(a.Associations, iac.Association{ServiceAccount: t.valueOf(field(p, "ServiceAccount")), Role: t.valueOf(field(p, "RoleArn"), role)})
	}
	t.code.Addons = append(t.code.Addons, a)
}

func (t *template) association(id string) {
	t.code.Associations = append(t.code.Associations, iac.Association{
		Declared: t.declared(id), Cluster: t.clusterName(t.property(id, "ClusterName")),
		Namespace: t.valueOf(t.property(id, "Namespace")), ServiceAccount: t.valueOf(t.property(id, "ServiceAccount")),
		Role: t.valueOf(t.property(id, "RoleArn"), role), TargetRole: t.valueOf(t.property(id, "TargetRoleArn"), role),
		Policy: t.document(t.property(id, "Policy")), DisableSessionTags: scalar(t.property(id, "DisableSessionTags")) == "true",
	})
}

// clusterTag is the key of the tag by which instances belong to a cluster.
const clusterTag = "kubernetes.io/cluster/"

// clusterNamed is the cluster whose name is in a text that was evaluated with stand-ins.
func (t *template) clusterNamed(name string) iac.Value {
	for _, of := range t.all {
		for id := range of.resources {
			if name == iac.StandIn(of.address(id)) {
				return iac.Value{Resource: of.address(id)}
			}
		}
	}
	return iac.Text(name)
}

func (t *template) group(id string) {
	g := iac.Group{Declared: t.declared(id), Name: t.address(id)}
	if name := scalar(t.property(id, "AutoScalingGroupName")); name != "" {
		g.Name = name
	}
	t.standIns = true
	tags := t.each(id, "Tags")
	t.standIns = false
	for _, tag := range tags {
		key := field(tag, "Key")
		name, ok := strings.CutPrefix(scalar(key), clusterTag)
		switch reason := why(key); {
		case ok && scalar(field(tag, "Value")) == "owned":
			g.Cluster = t.clusterNamed(name)
		case reason != "" && g.Cluster.Empty():
			g.Cluster = iac.Unknown("a tag of " + id + ": " + reason)
		}
	}
	switch {
	case g.Cluster.Empty():
		return
	case g.Cluster.Unknown != "":
		t.code.Unsure = append(t.code.Unsure, iac.Unsure{Fact: snapshot.FactAutoScaling, Subject: id, Why: g.Cluster})
		return
	}
	g.Profile = iac.Unknown("the launch template of " + id + " is not in the template")
	mixed := func(name string) []string {
		return []string{"MixedInstancesPolicy", "LaunchTemplate", "LaunchTemplateSpecification", name}
	}
	of, launched := t.launchTemplate(id, []string{"LaunchConfigurationName"}, []string{"LaunchTemplate", "LaunchTemplateId"}, []string{"LaunchTemplate", "LaunchTemplateName"},
		mixed("LaunchTemplateId"), mixed("LaunchTemplateName"))
	if of != nil {
		g.Template, g.Metadata, g.Profile = of.address(launched), of.metadata(launched), of.launchProfile(launched)
	}
	t.code.Groups = append(t.code.Groups, g)
}

// nestedStack notes that a nested stack may start nodes of a cluster whose name it is given.
func (t *template) nestedStack(id string) {
	parameters, _ := t.property(id, "Parameters").(map[string]any)
	for _, name := range text.SortedKeys(parameters) {
		c := t.clusterName(parameters[name])
		if c.Resource == "" && !t.isCluster(c.Text) {
			continue
		}
		t.code.Unsure = append(t.code.Unsure, iac.Unsure{
			Cluster: c, Fact: snapshot.FactAutoScaling, Subject: t.address(id), Why: iac.Value{Unknown: "what the nested stack " + t.address(id) + " makes is not read"},
		})
		return
	}
}

// isCluster reports whether a text is the name of a cluster of the templates.
func (t *template) isCluster(name string) bool {
	known, _ := t.once("names of clusters", func() any {
		names := map[string]bool{}
		for _, of := range t.all {
			for id, r := range of.resources {
				if scalar(r["Type"]) == cluster {
					names[scalar(of.property(id, "Name"))] = true
				}
			}
		}
		return names
	}).(map[string]bool)
	return name != "" && known[name]
}

// kubernetes reads the objects in the CDK's manifests. One that is not known may be what
// matters.
func (t *template) kubernetes(id string) {
	t.code.Kubernetes = true
	cluster := t.clusterName(t.property(id, "ClusterName"))
	t.standIns = true
	manifest := t.property(id, "Manifest")
	t.standIns = false
	if reason := why(manifest); reason != "" {
		t.unknownManifest(id, cluster, iac.Unknown(id+": "+reason))
		return
	}
	// The property is a list of objects.
	objects, err := manifests.Parse([]byte(`{"apiVersion": "v1", "kind": "List", "items": ` + scalar(manifest) + `}`))
	if err != nil {
		t.unknownManifest(id, cluster, iac.Unknown(id+" has no manifest that Kubernetes takes"))
		return
	}
	for _, o := range objects {
		o.Add(t.code, t.declared(id), cluster)
	}
}

// unknownManifest notes what a manifest that is not known may be.
func (t *template) unknownManifest(id string, cluster, reason iac.Value) {
	has := func(word string) bool { return strings.Contains(fmt.Sprint(t.resources[id]["Properties"]), word) }
	if has("aws-auth") {
		t.code.AWSAuths = append(t.code.AWSAuths, iac.AWSAuth{Declared: t.declared(id), Cluster: cluster, MapRoles: reason})
	}
	if has("aws-node") && has("ServiceAccount") {
		t.code.ServiceAccounts = append(t.code.ServiceAccounts, iac.ServiceAccount{Declared: t.declared(id), Cluster: cluster, Role: reason})
	}
	if has("NodeClass") {
		t.code.Unsure = append(t.code.Unsure, iac.Unsure{Cluster: cluster, Fact: snapshot.FactNodeClasses, Subject: t.address(id), Why: reason})
	}
}
