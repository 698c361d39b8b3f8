package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAdminRBAC: whoever is bound to what policy admin --rbac prints may do in the
// cluster exactly what fix does there.
func TestAdminRBAC(t *testing.T) {
	s := newScenario(t, "fixer")
	admin := s.kubeconfig(proxy.URL)
	printed := kubectl(t, nil, "noderole", "policy", "admin", "--rbac")
	if printed.code != 0 {
		t.Fatalf("exit %d\n%s", printed.code, printed.stderr)
	}
	s.manifest(admin, printed.stdout)
	for _, args := range [][]string{
		{"clusterrolebinding", "fixer", "--clusterrole=noderole-check"},
		{"clusterrolebinding", "fixer-addons", "--clusterrole=noderole-addons"},
		{"-n", "kube-system", "rolebinding", "fixer", "--role=noderole-check"},
		{"-n", "default", "rolebinding", "fixer", "--role=noderole-check"},
		{"-n", "kube-system", "rolebinding", "fixer-fix", "--role=noderole-fix"},
	} {
		named := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.HasPrefix(arg, "--") })
		t.Cleanup(func() { kubectl(t, admin, append([]string{"delete"}, named...)...) })
		if out := kubectl(t, admin, append([]string{"create", "--user=fixer"}, args...)...); out.code != 0 {
			t.Fatalf("kubectl create %v: %s", args, out.stderr)
		}
	}

	// What is asked: each verb on each of these, by name and of any name, in the
	// cluster and in three namespaces.
	things := []struct {
		group, resource string
		names           []string
	}{
		{"", "configmaps", []string{"aws-auth", "other"}},
		{"", "events", nil},
		{"", "nodes", []string{"node-1"}},
		{"", "pods", []string{"aws-node-aaaaa"}},
		{"", "secrets", []string{"token"}},
		{"", "serviceaccounts", []string{"aws-node", "other"}},
		{"apps", "daemonsets", []string{"aws-node", "eks-pod-identity-agent", "kube-proxy", "other"}},
		{"apps", "deployments", []string{"coredns", "other"}},
		{"coordination.k8s.io", "leases", []string{"kubectl-noderole", "other"}},
		{"eks.amazonaws.com", "nodeclasses", []string{"default"}},
		{"karpenter.k8s.aws", "ec2nodeclasses", []string{"default"}},
		{"rbac.authorization.k8s.io", "roles", []string{"noderole-fix"}},
		{"rbac.authorization.k8s.io", "clusterrolebindings", []string{"fixer"}},
	}
	ask := func(group, resource, namespace, name, verb string) bool {
		review, err := s.kube.AuthorizationV1().SubjectAccessReviews().Create(s.ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: "fixer", ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: group, Resource: resource, Namespace: namespace, Name: name, Verb: verb,
			}},
		}, metav1.CreateOptions{})
		s.must(err)
		return review.Status.Allowed
	}
	var allowed []string
	for _, thing := range things {
		for _, namespace := range []string{"", "kube-system", "default", "other"} {
			for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
				may := verb + " " + thing.resource + " in " + namespace
				if ask(thing.group, thing.resource, namespace, "", verb) {
					allowed = append(allowed, may)
					continue // names add nothing
				}
				for _, name := range thing.names {
					if ask(thing.group, thing.resource, namespace, name, verb) {
						allowed = append(allowed, may+": "+name)
					}
				}
			}
		}
	}
	// A grant on cluster-wide things holds in every namespace that is asked about.
	want := []string{
		"get configmaps in kube-system: aws-auth", "create configmaps in kube-system", "update configmaps in kube-system: aws-auth",
		"list events in kube-system", "list events in default",
		"list nodes in ", "list nodes in kube-system", "list nodes in default", "list nodes in other",
		"list pods in ", "list pods in kube-system", "list pods in default", "list pods in other",
		"get serviceaccounts in ", "get serviceaccounts in kube-system", "patch serviceaccounts in kube-system: aws-node",
		"get serviceaccounts in default", "get serviceaccounts in other",
		"get daemonsets in kube-system: aws-node", "get daemonsets in kube-system: eks-pod-identity-agent", "get daemonsets in kube-system: kube-proxy",
		"patch daemonsets in kube-system: aws-node", "get deployments in kube-system: coredns",
		"get leases in kube-system: kubectl-noderole", "create leases in kube-system", "update leases in kube-system: kubectl-noderole",
		"list nodeclasses in ", "list nodeclasses in kube-system", "list nodeclasses in default", "list nodeclasses in other",
		"list ec2nodeclasses in ", "list ec2nodeclasses in kube-system", "list ec2nodeclasses in default", "list ec2nodeclasses in other",
	}
	if diff := cmp.Diff(want, allowed); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
}
