package snapshot_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

func TestEncodeDecodeIsTheIdentity(t *testing.T) {
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		s, err := snapshot.Decode(name, text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := snapshot.Decode(name, again)
		if err != nil {
			t.Fatalf("%s: what Encode wrote is refused: %v", name, err)
		}
		if diff := cmp.Diff(s, back); diff != "" {
			t.Errorf("%s changed on its way through a file (-before +after):\n%s", name, diff)
		}
		twice, err := back.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(again), string(twice)); diff != "" {
			t.Errorf("%s: the same facts gave another text:\n%s", name, diff)
		}
	}
}

const minimal = `apiVersion: noderole.dev/v1alpha1
kind: Snapshot
cluster:
  arn: arn:aws:eks:eu-west-1:111122223333:cluster/prod
`

// TestDecodeRefuses shows the error for each mistake of a hand-edited file: it
// names the line and the field.
func TestDecodeRefuses(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/eksNodeRole"
	tests := map[string]struct {
		text, want string
		line       int
	}{
		"empty":              {text: " \n", want: "is empty"},
		"not a mapping":      {text: "- a\n", want: "top level is not a mapping", line: 1},
		"another kind":       {text: "apiVersion: v1\nkind: Pod\n", want: `"v1", "Pod" is not a snapshot`, line: 1},
		"unknown field":      {text: minimal + "nodeGroup: {}\n", want: `unknown field "nodeGroup"`, line: 5},
		"case of a field":    {text: minimal + "NodeGroups: {}\n", want: `unknown field "NodeGroups"`, line: 5},
		"nested unknown":     {text: minimal + "nodeGroups:\n  a:\n    role: x\n", want: `unknown field "role"`, line: 7},
		"wrong type":         {text: minimal + "nodes:\n  a: {maker: selfManaged, ready: [1]}\n", want: "", line: 6},
		"repeated key":       {text: minimal + "nodes: {}\nnodes: {}\n", want: `"nodes" already defined`, line: 6},
		"syntax":             {text: minimal + "nodes: [\n", want: "", line: 5},
		"two documents":      {text: minimal + "---\n" + minimal, want: "a second document begins here", line: 6},
		"cluster arn":        {text: strings.Replace(minimal, "cluster/prod", "nodegroup/prod", 1), want: "cluster.arn: is not an EKS cluster's ARN", line: 4},
		"ip family":          {text: minimal + "  ipFamily: IPv4\n", want: `cluster.ipFamily: "IPv4" is none of ipv4, ipv6`, line: 5},
		"auth mode":          {text: minimal + "  authenticationMode: api\n", want: `"api" is none of API`, line: 5},
		"role name":          {text: minimal + "nodeGroups:\n  a:\n    nodeRoleArn: eksNodeRole\n", want: `nodeGroups.a.nodeRoleArn: "eksNodeRole" is not an ARN`, line: 7},
		"dangling role":      {text: minimal + "nodeGroups:\n  a:\n    nodeRoleArn: " + role + "\n", want: "is neither under roles nor listed under missing", line: 7},
		"role key":           {text: minimal + "roles:\n  eksNodeRole: {}\n", want: "is not an ARN of IAM's form", line: 6},
		"dangling policy":    {text: minimal + "roles:\n  " + role + ":\n    attachedPolicies: [arn:aws:iam::aws:policy/P]\n", want: "arn:aws:iam::aws:policy/P is neither under policies", line: 7},
		"boundary":           {text: minimal + "roles:\n  " + role + ":\n    permissionsBoundary: arn:aws:iam::aws:policy/P\n", want: "permissionsBoundary: arn:aws:iam::aws:policy/P is neither", line: 7},
		"maker":              {text: minimal + "nodes:\n  a:\n    maker: me\n", want: `nodes.a.maker: "me" is none of nodeGroup`, line: 7},
		"no instance":        {text: minimal + "nodes:\n  a:\n    maker: selfManaged\n    providerID: azure://x\n", want: `"azure://x" names no EC2 instance`, line: 8},
		"unread instance":    {text: minimal + "nodes:\n  a:\n    maker: selfManaged\n    providerID: aws:///eu-west-1a/i-1\n", want: "i-1 is neither under instances", line: 8},
		"simulated role":     {text: minimal + "simulations:\n  eks:\n  - {action: a:b, resource: \"*\", decision: allowed}\n", want: "is not an ARN of IAM's form", line: 7},
		"simulated action":   {text: minimal + "simulations:\n  " + role + ":\n  - {resource: \"*\", decision: allowed}\n", want: "needs action and resource", line: 7},
		"system workload":    {text: minimal + "systemImages:\n  calico: {images: [a]}\n", want: `systemImages: "calico" is none of aws-node, kube-proxy, coredns`, line: 6},
		"simulated decision": {text: minimal + "simulations:\n  " + role + ":\n  - {action: a:b, resource: \"*\", decision: maybe}\n", want: "is none of", line: 7},
		"simulated denial":   {text: minimal + "simulations:\n  " + role + ":\n  - {action: a:b, resource: \"*\", decision: allowed, deniedBy: me}\n", want: "is none of", line: 7},
		"missing's fact":     {text: minimal + "missing:\n- {fact: role, operation: iam:GetRole, error: refused}\n", want: `missing: "role" is none of`, line: 6},
		"missing's error":    {text: minimal + "missing:\n- {fact: roles, operation: iam:GetRole}\n", want: "needs operation and error", line: 6},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := snapshot.Decode("f.yaml", []byte(test.text))
			var fileErr *snapshot.FileError
			if !errors.As(err, &fileErr) {
				t.Fatalf("got %v, want a *FileError", err)
			}
			if !strings.Contains(err.Error(), test.want) || fileErr.Line != test.line || !strings.HasPrefix(err.Error(), "f.yaml:") {
				t.Errorf("got  %v (line %d)\nwant %s (line %d)", err, fileErr.Line, test.want, test.line)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

// TestMissingExcusesReference: what could not be read may be referred to.
func TestMissingExcusesReference(t *testing.T) {
	text := minimal + `nodeGroups:
  a: {nodeRoleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}
missing:
- {fact: roles, subject: "arn:aws:iam::111122223333:role/eksNodeRole", operation: iam:GetRole, permission: iam:GetRole, error: AccessDenied}
`
	s, err := snapshot.Decode("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !s.IsMissing(snapshot.FactRoles, "arn:aws:iam::111122223333:role/eksNodeRole") || s.IsMissing(snapshot.FactRoles, "arn:aws:iam::111122223333:role/other") {
		t.Error("IsMissing does not tell the two roles apart")
	}
}

func TestLoad(t *testing.T) {
	if _, err := snapshot.Load(t.Context(), "-", strings.NewReader(minimal)); err != nil {
		t.Errorf("standard input: %v", err)
	}
	_, err := snapshot.Load(t.Context(), filepath.Join(t.TempDir(), "none.yaml"), nil)
	if err == nil || !strings.Contains(err.Error(), "none.yaml: cannot be read: no such file") {
		t.Errorf("a file that is not there: got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		f.Add(text)
	}
	f.Add([]byte(minimal))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := snapshot.Decode("f", text)
		if err != nil {
			var fileErr *snapshot.FileError
			if !errors.As(err, &fileErr) {
				t.Fatalf("not a *FileError: %v", err)
			}
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Decode("f", again); err != nil {
			t.Fatalf("what Encode wrote is refused: %v\n%s", err, again)
		}
	})
}

// TestTypeErrors: a value of the wrong type is told with its place, its field and what
// the field holds, in YAML and in JSON of one line.
func TestTypeErrors(t *testing.T) {
	const head = "apiVersion: noderole.dev/v1alpha1\nkind: Snapshot\ncluster: {arn: \"arn:aws:eks:eu-west-1:111122223333:cluster/prod\"}\n"
	for body, want := range map[string]string{
		`nodeGroups: {apps: {nodeRoleArn: [1]}}`:                                                  "nodeGroups.apps.nodeRoleArn: is a list, not a text",
		`nodeGroups: {apps: {nodeRoleArn: ""}}`:                                                   "nodeGroups.apps.nodeRoleArn: is empty: a node group has a node role, or its facts are among missing",
		`nodes: {a: {ready: "maybe"}}`:                                                            `nodes.a.ready: is the text "maybe", not true or false`,
		`roles: []`:                                                                               "roles: is a list, not a mapping",
		`accessEntries: {x: {groups: abc}}`:                                                       `accessEntries.x.groups: is the text "abc", not a list`,
		`events: [{count: many}]`:                                                                 `events[0].count: is the text "many", not a number`,
		`roles: {"arn:aws:iam::111122223333:role/x": {createdAt: 7}}`:                             `roles.arn:aws:iam::111122223333:role/x.createdAt: is "7", not a time such as 2026-03-01T08:00:00Z`,
		`roles: {"arn:aws:iam::111122223333:role/x": {createdAt: tomorrow}}`:                      `roles.arn:aws:iam::111122223333:role/x.createdAt: is "tomorrow", not a time such as 2026-03-01T08:00:00Z`,
		`roles: {"arn:aws:iam::111122223333:role/x": {tags: {a: {b: c}}}}`:                        "roles.arn:aws:iam::111122223333:role/x.tags.a: is a mapping, not a text",
		`roles: {"arn:aws:iam::111122223333:role/x": {createdAt: 2026-03-01 08:00:00+00:00}}`:     "",
		`roles: {"arn:aws:iam::111122223333:role/x": {createdAt: "2026-03-01T08:00:00.5+01:00"}}`: "",
		`nodeGroups: {apps: &x {nodeRoleArn: "arn:aws:iam::111122223333:role/x"}, more: *x}`:      "aliases are not supported: write the value itself",
		`nodeGroups: ` + strings.Repeat("{a: ", 100):                                              "is nested deeper than 64 levels",
	} {
		_, err := snapshot.Decode("f", []byte(head+body))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want != "" {
			want = "f:4: " + want
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
}

// TestDecodeIsLinear: twice the times in a file take about twice the memory, not four times.
func TestDecodeIsLinear(t *testing.T) {
	allocated := func(instances int) uint64 {
		text, _ := examples.Read("healthy")
		s, err := snapshot.Decode("healthy", text)
		if err != nil {
			t.Fatal(err)
		}
		s.Instances = map[string]snapshot.Instance{}
		for i := range instances {
			s.Instances[fmt.Sprintf("i-%017x", i)] = snapshot.Instance{State: "running", LaunchedAt: time.Date(2026, 3, 1, 8, 0, i, 0, time.UTC)}
		}
		if text, err = s.Encode(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err = snapshot.Decode("large", text); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := allocated(150), allocated(300); many > 3*few {
		t.Errorf("150 instances take %d bytes, 300 take %d", few, many)
	}
}
