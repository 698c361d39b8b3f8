package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

// reply is an answer of EKS or IAM.
type reply struct {
	status int
	body   string
}

func ok(body string) reply { return reply{http.StatusOK, body} }

func refusal(status int, kind, message string) reply {
	text, _ := json.Marshal(map[string]string{"__type": kind, "message": message})
	return reply{status, string(text)}
}

// fakeAWS answers requests, named "METHOD /path" or by IAM's action, with its
// replies in order; the last one stays. It remembers every write.
type fakeAWS struct {
	mu      sync.Mutex
	replies map[string][]reply
	// wrote are the requests that are no GET, with their bodies.
	wrote []string
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name, isXML := r.Method+" "+r.URL.Path, false
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		name, isXML = form.Get("Action"), true
		form.Del("Action")
		form.Del("Version")
		body = []byte(form.Encode())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method != http.MethodGet && !strings.HasPrefix(name, "Get") {
		f.wrote = append(f.wrote, strings.TrimSpace(name+" "+withoutToken(body)))
	}
	list := f.replies[name]
	if len(list) == 0 {
		list = []reply{refusal(http.StatusNotFound, "ResourceNotFoundException", "nothing at "+name)}
	}
	if len(list) > 1 {
		f.replies[name] = list[1:]
	}
	answer := list[0]
	if isXML {
		w.Header().Set("Content-Type", "text/xml")
	} else {
		w.Header().Set("Content-Type", "application/json")
		if answer.status >= http.StatusBadRequest {
			var e struct {
				Type string `json:"__type"`
			}
			_ = json.Unmarshal([]byte(answer.body), &e)
			w.Header().Set("X-Amzn-ErrorType", e.Type)
		}
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// withoutToken is a body without the client request token, which is random.
func withoutToken(body []byte) string {
	var value map[string]any
	if json.Unmarshal(body, &value) != nil {
		return string(body)
	}
	delete(value, "clientRequestToken")
	text, _ := json.Marshal(value)
	return string(text)
}

// The answers to EKS's writes, as far as they are looked at.
var (
	entryMade       = ok(`{"accessEntry":{"principalArn":"arn:aws:iam::1:role/r"}}`)
	associationMade = ok(`{"association":{"associationId":"a-1"}}`)
	addonMade       = ok(`{"addon":{"status":"CREATING"}}`)
	addonUpdated    = ok(`{"update":{"id":"u"}}`)
)

// newChanges returns a client of a fake AWS that does not wait long.
func newChanges(t *testing.T, replies map[string][]reply) (*Changes, *fakeAWS) {
	t.Helper()
	fake := &fakeAWS{replies: replies}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, "credentials"))
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wJalr")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	c, err := NewChanges(context.Background(), Config{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	c.pollInterval, c.settle = time.Millisecond, time.Minute
	return c, fake
}

const (
	addonPath       = "/clusters/c/addons/vpc-cni"
	associationPath = "/clusters/c/pod-identity-associations"
	entryPath       = "/clusters/c/access-entries/arn:aws:iam::1:role/r"
	roleR           = "arn:aws:iam::1:role/r"
)

func addonIs(status, more string) reply {
	return ok(fmt.Sprintf(`{"addon":{"addonName":"vpc-cni","status":%q%s}}`, status, more))
}

func associationOf(serviceAccount, role string) reply {
	return ok(fmt.Sprintf(`{"association":{"namespace":"kube-system","serviceAccount":%q,"roleArn":%q}}`, serviceAccount, role))
}

var owns = `,"podIdentityAssociations":["arn:aws:eks:eu-west-1:1:podidentityassociation/c/a-1","arn:aws:eks:eu-west-1:1:podidentityassociation/c/a-2"]`

// TestChangesState: what is read of each kind.
func TestChangesState(t *testing.T) {
	entry := func(kind string) []reply {
		return []reply{ok(fmt.Sprintf(`{"accessEntry":{"type":%q,"username":"u","kubernetesGroups":["g"],"tags":{"a":"1"},"createdAt":1767323045.678}}`, kind))}
	}
	both := map[string][]reply{
		"GET " + addonPath:                {addonIs("ACTIVE", `,"serviceAccountRoleArn":"arn:irsa"`+owns)},
		"GET " + associationPath + "/a-1": {associationOf("aws-node", "arn:pod")},
		"GET " + associationPath + "/a-2": {associationOf("other", "arn:other")},
	}
	tests := map[string]struct {
		change  change.Change
		replies map[string][]reply
		want    *change.State
	}{
		"access entry, STANDARD": {
			change.Change{Kind: change.AccessEntry, Name: roleR, Cluster: "c"},
			map[string][]reply{"GET " + entryPath: entry("STANDARD")},
			&change.State{Type: "STANDARD", Username: "u", Groups: []string{"g"}, Tags: map[string]string{"a": "1"}, CreatedAt: "2026-01-02T03:04:05Z"},
		},
		"access entry of nodes": {
			change.Change{Kind: change.AccessEntry, Name: roleR, Cluster: "c"},
			map[string][]reply{"GET " + entryPath: entry("EC2_LINUX")},
			&change.State{Type: "EC2_LINUX", Tags: map[string]string{"a": "1"}, CreatedAt: "2026-01-02T03:04:05Z"},
		},
		"no access entry": {change.Change{Kind: change.AccessEntry, Name: roleR, Cluster: "c"}, nil, nil},
		"trust policy": {
			change.Change{Kind: change.TrustPolicy, Name: "r"},
			map[string][]reply{"GetRole": {ok(`<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws:iam::1:role/r</Arn><AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>`)}},
			&change.State{Document: "{}"},
		},
		"OIDC provider": {
			change.Change{Kind: change.OIDCProvider, Name: "arn:aws:iam::1:oidc-provider/h"},
			map[string][]reply{"GetOpenIDConnectProvider": {ok(`<GetOpenIDConnectProviderResponse><GetOpenIDConnectProviderResult><Url>h</Url><ClientIDList><member>a</member></ClientIDList><Tags><member><Key>k</Key><Value>v</Value></member></Tags></GetOpenIDConnectProviderResult></GetOpenIDConnectProviderResponse>`)}},
			&change.State{ClientIDs: []string{"a"}, Tags: map[string]string{"k": "v"}},
		},
		"association": {
			change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c"},
			map[string][]reply{"GET " + associationPath: {ok(`{"associations":[{"associationId":"a-1"}]}`)}, "GET " + associationPath + "/a-1": {associationOf("aws-node", roleR)}},
			&change.State{Role: roleR},
		},
		"no association": {
			change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c"},
			map[string][]reply{"GET " + associationPath: {ok(`{"associations":[]}`)}},
			nil,
		},
		"add-on":    {change.Change{Kind: change.Addon, Name: "vpc-cni", Cluster: "c"}, map[string][]reply{"GET " + addonPath: {addonIs("DEGRADED", "")}}, &change.State{}},
		"no add-on": {change.Change{Kind: change.Addon, Name: "vpc-cni", Cluster: "c"}, nil, nil},
		"add-on's association goes before IRSA": {
			change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c"}, both, &change.State{Role: "arn:pod", Type: change.PodIdentity},
		},
		"add-on's IRSA role": {
			change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "third", Cluster: "c"}, both, &change.State{Role: "arn:irsa", Type: change.IRSA},
		},
		"add-on's association that went away": {
			change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c"}, map[string][]reply{"GET " + addonPath: {addonIs("ACTIVE", owns)}}, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, fake := newChanges(t, tt.replies)
			got, err := c.State(context.Background(), tt.change)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if len(fake.wrote) > 0 {
				t.Errorf("wrote %q", fake.wrote)
			}
		})
	}
}

// TestChangesWrite: the requests of each kind, in both directions.
func TestChangesWrite(t *testing.T) {
	update := "POST " + addonPath + "/update"
	given := func(account, role string) string {
		return fmt.Sprintf(`{"roleArn":%q,"serviceAccount":%q}`, role, account)
	}
	const irsa, preserve = `"serviceAccountRoleArn":"arn:irsa"`, `"resolveConflicts":"PRESERVE"`
	addon := map[string][]reply{
		"GET " + addonPath: {
			addonIs("ACTIVE", `,"serviceAccountRoleArn":"arn:irsa"`+owns), addonIs("UPDATING", ""), addonIs("ACTIVE", ""),
			addonIs("ACTIVE", `,"serviceAccountRoleArn":"arn:irsa"`+owns), addonIs("ACTIVE", ""),
		},
		"GET " + associationPath + "/a-1": {associationOf("aws-node", "arn:pod")},
		"GET " + associationPath + "/a-2": {associationOf("other", "arn:other")},
		update:                            {addonUpdated},
	}
	addonRole := func(before, after *change.State) change.Change {
		return change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", Before: before, After: after}
	}
	associations := map[string][]reply{
		"GET " + associationPath:             {ok(`{"associations":[{"associationId":"a-1"}]}`)},
		"GET " + associationPath + "/a-1":    {associationOf("aws-node", roleR)},
		"POST " + associationPath:            {associationMade},
		"POST " + associationPath + "/a-1":   {associationMade},
		"DELETE " + associationPath + "/a-1": {associationMade},
	}
	xml := func(actions ...string) map[string][]reply {
		replies := map[string][]reply{}
		for _, a := range actions {
			replies[a] = []reply{ok(fmt.Sprintf("<%[1]sResponse><%[1]sResult><OpenIDConnectProviderArn>arn:aws:iam::1:oidc-provider/h/id</OpenIDConnectProviderArn></%[1]sResult></%[1]sResponse>", a))}
		}
		return replies
	}
	const provider = "OpenIDConnectProviderArn=arn%3Aaws%3Aiam%3A%3A1%3Aoidc-provider%2Fh%2Fid"
	tests := map[string]struct {
		change  change.Change
		replies map[string][]reply
		want    []string
	}{
		"access entry, STANDARD": {
			change.Change{Kind: change.AccessEntry, Name: roleR, Cluster: "c", After: &change.State{Type: "STANDARD", Username: "u", Groups: []string{"g"}}},
			map[string][]reply{"POST /clusters/c/access-entries": {entryMade}, "DELETE " + entryPath: {ok("{}")}},
			[]string{`POST /clusters/c/access-entries {"kubernetesGroups":["g"],"principalArn":"arn:aws:iam::1:role/r","type":"STANDARD","username":"u"}`, "DELETE " + entryPath},
		},
		"access entry of nodes": {
			change.Change{Kind: change.AccessEntry, Name: roleR, Cluster: "c", After: &change.State{Type: "EC2", Username: "u", Groups: []string{"g"}}},
			map[string][]reply{"POST /clusters/c/access-entries": {entryMade}, "DELETE " + entryPath: {ok("{}")}},
			[]string{`POST /clusters/c/access-entries {"principalArn":"arn:aws:iam::1:role/r","type":"EC2"}`, "DELETE " + entryPath},
		},
		"trust policy": {
			change.Change{Kind: change.TrustPolicy, Name: "r", Before: &change.State{Document: "[1]"}, After: &change.State{Document: "[2]"}},
			xml("UpdateAssumeRolePolicy"),
			[]string{"UpdateAssumeRolePolicy PolicyDocument=%5B2%5D&RoleName=r", "UpdateAssumeRolePolicy PolicyDocument=%5B1%5D&RoleName=r"},
		},
		"OIDC provider": {
			change.Change{Kind: change.OIDCProvider, Name: "arn:aws:iam::1:oidc-provider/h/id", After: &change.State{ClientIDs: []string{"a"}}},
			xml("CreateOpenIDConnectProvider", "DeleteOpenIDConnectProvider"),
			[]string{"CreateOpenIDConnectProvider ClientIDList.member.1=a&Url=https%3A%2F%2Fh%2Fid", "DeleteOpenIDConnectProvider " + provider},
		},
		"OIDC provider's client ids": {
			change.Change{Kind: change.OIDCProvider, Name: "arn:aws:iam::1:oidc-provider/h/id", Before: &change.State{ClientIDs: []string{"a", "b"}}, After: &change.State{ClientIDs: []string{"b", "c"}}},
			xml("AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"),
			[]string{
				"AddClientIDToOpenIDConnectProvider ClientID=c&" + provider, "RemoveClientIDFromOpenIDConnectProvider ClientID=a&" + provider,
				"AddClientIDToOpenIDConnectProvider ClientID=a&" + provider, "RemoveClientIDFromOpenIDConnectProvider ClientID=c&" + provider,
			},
		},
		"association": {
			change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c", After: &change.State{Role: roleR}},
			associations,
			[]string{`POST ` + associationPath + ` {"namespace":"kube-system","roleArn":"arn:aws:iam::1:role/r","serviceAccount":"aws-node"}`, "DELETE " + associationPath + "/a-1"},
		},
		"association's role": {
			change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c", Before: &change.State{Role: roleR}, After: &change.State{Role: "arn:new"}},
			associations,
			[]string{"POST " + associationPath + `/a-1 {"roleArn":"arn:new"}`, "POST " + associationPath + `/a-1 {"roleArn":"arn:aws:iam::1:role/r"}`},
		},
		"add-on": {
			change.Change{Kind: change.Addon, Name: "vpc-cni", Cluster: "c", After: &change.State{}},
			map[string][]reply{
				"POST /clusters/c/addons": {addonMade}, "DELETE " + addonPath: {addonMade},
				"GET " + addonPath: {addonIs("CREATING", ""), addonIs("ACTIVE", ""), addonIs("DELETING", ""), refusal(http.StatusNotFound, "ResourceNotFoundException", "gone")},
			},
			[]string{`POST /clusters/c/addons {"addonName":"vpc-cni"}`, "DELETE " + addonPath},
		},
		// The associations stay with what is left out.
		"add-on's IRSA role": {
			addonRole(nil, &change.State{Role: "arn:new", Type: change.IRSA}), addon,
			[]string{update + ` {` + preserve + `,"serviceAccountRoleArn":"arn:new"}`, update + ` {` + preserve + `}`},
		},
		"add-on's association": {
			addonRole(nil, &change.State{Role: "arn:new", Type: change.PodIdentity}), addon,
			[]string{
				update + ` {"podIdentityAssociations":[` + given("aws-node", "arn:new") + "," + given("other", "arn:other") + `],` + preserve + `,` + irsa + `}`,
				update + ` {"podIdentityAssociations":[` + given("other", "arn:other") + `],` + preserve + `,` + irsa + `}`,
			},
		},
		"add-on's association in place of IRSA": {
			addonRole(&change.State{Role: "arn:irsa", Type: change.IRSA}, &change.State{Role: "arn:new", Type: change.PodIdentity}), addon,
			[]string{
				update + ` {"podIdentityAssociations":[` + given("aws-node", "arn:new") + "," + given("other", "arn:other") + `],` + preserve + `,` + irsa + `}`,
				update + ` {"podIdentityAssociations":[` + given("other", "arn:other") + `],` + preserve + `,` + irsa + `}`,
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			replies := map[string][]reply{}
			for k, v := range tt.replies {
				replies[k] = v
			}
			c, fake := newChanges(t, replies)
			for _, ch := range []change.Change{tt.change, tt.change.Invert()} {
				if err := c.Write(context.Background(), ch); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, fake.wrote); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChangesNoLastAssociation: an empty list takes the associations away.
func TestChangesNoLastAssociation(t *testing.T) {
	c, fake := newChanges(t, map[string][]reply{
		"GET " + addonPath:                {addonIs("ACTIVE", `,"podIdentityAssociations":["arn:aws:eks:eu-west-1:1:podidentityassociation/c/a-1"]`)},
		"GET " + associationPath + "/a-1": {associationOf("aws-node", "arn:pod")},
		"POST " + addonPath + "/update":   {addonUpdated},
	})
	err := c.Write(context.Background(), change.Change{
		Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", Before: &change.State{Role: "arn:pod", Type: change.PodIdentity},
	})
	want := []string{"POST " + addonPath + `/update {"podIdentityAssociations":[],"resolveConflicts":"PRESERVE"}`}
	if diff := cmp.Diff(want, fake.wrote); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestChangesUnknownRole: a role that EKS does not know yet is tried again, another
// mistake is not.
func TestChangesUnknownRole(t *testing.T) {
	association := change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c", After: &change.State{Role: roleR}}
	unknown := refusal(http.StatusBadRequest, "InvalidParameterException", "Role provided in the request does not exist.")
	tests := map[string]struct {
		change change.Change
		call   string
		first  reply
		made   reply
		tries  int
	}{
		"association":                  {association, "POST " + associationPath, unknown, associationMade, 2},
		"association, another mistake": {association, "POST " + associationPath, refusal(http.StatusBadRequest, "InvalidParameterException", "the namespace is odd"), associationMade, 1},
		"association, another error":   {association, "POST " + associationPath, refusal(http.StatusBadRequest, "InvalidRequestException", "Role provided"), associationMade, 1},
		"add-on's role":                {change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", After: &change.State{Role: roleR, Type: change.PodIdentity}}, "POST " + addonPath + "/update", unknown, addonUpdated, 2},
		"access entry":                 {change.Change{Kind: change.AccessEntry, Name: roleR, Cluster: "c", After: &change.State{Type: "EC2"}}, "POST /clusters/c/access-entries", refusal(http.StatusBadRequest, "InvalidParameterException", "The specified principalArn is invalid"), entryMade, 2},
		"add-on, which names no role":  {change.Change{Kind: change.Addon, Name: "vpc-cni", Cluster: "c", After: &change.State{}}, "POST /clusters/c/addons", unknown, addonMade, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, fake := newChanges(t, map[string][]reply{tt.call: {tt.first, tt.made}, "GET " + addonPath: {addonIs("ACTIVE", "")}})
			err := c.Write(context.Background(), tt.change)
			if len(fake.wrote) != tt.tries || (err == nil) != (tt.tries == 2) {
				t.Errorf("%d tries, %v", len(fake.wrote), err)
			}
		})
	}
}

// TestChangesAddonFails: an add-on that does not come up is told with its issues,
// and so is one that takes too long.
func TestChangesAddonFails(t *testing.T) {
	const sick = `,"health":{"issues":[{"code":"InsufficientNumberOfReplicas","message":"no\nnodes","resourceIds":["r-1"]},{"code":"AccessDenied"}]}`
	const told = ": InsufficientNumberOfReplicas: no nodes (r-1); AccessDenied"
	made := change.Change{Kind: change.Addon, Name: "vpc-cni", Cluster: "c", After: &change.State{}}
	role := change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", After: &change.State{Role: roleR, Type: change.IRSA}}
	tests := map[string]struct {
		change change.Change
		last   reply
		want   string
	}{
		"creation failed":  {made, addonIs("CREATE_FAILED", sick), "change add-on vpc-cni: it is CREATE_FAILED" + told},
		"degraded":         {made, addonIs("DEGRADED", sick), "change add-on vpc-cni: it is DEGRADED" + told},
		"update failed":    {role, addonIs("UPDATE_FAILED", ""), "change role of service account aws-node in add-on vpc-cni: it is UPDATE_FAILED"},
		"deletion failed":  {made.Invert(), addonIs("DELETE_FAILED", ""), "change add-on vpc-cni: it is DELETE_FAILED"},
		"takes too long":   {made, addonIs("CREATING", ""), "change add-on vpc-cni: it is still CREATING after 20ms"},
		"does not go away": {made.Invert(), addonIs("DEGRADED", ""), "change add-on vpc-cni: it is still DEGRADED after 20ms"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := newChanges(t, map[string][]reply{
				"POST /clusters/c/addons": {addonMade}, "DELETE " + addonPath: {addonMade}, "POST " + addonPath + "/update": {addonUpdated}, "GET " + addonPath: {tt.last},
			})
			c.settle = 20 * time.Millisecond
			err := c.Write(context.Background(), tt.change)
			var failed *change.FailedError
			if !errors.As(err, &failed) || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		c, _ := newChanges(t, map[string][]reply{"POST /clusters/c/addons": {addonMade}, "GET " + addonPath: {addonIs("CREATING", "")}})
		c.pollInterval, c.settle = time.Minute, time.Hour
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := c.Write(ctx, made); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestChangesRefused: a refusal names the permission.
func TestChangesRefused(t *testing.T) {
	denied := refusal(http.StatusForbidden, "AccessDeniedException", "not you")
	c, _ := newChanges(t, map[string][]reply{"POST " + addonPath + "/update": {denied}, "GET " + addonPath: {addonIs("ACTIVE", "")}})
	err := c.Write(context.Background(), change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", After: &change.State{Role: roleR, Type: change.IRSA}})
	if err == nil || !strings.Contains(err.Error(), "eks:UpdateAddon") {
		t.Errorf("%v", err)
	}
	if err := c.Write(context.Background(), change.Change{Kind: change.TrustPolicy, Name: "r", Before: &change.State{}}); err == nil || !strings.Contains(err.Error(), "always has a trust policy") {
		t.Errorf("%v", err)
	}
}
