package live_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet/live"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The accounts of the tests: the one of the credentials, one whose role can be assumed, one
// that refuses its role, and one whose credentials have expired.
const (
	own, member, refusing, expired, closed = "111111111111", "222222222222", "333333333333", "444444444444", "555555555555"
	// management is the account of the profile org.
	management = "999999999999"
)

// fakeCloud answers for several accounts: by the access key, which is AKID or ASIA and the
// account. What it does not know is refused, as it is for a caller without permissions.
type fakeCloud struct {
	*httptest.Server
	kube *httptest.Server // the API server of every cluster
	// regions are those that are enabled, and clusters are by ACCOUNT/REGION.
	regions  []string
	clusters map[string][]string
	// hangs is a cluster that is not described.
	hangs string

	mu     sync.Mutex
	calls  map[string]int
	tokens map[string]bool // that the API server got
}

func newFakeCloud(t *testing.T) *fakeCloud {
	t.Helper()
	f := &fakeCloud{
		regions: []string{"eu-west-1", "us-east-1"}, calls: map[string]int{}, tokens: map[string]bool{},
		clusters: map[string][]string{
			own + "/eu-west-1": {"prod", "dev"}, own + "/us-east-1": {"prod"}, member + "/us-east-1": {"shop"}, expired + "/eu-west-1": {"late"},
		},
	}
	f.kube = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.tokens[r.Header.Get("Authorization")] = true
		f.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no RBAC","code":403}`)
	}))
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.kube.Close)
	t.Cleanup(f.Close)
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return f
}

// ServeHTTP implements http.Handler.
func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.Split(credential, "/")
	account, region := scope[0][len("AKID"):], scope[2]
	_ = r.ParseForm()
	operation := r.PostForm.Get("Action")
	if operation == "" {
		operation = strings.Trim(r.URL.Path, "/")
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" { // of Organizations
		_, operation, _ = strings.Cut(target, ".")
	}
	f.mu.Lock()
	f.calls[account+" "+region+" "+operation]++
	f.mu.Unlock()
	refuse := func(code string) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(http.StatusForbidden)
		if strings.HasPrefix(operation, "Describe") { // of EC2
			fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>not authorized</Message></Error></Errors></Response>`, code)
			return
		}
		if r.Method == http.MethodPost {
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>not authorized</Message></Error></ErrorResponse>`, code)
			return
		}
		fmt.Fprint(w, `{"message":"not authorized"}`)
	}
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	names := f.clusters[account+"/"+region]
	name, describes := strings.CutPrefix(operation, "clusters/")
	switch {
	case operation == "AssumeRole":
		id := strings.Split(r.PostForm.Get("RoleArn"), ":")[4]
		if id == refusing || r.PostForm.Get("ExternalId") != "an id" {
			refuse("AccessDenied")
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, id)
	case account == expired:
		refuse("ExpiredToken")
	case operation == "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>%s</Account><Arn>arn:aws:iam::%s:user/ci</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`, account, account)
	case operation == "DescribeRegions":
		fmt.Fprint(w, "<DescribeRegionsResponse><regionInfo>")
		for _, r := range f.regions {
			fmt.Fprintf(w, "<item><regionName>%s</regionName></item>", r)
		}
		fmt.Fprint(w, "</regionInfo></DescribeRegionsResponse>")
	case strings.HasPrefix(operation, "ListAccounts") || operation == "ListOrganizationalUnitsForParent":
		var in struct{ ParentId string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		accountsOf := map[string][]map[string]string{
			"":                 {{"Id": own, "State": "ACTIVE"}, {"Id": member, "State": "ACTIVE"}, {"Id": refusing, "Status": "ACTIVE"}, {"Id": closed, "State": "SUSPENDED"}},
			"ou-root-aaaaaaaa": {{"Id": refusing, "State": "ACTIVE"}},
			"ou-root-bbbbbbbb": {{"Id": member, "State": "ACTIVE"}},
		}
		units := []map[string]string{}
		if in.ParentId == "ou-root-aaaaaaaa" {
			units = append(units, map[string]string{"Id": "ou-root-bbbbbbbb"})
		}
		answer(map[string]any{"Accounts": append([]map[string]string{}, accountsOf[in.ParentId]...), "OrganizationalUnits": units})
	case operation == "ListOpenIDConnectProviders":
		fmt.Fprintf(w, `<ListOpenIDConnectProvidersResponse><ListOpenIDConnectProvidersResult><OpenIDConnectProviderList>`+
			`<member><Arn>arn:aws:iam::%[1]s:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/B</Arn></member><member><Arn>arn:aws:iam::%[1]s:oidc-provider/token.example.com</Arn></member>`+
			`<member><Arn>arn:aws:iam::%[1]s:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A</Arn></member></OpenIDConnectProviderList></ListOpenIDConnectProvidersResult></ListOpenIDConnectProvidersResponse>`, account)
	case account == management:
		f.serveOrganization(r, operation, answer, refuse)
	case operation == "clusters":
		answer(map[string]any{"clusters": append([]string{}, names...)})
	case describes && name == f.hangs:
		<-r.Context().Done()
	case describes && slices.Contains(names, name):
		answer(map[string]any{"cluster": map[string]any{
			"name": name, "arn": arn(account, region, name), "endpoint": f.kube.URL, "roleArn": "arn:aws:iam::" + account + ":role/" + name,
			"certificateAuthority": map[string]any{"data": base64.StdEncoding.EncodeToString(f.authority())},
		}})
	case describes && !strings.Contains(name, "/"):
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"no cluster"}`)
	default:
		refuse("AccessDeniedException")
	}
}

// serveOrganization answers with an organization: a root with a unit, which has both accounts.
func (f *fakeCloud) serveOrganization(r *http.Request, operation string, answer func(any), refuse func(string)) {
	var in struct{ ChildID, TargetID, Filter, PolicyID string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	f.mu.Lock()
	f.calls[strings.Join([]string{operation, in.ChildID, in.TargetID, in.Filter, in.PolicyID}, " ")]++
	f.mu.Unlock()
	switch operation {
	case "DescribeOrganization":
		answer(map[string]any{"Organization": map[string]any{"Id": "o-1", "MasterAccountId": management}})
	case "ListParents":
		parents := map[string]string{own: "ou-1", member: "ou-1", "ou-1": "r-1"}
		answer(map[string]any{"Parents": []any{map[string]any{"Id": parents[in.ChildID]}}})
	case "ListPoliciesForTarget":
		policies := []any{}
		if in.Filter == "SERVICE_CONTROL_POLICY" {
			policies = append(policies, map[string]any{"Id": "p-full"}, map[string]any{"Id": "p-" + in.TargetID})
		}
		answer(map[string]any{"Policies": policies})
	case "DescribePolicy":
		answer(map[string]any{"Policy": map[string]any{"Content": `{"Version":"2012-10-17","Statement":[]}`, "PolicySummary": map[string]any{"Name": in.PolicyID}}})
	default:
		refuse("AccessDeniedException")
	}
}

func (f *fakeCloud) authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.kube.Certificate().Raw})
}

func arn(account, region, name string) string {
	return "arn:aws:eks:" + region + ":" + account + ":cluster/" + name
}

// options are those for a selection, with credentials of own.
func (f *fakeCloud) options(targets fleet.Targets) live.Options {
	return live.Options{
		Targets: &targets, Getenv: func(string) string { return "" }, Kubeconfig: contexts{f},
		AWS: aws.Config{Region: "eu-west-1", Env: f.env(own)},
	}
}

func (f *fakeCloud) env(account string) map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": "AKID" + account, "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": f.URL, "AWS_MAX_ATTEMPTS": "1"}
}

// contexts is a kubeconfig: two contexts of one cluster, one of another account's, one whose
// credentials have expired, one of a cluster that is gone, and one that is not EKS.
type contexts struct{ f *fakeCloud }

func (c contexts) RawConfig() (clientcmdapi.Config, error) {
	raw := clientcmdapi.NewConfig()
	add := func(context, account, region, name string) {
		cluster := arn(account, region, name)
		raw.Clusters[cluster] = &clientcmdapi.Cluster{Server: c.f.kube.URL, CertificateAuthorityData: c.f.authority()}
		var env []clientcmdapi.ExecEnvVar
		for name, value := range c.f.env(account) {
			env = append(env, clientcmdapi.ExecEnvVar{Name: name, Value: value})
		}
		raw.AuthInfos[account+region+name] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
			APIVersion: "client.authentication.k8s.io/v1beta1", Command: "aws", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
			Args: []string{"--region", region, "eks", "get-token", "--cluster-name", name}, Env: env,
		}}
		raw.Contexts[context] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: account + region + name}
	}
	add("prod", own, "eu-west-1", "prod")
	add("prod-alias", own, "eu-west-1", "prod")
	add("shop", member, "us-east-1", "shop")
	add("late", expired, "eu-west-1", "late")
	add("old", own, "eu-west-1", "gone")
	raw.Clusters["kind"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:6443"}
	raw.Contexts["kind"] = &clientcmdapi.Context{Cluster: "kind"}
	return *raw, nil
}

func (contexts) Prepare(clientcmdapi.Config, string) error { return nil }

func (c contexts) REST(raw clientcmdapi.Config, name string) (*rest.Config, error) {
	in := raw.Contexts[name]
	return &rest.Config{
		Host: raw.Clusters[in.Cluster].Server, TLSClientConfig: rest.TLSClientConfig{CAData: c.f.authority()}, ExecProvider: raw.AuthInfos[in.AuthInfo].Exec,
	}, nil
}

// lines are the targets and what was not found, a line each.
func lines(f *live.Fleet) []string {
	var out []string
	for _, t := range f.Targets {
		out = append(out, strings.Join(strings.Fields(t.ARN+" "+t.Context+" "+t.Group), " "))
	}
	for _, u := range f.Unread {
		out = append(out, fmt.Sprintf("unread %s %s %s: %s", u.Context, u.Account, u.Region, u.Error))
	}
	for _, s := range f.Skipped {
		out = append(out, "skipped "+s.Name)
	}
	return out
}

// holds compares lines by their beginnings.
func holds(t *testing.T, got, want []string) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestFind: what each kind of selection means. What cannot be read costs itself.
func TestFind(t *testing.T) {
	f := newFakeCloud(t)
	for name, test := range map[string]struct {
		targets fleet.Targets
		want    []string
	}{
		"all clusters of the account": {
			fleet.Targets{Include: []fleet.Include{{}}},
			[]string{arn(own, "eu-west-1", "dev"), arn(own, "eu-west-1", "prod"), arn(own, "us-east-1", "prod")},
		},
		"one region": {fleet.Targets{Include: []fleet.Include{{Regions: []string{"us-east-1"}}}}, []string{arn(own, "us-east-1", "prod")}},
		"accounts": {
			fleet.Targets{Include: []fleet.Include{{Accounts: []string{member, refusing, expired}, RoleName: "Reader", ExternalID: "an id"}}},
			[]string{
				arn(member, "us-east-1", "shop"), "unread  " + refusing + " : the role cannot be assumed", "unread  " + expired + " : the AWS credentials have expired",
			},
		},
		"an organization": {
			fleet.Targets{Include: []fleet.Include{{Organization: true, RoleName: "Reader", ExternalID: "an id", Regions: []string{"us-east-1"}}}},
			[]string{
				arn(own, "us-east-1", "prod"), arn(member, "us-east-1", "shop"), "unread  " + refusing + " : the role cannot be assumed", "skipped account " + closed,
			},
		},
		"an organizational unit, with those below it": {
			fleet.Targets{Include: []fleet.Include{{Organization: true, Units: []string{"ou-root-aaaaaaaa"}, RoleName: "Reader", ExternalID: "an id"}}},
			[]string{arn(member, "us-east-1", "shop"), "unread  " + refusing + " : the role cannot be assumed"},
		},
		"without the external id": {
			fleet.Targets{Include: []fleet.Include{{Accounts: []string{member}, RoleName: "Reader"}}},
			[]string{"unread  " + member + " : the role cannot be assumed"},
		},
		"all contexts": {
			fleet.Targets{Include: []fleet.Include{{Contexts: []string{"*"}}}},
			[]string{
				arn(own, "eu-west-1", "prod") + " prod", arn(member, "us-east-1", "shop") + " shop",
				"unread late " + expired + " eu-west-1: the AWS credentials have expired",
				"unread old " + own + ` eu-west-1: there is no EKS cluster "gone"`, "skipped context kind",
			},
		},
		"contexts by name": {fleet.Targets{Include: []fleet.Include{{Contexts: []string{"prod-*", "sho?"}}}}, []string{
			arn(own, "eu-west-1", "prod") + " prod-alias", arn(member, "us-east-1", "shop") + " shop",
		}},
		"several, with a group and exclusions": {
			fleet.Targets{
				Include: []fleet.Include{{Contexts: []string{"shop"}, Group: "shops"}, {Clusters: []string{"pro*"}, Group: "live"}},
				Exclude: []fleet.Exclude{{Regions: []string{"us-*"}, Accounts: []string{own}}},
			},
			[]string{arn(own, "eu-west-1", "prod") + " live", arn(member, "us-east-1", "shop") + " shop shops"},
		},
		"an excluded context": {
			fleet.Targets{Include: []fleet.Include{{Contexts: []string{"shop", "late"}}}, Exclude: []fleet.Exclude{{Contexts: []string{"l*"}}}},
			[]string{arn(member, "us-east-1", "shop") + " shop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := live.Find(t.Context(), f.options(test.targets))
			if err != nil {
				t.Fatal(err)
			}
			holds(t, lines(got), test.want)
			for _, u := range got.Unread {
				if u.Next == "" {
					t.Errorf("%+v says not what to do", u)
				}
			}
		})
	}
}

// TestNothing: a selection that selects nothing is an error that shows what there was.
func TestNothing(t *testing.T) {
	f := newFakeCloud(t)
	for want, targets := range map[string]fleet.Targets{
		"context kind, context late, context old, context prod, context prod-alias, context shop":                          {Include: []fleet.Include{{Contexts: []string{"none-*"}}}},
		"dev in eu-west-1, account " + own + ", prod in eu-west-1, account " + own + ", prod in us-east-1, account " + own: {Include: []fleet.Include{{Clusters: []string{"x"}}}},
		"nothing": {Include: []fleet.Include{{Regions: []string{"eu-north-1"}}}},
	} {
		_, err := live.Find(t.Context(), f.options(targets))
		var p *problem.Error
		if !errors.As(err, &p) || p.Next != "there was: "+want {
			t.Errorf("%v: %+v, want %s", err, p, want)
		}
	}
	o := f.options(fleet.Targets{Include: []fleet.Include{{Clusters: []string{"x"}}}})
	o.Shard = fleet.Shard{Number: 1, Of: 2}
	if _, err := live.Find(t.Context(), o); err != nil {
		t.Errorf("a shard without clusters: %v", err)
	}
}

// TestShards: every cluster, and everything that was not found, is in exactly one shard.
func TestShards(t *testing.T) {
	f := newFakeCloud(t)
	targets := fleet.Targets{Include: []fleet.Include{{Contexts: []string{"*"}}, {}, {Accounts: []string{member, refusing}, RoleName: "Reader", ExternalID: "an id"}}}
	whole, err := live.Find(t.Context(), f.options(targets))
	if err != nil {
		t.Fatal(err)
	}
	var shards []string
	for k := range 3 {
		o := f.options(targets)
		o.Shard = fleet.Shard{Number: k + 1, Of: 3}
		part, err := live.Find(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		shards = append(shards, lines(part)...)
	}
	all := lines(whole)
	slices.Sort(all)
	slices.Sort(shards)
	skipped := func(s string) bool { return strings.HasPrefix(s, "skipped ") }
	if diff := cmp.Diff(slices.DeleteFunc(all, skipped), slices.DeleteFunc(shards, skipped)); diff != "" {
		t.Errorf("(-whole +shards):\n%s", diff)
	}
}

// TestRead: clusters are read with the answers of their account, each thing asked once; the
// tokens for the API servers are made here; a cluster that hangs costs itself.
func TestRead(t *testing.T) {
	f := newFakeCloud(t)
	f.hangs = "dev"
	o := f.options(fleet.Targets{Include: []fleet.Include{
		{}, {Accounts: []string{member}, RoleName: "Reader", ExternalID: "an id"},
	}})
	o.AWS.RequestTimeout = time.Second
	found, err := live.Find(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	plan := &fleet.Plan{PlannedAt: time.Now(), NotBefore: time.Now(), Targets: found.Targets, Unread: found.Unread}
	if err := plan.Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := fleet.Collect(t.Context(), dir, plan, fleet.Options{Read: found.Read, Close: found.Close, Ready: found.Ready, Limit: time.Minute}); err != nil {
		t.Fatal(err)
	}
	d, err := fleet.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*snapshot.Snapshot{}
	for _, e := range d.Entries {
		s, err := d.Load(context.Background(), e)
		if e.Identity().Name() == "dev" {
			if err == nil || !strings.Contains(err.Error(), "no answer in time") {
				t.Errorf("dev: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", e.ARN, err)
			continue
		}
		got[e.ARN] = s
	}
	prod := got[arn(own, "us-east-1", "prod")]
	if prod == nil || got[arn(member, "us-east-1", "shop")] == nil {
		t.Fatalf("read: %v", got)
	}
	// Cluster roles of the account's other region are known.
	want := map[string]snapshot.OtherCluster{arn(own, "eu-west-1", "prod"): {RoleARN: "arn:aws:iam::" + own + ":role/prod"}}
	for arn, other := range want {
		if prod.OtherClusters[arn] != other {
			t.Errorf("other clusters: %v", prod.OtherClusters)
		}
	}
	if diff := cmp.Diff([]string{"eu-west-1"}, prod.OtherRegions); diff != "" {
		t.Errorf("other regions (-want +got):\n%s", diff)
	}
	if !prod.IsMissing(snapshot.FactNodes, "") || prod.MissingOf(snapshot.FactNodes, "")[0].Permission != "list nodes" {
		t.Errorf("missing: %v", prod.Missing)
	}
	for call, n := range f.calls {
		if strings.HasSuffix(call, " ListPolicies") {
			n-- // once for what is attached, once for boundaries
		}
		if n > 1 && !strings.Contains(call, " AssumeRole") && !strings.HasSuffix(call, "/dev") {
			t.Errorf("%s was asked %d times", call, n)
		}
	}
	for token := range f.tokens {
		if !strings.HasPrefix(token, "Bearer k8s-aws-v1.") {
			t.Errorf("the API server got %q", token)
		}
	}
	if len(f.tokens) != 3 {
		t.Errorf("the API server got %d tokens, want one for each cluster that was read", len(f.tokens))
	}
	if calls, _ := found.Calls(); calls["eks:ListClusters"] == 0 || calls["ec2:DescribeRegions"] != 2 {
		t.Errorf("calls: %v", calls)
	}
}

// TestAWSOnlyFleet: the API servers get no request.
func TestAWSOnlyFleet(t *testing.T) {
	f := newFakeCloud(t)
	found, err := live.Find(t.Context(), f.options(fleet.Targets{Include: []fleet.Include{{AWSOnly: true, Regions: []string{"us-east-1"}}}}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := found.Read(t.Context(), found.Targets[0])
	if err != nil {
		t.Fatal(err)
	}
	if m := s.MissingOf(snapshot.FactNodes, ""); len(m) != 1 || m[0].Error != "it was not asked for (--aws-only)" || len(f.tokens) != 0 {
		t.Errorf("missing %v, %d tokens", m, len(f.tokens))
	}
}

// TestUnreachableServer: an API server that cannot be reached costs its facts.
func TestUnreachableServer(t *testing.T) {
	f := newFakeCloud(t)
	f.kube.Close()
	found, err := live.Find(t.Context(), f.options(fleet.Targets{Include: []fleet.Include{{Regions: []string{"us-east-1"}}}}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := found.Read(t.Context(), found.Targets[0])
	if err != nil {
		t.Fatal(err)
	}
	if m := s.MissingOf(snapshot.FactNodes, ""); len(m) != 1 || !strings.Contains(m[0].Error, "cannot reach the Kubernetes API server") {
		t.Errorf("missing %v", m)
	}
}

// TestBadProfile: a profile that does not exist ends a run that has nothing else to read, and
// costs itself beside others.
func TestBadProfile(t *testing.T) {
	f := newFakeCloud(t)
	_, err := live.Find(t.Context(), f.options(fleet.Targets{Include: []fleet.Include{{Profile: "nobody"}}}))
	var p *problem.Error
	if !errors.As(err, &p) || !strings.Contains(p.Problem, "nobody") {
		t.Errorf("%v", err)
	}
	found, err := live.Find(t.Context(), f.options(fleet.Targets{Include: []fleet.Include{{Profile: "nobody"}, {Regions: []string{"us-east-1"}}}}))
	if err != nil || len(found.Targets) != 1 || len(found.Unread) != 1 || found.Unread[0].Profile != "nobody" {
		t.Errorf("%v, %+v", err, found)
	}
}

// TestOrganizationPolicies: the policies of the organization are read once for all accounts and
// clusters, with the profile's credentials; each cluster gets those of its account.
func TestOrganizationPolicies(t *testing.T) {
	f := newFakeCloud(t)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[profile org]\nregion = us-east-1\naws_access_key_id = AKID"+management+"\naws_secret_access_key = s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", config)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID"+own)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	o := f.options(fleet.Targets{Include: []fleet.Include{{}, {Accounts: []string{member}, RoleName: "Reader", ExternalID: "an id"}}})
	o.AWS.Env, o.Organization = nil, "org"
	found, err := live.Find(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range found.Targets {
		facts, err := found.Read(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		account := target.Identity().Account
		want := []snapshot.OrganizationLevel{
			{ID: "r-1", SCPs: []string{"p-full", "p-r-1"}}, {ID: "ou-1", SCPs: []string{"p-full", "p-ou-1"}}, {ID: account, SCPs: []string{"p-" + account, "p-full"}},
		}
		if facts.Organization == nil {
			t.Fatalf("%s: %+v", target.ARN, facts.Missing)
		}
		if diff := cmp.Diff(want, facts.Organization.Levels); diff != "" || len(facts.Organization.Policies) != 4 {
			t.Errorf("%s (-want +got):\n%s%v", target.ARN, diff, facts.Organization.Policies)
		}
		providers := &snapshot.ClusterProviders{ARNs: []string{
			"arn:aws:iam::" + account + ":oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A", "arn:aws:iam::" + account + ":oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/B",
		}}
		if diff := cmp.Diff(providers, facts.ClusterProviders); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target.ARN, diff)
		}
	}
	// ListClusters of eu-north-1 and of the member's eu-west-1 has nothing.
	if diff := cmp.Diff(map[string][]string{member: {"eu-west-1"}}, found.Empty); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for call, n := range f.calls {
		operation, _, _ := strings.Cut(call, " ")
		if n > 1 && slices.Contains([]string{"DescribeOrganization", "ListParents", "ListPoliciesForTarget", "DescribePolicy"}, operation) {
			t.Errorf("%s: asked %d times", call, n)
		}
	}
	for _, account := range []string{own, member} {
		n := 0
		for call, calls := range f.calls {
			if strings.HasPrefix(call, account+" ") && strings.HasSuffix(call, " ListOpenIDConnectProviders") {
				n += calls
			}
		}
		if n != 1 {
			t.Errorf("account %s was asked %d times for its OIDC providers", account, n)
		}
	}
	if calls, _ := found.Calls(); calls["organizations:ListPoliciesForTarget"] != 8 {
		t.Errorf("%v", calls)
	}
}
