package collect_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeAWS answers the calls of EKS, IAM, EC2 and STS that this program makes,
// in the wire shapes of the SDK: REST with JSON for EKS, the query protocol with
// XML for the others. It counts calls by operation and by operation and object.
type fakeAWS struct {
	URL string

	account  string
	region   string
	pageSize int
	latency  time.Duration
	// plain serves policy documents as they are, not percent-encoded.
	plain bool
	// answered, where set, is called after every answer.
	answered func()
	// fault, where set, may answer in place of the server.
	fault func(operation string, w http.ResponseWriter, r *http.Request) bool

	clusters     map[string]map[string]any // by name: the answer's cluster
	nodeGroups   map[string]map[string]any
	fargate      map[string]map[string]any
	addons       map[string]map[string]any
	associations map[string]map[string]any
	entries      map[string]map[string]any
	roles        map[string]fakeRole
	policies     map[string]string          // by ARN: the document
	profiles     map[string]fakeProfile     // by name
	instances    map[string]fakeEC2Instance // by id
	// noAutoScaling is set where there are no Auto Scaling groups.
	noAutoScaling bool
	// emptyGroups is set where the Auto Scaling groups have no instances.
	emptyGroups bool

	mu       sync.Mutex
	calls    map[string]int
	objects  map[string]int
	inFlight map[string]int
	peak     map[string]int
	spans    []span
}

// span is when a call was being answered.
type span struct {
	from, to  time.Time
	operation string
}

// reset forgets what was counted.
func (f *fakeAWS) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.calls)
	clear(f.objects)
	clear(f.peak)
	f.spans = nil
}

// row returns how many calls came one after the other: the most of which none
// began before another had ended.
func (f *fakeAWS) row() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(f.spans, func(a, b span) int { return a.to.Compare(b.to) })
	var n int
	var last time.Time
	for _, s := range f.spans {
		if !s.from.Before(last) {
			n++
			last = s.to
		}
	}
	return n
}

type fakeRole struct {
	path     string
	trust    string
	boundary string
	tags     map[string]string
	attached []string
	inline   map[string]string
	lastUsed string
}

type fakeProfile struct {
	path string
	role string
}

type fakeEC2Instance struct {
	state   string
	profile string
	tokens  string
	hops    int
	// owned is set where the instance is tagged as the cluster's own.
	owned bool
}

func newFakeAWS(tb testing.TB) *fakeAWS {
	tb.Helper()
	f := &fakeAWS{
		account: account, region: region, pageSize: 2,
		calls: map[string]int{}, objects: map[string]int{}, inFlight: map[string]int{}, peak: map[string]int{},
	}
	server := httptest.NewServer(f)
	tb.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

func (f *fakeAWS) roleARN(name string) string {
	return "arn:aws:iam::" + f.account + ":role" + f.rolePath(name) + name
}

func (f *fakeAWS) rolePath(name string) string {
	if path := f.roles[name].path; path != "" {
		return path
	}
	return "/"
}

// RoundTrip implements http.RoundTripper: the server without a network, for tests with a
// virtual clock.
func (f *fakeAWS) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	f.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// ServeHTTP implements http.Handler.
func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	operation, object := f.operation(r)
	service, _, _ := strings.Cut(operation, ":")
	f.mu.Lock()
	f.calls[operation]++
	f.objects[operation+" "+object]++
	f.inFlight[service]++
	f.peak[service] = max(f.peak[service], f.inFlight[service])
	f.mu.Unlock()
	began := time.Now()
	defer func() {
		f.mu.Lock()
		f.inFlight[service]--
		f.spans = append(f.spans, span{began, time.Now(), operation})
		f.mu.Unlock()
		if f.answered != nil {
			f.answered()
		}
	}()
	if !strings.Contains(r.UserAgent(), "kubectl-noderole") {
		http.Error(w, "no user agent", http.StatusBadRequest)
		return
	}
	if f.latency > 0 {
		time.Sleep(f.latency)
	}
	if f.fault != nil && f.fault(operation, w, r) {
		return
	}
	switch service {
	case "eks":
		f.serveEKS(w, r, operation)
	case "iam":
		f.serveIAM(w, r)
	case "ec2":
		f.serveEC2(w, r)
	case "autoscaling":
		f.serveAutoScaling(w, r)
	case "ecr", "organizations":
		f.serveTargeted(w, r, operation)
	case "sts":
		writeXML(w, "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Account>%[1]s</Account><Arn>arn:aws:iam::%[1]s:user/ci</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>", f.account)
	default:
		http.NotFound(w, r)
	}
}

// operation names what is asked for, and of which object.
func (f *fakeAWS) operation(r *http.Request) (operation, object string) {
	if operation, object, ok := f.targeted(r); ok {
		return operation, object
	}
	if r.Method == http.MethodPost {
		services := map[string]string{"2010-05-08": "iam", "2016-11-15": "ec2", "2011-06-15": "sts", "2011-01-01": "autoscaling"}
		object = strings.Join([]string{
			r.Form.Get("RoleName"), r.Form.Get("PolicyName"), r.Form.Get("PolicyUsageFilter"), r.Form.Get("PolicyArn"), r.Form.Get("InstanceProfileName"),
			r.Form.Get("Marker"), r.Form.Get("NextToken"), r.Form.Get("Filter.1.Value.1"), r.Form.Get("LaunchTemplateId"),
		}, " ")
		return services[r.Form.Get("Version")] + ":" + r.Form.Get("Action"), strings.TrimSpace(object)
	}
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	describe := map[string]string{
		"node-groups": "Nodegroup", "fargate-profiles": "FargateProfile", "addons": "Addon",
		"pod-identity-associations": "PodIdentityAssociation", "access-entries": "AccessEntry",
	}
	object = strings.Join(parts, "/") + " " + r.Form.Get("serviceAccount") + r.Form.Get("nextToken")
	switch len(parts) {
	case 1:
		return "eks:ListClusters", object
	case 2:
		return "eks:DescribeCluster", object
	case 3:
		if parts[2] == "access-entries" {
			return "eks:ListAccessEntries", object
		}
		return "eks:List" + describe[parts[2]] + "s", object
	case 5:
		return "eks:ListAssociatedAccessPolicies", object
	default:
		return "eks:Describe" + describe[parts[2]], object
	}
}

func (f *fakeAWS) serveEKS(w http.ResponseWriter, r *http.Request, operation string) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	id, _ := url.PathUnescape(parts[len(parts)-1])
	page := func(field string, all []string) {
		names, next := pageOf(all, f.pageSize, r.Form.Get("nextToken"))
		body := map[string]any{field: names}
		if next != "" {
			body["nextToken"] = next
		}
		writeJSON(w, body)
	}
	one := func(field string, from map[string]map[string]any) {
		object, known := from[id]
		if !known {
			eksError(w, http.StatusNotFound, "ResourceNotFoundException", "No "+field+" found for name: "+id+".")
			return
		}
		writeJSON(w, map[string]any{field: object})
	}
	switch operation {
	case "eks:ListClusters":
		page("clusters", keysOf(f.clusters))
	case "eks:DescribeCluster":
		one("cluster", f.clusters)
	case "eks:ListNodegroups":
		page("nodegroups", keysOf(f.nodeGroups))
	case "eks:DescribeNodegroup":
		one("nodegroup", f.nodeGroups)
	case "eks:ListFargateProfiles":
		page("fargateProfileNames", keysOf(f.fargate))
	case "eks:DescribeFargateProfile":
		one("fargateProfile", f.fargate)
	case "eks:DescribeAddon":
		one("addon", f.addons)
	case "eks:ListPodIdentityAssociations":
		namespace, account := r.Form.Get("namespace"), r.Form.Get("serviceAccount")
		if namespace == "" || account == "" {
			eksError(w, http.StatusBadRequest, "InvalidParameterException", "unfiltered")
			return
		}
		of := maps.Clone(f.associations)
		maps.DeleteFunc(of, func(_ string, a map[string]any) bool {
			return a["namespace"] != namespace || a["serviceAccount"] != account
		})
		ids, next := pageOf(keysOf(of), f.pageSize, r.Form.Get("nextToken"))
		list := []map[string]any{}
		for _, id := range ids {
			list = append(list, map[string]any{"associationId": id})
		}
		body := map[string]any{"associations": list}
		if next != "" {
			body["nextToken"] = next
		}
		writeJSON(w, body)
	case "eks:DescribePodIdentityAssociation":
		one("association", f.associations)
	case "eks:ListAccessEntries":
		page("accessEntries", keysOf(f.entries))
	case "eks:ListAssociatedAccessPolicies":
		writeJSON(w, map[string]any{"associatedAccessPolicies": []map[string]any{
			{"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy", "accessScope": map[string]any{"type": "cluster"}},
			{"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "accessScope": map[string]any{"type": "namespace", "namespaces": []string{"a"}}},
		}})
	case "eks:DescribeAccessEntry":
		one("accessEntry", f.entries)
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeAWS) document(text string) string {
	if f.plain {
		return text
	}
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") // as IAM does: RFC 3986
}

func (f *fakeAWS) serveIAM(w http.ResponseWriter, r *http.Request) {
	action := r.Form.Get("Action")
	name := r.Form.Get("RoleName")
	role, known := f.roles[name]
	if r.Form.Has("RoleName") && !known {
		queryError(w, http.StatusNotFound, "NoSuchEntity", "The role with name "+name+" cannot be found.")
		return
	}
	var result string
	switch action {
	case "GetRole":
		result = "<Role>" + f.roleXML(name, true) + "</Role>"
	case "GetAccountSummary":
		entry := func(key, value string) string {
			return "<entry>" + element("key", key) + element("value", value) + "</entry>"
		}
		result = "<SummaryMap>" + entry("Roles", "12") + entry("InstanceProfiles", "7") + entry("InstanceProfilesQuota", "1000") + "</SummaryMap>"
	case "ListAttachedRolePolicies":
		result = f.members(r, "AttachedPolicies", role.attached, func(arn string) string {
			return element("PolicyArn", arn)
		})
	case "ListRolePolicies":
		result = f.members(r, "PolicyNames", keysOf(role.inline), escape)
	case "GetRolePolicy":
		policy := r.Form.Get("PolicyName")
		result = element("RoleName", name) + element("PolicyName", policy) + element("PolicyDocument", f.document(role.inline[policy]))
	case "ListInstanceProfilesForRole":
		var names []string
		for _, profile := range keysOf(f.profiles) {
			if f.profiles[profile].role == name {
				names = append(names, profile)
			}
		}
		result = f.members(r, "InstanceProfiles", names, f.profileXML)
	case "ListPolicies":
		boundaries := r.Form.Get("PolicyUsageFilter") == "PermissionsBoundary"
		if boundaries == (r.Form.Get("OnlyAttached") == "true") || r.Form.Get("MaxItems") != "1000" {
			queryError(w, http.StatusBadRequest, "InvalidInput", "all the policies of AWS")
			return
		}
		attached := map[string]bool{}
		for _, role := range f.roles {
			switch {
			case !boundaries:
				for _, arn := range role.attached {
					attached[arn] = true
				}
			case role.boundary != "":
				attached[role.boundary] = true
			}
		}
		result = f.members(r, "Policies", keysOf(attached), func(arn string) string {
			return element("Arn", arn) + element("DefaultVersionId", "v3")
		})
	case "GetAccountAuthorizationDetails":
		result = f.details(r)
	case "GetPolicy":
		arn := r.Form.Get("PolicyArn")
		if _, known := f.policies[arn]; !known {
			queryError(w, http.StatusNotFound, "NoSuchEntity", "Policy "+arn+" was not found.")
			return
		}
		result = "<Policy>" + element("Arn", arn) + element("DefaultVersionId", "v3") + "</Policy>"
	case "GetPolicyVersion":
		result = "<PolicyVersion>" + element("VersionId", r.Form.Get("VersionId")) +
			element("Document", f.document(f.policies[r.Form.Get("PolicyArn")])) + "</PolicyVersion>"
	case "GetOpenIDConnectProvider":
		if r.Form.Get("OpenIDConnectProviderArn") != "arn:aws:iam::"+f.account+":oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC" {
			queryError(w, http.StatusNotFound, "NoSuchEntity", "OpenIDConnect Provider not found")
			return
		}
		result = "<Url>oidc.eks.eu-west-1.amazonaws.com/id/ABC</Url><ClientIDList><member>sts.amazonaws.com</member></ClientIDList>"
	case "SimulatePrincipalPolicy":
		result = f.members(r, "EvaluationResults", formList(r, "ActionNames.member"), func(action string) string {
			return simulationXML(action, formList(r, "ResourceArns.member"))
		})
	case "GetInstanceProfile":
		name := r.Form.Get("InstanceProfileName")
		if _, known := f.profiles[name]; !known {
			queryError(w, http.StatusNotFound, "NoSuchEntity", "Instance Profile "+name+" cannot be found.")
			return
		}
		result = "<InstanceProfile>" + f.profileXML(name) + "</InstanceProfile>"
	default:
		http.NotFound(w, r)
		return
	}
	writeXML(w, "<%[1]sResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, result)
}

// simulationXML allows every action of EC2 and lacks a context key for those of
// ECR; the decision of the whole is the strictest.
func simulationXML(action string, resources []string) string {
	decision, missing := "allowed", ""
	switch {
	case strings.HasPrefix(action, "ecr:"):
		decision, missing = "implicitDeny", "<MissingContextValues><member>aws:SourceVpc</member></MissingContextValues>"
	case strings.HasPrefix(action, "eks:"):
		decision = "explicitDeny"
	}
	var specific strings.Builder
	for _, resource := range resources {
		specific.WriteString("<member>" + element("EvalResourceName", resource) + element("EvalResourceDecision", decision) + missing + "</member>")
	}
	return element("EvalActionName", action) + element("EvalDecision", "explicitDeny") + "<ResourceSpecificResults>" + specific.String() + "</ResourceSpecificResults>" +
		"<OrganizationsDecisionDetail><AllowedByOrganizations>" + strconv.FormatBool(decision != "explicitDeny") + "</AllowedByOrganizations></OrganizationsDecisionDetail>"
}

// formList reads a list of the query protocol.
func formList(r *http.Request, name string) []string {
	var list []string
	for i := 1; r.Form.Has(name + "." + strconv.Itoa(i)); i++ {
		list = append(list, r.Form.Get(name+"."+strconv.Itoa(i)))
	}
	return list
}

func (f *fakeAWS) members(r *http.Request, field string, all []string, member func(string) string) string {
	size := f.pageSize
	if n, err := strconv.Atoi(r.Form.Get("MaxItems")); err == nil {
		size = min(size, n)
	}
	names, next := pageOf(all, size, r.Form.Get("Marker"))
	var out strings.Builder
	for _, name := range names {
		out.WriteString("<member>" + member(name) + "</member>")
	}
	more := "<IsTruncated>false</IsTruncated>"
	if next != "" {
		more = "<IsTruncated>true</IsTruncated>" + element("Marker", next)
	}
	return "<" + field + ">" + out.String() + "</" + field + ">" + more
}

func (f *fakeAWS) roleXML(name string, whole bool) string {
	role := f.roles[name]
	out := element("Path", f.rolePath(name)) + element("RoleName", name) + element("RoleId", "AROA"+strings.ToUpper(name)) +
		element("Arn", f.roleARN(name)) + element("CreateDate", "2024-05-06T07:08:09Z") +
		element("AssumeRolePolicyDocument", f.document(role.trust))
	if !whole {
		return out
	}
	if role.boundary != "" {
		out += "<PermissionsBoundary>" + element("PermissionsBoundaryArn", role.boundary) + "</PermissionsBoundary>"
	}
	out += "<Tags>"
	for _, key := range keysOf(role.tags) {
		out += "<member>" + element("Key", key) + element("Value", role.tags[key]) + "</member>"
	}
	return out + "</Tags>" + f.lastUsedXML(name)
}

func (f *fakeAWS) lastUsedXML(name string) string {
	if f.roles[name].lastUsed == "" {
		return "<RoleLastUsed/>"
	}
	return "<RoleLastUsed>" + element("LastUsedDate", f.roles[name].lastUsed) + "</RoleLastUsed>"
}

func (f *fakeAWS) profileXML(name string) string {
	profile := f.profiles[name]
	out := element("InstanceProfileName", name) + element("Arn", f.profileARN(name))
	if profile.role != "" {
		out += "<Roles><member>" + f.roleXML(profile.role, false) + "</member></Roles>"
	}
	return out
}

func (f *fakeAWS) profileARN(name string) string {
	path := f.profiles[name].path
	if path == "" {
		path = "/"
	}
	return "arn:aws:iam::" + f.account + ":instance-profile" + path + name
}

// serveAutoScaling has a group of a launch template, one of a mixed policy, one of
// a launch configuration, and those of the managed node groups a1 and b1.
func (f *fakeAWS) serveAutoScaling(w http.ResponseWriter, r *http.Request) {
	if r.Form.Get("Action") == "DescribeLaunchConfigurations" {
		writeXML(w, "<DescribeLaunchConfigurationsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><DescribeLaunchConfigurationsResult><LaunchConfigurations><member>%s</member></LaunchConfigurations></DescribeLaunchConfigurationsResult></DescribeLaunchConfigurationsResponse>",
			element("LaunchConfigurationName", r.Form.Get("LaunchConfigurationNames.member.1"))+element("IamInstanceProfile", "self")+"<MetadataOptions>"+element("HttpTokens", "optional")+element("HttpEndpoint", "enabled")+"</MetadataOptions>")
		return
	}
	if r.Form.Get("Filters.member.1.Values.member.1") != "kubernetes.io/cluster/prod" {
		http.NotFound(w, r)
		return
	}
	instances := "<Instances><member>" + element("InstanceId", "i-1") + "</member></Instances>"
	if f.emptyGroups {
		instances = ""
	}
	group := func(name, launch, nodeGroup string) string {
		tag := element("Key", "a")
		if nodeGroup != "" {
			tag = element("Key", "eks:nodegroup-name") + element("Value", nodeGroup)
		}
		return "<member>" + element("AutoScalingGroupName", name) + launch + instances + "<Tags><member>" + tag + "</member></Tags></member>"
	}
	template := element("LaunchTemplateId", "lt-1") + element("Version", "3")
	groups := group("asg-1", "<LaunchTemplate>"+template+"</LaunchTemplate>", "") +
		group("asg-2", "<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification>"+element("LaunchTemplateId", "lt-2")+"</LaunchTemplateSpecification></LaunchTemplate></MixedInstancesPolicy>", "") +
		group("asg-3", element("LaunchConfigurationName", "lc-1"), "") +
		group("eks-a1", "<LaunchTemplate>"+template+"</LaunchTemplate>", "a1") +
		group("eks-b1", "<LaunchTemplate>"+element("LaunchTemplateId", "lt-3")+element("Version", "1")+"</LaunchTemplate>", "b1")
	if f.noAutoScaling {
		groups = ""
	}
	writeXML(w, "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><DescribeAutoScalingGroupsResult><AutoScalingGroups>%s</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>", groups)
}

func (f *fakeAWS) serveEC2(w http.ResponseWriter, r *http.Request) {
	if f.serveVPC(w, r) {
		return
	}
	if r.Form.Get("Action") == "DescribeLaunchTemplateVersions" {
		profile, options := element("name", "self"), ""
		switch r.Form.Get("LaunchTemplateId") {
		case "lt-1":
			options = element("httpTokens", "required") + element("httpPutResponseHopLimit", "1") + element("httpEndpoint", "enabled")
		case "lt-2":
			profile = element("arn", f.profileARN("self"))
		case "lt-3":
			options = element("httpPutResponseHopLimit", "2")
		}
		if options != "" {
			options = "<metadataOptions>" + options + "</metadataOptions>"
		}
		writeXML(w, "<DescribeLaunchTemplateVersionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><launchTemplateVersionSet><item><launchTemplateData><iamInstanceProfile>%s</iamInstanceProfile>%s</launchTemplateData></item></launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>", profile, options)
		return
	}
	tagged := r.Form.Get("Filter.1.Name") == "tag-key" && r.Form.Get("Filter.1.Value.1") == "kubernetes.io/cluster/prod" && r.Form.Get("Filter.2.Name") == "instance-state-name"
	if !tagged && r.Form.Get("Filter.1.Name") != "instance-id" || r.Form.Has("Filter.1.Value.201") {
		ec2Error(w, http.StatusBadRequest, "FilterLimitExceeded", "The maximum length for a filter value is 200")
		return
	}
	var ids []string
	for i := 1; r.Form.Has("Filter.1.Value." + strconv.Itoa(i)); i++ {
		if id := r.Form.Get("Filter.1.Value." + strconv.Itoa(i)); f.instances[id] != (fakeEC2Instance{}) {
			ids = append(ids, id)
		}
	}
	if tagged {
		for _, id := range keysOf(f.instances) {
			if f.instances[id].owned {
				ids = append(ids, id)
			}
		}
	}
	ids, next := pageOf(ids, f.pageSize, r.Form.Get("NextToken"))
	var out strings.Builder
	for _, id := range ids {
		instance := f.instances[id]
		out.WriteString("<item><instancesSet><item>" + element("instanceId", id) +
			"<instanceState><code>16</code>" + element("name", instance.state) + "</instanceState>")
		if instance.profile != "" {
			out.WriteString("<iamInstanceProfile>" + element("arn", instance.profile) + "<id>AIPA</id></iamInstanceProfile>")
		}
		if instance.owned {
			out.WriteString("<launchTime>2024-05-06T07:08:09.000Z</launchTime><tagSet>")
			for _, tag := range [][2]string{{"kubernetes.io/cluster/prod", "owned"}, {"eks:nodegroup-name", "a1"}, {"aws:autoscaling:groupName", "eks-a1"}, {"karpenter.sh/nodepool", "spot"}} {
				out.WriteString("<item>" + element("key", tag[0]) + element("value", tag[1]) + "</item>")
			}
			out.WriteString("</tagSet>")
		}
		out.WriteString("<metadataOptions><state>applied</state>" + element("httpTokens", instance.tokens) +
			element("httpPutResponseHopLimit", strconv.Itoa(instance.hops)) + element("httpEndpoint", "enabled") +
			"</metadataOptions></item></instancesSet></item>")
	}
	more := ""
	if next != "" {
		more = element("nextToken", next)
	}
	writeXML(w, "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>%s</reservationSet>%s</DescribeInstancesResponse>", out.String(), more)
}

// pageOf returns a page of all and the token of the next one.
func pageOf(all []string, size int, token string) (page []string, next string) {
	from, _ := strconv.Atoi(token)
	to := min(from+size, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return append([]string{}, all[from:to]...), next
}

func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func element(name, value string) string { return "<" + name + ">" + escape(value) + "</" + name + ">" }

func escape(value string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(value))
	return out.String()
}

func writeXML(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, format, args...)
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// fail answers with an error in the shape of the operation's protocol.
func fail(w http.ResponseWriter, operation string, status int, code, message string) {
	switch service, _, _ := strings.Cut(operation, ":"); service {
	case "eks", "ecr", "organizations":
		eksError(w, status, code, message)
	case "ec2":
		ec2Error(w, status, code, message)
	default:
		queryError(w, status, code, message)
	}
}

func eksError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.Header().Set("X-Amzn-Requestid", "5c3bd2a6-eks")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func queryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type>%s%s</Error><RequestId>5c3bd2a6-query</RequestId></ErrorResponse>",
		element("Code", code), element("Message", message))
}

func ec2Error(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Response><Errors><Error>%s%s</Error></Errors><RequestID>5c3bd2a6-ec2</RequestID></Response>",
		element("Code", code), element("Message", message))
}
