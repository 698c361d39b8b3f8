// Package awsproxy stands in front of moto for the end-to-end tests. It answers
// the EKS operations that moto lacks, corrects the answers that differ from
// AWS's, forwards everything else, and counts, delays and refuses calls.
//
// The wire shapes are those that aws-sdk-go-v2's deserializers read.
package awsproxy

import (
	"bytes"
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
	Addons             map[string]Addon
	// AccessEntries are by principal ARN.
	AccessEntries map[string]AccessEntry
	// Simulated are decisions of the policy simulator by action; what is not listed
	// is allowed.
	Simulated map[string]string
	// Associations are Pod Identity associations by id.
	Associations map[string]Association
}

// Addon is an EKS add-on.
type Addon struct {
	Version               string
	ServiceAccountRoleARN string
}

// AccessEntry is an access entry.
type AccessEntry struct {
	Type, Username string
	Groups         []string
	// Policies are ARNs of access policies, for the whole cluster.
	Policies  []string
	CreatedAt time.Time
}

// Association is a Pod Identity association.
type Association struct {
	Namespace, ServiceAccount, RoleARN string
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

	forward *httputil.ReverseProxy

	mu       sync.Mutex
	clusters map[string]Cluster
	latency  time.Duration
	faults   map[string]Fault
	failed   map[string]int
	calls    []Call
	// arrived is told the operation of every request that hangs.
	arrived chan string
}

// New starts a proxy in front of a backend.
func New(backend string) (*Proxy, error) {
	target, err := url.Parse(backend)
	if err != nil {
		return nil, err
	}
	p := &Proxy{clusters: map[string]Cluster{}, faults: map[string]Fault{}, failed: map[string]int{}, arrived: make(chan string, 100)}
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

// Reset forgets clusters, faults, latency and calls.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters, p.faults, p.failed = map[string]Cluster{}, map[string]Fault{}, map[string]int{}
	p.latency, p.calls = 0, nil
}

// SetCluster says what the proxy adds to a cluster.
func (p *Proxy) SetCluster(name string, c Cluster) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters[name] = c
}

// SetLatency delays every call.
func (p *Proxy) SetLatency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = d
}

// SetFault makes calls of an operation, such as iam:GetRole, fail.
func (p *Proxy) SetFault(operation string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[operation] = f
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
	r.Body = io.NopCloser(bytes.NewReader(body))
	service, operation, key := identify(r, body)

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
	switch {
	case faulty:
		p.fail(w, r, service, operation, fault)
	case service == "eks" && p.answer(w, r):
	case operation == "iam:SimulatePrincipalPolicy":
		p.simulate(w, body)
	default:
		p.forward.ServeHTTP(w, r)
	}
}

var credentialScope = regexp.MustCompile(`Credential=[^/]+/[0-9]+/[^/]+/([^/]+)/aws4_request`)

// identify names the operation of a request: from the body of the query
// protocol, from method and path of EKS.
func identify(r *http.Request, body []byte) (service, operation, key string) {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		service = m[1]
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return service, service + ":" + form.Get("Action"), form.Encode()
	}
	operation = service + ":" + r.Method + " " + r.URL.Path
	if service == "eks" {
		operation = "eks:" + eksOperation(r.Method, segments(r))
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

var eksCollections = map[string]string{
	"node-groups": "Nodegroup", "fargate-profiles": "FargateProfile", "addons": "Addon",
	"access-entries": "AccessEntry", "pod-identity-associations": "PodIdentityAssociation",
}

func eksOperation(method string, path []string) string {
	verb := map[string]string{http.MethodGet: "Describe", http.MethodPost: "Create", http.MethodDelete: "Delete"}[method]
	switch {
	case len(path) == 1 && method == http.MethodGet:
		return "ListClusters"
	case len(path) <= 2:
		return verb + "Cluster"
	}
	if len(path) == 5 {
		return "ListAssociatedAccessPolicies"
	}
	noun := eksCollections[path[2]]
	if len(path) == 3 && method == http.MethodGet {
		if strings.HasSuffix(noun, "y") {
			return "List" + strings.TrimSuffix(noun, "y") + "ies"
		}
		return "List" + noun + "s"
	}
	return verb + noun
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
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", f.Code+"Exception")
		w.WriteHeader(f.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": f.Message})
	case "ec2":
		w.WriteHeader(f.Status)
		code := strings.Replace(f.Code, "AccessDenied", "UnauthorizedOperation", 1)
		fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>0</RequestID></Response>`, code, message.String())
	default:
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>`, f.Code, message.String())
	}
}

// answer serves the EKS operations that moto lacks; false leaves it to moto.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request) bool {
	path := segments(r)
	if r.Method != http.MethodGet || len(path) < 3 {
		return false
	}
	p.mu.Lock()
	c := p.clusters[path[1]]
	p.mu.Unlock()
	one := ""
	if len(path) > 3 {
		one = path[3]
	}
	switch path[2] {
	case "addons":
		if one == "" {
			page(w, r, "addons", sorted(c.Addons))
			return true
		}
		a, ok := c.Addons[one]
		return send(w, ok, "addon", map[string]any{
			"addonName": one, "addonVersion": a.Version, "status": "ACTIVE", "serviceAccountRoleArn": a.ServiceAccountRoleARN,
		})
	case "access-entries":
		if one == "" {
			page(w, r, "accessEntries", sorted(c.AccessEntries))
			return true
		}
		a, ok := c.AccessEntries[one]
		if ok && len(path) == 5 && path[4] == "access-policies" {
			list := []map[string]any{}
			for _, arn := range a.Policies {
				list = append(list, map[string]any{"policyArn": arn, "accessScope": map[string]any{"type": "cluster"}})
			}
			page(w, r, "associatedAccessPolicies", list)
			return true
		}
		return send(w, ok, "accessEntry", map[string]any{
			"principalArn": one, "type": a.Type, "username": a.Username, "kubernetesGroups": a.Groups, "createdAt": float64(a.CreatedAt.Unix()),
		})
	case "pod-identity-associations":
		if one == "" {
			p.listAssociations(w, r, c)
			return true
		}
		a, ok := c.Associations[one]
		return send(w, ok, "association", map[string]any{
			"associationId": one, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount, "roleArn": a.RoleARN,
		})
	}
	return false
}

func (p *Proxy) listAssociations(w http.ResponseWriter, r *http.Request, c Cluster) {
	q := r.URL.Query()
	list := []map[string]string{}
	for _, id := range sorted(c.Associations) {
		a := c.Associations[id]
		if (q.Get("namespace") == "" || q.Get("namespace") == a.Namespace) && (q.Get("serviceAccount") == "" || q.Get("serviceAccount") == a.ServiceAccount) {
			list = append(list, map[string]string{"associationId": id, "namespace": a.Namespace, "serviceAccount": a.ServiceAccount})
		}
	}
	page(w, r, "associations", list)
}

// page sends a list, two entries at a time so that clients have to page.
func page[T any](w http.ResponseWriter, r *http.Request, name string, list []T) {
	const size = 2
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
	w.Header().Set("Content-Type", "application/json")
	if !found {
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": "not found"})
		return true
	}
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
	return nil
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
