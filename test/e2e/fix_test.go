package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// troubled is a cluster with everything that fix repairs by itself: a node role that
// EC2 may not assume, without the worker's and the puller's permissions, with the CNI
// policy and an entry older than it; a second one that nothing lets in; aws-node
// without a role of its own.
func (s *scenario) troubled() {
	s.role("eksNodeRole", trust(`{"Service":"ec2.amazonaws.com"}`, "sts:TagSession", ""), cniPolicy)
	s.nodeGroup("apps", "eksNodeRole")
	s.node(firstNode, "i-0aaaaaaaaaaaaaaaa", "apps")
	s.node(secondNode, "i-0bbbbbbbbbbbbbbbb", "apps")
	s.proxied.AccessEntries[roleARN("eksNodeRole")] = awsproxy.AccessEntry{
		Type: "EC2_LINUX", Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}, CreatedAt: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	s.nodeRole("otherRole", workerPolicy, pullPolicy)
	s.nodeGroup("more", "otherRole")
	s.awsNode("")
	s.proxied.Addons["vpc-cni"] = awsproxy.Addon{Version: "v1.20.4-eksbuild.1"}
	s.apply()
}

// fixEnv is the environment of a run of fix: its journals are kept apart.
func (s *scenario) fixEnv(endpoint string) []string {
	return append(s.kubeconfig(endpoint), "XDG_STATE_HOME="+s.t.TempDir())
}

// fix runs fix --apply --yes and wants it to succeed.
func (s *scenario) fix(env []string, args ...string) output {
	s.t.Helper()
	out := kubectl(s.t, env, append([]string{"noderole", "fix", "--apply", "--yes"}, args...)...)
	if out.code != 0 {
		s.t.Fatalf("fix %s: exit %d\n%s%s", strings.Join(args, " "), out.code, out.stdout, out.stderr)
	}
	return out
}

// everything is what fix can change: the roles, what the proxy says of the cluster,
// and what is in the cluster, without times and ids.
func (s *scenario) everything() map[string]any {
	s.t.Helper()
	all := map[string]any{}
	roles, err := s.iam.ListRoles(s.ctx, &iam.ListRolesInput{})
	s.must(err)
	for _, r := range roles.Roles {
		all["role "+*r.RoleName] = s.readRole(*r.RoleName)
	}
	providers, err := s.iam.ListOpenIDConnectProviders(s.ctx, &iam.ListOpenIDConnectProvidersInput{})
	s.must(err)
	for _, p := range providers.OpenIDConnectProviderList {
		all["provider "+*p.Arn] = true
	}
	c := proxy.Cluster(s.cluster)
	for arn, e := range c.AccessEntries {
		all["entry "+arn] = fmt.Sprint(e.Type, e.Policies)
	}
	for name, a := range c.Addons {
		all["add-on "+name] = a.ServiceAccountRoleARN
	}
	for _, a := range c.Associations {
		all["association"] = a.RoleARN
	}
	account, err := s.kube.CoreV1().ServiceAccounts("kube-system").Get(s.ctx, "aws-node", metav1.GetOptions{})
	s.must(err)
	all["annotation"] = account.Annotations[roleAnnotation]
	maps, err := s.kube.CoreV1().ConfigMaps("kube-system").List(s.ctx, metav1.ListOptions{})
	s.must(err)
	for _, m := range maps.Items {
		if m.Name == "aws-auth" {
			all["aws-auth"] = m.Data
		}
	}
	_, all["pods"] = s.awsNodePods()
	return all
}

// clean wants check to find nothing at all.
func (s *scenario) clean() {
	s.t.Helper()
	if left, _ := s.check(); len(left) > 0 {
		s.t.Errorf("check still says %v", left)
	}
}

// TestFix: from the troubled cluster to a clean one, the CNI policy moved to a role of
// aws-node's own in a safe order; run again it finds nothing to do; and all of it is
// taken back.
func TestFix(t *testing.T) {
	wrote := map[string]bool{}
	for name, tt := range map[string]struct {
		identity string
		addon    bool
		line     string
	}{
		"Pod Identity by the add-on": {"pod-identity", true, "uses EKS Pod Identity role fix-aws-node on 2 of 2 nodes"},
		"Pod Identity":               {"pod-identity", false, "uses EKS Pod Identity role fix-aws-node on 2 of 2 nodes"},
		"IRSA by the add-on":         {"irsa", true, "uses IRSA role fix-aws-node on 2 of 2 nodes"},
		"IRSA":                       {"irsa", false, "uses IRSA role fix-aws-node on 2 of 2 nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, "fix")
			s.troubled()
			if !tt.addon {
				delete(s.proxied.Addons, "vpc-cni")
				s.apply()
			}
			s.rollouts()
			before := s.everything()
			env := s.fixEnv(proxy.URL)

			plan := kubectl(t, env, "noderole", "fix", "--cni-identity", tt.identity)
			if diff := cmp.Diff(before, s.everything()); plan.code != 0 || diff != "" {
				t.Fatalf("the plan alone: exit %d\n%s%s\nchanged: %s", plan.code, plan.stdout, plan.stderr, diff)
			}
			out := s.fix(env, "--cni-identity", tt.identity)
			s.clean()
			if _, line := s.check(); line != tt.line {
				t.Errorf("aws-node %s, want %s", line, tt.line)
			}
			if again := s.fix(env, "--cni-identity", tt.identity); !strings.Contains(again.stdout, "nothing to repair in fix") {
				t.Errorf("again:\n%s%s", again.stdout, again.stderr)
			}

			journal := journalIn(t, out.stdout)
			undo := s.fix(env, "--undo", journal)
			if diff := cmp.Diff(before, s.everything()); diff != "" {
				t.Errorf("after undo (-before +now):\n%s\n%s", diff, undo.stdout)
			}
			if again := s.fix(env, "--undo", journal); !strings.Contains(again.stdout, "nothing") {
				t.Errorf("undo again:\n%s%s", again.stdout, again.stderr)
			}
			for _, call := range proxy.Calls() {
				wrote[call.Operation] = true
			}
		})
	}
	// Whoever has what policy admin prints may do all of this.
	document := adminDocument(t)
	for operation := range wrote {
		if !slices.ContainsFunc(slices.Collect(maps.Values(document)), func(actions []string) bool { return slices.Contains(actions, operation) }) {
			t.Errorf("policy admin does not allow %s", operation)
		}
	}
	for _, operation := range []string{"iam:UpdateAssumeRolePolicy", "iam:DetachRolePolicy", "eks:DeleteAccessEntry", "eks:UpdateAddon", "eks:CreatePodIdentityAssociation", "iam:CreateOpenIDConnectProvider", "iam:DeleteRole"} {
		if !wrote[operation] {
			t.Errorf("no run called %s", operation)
		}
	}
}

// interceptor stands in front of AWS or the API server and tells of every write when
// it has been made and not been answered yet.
type interceptor struct {
	url string
	mu  sync.Mutex
	// wrote is called with the operation; where it returns false the answer is lost.
	wrote func(operation string) bool
}

func (i *interceptor) set(f func(string) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.wrote = f
}

// intercept starts an interceptor in front of a server.
func (s *scenario) intercept(target string, secure bool) *interceptor {
	s.t.Helper()
	to, err := url.Parse(target)
	s.must(err)
	forward := httputil.NewSingleHostReverseProxy(to)
	i := &interceptor{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		operation := r.Method + " " + r.URL.Path
		writes := r.Method != http.MethodGet && !strings.HasPrefix(r.URL.Path, "/apis/coordination.k8s.io/") // the lease is no part of a repair
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
			operation = form.Get("Action")
			writes = !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "List") && !strings.HasPrefix(operation, "Describe")
		}
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		i.mu.Lock()
		f := i.wrote
		i.mu.Unlock()
		if writes && f != nil && answer.Code < 300 && !f(operation) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	if secure {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(kube.ca)
		forward.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		cert, err := tls.LoadX509KeyPair(filepath.Join(kube.dir, "server.crt"), filepath.Join(kube.dir, "server.key"))
		s.must(err)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.StartTLS()
	} else {
		server.Start()
	}
	s.t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// TestFixKilled: killed after every single write, before its answer comes, and run
// again each time, fix ends where it ends undisturbed; and taken back, where it began.
func TestFixKilled(t *testing.T) {
	for _, identity := range []string{"pod-identity", "irsa"} {
		t.Run(identity, func(t *testing.T) {
			ends := func(name string, run func(s *scenario)) (ended map[string]any) {
				t.Run(name, func(t *testing.T) {
					s := newScenario(t, "killed")
					s.troubled()
					if identity == "irsa" {
						delete(s.proxied.Addons, "vpc-cni") // the service account is annotated
						s.apply()
					}
					s.rollouts()
					run(s)
					s.clean()
					ended = s.everything()
				})
				return ended
			}
			want := ends("undisturbed", func(s *scenario) { s.fix(s.fixEnv(proxy.URL), "--cni-identity", identity) })
			got := ends("again and again", func(s *scenario) {
				t := s.t
				began := s.everything()
				cloud, cluster := s.intercept(proxy.URL, false), s.intercept(kube.url, true)
				s.proxied.Endpoint = cluster.url
				proxy.SetCluster(s.cluster, s.withEndpoint(cluster.url))
				state := t.TempDir()
				env := append(s.kubeconfigFor(cluster.url, cloud.url), "XDG_STATE_HOME="+state)
				var wrote []string
				for run := 1; ; run++ {
					cmd := exec.Command("kubectl", "noderole", "fix", "--apply", "--yes", "--cni-identity", identity)
					cmd.Env = append(baseEnv(), env...)
					var out bytes.Buffer
					cmd.Stdout, cmd.Stderr = &out, &out
					kill := func(operation string) bool {
						wrote = append(wrote, operation)
						_ = cmd.Process.Kill()
						return false
					}
					cloud.set(kill)
					cluster.set(kill)
					s.must(cmd.Start())
					err := cmd.Wait()
					cloud.set(nil)
					cluster.set(nil)
					if err == nil {
						break
					}
					if !strings.Contains(err.Error(), "killed") || run > 40 {
						t.Fatalf("run %d: %v, after %v\n%s", run, err, wrote, out.String())
					}
				}
				if len(wrote) < 9 {
					t.Errorf("killed after %v alone", wrote)
				}
				journals, err := filepath.Glob(filepath.Join(state, "kubectl-noderole", "*.jsonl"))
				s.must(err)
				if len(journals) != 1 {
					t.Errorf("journals %v", journals)
				}
				ended := s.everything()
				s.fix(env, "--undo", journals[0])
				if diff := cmp.Diff(began, s.everything()); diff != "" {
					t.Errorf("taken back (-began +now):\n%s", diff)
				}
				s.fix(env, "--cni-identity", identity)
				if diff := cmp.Diff(ended, s.everything()); diff != "" {
					t.Errorf("once more (-first +now):\n%s", diff)
				}
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-undisturbed +killed again and again):\n%s", diff)
			}
		})
	}
}

// withEndpoint is what the proxy says of the cluster, with another endpoint.
func (s *scenario) withEndpoint(endpoint string) awsproxy.Cluster {
	c := proxy.Cluster(s.cluster)
	c.Endpoint = endpoint
	return c
}

// kubeconfigFor is kubeconfig for an API server at another address.
func (s *scenario) kubeconfigFor(server, endpoint string) []string {
	s.t.Helper()
	real := kube.url
	kube.url = server
	defer func() { kube.url = real }()
	return s.kubeconfig(endpoint)
}

// TestFixTwice: two runs at once, each with a state folder of its own and so without
// a lock between them, do no harm.
func TestFixTwice(t *testing.T) {
	s := newScenario(t, "twice")
	s.troubled()
	s.rollouts()
	var wait sync.WaitGroup
	results := make([]output, 2)
	for i := range results {
		env := s.fixEnv(proxy.URL)
		wait.Go(func() {
			results[i] = kubectl(t, env, "noderole", "fix", "--apply", "--yes", "--cni-identity", "pod-identity")
		})
	}
	wait.Wait()
	s.oneRepaired(results)
}

// oneRepaired holds that of two runs both ended well, and one found nothing left to do.
func (s *scenario) oneRepaired(results []output) {
	s.t.Helper()
	nothing := 0
	for _, r := range results {
		if r.code != 0 {
			s.t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		if strings.Contains(r.stdout, "nothing to repair in "+s.cluster) {
			nothing++
		}
	}
	if nothing != 1 {
		s.t.Errorf("%d of 2 runs found nothing left to do", nothing)
	}
	s.clean()
}

// TestFixLock: two runs of one user wait for each other.
func TestFixLock(t *testing.T) {
	s := newScenario(t, "lock")
	s.troubled()
	s.rollouts()
	env := s.fixEnv(proxy.URL)
	var wait sync.WaitGroup
	results := make([]output, 2)
	for i := range results {
		wait.Go(func() {
			results[i] = kubectl(t, env, "noderole", "fix", "--apply", "--yes", "--cni-identity", "pod-identity")
		})
	}
	wait.Wait()
	s.oneRepaired(results)
}

// TestFixRefused: every AWS write refused once: the permission is named, what was made
// stands, nodes are no worse off, and the next run goes on to the end.
func TestFixRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		identity   string
		alone      bool // vpc-cni is no add-on
		ipv6       bool
		operations []string
	}{
		"add-on": {identity: "pod-identity", operations: []string{
			"iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "eks:DeleteAccessEntry", "eks:CreateAccessEntry", "eks:CreateAddon", "eks:UpdateAddon", "iam:DetachRolePolicy",
		}},
		"association": {identity: "pod-identity", alone: true, operations: []string{"eks:CreatePodIdentityAssociation"}},
		"IRSA, IPv6":  {identity: "irsa", ipv6: true, operations: []string{"iam:CreateOpenIDConnectProvider", "iam:PutRolePolicy"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, "refused")
			s.troubled()
			if tt.alone {
				delete(s.proxied.Addons, "vpc-cni")
			}
			if tt.ipv6 {
				s.proxied.IPFamily = "ipv6"
				name, policy := "eksNodeRole", awsPolicy(cniPolicy)
				_, err := s.iam.DetachRolePolicy(s.ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: &policy})
				s.must(err)
			}
			s.apply()
			s.rollouts()
			env := s.fixEnv(proxy.URL)
			args := []string{"noderole", "fix", "--apply", "--yes", "--cni-identity", tt.identity}
			for _, operation := range tt.operations {
				proxy.SetFault(operation, denied(operation))
				out := kubectl(t, env, args...)
				if out.code != 3 || !strings.Contains(out.stderr, "grant yourself "+operation) || !strings.Contains(out.stderr, "run the same command again") || !strings.Contains(out.stderr, "--undo") {
					t.Errorf("%s: exit %d\n%s%s", operation, out.code, out.stdout, out.stderr)
				}
				proxy.ClearFault(operation)
			}
			s.fix(env, "--cni-identity", tt.identity)
			s.clean()
		})
	}
}

// TestFixRefusedElsewhere: the writes that a cluster of other kinds of nodes wants.
func TestFixRefusedElsewhere(t *testing.T) {
	s := newScenario(t, "elsewhere")
	// Auto Mode's role has been made again since its access entry was.
	s.role("autoRole", serviceTrust("ec2.amazonaws.com"), "AmazonEKSWorkerNodeMinimalPolicy", pullPolicy)
	s.proxied.AutoModeRole = roleARN("autoRole")
	s.proxied.AccessEntries[roleARN("autoRole")] = awsproxy.AccessEntry{
		Type: "EC2", CreatedAt: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), Policies: []string{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy"},
	}
	s.apply()
	// The instance profile of a self-managed node has been deleted.
	s.nodeRole("selfRole", workerPolicy, pullPolicy)
	id, name := s.instance("selfRole"), "selfRole"
	s.node(firstNode, id, "")
	_, err := s.iam.RemoveRoleFromInstanceProfile(s.ctx, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &name})
	s.must(err)
	_, err = s.iam.DeleteInstanceProfile(s.ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: &name})
	s.must(err)
	env := s.fixEnv(proxy.URL)
	before := s.roleless()
	for _, operation := range []string{
		"iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "eks:DisassociateAccessPolicy", "eks:DeleteAccessEntry", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy",
	} {
		proxy.SetFault(operation, denied(operation))
		out := kubectl(t, env, "noderole", "fix", "--apply", "--yes", "--only", "NR105,NR503")
		if out.code != 3 || !strings.Contains(out.stderr, "grant yourself "+operation) {
			t.Errorf("%s: exit %d\n%s%s", operation, out.code, out.stdout, out.stderr)
		}
		proxy.ClearFault(operation)
	}
	s.fix(env, "--only", "NR105,NR503")
	if after := s.roleless(); !slices.Equal(before, []string{"NR105", "NR503"}) || len(after) > 0 {
		t.Errorf("check said %v, and says %v", before, after)
	}
	if policies := proxy.Cluster(s.cluster).AccessEntries[roleARN("autoRole")].Policies; len(policies) != 1 {
		t.Errorf("access policies %v", policies)
	}
}

// roleless are the failures that TestFixRefusedElsewhere repairs.
func (s *scenario) roleless() []string {
	s.t.Helper()
	var ids []string
	verdicts, _ := s.check()
	for _, v := range verdicts {
		if id, rest, _ := strings.Cut(v, " "); (id == "NR105" || id == "NR503") && strings.HasSuffix(rest, " fail") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// TestFixForbidden: what the cluster refuses is named as well.
func TestFixForbidden(t *testing.T) {
	s := newScenario(t, "forbidden")
	s.proxied.AuthenticationMode = "CONFIG_MAP"
	s.apply()
	s.nodeRole("eksNodeRole", workerPolicy, pullPolicy)
	s.nodeGroup("apps", "eksNodeRole")
	s.grantReader("forbidden")
	env := append(s.writeKubeconfig(proxy.URL, map[string]any{"token": readerToken}), "XDG_STATE_HOME="+t.TempDir())
	out := kubectl(t, env, "noderole", "fix", "--apply", "--yes", "--only", "NR501")
	if out.code != 3 || !strings.Contains(out.stderr, "grant yourself create configmaps in kube-system") ||
		!strings.HasPrefix(out.stderr, "warning: runs of fix on other machines are not kept apart: no permission to get leases.coordination.k8s.io in kube-system\nerror: ") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// TestFixUnproven: where the pods cannot be seen to use the new role, the CNI policy
// stays on the node role.
func TestFixUnproven(t *testing.T) {
	s := newScenario(t, "unproven")
	s.nodeRole("eksNodeRole", workerPolicy, pullPolicy, cniPolicy)
	s.nodeGroup("apps", "eksNodeRole")
	s.node(firstNode, "i-0aaaaaaaaaaaaaaaa", "apps")
	s.grantAccess("eksNodeRole", "EC2_LINUX")
	s.awsNode("")
	s.proxied.Addons["vpc-cni"] = awsproxy.Addon{Version: "v1.20.4-eksbuild.1"}
	s.apply()
	s.rollouts()
	// The webhook fails from now on, which it does silently: its failure policy is
	// Ignore.
	cloud := s.intercept(proxy.URL, false)
	cloud.set(func(operation string) bool {
		if !strings.HasSuffix(operation, "/addons/vpc-cni/update") {
			return true
		}
		webhooks := s.kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
		webhook, err := webhooks.Get(s.ctx, "pod-identity-webhook", metav1.GetOptions{})
		s.must(err)
		nowhere := "https://127.0.0.1:1/mutate"
		webhook.Webhooks[0].ClientConfig.URL = &nowhere
		_, err = webhooks.Update(s.ctx, webhook, metav1.UpdateOptions{})
		s.must(err)
		time.Sleep(2 * time.Second) // until the API server has seen it
		return true
	})
	out := kubectl(t, s.fixEnv(cloud.url), "noderole", "fix", "--apply", "--yes", "--cni-identity", "irsa", "--proof-timeout", "2s")
	if out.code != 1 || !strings.Contains(out.stderr, "it is not proven that it works") || !strings.Contains(out.stderr, "NR602") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	if _, ok := s.readRole("eksNodeRole").Policies[awsPolicy(cniPolicy)]; !ok {
		t.Error("the CNI policy was detached")
	}
}

// TestFixPlan: a plan that was saved is made as it is, refused when what it is about
// has changed, and refused for another cluster.
func TestFixPlan(t *testing.T) {
	s := newScenario(t, "plan")
	s.troubled()
	s.awsNodePod("aws-node-a", firstNode, "")
	env := s.fixEnv(proxy.URL)
	out := kubectl(t, env, "noderole", "fix", "-o", "json")
	if out.code != 0 {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	s.must(os.WriteFile(file, []byte(out.stdout), 0o600))

	before := s.everything()
	name, document := "eksNodeRole", trust(`{"Service":"ec2.amazonaws.com"}`, "sts:SetSourceIdentity", "")
	_, err := s.iam.UpdateAssumeRolePolicy(s.ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &document})
	s.must(err)
	moved := kubectl(t, env, "noderole", "fix", "--plan", file, "--apply", "--yes")
	if moved.code != 1 || !strings.Contains(moved.stderr, "the plan no longer fits the cluster: trust policy of role eksNodeRole is not as expected") {
		t.Errorf("exit %d\n%s%s", moved.code, moved.stdout, moved.stderr)
	}
	document = trust(`{"Service":"ec2.amazonaws.com"}`, "sts:TagSession", "")
	_, err = s.iam.UpdateAssumeRolePolicy(s.ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &document})
	s.must(err)
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("a plan that was refused changed something:\n%s", diff)
	}

	other := filepath.Join(t.TempDir(), "other.json")
	s.must(os.WriteFile(other, []byte(strings.ReplaceAll(out.stdout, "cluster/plan", "cluster/else")), 0o600))
	if out := kubectl(t, env, "noderole", "fix", "--plan", other); out.code != 2 || !strings.Contains(out.stderr, "is about cluster") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}

	s.fix(env, "--plan", file)
	if left, _ := s.check(); !slices.Equal(left, onNodeRoles) {
		t.Errorf("check still says %v", left)
	}
	if again := s.fix(env, "--plan", file); strings.Contains(again.stdout, "step 1 of") {
		t.Errorf("made again:\n%s", again.stdout)
	}
}

// onNodeRoles is what is left for information where aws-node has no role of its own.
var onNodeRoles = []string{"NR205 eksNodeRole fail", "NR205 otherRole fail", "NR601 aws-node fail"}

// authMap has a comment everywhere, odd indentation, a quoted number, and an entry that
// never matches.
const authMap = `# who may come in
-   rolearn: arn:aws:iam::123456789012:role/admins   # people
    username: "007"
    groups: [ 'system:masters' ]
# the nodes
-   rolearn: arn:aws:iam::123456789012:role/team/eksNodeRole
    username: system:node:{{EC2PrivateDNSName}}
    groups:
    - system:bootstrappers   # they ask for certificates
    - system:nodes
# the end
`

// TestFixAuth: one entry of aws-auth is corrected, everything else stays to the byte,
// and what somebody else writes at the same time stays too.
func TestFixAuth(t *testing.T) {
	s := newScenario(t, "auth")
	s.proxied.AuthenticationMode = "CONFIG_MAP"
	s.apply()
	path, name, document := "/team/", "eksNodeRole", serviceTrust("ec2.amazonaws.com")
	_, err := s.iam.CreateRole(s.ctx, &iam.CreateRoleInput{RoleName: &name, Path: &path, AssumeRolePolicyDocument: &document})
	s.must(err)
	for _, p := range []string{workerPolicy, pullPolicy} {
		arn := awsPolicy(p)
		_, err := s.iam.AttachRolePolicy(s.ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn})
		s.must(err)
	}
	s.nodeGroup("apps", "team/eksNodeRole")
	s.node(firstNode, "i-0aaaaaaaaaaaaaaaa", "apps")
	s.awsNode("")
	_, err = s.kube.CoreV1().ConfigMaps("kube-system").Create(s.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Labels: map[string]string{"owner": "team"}}, Data: map[string]string{"mapRoles": authMap, "mapUsers": "[]"},
	}, metav1.CreateOptions{})
	s.must(err)
	env := s.fixEnv(proxy.URL)
	before := s.everything()
	out := s.fix(env, "--only", "NR504")
	want := strings.Replace(authMap, "role/team/", "role/", 1)
	m, err := s.kube.CoreV1().ConfigMaps("kube-system").Get(s.ctx, "aws-auth", metav1.GetOptions{})
	s.must(err)
	if diff := cmp.Diff(map[string]string{"mapRoles": want, "mapUsers": "[]"}, m.Data); diff != "" || m.Labels["owner"] != "team" {
		t.Errorf("aws-auth (-want +got):\n%s", diff)
	}
	s.fix(env, "--undo", journalIn(t, out.stdout))
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("after undo (-before +now):\n%s", diff)
	}

	// The printed command does the same.
	shell := exec.Command("sh", "-eu")
	shell.Stdin = strings.NewReader(kubectl(t, env, "noderole", "fix", "--only", "NR504", "-o", "aws-cli").stdout)
	shell.Env = append(baseEnv(), env...)
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m, err = s.kube.CoreV1().ConfigMaps("kube-system").Get(s.ctx, "aws-auth", metav1.GetOptions{})
	s.must(err)
	if m.Data["mapRoles"] != want {
		t.Errorf("the printed command wrote:\n%s", m.Data["mapRoles"])
	}
}

// TestFixPrinted: the printed commands, run by the AWS CLI and kubectl, repair the
// cluster as fix does; Terraform's text is as terraform fmt writes it.
func TestFixPrinted(t *testing.T) {
	s := newScenario(t, "printed")
	s.troubled()
	s.rollouts()
	env := append(s.fixEnv(proxy.URL), "AWS_DEFAULT_REGION="+region)
	terraform := kubectl(t, env, "noderole", "fix", "--cni-identity", "irsa", "-o", "terraform")
	cmd := exec.Command("terraform", "fmt", "-check", "-diff", "-")
	cmd.Stdin = strings.NewReader(terraform.stdout)
	if text, err := cmd.CombinedOutput(); err != nil || terraform.code != 0 {
		t.Errorf("%v\n%s%s", err, text, terraform.stderr)
	}
	out := kubectl(t, env, "noderole", "fix", "--cni-identity", "pod-identity", "-o", "aws-cli")
	shell := exec.Command("sh", "-eu")
	shell.Stdin = strings.NewReader(out.stdout)
	shell.Env = append(baseEnv(), env...)
	if text, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, text, out.stdout)
	}
	s.clean()
}

// journalIn is the journal in the command that undoes a run.
func journalIn(t *testing.T, stdout string) string {
	t.Helper()
	_, rest, _ := strings.Cut(stdout, "kubectl noderole fix --undo ")
	journal, _, ok := strings.Cut(rest, " --apply")
	if !ok {
		t.Fatalf("no journal is named:\n%s", stdout)
	}
	return journal
}

// TestFixAsks: without a terminal and without --yes nothing is made.
func TestFixAsks(t *testing.T) {
	s := newScenario(t, "asks")
	s.troubled()
	before := s.everything()
	out := kubectl(t, s.fixEnv(proxy.URL), "noderole", "fix", "--apply")
	if out.code != 2 || !strings.Contains(out.stderr, "there is no terminal for the confirmation") || !strings.Contains(out.stderr, "--yes") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

// TestFixInterrupted: interrupted while a change is made, it says where it was, and the
// next run goes on.
func TestFixInterrupted(t *testing.T) {
	s := newScenario(t, "interrupted")
	s.troubled()
	s.awsNodePod("aws-node-a", firstNode, "")
	env := s.fixEnv(proxy.URL)
	proxy.SetFault("iam:AttachRolePolicy", awsproxy.Fault{Hang: true})
	cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), "fix", "--apply", "--yes")
	cmd.Env = append(baseEnv(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	s.must(cmd.Start())
	proxy.AwaitCall("iam:AttachRolePolicy")
	s.must(cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(stderr.String(), "error: interrupted in step 2 (") || !strings.Contains(stderr.String(), "run the same command again to continue") {
		t.Errorf("exit %d\n%s%s", code, stdout.String(), stderr.String())
	}
	proxy.ClearFault("iam:AttachRolePolicy")
	if again := s.fix(env); !strings.Contains(again.stdout, "was interrupted; its remaining steps are applied first") {
		t.Errorf("again:\n%s", again.stdout)
	}
	if left, _ := s.check(); !slices.Equal(left, onNodeRoles) {
		t.Errorf("check still says %v", left)
	}
}

// TestFixOnTerminal: on a terminal fix asks, and a yes alone goes on.
func TestFixOnTerminal(t *testing.T) {
	s := newScenario(t, "terminal")
	s.troubled()
	s.awsNodePod("aws-node-a", firstNode, "")
	env := s.fixEnv(proxy.URL)
	before := s.everything()
	run := func(answer string) (sent string, code int) {
		keys, press := openKeys(t)
		_, err := io.WriteString(press, answer)
		s.must(err)
		return onTerminal(t, env, keys, "kubectl noderole fix --apply")
	}
	sent, code := run("no\n")
	if code != 2 || !strings.Contains(sent, "Type yes: ") || !strings.Contains(sent, "nothing was changed: not confirmed") {
		t.Errorf("exit %d\n%s", code, sent)
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
	if sent, code = run("yes\n"); code != 0 || !strings.Contains(sent, "steps applied; check again") {
		t.Errorf("exit %d\n%s", code, sent)
	}
}
