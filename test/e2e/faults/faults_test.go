// Package faults runs the built plugin against servers of its own, of which one call at a
// time fails, and holds what it says and does then. It writes docs/faults.md.
package faults

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

var update = flag.Bool("update", false, "write docs/faults.md anew")

// plugin is the built plugin.
var plugin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runMain(m))
}

func runMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "noderole-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	plugin = filepath.Join(dir, "kubectl-noderole")
	build := exec.Command("go", "build", "-o", plugin, "./cmd/kubectl-noderole")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the plugin: %v\n%s", err, out)
		return 1
	}
	// The runs wait more than they work.
	if err := flag.Set("test.parallel", "24"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// scenario is a command whose calls fail.
type scenario struct {
	name    string
	heading string
	args    []string
	begin   func(w *environment) *saved
}

const fixApply, fixUndo = "fix --apply", "fix --undo --apply"

var (
	fixPodIdentity = scenario{"pod-identity", fixApply, []string{"fix", "--apply", "--yes", "--cni-identity", "pod-identity"}, podIdentity}
	fixIRSA        = scenario{"irsa", fixApply, []string{"fix", "--apply", "--yes", "--cni-identity", "irsa"}, irsa}
	fixNodes       = scenario{"nodes", fixApply, []string{"fix", "--apply", "--yes", "--only", "NR105,NR503,NR504"}, nodes}
)

var scenarios = []scenario{
	fixPodIdentity, fixIRSA, fixNodes, undo(fixPodIdentity), undo(fixIRSA), undo(fixNodes),
	{"create-all", "create", []string{"create", "newRole", "--yes", "--access-entry", "--cni", "--ip-family", "ipv6"}, created},
	{"create-minimal", "create", []string{"create", "newRole", "--yes", "--minimal"}, created},
}

func trust(service, action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"` + action + `"}]}`
}

var (
	worker, pull, cni = awsPolicy("AmazonEKSWorkerNodePolicy"), awsPolicy("AmazonEC2ContainerRegistryPullOnly"), awsPolicy("AmazonEKS_CNI_Policy")
	long              = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	later             = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
)

// role is one that nodes have.
func role(policies ...string) iamRole {
	slices.Sort(policies)
	return iamRole{Trust: trust("ec2.amazonaws.com", "sts:AssumeRole"), Created: later, Attached: policies}
}

// base is an account with a cluster that has no nodes.
func base(w *environment) (held, awsproxy.Cluster, objects) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "healthy.yaml"))
	w.must(err)
	var example struct {
		Policies map[string]struct{ Document string }
	}
	w.must(yaml.Unmarshal(text, &example))
	h := held{
		Roles:    map[string]iamRole{"eksClusterRole": {Trust: trust("eks.amazonaws.com", "sts:AssumeRole"), Created: long}},
		Policies: map[string]string{}, Profiles: map[string]string{}, OIDC: map[string][]string{}, NodeGroups: map[string]string{}, Instances: map[string]string{},
	}
	for arn, p := range example.Policies {
		h.Policies[arn] = p.Document
	}
	return h, awsproxy.Cluster{
		IPFamily: "ipv4", AuthenticationMode: "API_AND_CONFIG_MAP", OIDCIssuer: issuer,
		Addons: map[string]awsproxy.Addon{}, AccessEntries: map[string]awsproxy.AccessEntry{}, Associations: map[string]awsproxy.Association{},
	}, objects{Nodes: map[string]string{}, Version: 1}
}

func entry(created time.Time) awsproxy.AccessEntry {
	return awsproxy.AccessEntry{Type: "EC2_LINUX", Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}, CreatedAt: created}
}

// begin makes the environment what it is before a run.
func begin(w *environment, h held, eks awsproxy.Cluster, o objects) *saved {
	account, err := json.Marshal(h)
	w.must(err)
	cluster, err := json.Marshal(o)
	w.must(err)
	s := &saved{account: account, cluster: cluster, eks: eks}
	w.load(s)
	return s
}

// podIdentity needs a trust policy, permissions, two access entries, and a role of
// aws-node's own by the add-on.
func podIdentity(w *environment) *saved {
	h, eks, o := base(w)
	h.Roles["eksNodeRole"] = iamRole{Trust: trust("ec2.amazonaws.com", "sts:TagSession"), Created: later, Attached: []string{cni}}
	h.Roles["otherRole"] = role(worker, pull)
	h.NodeGroups["apps"], h.NodeGroups["more"] = "eksNodeRole", "otherRole"
	eks.AccessEntries[roleARN("eksNodeRole")] = entry(long)
	eks.Addons["vpc-cni"] = awsproxy.Addon{Version: "v1.20.4-eksbuild.1"}
	o.Nodes["ip-10-0-1-17.eu-west-1.compute.internal"] = "aws:///eu-west-1a/i-0group"
	return begin(w, h, eks, o)
}

// irsa needs an inline policy, as the cluster is an IPv6 one, an OIDC provider, and the
// annotation of the service account.
func irsa(w *environment) *saved {
	h, eks, o := base(w)
	h.Roles["eksNodeRole"] = role(worker, pull)
	h.NodeGroups["apps"] = "eksNodeRole"
	eks.IPFamily = "ipv6"
	eks.AccessEntries[roleARN("eksNodeRole")] = entry(time.Now())
	o.Nodes["ip-10-0-1-17.eu-west-1.compute.internal"] = "aws:///eu-west-1a/i-0group"
	return begin(w, h, eks, o)
}

// nodes has nodes of Auto Mode whose role is newer than its access entry, a self-managed one
// whose instance profile was deleted, and a mapping in aws-auth that has a path.
func nodes(w *environment) *saved {
	h, eks, o := base(w)
	h.Roles["autoRole"], h.Roles["selfRole"] = role(worker, pull), role(worker, pull)
	team := role(worker, pull)
	team.Path = "/team/"
	h.Roles["authRole"] = team
	h.NodeGroups["apps"] = "team/authRole"
	eks.AutoModeRole = roleARN("autoRole")
	auto := entry(long)
	auto.Type, auto.Username, auto.Groups, auto.Policies = "EC2", "", nil, []string{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy"}
	eks.AccessEntries[roleARN("autoRole")], eks.AccessEntries[roleARN("selfRole")] = auto, entry(time.Now())
	h.Instances["i-0self"] = "selfRole"
	o.Nodes["ip-10-0-1-17.eu-west-1.compute.internal"] = "aws:///eu-west-1a/i-0self"
	mapping := "- rolearn: " + roleARN("team/authRole") + "\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"
	o.AuthMap = &mapping
	return begin(w, h, eks, o)
}

// undo is the scenario after another one that undoes it.
func undo(s scenario) scenario {
	return scenario{"undo-" + s.name, fixUndo, []string{"fix", "--apply", "--yes", "--undo", "JOURNAL"}, func(w *environment) *saved {
		s.begin(w)
		if out := w.run("", "", s.args...); out.code != 0 {
			w.t.Fatalf("%s: exit %d\n%s%s", s.name, out.code, out.stdout, out.stderr)
		}
		return w.save()
	}}
}

// created has a cluster only.
func created(w *environment) *saved {
	h, eks, o := base(w)
	return begin(w, h, eks, o)
}

// row is what one fault of one call ends with.
type row struct {
	heading, call, kind string
	code                int
	line                string
}

// isWrite tells what an operation is by its name. The lease is taken and released in every
// run.
func isWrite(operation string) bool {
	if operation == "update leases.coordination.k8s.io in kube-system" {
		return false
	}
	if _, action, ok := strings.Cut(operation, ":"); ok {
		return !strings.HasPrefix(action, "Get") && !strings.HasPrefix(action, "List") && !strings.HasPrefix(action, "Describe")
	}
	return !strings.HasPrefix(operation, "get ") && !strings.HasPrefix(operation, "list ")
}

// table collects rows of tests that run at the same time.
type table struct {
	mu   sync.Mutex
	rows []row
}

func (t *table) add(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
}

// TestFaults: whatever call fails in whatever way, a run that changes something says so in
// one line, never that it is done, and the same command finishes the work when the fault is
// over.
func TestFaults(t *testing.T) {
	calls := make([]found, len(scenarios))
	t.Run("without a fault", func(t *testing.T) {
		for i, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				calls[i] = find(t, s)
			})
		}
	})
	if t.Failed() {
		return
	}
	// A call that several scenarios of a command make fails in the first of them.
	seen := map[string]bool{}
	isNew := func(heading string) func(string) bool {
		return func(call string) bool {
			known := seen[heading+" "+call]
			seen[heading+" "+call] = true
			return known
		}
	}
	for i, s := range scenarios {
		calls[i].writes = slices.DeleteFunc(calls[i].writes, isNew(s.heading))
		calls[i].reads = slices.DeleteFunc(calls[i].reads, isNew(s.heading))
	}
	var all table
	t.Run("with", func(t *testing.T) {
		for i, s := range scenarios {
			for _, kind := range kinds {
				m := matrix{scenario: s, found: calls[i], kind: kind, table: &all}
				t.Run(kind+"/writes/"+s.name, func(t *testing.T) {
					t.Parallel()
					m.in(t).failWrites()
				})
				// A reader without an answer waits as for one that breaks off.
				if kind == lost {
					continue
				}
				for _, call := range calls[i].reads {
					t.Run(kind+"/"+call, func(t *testing.T) {
						t.Parallel()
						m.in(t).failRead(call)
					})
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	path := filepath.Join("..", "..", "..", "docs", "faults.md")
	want := page(all.rows)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("docs/faults.md is not current; write it anew: cd test/e2e && go test ./faults -update\n%s",
			gocmp.Diff(strings.Split(string(have), "\n"), strings.Split(want, "\n")))
	}
}

// found is what a scenario does without a fault.
type found struct {
	// writes are the calls that change something, in order, and reads the others of a run
	// that finishes what an earlier one left.
	writes, reads []string
	begin, middle *saved
	end           string
}

// find runs a scenario, and once more interrupted before its last write.
func find(t *testing.T, s scenario) found {
	w := newEnvironment(t)
	f := found{begin: s.begin(w)}
	run := func() {
		t.Helper()
		if out := w.run("", "", s.command(w)...); out.code != 0 {
			t.Fatalf("%s: exit %d\n%s%s", s.name, out.code, out.stdout, out.stderr)
		}
	}
	run()
	for _, call := range w.calls {
		if isWrite(call) && !slices.Contains(f.writes, call) {
			f.writes = append(f.writes, call)
		}
	}
	f.end = w.state()
	w.load(f.begin)
	if out := w.run(f.writes[len(f.writes)-1], refused, s.command(w)...); out.code != 3 {
		t.Fatalf("%s: exit %d\n%s%s", s.name, out.code, out.stdout, out.stderr)
	}
	f.middle = w.save()
	run()
	for _, call := range w.calls {
		if !isWrite(call) && !slices.Contains(f.reads, call) {
			f.reads = append(f.reads, call)
		}
	}
	slices.Sort(f.reads)
	if state := w.state(); state != f.end {
		t.Errorf("a run that was interrupted ended with %s, another one with %s", state, f.end)
	}
	return f
}

// command is that of the scenario in an environment.
func (s scenario) command(w *environment) []string {
	args := slices.Clone(s.args)
	for i, a := range args {
		if a == "JOURNAL" { // that of the first run
			args[i] = w.journals()[0]
		}
	}
	return args
}

// matrix is a scenario with one kind of fault.
type matrix struct {
	*environment
	scenario
	found
	kind  string
	table *table
}

// in puts it into an environment of its own.
func (m matrix) in(t *testing.T) *matrix {
	m.environment = newEnvironment(t)
	return &m
}

// fails runs the command with a fault in one call, and holds that it says so. done is set
// where the work was finished nevertheless.
func (m *matrix) fails(call string) (done bool) {
	m.t.Helper()
	out := m.run(call, m.kind, m.impatient()...)
	for patience := 10; !m.struck && m.kind == hang && patience <= 40; patience *= 2 { // another call took too long on a busy machine
		out = m.run(call, m.kind, append(m.impatient(), "--request-timeout", fmt.Sprintf("%ds", patience))...)
	}
	if !m.struck {
		m.t.Errorf("%s was not called\n%s%s", call, out.stdout, out.stderr)
		return out.code == 0
	}
	finished := m.state() == m.end
	_, line, _ := strings.Cut("\n"+out.stderr, "\nerror: ")
	line, _, _ = strings.Cut(line, "\n")
	switch {
	case out.code == 0 && !finished:
		m.t.Errorf("%s: exit 0, and the work is not done\n%s%s", call, out.stdout, out.stderr)
	case out.code == 0:
		line = ""
	case out.code != 1 && out.code != 3:
		m.t.Errorf("%s: exit %d\n%s%s", call, out.code, out.stdout, out.stderr)
	case line == "", strings.Contains(out.stderr, "goroutine "):
		m.t.Errorf("%s: exit %d\n%s%s", call, out.code, out.stdout, out.stderr)
	}
	m.table.add(row{m.heading, call, m.kind, out.code, plain(line, call, m.kind)})
	return out.code == 0
}

// impatient is the command of runs that fail: what cannot be proven is not waited for.
func (m *matrix) impatient() []string {
	args := m.command(m.environment)
	if args[0] == "fix" {
		args = append(args, "--proof-timeout", "100ms")
	}
	return args
}

// resumes holds that the same command without a fault finishes the work.
func (m *matrix) resumes(after string) {
	m.t.Helper()
	out := m.run("", "", m.command(m.environment)...)
	if state := m.state(); out.code != 0 || state != m.end {
		m.t.Errorf("after %s: exit %d\n%s%s\nwant %s\ngot %s", after, out.code, out.stdout, out.stderr, m.end, state)
		m.load(m.found.begin)
	}
}

// failWrites makes each call that changes something fail in turn. The run after it goes on
// to the next one.
func (m *matrix) failWrites() {
	if len(m.writes) == 0 {
		return
	}
	m.load(m.found.begin)
	for _, call := range m.writes {
		if m.fails(call) {
			m.load(m.found.begin)
		}
	}
	m.resumes(m.writes[len(m.writes)-1])
}

// failRead makes a call that reads something fail in a run that finishes what an earlier
// one left.
func (m *matrix) failRead(call string) {
	m.load(m.middle)
	before := m.state()
	if done := m.fails(call); !done && m.state() != before {
		m.resumes(call)
	}
}

// What differs from call to call, and from run to run.
var (
	server  = regexp.MustCompile(`https://127\.0\.0\.1:\d+`)
	step    = regexp.MustCompile(`^step \d+ \(.*?\) (was|may)`)
	inPart  = regexp.MustCompile(`in part, \d+ of \d+ changes`)
	facts   = regexp.MustCompile(`^(one fact|\d+ facts) could`)
	subject = regexp.MustCompile(`(^|: )(read|change) .*?: (CALL|the |cannot )`)
	rule    = regexp.MustCompile(`NR\d+(: .*? is unknown| was not judged for \S+): CALL( of [^:]+)?`)
	code    = regexp.MustCompile(`([a-z])Exception: `)
	ends    = regexp.MustCompile(`^.*?(the AWS credentials have expired|the Kubernetes API server https://SERVER (does not accept|x509)|x509: )`)
)

// plain is an error with a placeholder for each of them. After an error that all calls have
// from then on, the order of reads decides which of them is told.
func plain(line, call, kind string) string {
	line = strings.ReplaceAll(line, call, "CALL")
	line = server.ReplaceAllString(line, "https://SERVER")
	line = step.ReplaceAllString(line, "step N (…) $1")
	line = inPart.ReplaceAllString(line, "in part, N of N changes")
	line = facts.ReplaceAllString(line, "N facts could")
	line = subject.ReplaceAllString(line, "$1$2 …: $3")
	line = code.ReplaceAllString(line, "$1: ")
	if !isWrite(call) && (kind == expired || kind == certificate) {
		line, _, _ = strings.Cut(ends.ReplaceAllString(line, "… $1"), "; ")
	}
	return rule.ReplaceAllString(line, "NR… is unknown: CALL")
}

const head = `<!-- Written by go test ./faults -update in test/e2e. -->

# What a failed call ends with

Each call that ` + "`create`, `fix --apply` and `fix --undo --apply`" + ` make was made to fail in each of these ways, in the middle of a run: with an
error that refuses it, throttles it, or has the status 503, without an answer, with a body that is cut off, with a connection that is
closed after the call was carried out, with the sign-in page of a proxy, with a certificate that is not trusted from this call on, and with
credentials that are expired from this call on. The test also checks that a run that does not end with 0 never says that it is done, and that
the same command finishes the work when the call succeeds again.

CALL is the call, … and N stand for what differs from call to call. A run that ends with 0 did its work without the call: the state shows
that a change was made though its answer was lost, or another call has the same fact.
`

// page is docs/faults.md.
func page(rows []row) string {
	type group struct {
		heading, kind string
		code          int
		line          string
	}
	calls := map[group][]string{}
	for _, r := range rows {
		g := group{r.heading, r.kind, r.code, r.line}
		calls[g] = append(calls[g], r.call)
	}
	groups := slices.SortedFunc(maps.Keys(calls), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.heading, b.heading), cmp.Compare(slices.Index(kinds, a.kind), slices.Index(kinds, b.kind)), cmp.Compare(a.code, b.code), cmp.Compare(a.line, b.line))
	})
	var out strings.Builder
	out.WriteString(head)
	var last group
	for _, g := range groups {
		if g.heading != last.heading {
			fmt.Fprintf(&out, "\n## %s\n\n| fault | exit code | error | calls |\n| --- | --- | --- | --- |\n", g.heading)
		}
		last = g
		slices.Sort(calls[g])
		fmt.Fprintf(&out, "| %s | %d | %s | %s |\n", g.kind, g.code, strings.ReplaceAll(g.line, "|", "\\|"), strings.Join(calls[g], ", "))
	}
	return out.String()
}
