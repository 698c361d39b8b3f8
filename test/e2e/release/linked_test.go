package release

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLinked holds which AWS services are in the binary, and which parts of
// Kubernetes' libraries are not: they are large and this program needs none.
func TestLinked(t *testing.T) {
	out, err := in(clone, "go", "list", "-deps", "./cmd/kubectl-noderole").Output()
	if err != nil {
		t.Fatal(err)
	}
	var services []string
	for _, name := range strings.Fields(string(out)) {
		if service, ok := strings.CutPrefix(name, "github.com/aws/aws-sdk-go-v2/service/"); ok && !strings.Contains(service, "/") {
			services = append(services, service)
		}
		for _, unwanted := range []string{
			"github.com/cpuguy83/go-md2man", "github.com/google/gnostic-models", "github.com/spf13/cobra/doc",
			"k8s.io/apiserver", "k8s.io/cli-runtime/pkg/genericclioptions", "k8s.io/cli-runtime/pkg/resource",
			"k8s.io/client-go/discovery", "k8s.io/client-go/dynamic", "k8s.io/client-go/informers", "k8s.io/client-go/kubernetes",
			"k8s.io/client-go/listers", "k8s.io/client-go/testing", "k8s.io/client-go/tools/cache", "k8s.io/component-base", "k8s.io/kubectl", "sigs.k8s.io/kustomize",
		} {
			if name == unwanted || strings.HasPrefix(name, unwanted+"/") {
				t.Errorf("%s is linked in", name)
			}
		}
	}
	want := []string{
		"autoscaling", "ec2", "ecr", "eks", "iam", "organizations", "sts",
		"signin", "sso", "ssooidc", // credentials: aws login and IAM Identity Center
	}
	slices.Sort(want)
	slices.Sort(services)
	if diff := cmp.Diff(want, services); diff != "" {
		t.Errorf("AWS services (-want +linked):\n%s", diff)
	}
}

// BenchmarkStart compares how long --help takes with kubectl's own.
func BenchmarkStart(b *testing.B) {
	for name, args := range map[string][]string{
		"noderole": {clone + "/dist/kubectl-noderole_linux_amd64_v1/kubectl-noderole", "--help"},
		"kubectl":  {"kubectl", "--help"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
