// Package awsproxy stands in front of moto for the end-to-end tests. It answers
// the EKS operations that moto lacks, reads and writes, corrects the answers that
// differ from AWS's, forwards everything else, and counts, delays and refuses
// calls.
//
// The wire shapes are those that aws-sdk-go-v2 and botocore send and read.
package awsproxy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Cluster is what the proxy adds to a cluster of moto's.
type Cluster struct {
	Endpoint string
	// CA is PEM.
	CA       []byte
	IPFamily string
	// AutoModeRole is the ARN of Auto Mode's node role; empty is no Auto Mode.
	AutoModeRole       string
	AuthenticationMode string
	OIDCIssuer         string
	// VPCID is the cluster's VPC; empty is what moto says.
	VPCID  string
	Addons map[string]Addon
	// AccessEntries are by principal ARN.
	AccessEntries map[string]AccessEntry
	// Simulated are decisions of the policy simulator by action; what is not listed
	// is allowed.
	Simulated map[string]string
	// Associations are Pod Identity associations by id.
	Associations map[string]Association
	// Updates are names of add-ons by the id of their update.
	Updates map[string]string
}

// Addon is an EKS add-on. Its Pod Identity associations are those of the cluster
// that have AddonARN as their owner.
type Addon struct {
	Version               string
	ServiceAccountRoleARN string
	// ConfigurationValues is JSON or YAML.
	ConfigurationValues string
	// ResolveConflicts is that of the last write.
	ResolveConflicts string
	// Status is ACTIVE when empty. CREATING and UPDATING are told once.
	Status    string
	Tags      map[string]string
	CreatedAt time.Time
}

// AccessEntry is an access entry.
type AccessEntry struct {
	Type, Username string
	Groups         []string
	// Policies are ARNs of access policies.
	Policies []string
	// Scopes are the scopes of Policies by ARN; what is not listed is for the whole
	// cluster.
	Scopes    map[string]AccessScope
	Tags      map[string]string
	CreatedAt time.Time
}

// AccessScope is where an access policy holds.
type AccessScope struct {
	// Type is cluster or namespace.
	Type       string   `json:"type"`
	Namespaces []string `json:"namespaces,omitempty"`
}

// Association is a Pod Identity association.
type Association struct {
	Namespace, ServiceAccount, RoleARN string
	TargetRoleARN                      string
	DisableSessionTags                 bool
	// OwnerARN is that of the add-on which made it; empty is none.
	OwnerARN  string
	Tags      map[string]string
	CreatedAt time.Time
}

// Fault is what happens to calls of an operation instead of an answer.
type Fault struct {
	// Status and Code are the error's; Code such as AccessDenied.
	Status  int
	Code    string
	Message string
	// Times is how many calls fail; 0 means all.
	Times int
	// Cut breaks the connection in the middle of the body.
	Cut bool
	// Hang keeps the call until the client gives up.
	Hang bool
	// After carries the operation out first; its answer is what gets lost.
	After bool
}

// Denied refuses every call as IAM does.
func Denied(operation string) Fault {
	return Fault{
		Status: http.StatusForbidden, Code: "AccessDenied",
		Message: "User: arn:aws:sts::123456789012:assumed-role/ci-reader/session is not authorized to perform: " + operation + " because no identity-based policy allows the action",
	}
}

// Call is one request that was answered.
type Call struct {
	// Operation is such as iam:GetRole.
	Operation string
	// Key tells calls for different things or pages apart.
	Key        string
	Start, End time.Time
}

// Proxy is the server. Its URL is what AWS_ENDPOINT_URL names.
type Proxy struct {
	*httptest.Server

	// OnChange is called after every EKS write that succeeded, before it is
	// answered, with an operation such as eks:UpdateAddon. SetOnChange sets it.
	OnChange func(cluster, operation string)

	forward *httputil.ReverseProxy

	mu       sync.Mutex
	clusters map[string]Cluster
	latency  time.Duration
	pageSize int
	// recorded are answers by operation and key; nil where none are kept.
	recorded map[string]*httptest.ResponseRecorder
	faults   map[string]Fault
	failed   map[string]int
	calls    []Call
	// usage is what IAM has seen of roles, by ARN and service; jobs are its reports.
	usage map[string]map[string]ServiceUse
	jobs  map[string]*usageJob
	// reportedAt is when reports are made.
	reportedAt time.Time
	// answered are answers to writes with a client request token, by request.
	answered map[string][]byte
	// organization, registry and repositories are what SetOrganization, SetRegistry and
	// SetRepositoryPolicy set.
	organization Organization
	registry     Registry
	repositories map[string]string
	// arrived is told the operation of every request that hangs.
	arrived chan string
}

// New starts a proxy in front of a backend.
func New(backend string) (*Proxy, error) {
	target, err := url.Parse(backend)
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		clusters: map[string]Cluster{}, faults: map[string]Fault{}, failed: map[string]int{}, pageSize: smallPage,
		answered: map[string][]byte{}, arrived: make(chan string, 100), repositories: map[string]string{},
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: p.correct,
		ErrorLog:       log.New(io.Discard, "", 0), // a client that went away is part of some tests
		Transport:      &http.Transport{MaxIdleConnsPerHost: 64},
	}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	return p, nil
}

// Reset forgets clusters, faults, latency, calls and OnChange.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters, p.faults, p.failed = map[string]Cluster{}, map[string]Fault{}, map[string]int{}
	p.latency, p.calls, p.answered, p.OnChange = 0, nil, map[string][]byte{}, nil
	p.pageSize, p.recorded = smallPage, nil
	p.usage, p.jobs = nil, nil
	p.organization, p.registry, p.repositories = Organization{}, Registry{}, map[string]string{}
}

// SetCluster says what the proxy adds to a cluster. Writes change a copy of it.
func (p *Proxy) SetCluster(name string, c Cluster) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters[name] = c
}

// Cluster returns a copy of what the proxy adds to a cluster now.
func (p *Proxy) Cluster(name string) Cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clusters[name].clone()
}

// SetOnChange sets what is called after every EKS write; nil is nothing.
func (p *Proxy) SetOnChange(f func(cluster, operation string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.OnChange = f
}

// SetLatency delays every call.
func (p *Proxy) SetLatency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = d
}

// SetReplay keeps the answers to all later calls, and answers the same calls from memory:
// moto carries out one request after another, which AWS does not. It is for reads alone.
// Lists have the pages of Amazon EKS, of 100 items.
func (p *Proxy) SetReplay() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recorded, p.pageSize = map[string]*httptest.ResponseRecorder{}, 100
}

// SetFault makes calls of an operation, such as iam:GetRole, fail. AwaitCall then waits for
// a later call.
func (p *Proxy) SetFault(operation string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[operation] = f
	for len(p.arrived) > 0 {
		<-p.arrived
	}
}

// ClearFault lets calls of an operation through again.
func (p *Proxy) ClearFault(operation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.faults, operation)
	delete(p.failed, operation)
}

// Calls returns the calls so far and forgets them.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}

// AwaitCall waits until a call of the operation hangs.
func (p *Proxy) AwaitCall(operation string) {
	for arrived := range p.arrived {
		if arrived == operation {
			return
		}
	}
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	service, operation, key := identify(r, body)
	if operation == "iam:ListEntitiesForPolicy" {
		body = everyEntity(body)
		r.ContentLength = int64(len(body))
	}
	if operation == "iam:ListPolicies" {
		body = onlyAttached(body)
		r.ContentLength = int64(len(body))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	p.mu.Lock()
	latency := p.latency
	fault, faulty := p.faults[operation]
	if faulty {
		p.failed[operation]++
		faulty = fault.Times == 0 || p.failed[operation] <= fault.Times
	}
	p.mu.Unlock()

	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls = append(p.calls, Call{Operation: operation, Key: key, Start: start, End: time.Now()})
	}()
	select {
	case <-time.After(latency):
	case <-r.Context().Done():
		return
	}
	if !faulty {
		p.replay(w, operation+" "+key, func(w http.ResponseWriter) { p.carryOut(w, r, service, operation, body) })
		return
	}
	if fault.After {
		p.carryOut(httptest.NewRecorder(), r, service, operation, body)
	}
	p.fail(w, r, service, operation, fault)
}

// replay answers from memory where answers are kept and the call was made before.
func (p *Proxy) replay(w http.ResponseWriter, call string, carryOut func(http.ResponseWriter)) {
	p.mu.Lock()
	keep, answer := p.recorded != nil, p.recorded[call]
	p.mu.Unlock()
	if !keep {
		carryOut(w)
		return
	}
	if answer == nil {
		answer = httptest.NewRecorder()
		carryOut(answer)
		p.mu.Lock()
		p.recorded[call] = answer
		p.mu.Unlock()
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// carryOut does what a request asks for and answers it.
func (p *Proxy) carryOut(w http.ResponseWriter, r *http.Request, service, operation string, body []byte) {
	switch {
	case service == "eks" && (p.write(w, r, operation, body) || p.answer(w, r)):
	case operation == "iam:SimulatePrincipalPolicy":
		p.simulate(w, body)
	case operation == "iam:GetAccountAuthorizationDetails":
		p.details(w, r, body)
	case operation == "iam:ListEntitiesForPolicy" && bytes.Contains(body, []byte("PolicyUsageFilter=PermissionsBoundary")):
		p.boundaryRoles(w, r, body)
	case operation == "iam:GenerateServiceLastAccessedDetails":
		p.generateUsage(w, body)
	case operation == "iam:GetServiceLastAccessedDetails":
		p.getUsage(w, body)
	case (service == "organizations" || service == "ecr") && p.around(w, r, operation, body):
	default:
		p.forward.ServeHTTP(w, r)
	}
}

var credentialScope = regexp.MustCompile(`Credential=[^/]+/[0-9]+/([^/]+)/([^/]+)/aws4_request`)

// scope is the region and the service that a request is signed for.
func scope(r *http.Request) (region, service string) {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1], m[2]
	}
	return "", ""
}

// everyEntity asks for the entities of a policy without pages: moto looks for them among
// the first MaxItems roles of the account, in the order of their random ids, and returns no
// marker for the others.
func everyEntity(body []byte) []byte {
	form, _ := url.ParseQuery(string(body)) // identify has read it
	form.Set("MaxItems", "1000000")
	return []byte(form.Encode())
}

// onlyAttached asks for the attached policies instead of those that are permissions
// boundaries: moto knows no such filter, and would return all policies of AWS.
func onlyAttached(body []byte) []byte {
	form, _ := url.ParseQuery(string(body)) // identify has read it
	if form.Get("PolicyUsageFilter") != "" {
		form.Set("OnlyAttached", "true")
	}
	return []byte(form.Encode())
}

// Operation names the operation of a request that has this body, such as iam:GetRole.
func Operation(r *http.Request, body []byte) string {
	_, operation, _ := identify(r, body)
	return operation
}

// identify names the operation of a request: from the body of the query
// protocol, from method and path of EKS.
func identify(r *http.Request, body []byte) (service, operation, key string) {
	_, service = scope(r)
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return service, service + ":" + form.Get("Action"), form.Encode()
	}
	if name, ok := target(r); ok {
		return service, service + ":" + name, string(body)
	}
	operation = service + ":" + r.Method + " " + r.URL.Path
	if service == "eks" {
		operation = "eks:" + eksOperation(r)
	}
	return service, operation, r.Method + " " + r.URL.RequestURI()
}

// segments are the path's parts, unescaped: a principal ARN holds slashes.
func segments(r *http.Request) []string {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

// eksRoutes are method and path of the EKS operations; * is any one segment.
var eksRoutes = map[string]string{
	"ActivateCertificateAuthority":       "POST /clusters/*/certificate-authorities/*/activate",
	"AssociateAccessPolicy":              "POST /clusters/*/access-entries/*/access-policies",
	"AssociateEncryptionConfig":          "POST /clusters/*/encryption-config/associate",
	"AssociateIdentityProviderConfig":    "POST /clusters/*/identity-provider-configs/associate",
	"CancelUpdate":                       "POST /clusters/*/updates/*/cancel-update",
	"CreateAccessEntry":                  "POST /clusters/*/access-entries",
	"CreateAddon":                        "POST /clusters/*/addons",
	"CreateCapability":                   "POST /clusters/*/capabilities",
	"CreateCertificateAuthority":         "POST /clusters/*/certificate-authorities",
	"CreateCluster":                      "POST /clusters",
	"CreateEksAnywhereSubscription":      "POST /eks-anywhere-subscriptions",
	"CreateFargateProfile":               "POST /clusters/*/fargate-profiles",
	"CreateNodegroup":                    "POST /clusters/*/node-groups",
	"CreatePodIdentityAssociation":       "POST /clusters/*/pod-identity-associations",
	"DeleteAccessEntry":                  "DELETE /clusters/*/access-entries/*",
	"DeleteAddon":                        "DELETE /clusters/*/addons/*",
	"DeleteCapability":                   "DELETE /clusters/*/capabilities/*",
	"DeleteCertificateAuthority":         "DELETE /clusters/*/certificate-authorities/*",
	"DeleteCluster":                      "DELETE /clusters/*",
	"DeleteEksAnywhereSubscription":      "DELETE /eks-anywhere-subscriptions/*",
	"DeleteFargateProfile":               "DELETE /clusters/*/fargate-profiles/*",
	"DeleteNodegroup":                    "DELETE /clusters/*/node-groups/*",
	"DeletePodIdentityAssociation":       "DELETE /clusters/*/pod-identity-associations/*",
	"DeregisterCluster":                  "DELETE /cluster-registrations/*",
	"DescribeAccessEntry":                "GET /clusters/*/access-entries/*",
	"DescribeAddon":                      "GET /clusters/*/addons/*",
	"DescribeAddonConfiguration":         "GET /addons/configuration-schemas",
	"DescribeAddonVersions":              "GET /addons/supported-versions",
	"DescribeCapability":                 "GET /clusters/*/capabilities/*",
	"DescribeCertificateAuthority":       "GET /clusters/*/certificate-authorities/*",
	"DescribeCluster":                    "GET /clusters/*",
	"DescribeClusterVersions":            "GET /cluster-versions",
	"DescribeEksAnywhereSubscription":    "GET /eks-anywhere-subscriptions/*",
	"DescribeFargateProfile":             "GET /clusters/*/fargate-profiles/*",
	"DescribeIdentityProviderConfig":     "POST /clusters/*/identity-provider-configs/describe",
	"DescribeInsight":                    "GET /clusters/*/insights/*",
	"DescribeInsightsRefresh":            "GET /clusters/*/insights-refresh",
	"DescribeNodegroup":                  "GET /clusters/*/node-groups/*",
	"DescribePodIdentityAssociation":     "GET /clusters/*/pod-identity-associations/*",
	"DescribeUpdate":                     "GET /clusters/*/updates/*",
	"DisassociateAccessPolicy":           "DELETE /clusters/*/access-entries/*/access-policies/*",
	"DisassociateIdentityProviderConfig": "POST /clusters/*/identity-provider-configs/disassociate",
	"ListAccessEntries":                  "GET /clusters/*/access-entries",
	"ListAccessPolicies":                 "GET /access-policies",
	"ListAddons":                         "GET /clusters/*/addons",
	"ListAssociatedAccessPolicies":       "GET /clusters/*/access-entries/*/access-policies",
	"ListCapabilities":                   "GET /clusters/*/capabilities",
	"ListCertificateAuthorities":         "GET /clusters/*/certificate-authorities",
	"ListClusters":                       "GET /clusters",
	"ListEksAnywhereSubscriptions":       "GET /eks-anywhere-subscriptions",
	"ListFargateProfiles":                "GET /clusters/*/fargate-profiles",
	"ListIdentityProviderConfigs":        "GET /clusters/*/identity-provider-configs",
	"ListInsights":                       "POST /clusters/*/insights",
	"ListNodegroups":                     "GET /clusters/*/node-groups",
	"ListPodIdentityAssociations":        "GET /clusters/*/pod-identity-associations",
	"ListTagsForResource":                "GET /tags/*",
	"ListUpdates":                        "GET /clusters/*/updates",
	"RegisterCluster":                    "POST /cluster-registrations",
	"StartInsightsRefresh":               "POST /clusters/*/insights-refresh",
	"TagResource":                        "POST /tags/*",
	"UntagResource":                      "DELETE /tags/*",
	"UpdateAccessEntry":                  "POST /clusters/*/access-entries/*",
	"UpdateAddon":                        "POST /clusters/*/addons/*/update",
	"UpdateCapability":                   "POST /clusters/*/capabilities/*",
	"UpdateClusterConfig":                "POST /clusters/*/update-config",
	"UpdateClusterVersion":               "POST /clusters/*/updates",
	"UpdateEksAnywhereSubscription":      "POST /eks-anywhere-subscriptions/*",
	"UpdateNodegroupConfig":              "POST /clusters/*/node-groups/*/update-config",
	"UpdateNodegroupVersion":             "POST /clusters/*/node-groups/*/update-version",
	"UpdatePodIdentityAssociation":       "POST /clusters/*/pod-identity-associations/*",
}

// eksOperation names an EKS operation; one that it does not know is named by
// method and path.
func eksOperation(r *http.Request) string {
	asked := r.Method + " " + strings.TrimSuffix(r.URL.EscapedPath(), "/")
	for operation, route := range eksRoutes {
		if ok, err := path.Match(route, asked); err == nil && ok {
			return operation
		}
	}
	return asked
}

// fail writes an error in the shape of the service's protocol.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, service, operation string, f Fault) {
	switch {
	case f.Hang:
		p.arrived <- operation
		<-r.Context().Done()
		return
	case f.Cut:
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "{")
		panic(http.ErrAbortHandler)
	}
	var message bytes.Buffer
	_ = xml.EscapeText(&message, []byte(f.Message))
	switch service {
	case "eks":
		refuse(w, f.Status, f.Code+"Exception", f.Message)
	case "ecr", "organizations":
		jsonError(w, f.Code+"Exception", f.Message)
	case "ec2":
		w.WriteHeader(f.Status)
		code := strings.Replace(f.Code, "AccessDenied", "UnauthorizedOperation", 1)
		fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>0</RequestID></Response>`, code, message.String())
	default:
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>`, f.Code, message.String())
	}
}

// refuse writes an error of EKS.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// answer serves the reads of EKS that moto lacks; false leaves it to moto.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request) bool {
	path := segments(r)
	if r.Method != http.MethodGet || len(path) < 3 {
		return false
	}
	region, _ := scope(r)
	p.mu.Lock()
	v := view{Cluster: p.clusters[path[1]], name: path[1], region: region, pageSize: p.pageSize}
	p.mu.Unlock()
	one := ""
	if len(path) > 3 {
		one = path[3]
	}
	switch path[2] {
	case "addons":
		if one == "" {
			page(w, r, v.pageSize, "addons", sorted(v.Addons))
			return true
		}
		a, ok := p.observeAddon(v.name, one)
		return send(w, ok, "addon", v.addon(one, a))
	case "access-entries":
		if one == "" {
			page(w, r, v.pageSize, "accessEntries", sorted(v.AccessEntries))
			return true
		}
		a, ok := v.AccessEntries[one]
		if ok && len(path) == 5 && path[4] == "access-policies" {
			list := []map[string]any{}
			for _, arn := range a.Policies {
				list = append(list, accessPolicy(a, arn))
			}
			page(w, r, v.pageSize, "associatedAccessPolicies", list)
			return true
		}
		return send(w, ok, "accessEntry", v.accessEntry(one, a))
	case "pod-identity-associations":
		if one == "" {
			listAssociations(w, r, v)
			return true
		}
		a, ok := v.Associations[one]
		return send(w, ok, "association", v.association(one, a))
	case "updates":
		if one == "" {
			return false
		}
		addon, ok := v.Updates[one]
		return send(w, ok && addon == r.URL.Query().Get("addonName"), "update", addonUpdate(one))
	}
	return false
}

// observeAddon returns an add-on, and lets what is CREATING or UPDATING be
// ACTIVE from the next time on.
func (p *Proxy) observeAddon(cluster, name string) (Addon, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.clusters[cluster].Addons[name]
	if a.Status == "CREATING" || a.Status == "UPDATING" {
		c, next := p.clusters[cluster].clone(), a
		next.Status = ""
		c.Addons[name] = next
		p.clusters[cluster] = c
	}
	return a, ok
}

// view is a cluster as a client sees it.
type view struct {
	Cluster
	name, region string
	pageSize     int
}

// account is the one of moto.
const account = "123456789012"

// arn is that of something in the cluster.
func (v view) arn(kind string, parts ...string) string {
	return "arn:aws:eks:" + v.region + ":" + account + ":" + kind + "/" + v.name + "/" + strings.Join(parts, "/")
}

// AddonARN is the ARN that an add-on of a cluster has.
func AddonARN(region, cluster, addon string) string {
	return view{name: cluster, region: region}.arn("addon", addon, digest(cluster+"/"+addon))
}

// digest looks like a UUID and is always the same for the same text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// addon is an add-on on the wire.
func (v view) addon(name string, a Addon) map[string]any {
	arn := AddonARN(v.region, v.name, name)
	associations := []string{}
	for _, id := range sorted(v.Associations) {
		if v.Associations[id].OwnerARN == arn {
			associations = append(associations, v.arn("podidentityassociation", id))
		}
	}
	value := map[string]any{
		"addonName": name, "clusterName": v.name, "addonArn": arn, "addonVersion": a.Version, "status": cmp.Or(a.Status, "ACTIVE"),
		"health": map[string]any{"issues": []string{}}, "podIdentityAssociations": associations, "tags": tags(a.Tags),
	}
	setText(value, "serviceAccountRoleArn", a.ServiceAccountRoleARN)
	setText(value, "configurationValues", a.ConfigurationValues)
	setTime(value, a.CreatedAt)
	return value
}

// accessEntry is an access entry on the wire.
func (v view) accessEntry(principal string, a AccessEntry) map[string]any {
	kind, name, _ := strings.Cut(principal[strings.LastIndex(principal, ":")+1:], "/")
	return map[string]any{
		"clusterName": v.name, "principalArn": principal, "type": a.Type, "username": a.Username,
		"accessEntryArn":   v.arn("access-entry", kind, account, name, digest(v.name+"/"+principal)),
		"kubernetesGroups": slices.Concat([]string{}, a.Groups), "tags": tags(a.Tags), "createdAt": float64(a.CreatedAt.Unix()),
	}
}

// accessPolicy is an access policy of an entry on the wire.
func accessPolicy(a AccessEntry, arn string) map[string]any {
	scope, ok := a.Scopes[arn]
	if !ok {
		scope.Type = "cluster"
	}
	return map[string]any{"policyArn": arn, "accessScope": scope}
}

// association is a Pod Identity association on the wire.
func (v view) association(id string, a Association) map[string]any {
	value := v.associationSummary(id, a)
	value["roleArn"], value["tags"], value["disableSessionTags"] = a.RoleARN, tags(a.Tags), a.DisableSessionTags
	setText(value, "targetRoleArn", a.TargetRoleARN)
	setTime(value, a.CreatedAt)
	return value
}

// associationSummary is a Pod Identity association in a list.
func (v view) associationSummary(id string, a Association) map[string]any {
	value := map[string]any{
		"clusterName": v.name, "associationId": id, "associationArn": v.arn("podidentityassociation", id),
		"namespace": a.Namespace, "serviceAccount": a.ServiceAccount,
	}
	setText(value, "ownerArn", a.OwnerARN)
	return value
}

// addonUpdate is an update of an add-on on the wire.
func addonUpdate(id string) map[string]any {
	return map[string]any{"id": id, "status": "Successful", "type": "AddonUpdate", "params": []string{}, "errors": []string{}}
}

// setText sets a member that is left out when it is empty.
func setText(value map[string]any, name, text string) {
	if text != "" {
		value[name] = text
	}
}

// setTime sets when a thing was made, if that is known.
func setTime(value map[string]any, t time.Time) {
	if !t.IsZero() {
		value["createdAt"] = float64(t.Unix())
	}
}

// tags are never null on the wire.
func tags(t map[string]string) map[string]string {
	if t == nil {
		return map[string]string{}
	}
	return t
}

func listAssociations(w http.ResponseWriter, r *http.Request, v view) {
	q := r.URL.Query()
	list := []map[string]any{}
	for _, id := range sorted(v.Associations) {
		a := v.Associations[id]
		if (q.Get("namespace") == "" || q.Get("namespace") == a.Namespace) && (q.Get("serviceAccount") == "" || q.Get("serviceAccount") == a.ServiceAccount) {
			list = append(list, v.associationSummary(id, a))
		}
	}
	page(w, r, v.pageSize, "associations", list)
}

// smallPage is how many items of a list are sent at a time, so that clients have to page.
const smallPage = 2

// page sends a page of a list.
func page[T any](w http.ResponseWriter, r *http.Request, size int, name string, list []T) {
	from, _ := strconv.Atoi(r.URL.Query().Get("nextToken"))
	from = min(from, len(list))
	to := min(from+size, len(list))
	body := map[string]any{name: slices.Clone(list[from:to])}
	if from == to {
		body[name] = []T{}
	}
	if to < len(list) {
		body["nextToken"] = strconv.Itoa(to)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// send writes one object, or ResourceNotFoundException. It is always an answer.
func send(w http.ResponseWriter, found bool, name string, value any) bool {
	if !found {
		refuse(w, http.StatusNotFound, notFound, "not found")
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{name: value})
	return true
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

var policyDocument = regexp.MustCompile(`(?s)<Document>(.*?)</Document>`)

// correct changes the answers of moto that differ from AWS's.
func (p *Proxy) correct(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	path := segments(resp.Request)
	switch {
	case resp.Request.Method == http.MethodGet && len(path) == 2 && path[0] == "clusters" && resp.StatusCode == http.StatusOK:
		body, err = p.correctCluster(path[1], body)
	case bytes.Contains(body, []byte("<GetPolicyVersionResult>")):
		body = policyDocument.ReplaceAllFunc(body, encodeDocument)
	}
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	if resp.StatusCode < http.StatusMultipleChoices {
		p.forwarded(resp.Request)
	}
	return nil
}

// forwarded tells OnChange of a write that moto carried out.
func (p *Proxy) forwarded(r *http.Request) {
	if _, service := scope(r); service != "eks" || r.Method == http.MethodGet {
		return
	}
	operation := eksOperation(r)
	if strings.HasPrefix(operation, "List") || strings.HasPrefix(operation, "Describe") {
		return
	}
	if path := segments(r); len(path) > 1 && path[0] == "clusters" {
		p.changed(path[1], "eks:"+operation)
	}
}

// changed calls OnChange.
func (p *Proxy) changed(cluster, operation string) {
	p.mu.Lock()
	f := p.OnChange
	p.mu.Unlock()
	if f != nil {
		f(cluster, operation)
	}
}

// encodeDocument percent-encodes a document as IAM does. moto's is XML text.
func encodeDocument(element []byte) []byte {
	var text string
	if err := xml.Unmarshal(element, &text); err != nil {
		return element
	}
	return []byte("<Document>" + strings.ReplaceAll(url.QueryEscape(text), "+", "%20") + "</Document>")
}

// correctCluster makes DescribeCluster's answer that of the cluster whose API
// server the test runs.
func (p *Proxy) correctCluster(name string, body []byte) ([]byte, error) {
	p.mu.Lock()
	c, ok := p.clusters[name]
	p.mu.Unlock()
	if !ok {
		return body, nil
	}
	var answer struct {
		Cluster map[string]any `json:"cluster"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	answer.Cluster["endpoint"] = c.Endpoint
	answer.Cluster["certificateAuthority"] = map[string]string{"data": base64.StdEncoding.EncodeToString(c.CA)}
	answer.Cluster["kubernetesNetworkConfig"] = map[string]string{"ipFamily": c.IPFamily}
	answer.Cluster["accessConfig"] = map[string]string{"authenticationMode": c.AuthenticationMode}
	answer.Cluster["identity"] = map[string]any{"oidc": map[string]string{"issuer": c.OIDCIssuer}}
	if c.VPCID != "" {
		network, _ := answer.Cluster["resourcesVpcConfig"].(map[string]any)
		if network == nil {
			network = map[string]any{}
		}
		network["vpcId"] = c.VPCID
		answer.Cluster["resourcesVpcConfig"] = network
	}
	if c.AutoModeRole != "" {
		answer.Cluster["computeConfig"] = map[string]any{"enabled": true, "nodePools": []string{"general-purpose", "system"}, "nodeRoleArn": c.AutoModeRole}
	}
	return json.Marshal(answer)
}

// simulate answers as the policy simulator does, some actions a page.
func (p *Proxy) simulate(w http.ResponseWriter, body []byte) {
	const size = 5
	form, _ := url.ParseQuery(string(body)) // identify has read it
	list := func(name string) (values []string) {
		for i := 1; form.Has(name + ".member." + strconv.Itoa(i)); i++ {
			values = append(values, form.Get(name+".member."+strconv.Itoa(i)))
		}
		return values
	}
	decisions := map[string]string{}
	p.mu.Lock()
	for _, c := range p.clusters {
		maps.Copy(decisions, c.Simulated)
	}
	p.mu.Unlock()
	actions := list("ActionNames")
	from, _ := strconv.Atoi(form.Get("Marker"))
	to := min(from+size, len(actions))
	var results strings.Builder
	for _, action := range actions[from:to] {
		decision := decisions[action]
		if decision == "" {
			decision = "allowed"
		}
		fmt.Fprintf(&results, "<member><EvalActionName>%s</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>%s</EvalDecision><ResourceSpecificResults>", action, decision)
		for _, resource := range list("ResourceArns") {
			fmt.Fprintf(&results, "<member><EvalResourceName>%s</EvalResourceName><EvalResourceDecision>%s</EvalResourceDecision></member>", resource, decision)
		}
		results.WriteString("</ResourceSpecificResults></member>")
	}
	more := "<IsTruncated>false</IsTruncated>"
	if to < len(actions) {
		more = fmt.Sprintf("<IsTruncated>true</IsTruncated><Marker>%d</Marker>", to)
	}
	fmt.Fprintf(w, `<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult><EvaluationResults>%s</EvaluationResults>%s</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`, results.String(), more)
}
