package manifests_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/manifests"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRead(t *testing.T) {
	dir := write(t, map[string]string{
		"karpenter/classes.yaml": `# A comment, and an object that does not matter.
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: default}
---
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: default}
spec:
  role: shop-node
  amiSelectorTerms: [{alias: al2023@latest}]
  metadataOptions: {httpTokens: required, httpPutResponseHopLimit: 2}
---
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: auto}
spec: {instanceProfile: shop-auto}
`,
		"aws-auth.json": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"},"data":{"mapRoles":"[]"}}`,
		"sa.yml": `apiVersion: v1
kind: ServiceAccount
metadata:
  name: aws-node
  namespace: kube-system
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/cni"}
`,
		".git/config.yaml": "a: [",
		"notes.txt":        "a: [",
		"other.yaml":       "kind: NodeClass\napiVersion: example.com/v1\n---\n- a list\n",
	})
	code := &iac.Code{}
	if err := manifests.Read(code, dir, iac.Text("shop")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range code.NodeClasses {
		got = append(got, strings.Join([]string{c.Kind, c.Name, c.Role.Text, c.Profile.Text, c.AMIFamily, c.Cluster.Text, filepath.Base(c.File)}, " "))
	}
	for _, a := range code.AWSAuths {
		got = append(got, "aws-auth "+a.MapRoles.Text)
	}
	for _, sa := range code.ServiceAccounts {
		got = append(got, "aws-node "+sa.Role.Text)
	}
	want := []string{
		"EC2NodeClass default shop-node  al2023 shop classes.yaml", "NodeClass auto  shop-auto  shop classes.yaml",
		"aws-auth []", "aws-node arn:aws:iam::111122223333:role/cni",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if m := code.NodeClasses[0].Metadata; m.Tokens.Text != "required" || m.HopLimit.Text != "2" {
		t.Errorf("the first node class has %+v", m)
	}
	if line := code.NodeClasses[0].Line; line != 6 {
		t.Errorf("the first node class begins at line %d", line)
	}
}

// TestReadRefuses: a file that is no YAML, such as a template of Helm, is named.
func TestReadRefuses(t *testing.T) {
	var p *problem.Error
	err := manifests.Read(&iac.Code{}, write(t, map[string]string{"chart.yaml": "a: {{ .Values.x }}\nb: ["}), iac.Value{})
	if !errors.As(err, &p) || !strings.Contains(p.Problem, "chart.yaml is not a manifest") || !strings.Contains(p.Next, "helm template") {
		t.Errorf("the error is %v", err)
	}
	err = manifests.Read(&iac.Code{}, write(t, map[string]string{"class.yaml": "kind: EC2NodeClass\napiVersion: karpenter.k8s.aws/v1\nmetadata: {name: shop}\nspec: {role: [nodes]}\n"}), iac.Value{})
	if !errors.As(err, &p) || !strings.Contains(p.Problem, "class.yaml is not a manifest: EC2NodeClass shop in line 1: ") {
		t.Errorf("the error is %v", err)
	}
	err = manifests.Read(&iac.Code{}, write(t, map[string]string{"notes.txt": "a: ["}), iac.Value{})
	if !errors.As(err, &p) || !strings.Contains(p.Problem, "has no manifests: no file there ends with .yaml, .yml, .json") {
		t.Errorf("the error is %v", err)
	}
	err = manifests.Read(&iac.Code{}, filepath.Join(t.TempDir(), "none"), iac.Value{})
	if !errors.As(err, &p) || !strings.Contains(p.Problem, "cannot be read") {
		t.Errorf("the error is %v", err)
	}
}

// TestReadFollowsLinks: a folder and its files may be links, as in a mounted ConfigMap, and the
// objects may be in a list.
func TestReadFollowsLinks(t *testing.T) {
	list := `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "shop"}, "spec": {"role": "nodes"}}]}`
	data := write(t, map[string]string{"..data/class.json": list})
	dir := filepath.Join(t.TempDir(), "k8s")
	for _, link := range [][2]string{{filepath.Join("..data", "class.json"), filepath.Join(data, "class.json")}, {data, dir}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	code := &iac.Code{}
	if err := manifests.Read(code, dir, iac.Value{}); err != nil {
		t.Fatal(err)
	}
	if len(code.NodeClasses) != 1 || code.NodeClasses[0].Role.Text != "nodes" || code.NodeClasses[0].File != filepath.ToSlash(filepath.Join(dir, "class.json")) {
		t.Errorf("got %+v", code.NodeClasses)
	}
}
