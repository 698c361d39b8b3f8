package fleetsim_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const timeForm = "2006-01-02T15:04:05.000Z"

// answerEKS answers for the clusters of a region. The operation is the path.
func (c *cloud) answerEKS(of *call) {
	path := append(strings.SplitN(of.operation, "/", 4), "", "", "")
	names := c.accounts[of.account].regions[of.region]
	if of.operation == "clusters" {
		of.json(map[string]any{"clusters": append([]string{}, names...)})
		return
	}
	s := c.clusters[place{of.account, of.region, path[1]}.arn()]
	kind, name := path[2], path[3]
	entry, policies := strings.CutSuffix(name, "/access-policies")
	switch {
	case s == nil:
		of.missing()
	case kind == "":
		of.json(map[string]any{"cluster": c.clusterJSON(s)})
	case name == "":
		listEKS(of, s, kind)
	case policies:
		answerAccessPolicies(of, s.AccessEntries[entry])
	default:
		describeEKS(of, s, kind, name)
	}
}

func (c *cloud) clusterJSON(s *snapshot.Snapshot) map[string]any {
	id := s.Cluster.Identity()
	out := map[string]any{
		"name": id.Name(), "arn": s.Cluster.ARN, "version": s.Cluster.Version, "status": s.Cluster.Status, "roleArn": s.Cluster.RoleARN,
		"endpoint":                c.kube.URL + "/" + id.Account + "/" + id.Region + "/" + id.Name(),
		"certificateAuthority":    map[string]any{"data": c.authority},
		"kubernetesNetworkConfig": map[string]any{"ipFamily": s.Cluster.IPFamily},
		"accessConfig":            map[string]any{"authenticationMode": s.Cluster.AuthenticationMode},
		"identity":                map[string]any{"oidc": map[string]any{"issuer": s.Cluster.OIDCIssuer}},
		"resourcesVpcConfig":      map[string]any{"vpcId": s.Cluster.VPCID},
		"health":                  healthJSON(s.Cluster.Health),
	}
	if auto := s.Cluster.AutoMode; auto != nil {
		out["computeConfig"] = map[string]any{"enabled": true, "nodeRoleArn": auto.NodeRoleARN, "nodePools": auto.NodePools}
	}
	if s.Cluster.LocalControlPlane {
		out["outpostConfig"] = map[string]any{"outpostArns": []string{}, "controlPlaneInstanceType": "m5.large"}
	}
	if networks := s.Cluster.RemoteNodeNetworks; len(networks) > 0 {
		out["remoteNetworkConfig"] = map[string]any{"remoteNodeNetworks": []any{map[string]any{"cidrs": networks}}}
	}
	return out
}

func healthJSON(issues []snapshot.HealthIssue) map[string]any {
	list := []any{}
	for _, issue := range issues {
		list = append(list, map[string]any{"code": issue.Code, "message": issue.Message, "resourceIds": issue.ResourceIDs})
	}
	return map[string]any{"issues": list}
}

func listEKS(of *call, s *snapshot.Snapshot, kind string) {
	names := func(list []string) []string { return append([]string{}, list...) }
	switch kind {
	case "node-groups":
		of.json(map[string]any{"nodegroups": names(sorted(s.NodeGroups))})
	case "fargate-profiles":
		of.json(map[string]any{"fargateProfileNames": names(sorted(s.FargateProfiles))})
	case "access-entries":
		of.json(map[string]any{"accessEntries": names(sorted(s.AccessEntries))})
	case "pod-identity-associations":
		ids := sorted(s.PodIdentityAssociations)
		if account := of.r.Form.Get("namespace") + "/" + of.r.Form.Get("serviceAccount"); account != "kube-system/aws-node" {
			ids = s.AddonAccounts[account].PodIdentityAssociations
		}
		list := []any{}
		for _, id := range ids {
			list = append(list, map[string]any{"associationId": id})
		}
		of.json(map[string]any{"associations": list})
	default:
		of.missing()
	}
}

func describeEKS(of *call, s *snapshot.Snapshot, kind, name string) {
	switch kind {
	case "node-groups":
		group, known := s.NodeGroups[name]
		out := map[string]any{
			"nodegroupName": name, "nodeRole": group.NodeRoleARN, "status": group.Status, "amiType": group.AMIType, "subnets": group.Subnets,
			"health": healthJSON(group.Health),
		}
		if id, version, ok := strings.Cut(group.LaunchTemplate, ":"); ok {
			out["launchTemplate"] = map[string]any{"id": id, "version": version}
		}
		of.one(known, "nodegroup", out)
	case "fargate-profiles":
		profile, known := s.FargateProfiles[name]
		of.one(known, "fargateProfile", map[string]any{"podExecutionRoleArn": profile.PodExecutionRoleARN, "status": profile.Status})
	case "addons":
		addon, known := s.Addons[name]
		out := map[string]any{
			"addonName": name, "addonVersion": addon.Version, "status": addon.Status, "podIdentityAssociations": addon.PodIdentityAssociations,
			"health": healthJSON(addon.Health),
		}
		if addon.ServiceAccountRoleARN != "" {
			out["serviceAccountRoleArn"] = addon.ServiceAccountRoleARN
		}
		of.one(known, "addon", out)
	case "pod-identity-associations":
		a, known := s.PodIdentityAssociations[name]
		out := map[string]any{
			"associationId": name, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount, "roleArn": a.RoleARN, "disableSessionTags": a.DisableSessionTags,
		}
		for field, value := range map[string]string{"targetRoleArn": a.TargetRoleARN, "externalId": a.ExternalID, "policy": a.Policy} {
			if value != "" {
				out[field] = value
			}
		}
		of.one(known, "association", out)
	case "access-entries":
		entry, known := s.AccessEntries[name]
		out := map[string]any{"principalArn": name, "type": entry.Type, "username": entry.Username, "kubernetesGroups": entry.Groups}
		if !entry.CreatedAt.IsZero() {
			out["createdAt"] = float64(entry.CreatedAt.UnixMilli()) / 1000
		}
		of.one(known, "accessEntry", out)
	default:
		of.missing()
	}
}

func (c *call) one(known bool, field string, object map[string]any) {
	if !known {
		c.missing()
		return
	}
	c.json(map[string]any{field: object})
}

func answerAccessPolicies(of *call, entry snapshot.AccessEntry) {
	list := []any{}
	for _, arn := range sorted(entry.Policies) {
		scope := map[string]any{"type": "cluster"}
		if namespaces := entry.Policies[arn]; len(namespaces) > 0 {
			scope = map[string]any{"type": "namespace", "namespaces": namespaces}
		}
		list = append(list, map[string]any{"policyArn": arn, "accessScope": scope})
	}
	of.json(map[string]any{"associatedAccessPolicies": list})
}

// answerIAM answers for the roles, policies and instance profiles of an account.
func (c *cloud) answerIAM(of *call) {
	a, form := c.accounts[of.account], of.r.Form
	role, known := a.roles[form.Get("RoleName")]
	if form.Has("RoleName") && !known {
		of.missing()
		return
	}
	switch of.operation {
	case "GetRole":
		of.xml("<Role>" + roleXML(role, true) + "</Role>")
	case "ListAttachedRolePolicies":
		of.members("AttachedPolicies", role.AttachedPolicies, func(arn string) string { return element("PolicyArn", arn) })
	case "ListRolePolicies":
		of.names("PolicyNames", sorted(role.InlinePolicies))
	case "GetRolePolicy":
		of.xml(element("PolicyName", form.Get("PolicyName")) + element("PolicyDocument", encoded(role.InlinePolicies[form.Get("PolicyName")])))
	case "ListInstanceProfilesForRole":
		var holding []string
		for _, name := range sorted(a.profiles) {
			if slices.Contains(a.profiles[name].Roles, role.arn) {
				holding = append(holding, name)
			}
		}
		of.members("InstanceProfiles", holding, func(name string) string { return a.profileXML(a.profiles[name]) })
	case "GetInstanceProfile":
		profile, known := a.profiles[form.Get("InstanceProfileName")]
		if !known {
			of.missing()
			return
		}
		of.xml("<InstanceProfile>" + a.profileXML(profile) + "</InstanceProfile>")
	case "GetAccountSummary":
		entry := func(key string, value int32) string {
			return element("key", key) + element("value", strconv.Itoa(int(value)))
		}
		of.xml(elements("SummaryMap", "entry", []string{entry("InstanceProfiles", a.quota.Used), entry("InstanceProfilesQuota", a.quota.Max)}))
	case "ListInstanceProfiles":
		of.members("InstanceProfiles", sorted(a.profiles), func(name string) string { return a.profileXML(a.profiles[name]) })
	case "ListPolicies":
		c.listPolicies(of, form.Get("PolicyUsageFilter") == "PermissionsBoundary")
	case "GetPolicy", "GetPolicyVersion":
		policy, known := c.policy(of.account, form.Get("PolicyArn"))
		switch {
		case !known:
			of.missing()
		case of.operation == "GetPolicy":
			of.xml("<Policy>" + element("Arn", form.Get("PolicyArn")) + element("DefaultVersionId", policy.Version) + "</Policy>")
		default:
			of.xml("<PolicyVersion>" + element("VersionId", policy.Version) + element("Document", encoded(policy.Document)) + "</PolicyVersion>")
		}
	case "ListOpenIDConnectProviders":
		of.members("OpenIDConnectProviderList", sorted(a.providers), func(arn string) string { return element("Arn", arn) })
	case "GetOpenIDConnectProvider":
		arn := form.Get("OpenIDConnectProviderArn")
		provider, known := a.providers[arn]
		if !known {
			of.missing()
			return
		}
		_, issuer, _ := strings.Cut(arn, ":oidc-provider/")
		of.xml(element("Url", issuer) + elements("ClientIDList", "member", provider.ClientIDs))
	default:
		of.fail(http.StatusForbidden, "AccessDenied", "not authorized")
	}
}

func (c *cloud) policy(account, arn string) (snapshot.Policy, bool) {
	policy, known := c.managed[arn]
	if !known {
		policy, known = c.accounts[account].policies[arn]
	}
	return policy, known
}

func (c *cloud) listPolicies(of *call, boundaries bool) {
	used := map[string]bool{}
	for _, role := range c.accounts[of.account].roles {
		if boundaries && role.PermissionsBoundary != "" {
			used[role.PermissionsBoundary] = true
		}
		for _, arn := range role.AttachedPolicies {
			used[arn] = used[arn] || !boundaries
		}
	}
	var arns []string
	for _, arn := range sorted(used) {
		if _, known := c.policy(of.account, arn); known && used[arn] {
			arns = append(arns, arn)
		}
	}
	of.members("Policies", arns, func(arn string) string {
		policy, _ := c.policy(of.account, arn)
		return element("Arn", arn) + element("DefaultVersionId", policy.Version)
	})
}

func (c *call) members(field string, items []string, member func(string) string) {
	var list []string
	for _, item := range items {
		list = append(list, member(item))
	}
	c.whole(field, list)
}

// names is a list of texts.
func (c *call) names(field string, items []string) {
	var list []string
	for _, item := range items {
		list = append(list, strings.TrimSuffix(strings.TrimPrefix(element("x", item), "<x>"), "</x>"))
	}
	c.whole(field, list)
}

func (c *call) whole(field string, list []string) {
	if len(list) == 0 {
		c.xml("<" + field + "></" + field + "><IsTruncated>false</IsTruncated>")
		return
	}
	c.xml(elements(field, "member", list) + "<IsTruncated>false</IsTruncated>")
}

// encoded is a document as IAM gives it: percent-encoded by RFC 3986.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

func roleXML(role namedRole, whole bool) string {
	out := element("RoleName", snapshot.NameOf(role.arn)) + element("Arn", role.arn) + element("RoleId", role.ID) +
		element("AssumeRolePolicyDocument", encoded(role.TrustPolicy))
	if !role.CreatedAt.IsZero() {
		out += element("CreateDate", role.CreatedAt.UTC().Format(time.RFC3339))
	}
	if !whole {
		return out
	}
	if role.PermissionsBoundary != "" {
		out += "<PermissionsBoundary>" + element("PermissionsBoundaryArn", role.PermissionsBoundary) + "</PermissionsBoundary>"
	}
	for _, key := range sorted(role.Tags) {
		out += "<Tags><member>" + element("Key", key) + element("Value", role.Tags[key]) + "</member></Tags>"
	}
	return out
}

func (a *account) profileXML(profile namedProfile) string {
	out := element("InstanceProfileName", snapshot.NameOf(profile.arn)) + element("Arn", profile.arn)
	for _, arn := range profile.Roles {
		role, known := a.roles[snapshot.NameOf(arn)]
		if !known {
			role.arn = arn
		}
		out += "<Roles><member>" + roleXML(role, false) + "</member></Roles>"
	}
	return out
}

// answerSTS tells who calls, and gives the credentials of a role of another account.
func (c *cloud) answerSTS(of *call) {
	switch of.operation {
	case "GetCallerIdentity":
		of.xml(element("Account", of.account) + element("Arn", "arn:aws:iam::"+of.account+":user/ci"))
	case "AssumeRole":
		arn, _ := snapshot.ParseARN(of.r.Form.Get("RoleArn"))
		if arn.Name() != readerRole || of.r.Form.Get("ExternalId") != externalID || c.accounts[arn.Account] == nil {
			of.fail(http.StatusForbidden, "AccessDenied", "not authorized to perform sts:AssumeRole")
			return
		}
		of.xml("<Credentials>" + element("AccessKeyId", "ASIA"+arn.Account) + element("SecretAccessKey", "s") + element("SessionToken", "t") +
			element("Expiration", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)) + "</Credentials>")
	default:
		of.fail(http.StatusForbidden, "AccessDenied", "not authorized")
	}
}

// answerOrganizations lists the accounts, 20 at a time as AWS does.
func (c *cloud) answerOrganizations(of *call) {
	ids := sorted(c.accounts)
	token, _ := of.body["NextToken"].(string)
	from, _ := strconv.Atoi(token)
	to := min(from+20, len(ids))
	accounts := []any{}
	for _, id := range ids[from:to] {
		accounts = append(accounts, map[string]any{"Id": id, "State": "ACTIVE"})
	}
	out := map[string]any{"Accounts": accounts}
	if to < len(ids) {
		out["NextToken"] = strconv.Itoa(to)
	}
	of.json(out)
}

// answerECR answers for the policies of repositories.
func (c *cloud) answerECR(of *call) {
	registry, _ := of.body["registryId"].(string)
	name, _ := of.body["repositoryName"].(string)
	for _, s := range c.clusters {
		if s.Cluster.Identity().Account != of.account {
			continue
		}
		for arn, policy := range s.RepositoryPolicies {
			if a, _ := snapshot.ParseARN(arn); a.Account == registry && a.Resource == "repository/"+name && policy.Document != "" {
				of.json(map[string]any{"registryId": registry, "repositoryName": name, "policyText": policy.Document})
				return
			}
		}
	}
	of.fail(http.StatusBadRequest, "RepositoryPolicyNotFoundException", "there is no policy")
}

// clustersOf are the facts of the clusters of an account's region.
func (c *cloud) clustersOf(of *call) []*snapshot.Snapshot {
	var all []*snapshot.Snapshot
	for _, name := range c.accounts[of.account].regions[of.region] {
		all = append(all, c.clusters[place{of.account, of.region, name}.arn()])
	}
	return all
}

// answerEC2 answers for instances, launch templates, VPC endpoints and regions.
func (c *cloud) answerEC2(of *call) {
	filter := of.list("Filter.1.Value")
	switch of.operation {
	case "DescribeRegions":
		var regions []string
		for _, region := range sorted(c.accounts[of.account].regions) {
			regions = append(regions, element("regionName", region))
		}
		of.xml(elements("regionInfo", "item", regions))
	case "DescribeInstances":
		c.describeInstances(of, filter)
	case "DescribeLaunchTemplateVersions":
		for _, s := range c.clustersOf(of) {
			for name, group := range s.NodeGroups {
				if group.Metadata != nil && managedTemplate(s, name) == of.r.Form.Get("LaunchTemplateId") {
					of.xml("<launchTemplateVersionSet><item><launchTemplateData>" + metadataXML("metadataOptions", group.Metadata) + "</launchTemplateData></item></launchTemplateVersionSet>")
					return
				}
			}
			for _, group := range s.AutoScalingGroups {
				if id, _, _ := strings.Cut(group.LaunchTemplate, ":"); id != "" && id == of.r.Form.Get("LaunchTemplateId") {
					data := metadataXML("metadataOptions", group.Metadata)
					if group.InstanceProfile != "" {
						data += "<iamInstanceProfile>" + element("arn", group.InstanceProfile) + "</iamInstanceProfile>"
					}
					of.xml("<launchTemplateVersionSet><item><launchTemplateData>" + data + "</launchTemplateData></item></launchTemplateVersionSet>")
					return
				}
			}
		}
		of.fail(http.StatusBadRequest, "InvalidLaunchTemplateId.NotFound", "there is none")
	case "DescribeVpcEndpoints":
		c.describeEndpoints(of, filter[0])
	case "DescribeRouteTables":
		c.describeRouteTables(of, filter[0])
	default:
		of.fail(http.StatusForbidden, "UnauthorizedOperation", "not authorized")
	}
}

func (c *cloud) describeInstances(of *call, filter []string) {
	var items []string
	for _, s := range c.clustersOf(of) {
		name := s.Cluster.Identity().Name()
		for _, id := range sorted(s.Instances) {
			i := s.Instances[id]
			tagged := of.r.Form.Get("Filter.1.Name") == "tag-key" && slices.Contains(filter, "kubernetes.io/cluster/"+name) && (i.State == "pending" || i.State == "running")
			if i.NotFound || !tagged && !slices.Contains(filter, id) {
				continue
			}
			items = append(items, "<instancesSet><item>"+element("instanceId", id)+instanceXML(name, i)+"</item></instancesSet>")
		}
	}
	if len(items) == 0 {
		of.xml("<reservationSet></reservationSet>")
		return
	}
	of.xml(elements("reservationSet", "item", items))
}

func instanceXML(cluster string, i snapshot.Instance) string {
	out := "<instanceState>" + element("name", i.State) + "</instanceState>"
	if i.InstanceProfile != "" {
		out += "<iamInstanceProfile>" + element("arn", i.InstanceProfile) + "</iamInstanceProfile>"
	}
	if !i.LaunchedAt.IsZero() {
		out += element("launchTime", i.LaunchedAt.UTC().Format(timeForm))
	}
	tags := map[string]string{"kubernetes.io/cluster/" + cluster: "shared", "eks:nodegroup-name": i.NodeGroup, "karpenter.sh/nodepool": i.NodePool, "aws:autoscaling:groupName": i.AutoScalingGroup}
	if i.Owned {
		tags["kubernetes.io/cluster/"+cluster] = "owned"
	}
	out += "<tagSet>"
	for _, key := range sorted(tags) {
		if tags[key] != "" {
			out += "<item>" + element("key", key) + element("value", tags[key]) + "</item>"
		}
	}
	out += "</tagSet><metadataOptions>"
	for name, value := range map[string]string{"httpTokens": i.HTTPTokens, "httpEndpoint": i.HTTPEndpoint} {
		if value != "" {
			out += element(name, value)
		}
	}
	if i.HopLimit > 0 {
		out += element("httpPutResponseHopLimit", strconv.Itoa(int(i.HopLimit)))
	}
	return out + "</metadataOptions>"
}

func (c *cloud) inVPC(of *call, vpc string) map[string]snapshot.VPCEndpoint {
	for _, s := range c.clustersOf(of) {
		if s.Cluster.VPCID == vpc {
			return s.VPCEndpoints
		}
	}
	return nil
}

func (c *cloud) describeEndpoints(of *call, vpc string) {
	endpoints := c.inVPC(of, vpc)
	var items []string
	for _, id := range sorted(endpoints) {
		e := endpoints[id]
		item := element("vpcEndpointId", id) + element("serviceName", "com.amazonaws."+of.region+"."+e.Service) + element("state", "available") + element("policyDocument", e.Policy)
		if e.Routes == nil {
			item += element("vpcEndpointType", "Interface") + element("privateDnsEnabled", "true")
		} else {
			item += element("vpcEndpointType", "Gateway") + "<routeTableIdSet>" + element("item", "rtb-"+id) + "</routeTableIdSet>"
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		of.xml("<vpcEndpointSet></vpcEndpointSet>")
		return
	}
	of.xml(elements("vpcEndpointSet", "item", items))
}

func (c *cloud) describeRouteTables(of *call, vpc string) {
	table := func(id string, main bool, subnets []string) string {
		out := element("routeTableId", id) + "<associationSet>"
		if main {
			out += "<item>" + element("main", "true") + "</item>"
		}
		for _, subnet := range subnets {
			out += "<item>" + element("subnetId", subnet) + "</item>"
		}
		return out + "</associationSet>"
	}
	var items []string
	endpoints := c.inVPC(of, vpc)
	for _, id := range sorted(endpoints) {
		if routes := endpoints[id].Routes; routes != nil {
			items = append(items, table("rtb-"+id, routes.Main, routes.Subnets), table("rtb-beside-"+id, false, routes.Others))
		}
	}
	of.xml(elements("routeTableSet", "item", items))
}

// answerAutoScaling answers for the Auto Scaling groups that are tagged for a cluster.
func (c *cloud) answerAutoScaling(of *call) {
	var items []string
	for _, s := range c.clustersOf(of) {
		for _, name := range sorted(s.AutoScalingGroups) {
			group := s.AutoScalingGroups[name]
			switch {
			case of.operation == "DescribeLaunchConfigurations" && group.LaunchConfiguration == of.r.Form.Get("LaunchConfigurationNames.member.1"):
				items = append(items, element("LaunchConfigurationName", group.LaunchConfiguration)+element("IamInstanceProfile", group.InstanceProfile)+metadataXML("MetadataOptions", group.Metadata))
			case of.operation == "DescribeAutoScalingGroups" && of.r.Form.Get("Filters.member.1.Values.member.1") == "kubernetes.io/cluster/"+s.Cluster.Identity().Name():
				items = append(items, groupXML(name, group))
			}
		}
	}
	if of.operation == "DescribeAutoScalingGroups" {
		items = append(items, c.managedGroups(of)...)
	}
	list := "AutoScalingGroups"
	if of.operation == "DescribeLaunchConfigurations" {
		list = "LaunchConfigurations"
	}
	if len(items) == 0 {
		of.xml("<" + list + "></" + list + ">")
		return
	}
	of.xml(elements(list, "member", items))
}

// managedGroups are the Auto Scaling groups of the managed node groups whose options are known.
func (c *cloud) managedGroups(of *call) []string {
	var items []string
	for _, s := range c.clustersOf(of) {
		if of.r.Form.Get("Filters.member.1.Values.member.1") != "kubernetes.io/cluster/"+s.Cluster.Identity().Name() {
			continue
		}
		for _, name := range sorted(s.NodeGroups) {
			if s.NodeGroups[name].Metadata != nil {
				items = append(items, groupXML("eks-"+name, snapshot.AutoScalingGroup{LaunchTemplate: managedTemplate(s, name) + ":1"})+
					"<Tags><member>"+element("Key", "eks:nodegroup-name")+element("Value", name)+"</member></Tags>")
			}
		}
	}
	return items
}

// managedTemplate is the launch template that EKS makes for a managed node group.
func managedTemplate(s *snapshot.Snapshot, nodeGroup string) string {
	return "lt-eks-" + s.Cluster.Identity().Name() + "-" + nodeGroup
}

// metadataXML are the options of a launch template, or of a launch configuration, whose
// elements begin with a capital.
func metadataXML(name string, options *snapshot.MetadataOptions) string {
	if options == nil || *options == (snapshot.MetadataOptions{}) {
		return ""
	}
	names := []string{"httpTokens", "httpEndpoint", "httpPutResponseHopLimit"}
	if name == "MetadataOptions" {
		names = []string{"HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit"}
	}
	out := ""
	for i, value := range []string{options.HTTPTokens, options.HTTPEndpoint, strconv.Itoa(int(options.HopLimit))} {
		if value != "" && value != "0" {
			out += element(names[i], value)
		}
	}
	return "<" + name + ">" + out + "</" + name + ">"
}

func groupXML(name string, group snapshot.AutoScalingGroup) string {
	out := element("AutoScalingGroupName", name)
	if id, version, ok := strings.Cut(group.LaunchTemplate, ":"); ok {
		out += "<LaunchTemplate>" + element("LaunchTemplateId", id) + element("Version", version) + "</LaunchTemplate>"
	}
	if group.LaunchConfiguration != "" {
		out += element("LaunchConfigurationName", group.LaunchConfiguration)
	}
	out += "<Instances>"
	for i := range group.Instances {
		out += "<member>" + element("InstanceId", "i-"+strconv.Itoa(i)) + "</member>"
	}
	return out + "</Instances>"
}
