package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// changesProgram reads and makes a change with the plugin's own packages. It is
// built in the plugin's module, which the end-to-end tests do not depend on.
const changesProgram = `package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	collectaws "github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func lines(c change.Change) string {
	var b strings.Builder
	for _, command := range c.Commands() {
		b.WriteString(command.String() + "\n")
	}
	return b.String()
}

func main() {
	var c change.Change
	must(json.Unmarshal([]byte(os.Args[2]), &c))
	ctx := context.Background()
	store, err := collectaws.NewChanges(ctx, collectaws.Config{Region: os.Getenv("AWS_REGION")})
	must(err)
	wrote := false
	if os.Args[1] == "make" {
		wrote, err = change.Apply(ctx, store, c)
		must(err)
	}
	state, err := store.State(ctx, c)
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"wrote": wrote, "state": state, "begins": c.Invert().AppliedIn(state), "made": c.AppliedIn(state), "command": lines(c), "invert": c.Invert(),
	}))
}
`

// changeState is a change.State as JSON.
type changeState map[string]any

// oneChange is a change.Change.
type oneChange struct {
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	Part    string      `json:"part,omitempty"`
	Cluster string      `json:"cluster,omitempty"`
	Before  changeState `json:"before"`
	After   changeState `json:"after"`
}

// outcome is what changesProgram prints.
type outcome struct {
	Wrote        bool
	State        changeState
	Begins, Made bool
	Command      string
	Invert       oneChange
}

// changes runs changesProgram and the AWS CLI.
type changes struct {
	program string
	env     []string
}

func newProgram(t *testing.T, endpoint string) changes {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(changesProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	c := changes{filepath.Join(dir, "changes"), append(baseEnv(), "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region)}
	build := exec.Command("go", "build", "-o", c.program, source)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return c
}

// run reads or makes a change.
func (p changes) run(t *testing.T, verb string, c oneChange) outcome {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.program, verb, string(text))
	cmd.Env = p.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", verb, text, err, stderr.String())
	}
	var o outcome
	if err := json.Unmarshal(out, &o); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return o
}

// shell runs a printed command.
func (p changes) shell(t *testing.T, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-eu")
	cmd.Stdin = strings.NewReader(command + "\n")
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", command, err, out)
	}
}

// clientIDs returns the URL of a server in front of the proxy that adds and removes
// client ids of OIDC providers, which moto cannot: it makes the provider again.
func (s *scenario) clientIDs() string {
	target, err := url.Parse(proxy.URL)
	s.must(err)
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body)) // bodies of EKS are none
		action, id := form.Get("Action"), form.Get("ClientID")
		if action != "AddClientIDToOpenIDConnectProvider" && action != "RemoveClientIDFromOpenIDConnectProvider" {
			forward.ServeHTTP(w, r)
			return
		}
		err = s.changeProvider(form.Get("OpenIDConnectProviderArn"), func(ids []string) []string {
			ids = slices.DeleteFunc(ids, func(have string) bool { return have == id })
			if strings.HasPrefix(action, "Add") {
				ids = append(ids, id)
			}
			return ids
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%[1]sResponse>`, action)
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// changeProvider makes an OIDC provider again with other client ids.
func (s *scenario) changeProvider(arn string, change func([]string) []string) error {
	now, err := s.iam.GetOpenIDConnectProvider(s.ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	if err != nil {
		return err
	}
	if _, err := s.iam.DeleteOpenIDConnectProvider(s.ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn}); err != nil {
		return err
	}
	_, name, _ := strings.Cut(arn, ":oidc-provider/")
	_, err = s.iam.CreateOpenIDConnectProvider(s.ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://" + name), ClientIDList: change(now.ClientIDList), Tags: now.Tags,
	})
	return err
}

// TestChanges: every kind is made, found made, taken back, and the printed commands
// do the same.
func TestChanges(t *testing.T) {
	s := newScenario(t, "changes")
	program := newProgram(t, s.clientIDs())
	for _, role := range []string{"old", "new", "other"} {
		s.role(role, serviceTrust("ec2.amazonaws.com"))
	}
	_, err := s.iam.CreateOpenIDConnectProvider(s.ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://example.com/there"), ClientIDList: []string{"other", "third"}})
	s.must(err)
	provider := "arn:aws:iam::" + account + ":oidc-provider/"
	for i, name := range []string{"irsa", "moved", "associated", "both", "shared"} {
		addon := awsproxy.Addon{Version: "v1"}
		if name == "moved" || name == "shared" {
			addon.ServiceAccountRoleARN = roleARN("old")
		}
		s.proxied.Addons[name] = addon
		if name == "shared" || name == "both" {
			s.proxied.Associations[fmt.Sprintf("a-%d", i)] = awsproxy.Association{
				Namespace: "kube-system", ServiceAccount: "other-" + name, RoleARN: roleARN("other"), OwnerARN: awsproxy.AddonARN(region, s.cluster, name),
			}
		}
	}
	s.proxied.Associations["a-there"] = awsproxy.Association{Namespace: "apps", ServiceAccount: "there", RoleARN: roleARN("old")}
	s.apply()
	document := func(service string) changeState { return changeState{"document": serviceTrust(service)} }
	gives := func(kind, role string) changeState { return changeState{"type": kind, "role": roleARN(role)} }

	type test struct {
		change oneChange
		// others is set where an add-on gives other service accounts roles, of
		// which the command knows nothing.
		others bool
	}
	tests := map[string]test{
		"trust policy":  {change: oneChange{Kind: "iam.TrustPolicy", Name: "old", Before: document("ec2.amazonaws.com"), After: document("lambda.amazonaws.com")}},
		"OIDC provider": {change: oneChange{Kind: "iam.OIDCProvider", Name: provider + "example.com/new", After: changeState{"clientIds": []string{"sts.amazonaws.com"}, "tags": map[string]string{"team": "a b"}}}},
		"OIDC provider's client ids": {change: oneChange{
			Kind: "iam.OIDCProvider", Name: provider + "example.com/there",
			Before: changeState{"clientIds": []string{"other", "third"}}, After: changeState{"clientIds": []string{"other", "sts.amazonaws.com"}},
		}},
		"access entry": {change: oneChange{Kind: "eks.AccessEntry", Name: roleARN("new"), Cluster: s.cluster, After: changeState{
			"type": "STANDARD", "username": "me:{{SessionName}}", "groups": []string{"readers", "writers"}, "tags": map[string]string{"team": "a b"},
		}}},
		"access entry of nodes":    {change: oneChange{Kind: "eks.AccessEntry", Name: roleARN("old"), Cluster: s.cluster, After: changeState{"type": "EC2_LINUX"}}},
		"association":              {change: oneChange{Kind: "eks.PodIdentityAssociation", Name: "apps/new", Cluster: s.cluster, After: changeState{"role": roleARN("new")}}},
		"association's role":       {change: oneChange{Kind: "eks.PodIdentityAssociation", Name: "apps/there", Cluster: s.cluster, Before: changeState{"role": roleARN("old")}, After: changeState{"role": roleARN("new")}}},
		"add-on":                   {change: oneChange{Kind: "eks.Addon", Name: "eks-pod-identity-agent", Cluster: s.cluster, After: changeState{}}},
		"add-on's IRSA role":       {change: oneChange{Kind: "eks.AddonRole", Name: "irsa", Part: "sa-irsa", Cluster: s.cluster, After: gives("IRSA", "new")}},
		"IRSA beside associations": {change: oneChange{Kind: "eks.AddonRole", Name: "both", Part: "sa-both", Cluster: s.cluster, After: gives("IRSA", "new")}},
		"add-on's association":     {change: oneChange{Kind: "eks.AddonRole", Name: "associated", Part: "sa-associated", Cluster: s.cluster, After: gives("PodIdentity", "new")}},
		"from IRSA to association": {change: oneChange{Kind: "eks.AddonRole", Name: "moved", Part: "sa-moved", Cluster: s.cluster, Before: gives("IRSA", "old"), After: gives("PodIdentity", "new")}},
		"among other associations": {change: oneChange{Kind: "eks.AddonRole", Name: "shared", Part: "sa-shared", Cluster: s.cluster, Before: gives("IRSA", "old"), After: gives("PodIdentity", "new")}, others: true},
	}
	// keeps looks at what a change of one add-on is to leave alone.
	keeps := func(t *testing.T, when string) {
		t.Helper()
		cluster := proxy.Cluster(s.cluster)
		others := map[string]string{}
		for _, a := range cluster.Associations {
			if strings.HasPrefix(a.ServiceAccount, "other-") {
				others[a.ServiceAccount] = a.RoleARN
			}
		}
		if diff := cmp.Diff(map[string]string{"other-both": roleARN("other"), "other-shared": roleARN("other")}, others); diff != "" {
			t.Errorf("%s: other associations (-want +got):\n%s", when, diff)
		}
		for _, name := range []string{"moved", "shared"} {
			if got := cluster.Addons[name].ServiceAccountRoleARN; got != roleARN("old") {
				t.Errorf("%s: add-on %s has the IRSA role %q", when, name, got)
			}
		}
	}
	t.Run("kinds", func(t *testing.T) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				begins := func(when string) outcome {
					t.Helper()
					o := program.run(t, "read", tt.change)
					if !o.Begins || o.Made {
						t.Fatalf("%s: it is %v, not as before", when, o.State)
					}
					return o
				}
				made := func(when string) {
					t.Helper()
					if o := program.run(t, "read", tt.change); !o.Made || o.Begins {
						t.Fatalf("%s: it is %v, not as wanted", when, o.State)
					}
				}
				first := begins("at first")
				if o := program.run(t, "make", tt.change); !o.Wrote {
					t.Fatalf("nothing was written: %+v", o)
				}
				made("when made")
				keeps(t, "when made")
				if o := program.run(t, "make", tt.change); o.Wrote {
					t.Errorf("written again: %+v", o)
				}
				if o := program.run(t, "make", first.Invert); !o.Wrote {
					t.Fatalf("nothing was taken back: %+v", o)
				}
				again := begins("when taken back")
				keeps(t, "when taken back")
				if diff := cmp.Diff(first.State, again.State); diff != "" {
					t.Errorf("taken back (-first +now):\n%s", diff)
				}
				if tt.others {
					return
				}
				program.shell(t, first.Command)
				made("after " + first.Command)
				undo := program.run(t, "read", first.Invert).Command
				program.shell(t, undo)
				begins("after " + undo)
				keeps(t, "after "+undo)
			})
		}
	})
}

// TestChangesStaleEntry: the deletion of an access entry that meanwhile is another
// one does not happen.
func TestChangesStaleEntry(t *testing.T) {
	s := newScenario(t, "stale")
	program := newProgram(t, proxy.URL)
	s.role("nodes", serviceTrust("ec2.amazonaws.com"))
	s.grantAccess("nodes", "EC2_LINUX")
	c := oneChange{Kind: "eks.AccessEntry", Name: roleARN("nodes"), Cluster: s.cluster}
	found := program.run(t, "read", c).State
	if found["createdAt"] == nil {
		t.Fatalf("%v", found)
	}
	c.Before = changeState{"type": "EC2_LINUX", "createdAt": "2020-01-02T03:04:05Z"}
	text, err := json.Marshal(c)
	s.must(err)
	cmd := exec.Command(program.program, "make", string(text))
	cmd.Env = program.env
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "time of creation is ") {
		t.Errorf("%v\n%s", err, out)
	}
	c.Before = found
	if o := program.run(t, "make", c); !o.Wrote || o.State != nil {
		t.Errorf("%+v", o)
	}
}
