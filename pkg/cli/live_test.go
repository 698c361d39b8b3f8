package cli

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// liveServers are an API server and the AWS APIs on loopback, of one cluster with one node
// group. What is in neither map is refused.
type liveServers struct {
	mu sync.Mutex
	// eks are answers by path, queries by action of IAM, EC2 and STS, kube by path.
	eks, queries, kube map[string]string
	// asked are the actions that were asked for.
	asked map[string]int
}

const (
	liveARN  = "arn:aws:eks:eu-west-1:444455556666:cluster/prod"
	liveRole = "arn:aws:iam::444455556666:role/eksNodeRole"
)

// newLiveServers starts both and points the environment of the test to them.
func newLiveServers(t *testing.T) *liveServers {
	t.Helper()
	s := &liveServers{asked: map[string]int{}}
	kube := httptest.NewUnstartedServer(http.HandlerFunc(s.serveKube))
	kube.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that end with their run
	kube.StartTLS()
	aws := httptest.NewServer(http.HandlerFunc(s.serveAWS))
	t.Cleanup(kube.Close)
	t.Cleanup(aws.Close)
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: kube.Certificate().Raw}))
	home := t.TempDir()
	kubeconfig := filepath.Join(home, "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: %q, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: me, user: {token: x}}]
contexts: [{name: prod, context: {cluster: %q, user: me}}]
`, liveARN, kube.URL, authority, liveARN)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HOME": home, "KUBECONFIG": kubeconfig, "AWS_ENDPOINT_URL": aws.URL, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "1",
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_CONFIG_FILE": filepath.Join(home, "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "none"),
	} {
		t.Setenv(name, value)
	}
	t.Chdir(home)
	s.eks = map[string]string{
		"/clusters":                                `{"clusters": ["prod"]}`,
		"/clusters/prod":                           fmt.Sprintf(`{"cluster": {"name": "prod", "arn": %q, "version": "1.33", "status": "ACTIVE", "endpoint": %q, "certificateAuthority": {"data": %q}, "roleArn": "arn:aws:iam::444455556666:role/eksClusterRole", "kubernetesNetworkConfig": {"ipFamily": "ipv4"}, "accessConfig": {"authenticationMode": "API"}}}`, liveARN, kube.URL, authority),
		"/clusters/prod/node-groups":               `{"nodegroups": ["apps"]}`,
		"/clusters/prod/node-groups/apps":          fmt.Sprintf(`{"nodegroup": {"nodegroupName": "apps", "nodeRole": %q, "status": "ACTIVE", "amiType": "AL2023_x86_64_STANDARD"}}`, liveRole),
		"/clusters/prod/fargate-profiles":          `{"fargateProfileNames": []}`,
		"/clusters/prod/access-entries":            fmt.Sprintf(`{"accessEntries": [%q]}`, liveRole),
		"/clusters/prod/access-entries/arn":        fmt.Sprintf(`{"accessEntry": {"principalArn": %q, "type": "EC2_LINUX", "username": "system:node:{{EC2PrivateDNSName}}", "kubernetesGroups": ["system:nodes"]}}`, liveRole),
		"/clusters/prod/access-policies":           `{"associatedAccessPolicies": []}`,
		"/clusters/prod/pod-identity-associations": `{"associations": []}`,
	}
	trust := url.PathEscape(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
	s.queries = map[string]string{
		"GetCallerIdentity":           "<Arn>arn:aws:iam::444455556666:user/ci</Arn><Account>444455556666</Account>",
		"GetRole":                     "<Role><RoleName>eksNodeRole</RoleName><RoleId>AROAEXAMPLE</RoleId><Arn>" + liveRole + "</Arn><CreateDate>2025-01-02T03:04:05Z</CreateDate><AssumeRolePolicyDocument>" + trust + "</AssumeRolePolicyDocument></Role>",
		"ListAttachedRolePolicies":    "<AttachedPolicies/><IsTruncated>false</IsTruncated>",
		"ListRolePolicies":            "<PolicyNames><member>node</member></PolicyNames><IsTruncated>false</IsTruncated>",
		"ListInstanceProfilesForRole": "<InstanceProfiles/><IsTruncated>false</IsTruncated>",
		"ListPolicies":                "<Policies/><IsTruncated>false</IsTruncated>",
		"DescribeAutoScalingGroups":   "<AutoScalingGroups/>",
		"DescribeInstances":           "<reservationSet/>",

		"GenerateServiceLastAccessedDetails": "<JobId>11111111-2222-3333-4444-555555555555</JobId>",
		"GetServiceLastAccessedDetails": `<JobStatus>COMPLETED</JobStatus><JobCreationDate>2026-06-01T12:00:00Z</JobCreationDate><JobCompletionDate>2026-06-01T12:00:05Z</JobCompletionDate><IsTruncated>false</IsTruncated><ServicesLastAccessed>
<member><ServiceNamespace>ec2</ServiceNamespace><ServiceName>EC2</ServiceName><LastAuthenticated>2026-05-31T08:00:00Z</LastAuthenticated><TrackedActionsLastAccessed>
<member><ActionName>DescribeInstances</ActionName><LastAccessedTime>2026-05-31T08:00:00Z</LastAccessedTime></member><member><ActionName>StopInstances</ActionName></member></TrackedActionsLastAccessed></member></ServicesLastAccessed>`,
	}
	s.inline(`["ec2:Describe*","eks:DescribeCluster","ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ec2:StopInstances","s3:GetObject"]`)
	s.kube = map[string]string{}
	return s
}

// inline sets the actions of the role's inline policy.
func (s *liveServers) inline(actions string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries["GetRolePolicy"] = "<RoleName>eksNodeRole</RoleName><PolicyName>node</PolicyName><PolicyDocument>" +
		url.PathEscape(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":`+actions+`,"Resource":"*"}}`) + "</PolicyDocument>"
}

// refuse refuses an action from now on.
func (s *liveServers) refuse(action string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queries, action)
}

func (s *liveServers) serveAWS(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	if action := r.PostForm.Get("Action"); action != "" {
		s.asked[action]++
		w.Header().Set("Content-Type", "text/xml")
		body, ok := s.queries[action]
		switch {
		case !ok:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: %s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, action)
		case action == "DescribeInstances":
			fmt.Fprintf(w, "<%[1]sResponse>%[2]s</%[1]sResponse>", action, body)
		default:
			fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, body)
		}
		return
	}
	path := r.URL.Path
	if strings.Contains(path, "/access-entries/") {
		path = "/clusters/prod/access-entries/arn"
		if strings.HasSuffix(r.URL.Path, "/access-policies") {
			path = "/clusters/prod/access-policies"
		}
	}
	w.Header().Set("Content-Type", "application/json")
	body, ok := s.eks[path]
	if !ok {
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		body = `{"message": "none"}`
	}
	fmt.Fprint(w, body)
}

// serveKube answers lists with none and objects with no such object.
func (s *liveServers) serveKube(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if body, ok := s.kube[r.URL.Path]; ok {
		fmt.Fprint(w, body)
		return
	}
	kinds := map[string]string{"nodes": "NodeList", "pods": "PodList", "events": "EventList"}
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if kind, ok := kinds[last]; ok {
		fmt.Fprintf(w, `{"kind": %q, "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}`, kind)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}`)
}
