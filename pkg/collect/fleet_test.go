package collect_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// of are the options for a cluster of fakeServers that is read beside others.
func (w *fakeServers) of(tb testing.TB, name string) collect.Options {
	o := w.options(tb)
	o.Cluster = locate.Cluster{Name: name, ARN: clusterARN(name)}
	return o
}

// TestSharedAnswers: clusters of one account that share a client and its answers read the
// same facts as each one alone, at the same time, and ask for nothing twice.
func TestSharedAnswers(t *testing.T) {
	t.Parallel()
	names := []string{"dev", "prod", "staging"}
	alone := map[string]*snapshot.Snapshot{}
	for _, name := range names {
		s, _, err := collect.Collect(t.Context(), newFakeServers(t).of(t, name))
		if err != nil {
			t.Fatal(err)
		}
		alone[name] = s
	}
	w := newFakeServers(t)
	client, _ := w.clients(t)
	answers := collect.NewAnswers(nil)
	together := map[string]*snapshot.Snapshot{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, name := range names {
		group.Go(func() {
			o := w.of(t, name)
			o.AWS, o.Answers = client, answers
			s, _, err := collect.Collect(t.Context(), o)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			together[name] = s
		})
	}
	group.Wait()
	// The servers have other addresses, of which no fact tells.
	if diff := cmp.Diff(alone, together); diff != "" {
		t.Errorf("(-alone +together):\n%s", diff)
	}
	for object, n := range w.aws.objects {
		// Instances and Auto Scaling groups are asked for by filters that the fake does not
		// tell apart.
		if n > 1 && !strings.HasPrefix(object, "ec2:") && !strings.HasPrefix(object, "autoscaling:") {
			t.Errorf("%s was read %d times", object, n)
		}
	}
}

// TestManagedPolicies: the documents of AWS's own policies are read once for all accounts.
// What one account refuses, the next one is asked for.
func TestManagedPolicies(t *testing.T) {
	t.Parallel()
	managed := &collect.ManagedPolicies{}
	read := func(refuse bool) (*fakeServers, *snapshot.Snapshot) {
		w := newFakeServers(t)
		w.aws.fault = func(op string, rw http.ResponseWriter, r *http.Request) bool {
			if !refuse || op != "iam:GetPolicyVersion" || r.Form.Get("PolicyArn") != workerPolicy {
				return false
			}
			fail(rw, op, http.StatusForbidden, "AccessDenied", "not authorized")
			return true
		}
		o := w.options(t)
		o.Answers = collect.NewAnswers(managed)
		s, _, err := collect.Collect(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return w, s
	}
	_, refused := read(true)
	if !refused.IsMissing(snapshot.FactPolicies, workerPolicy) || refused.IsMissing(snapshot.FactPolicies, cniPolicy) {
		t.Errorf("missing: %v", refused.Missing)
	}
	w, s := read(false)
	if s.Policies[workerPolicy].Document != document || s.Policies[cniPolicy].Document != document {
		t.Errorf("policies: %v", s.Policies)
	}
	var asked []string
	for object := range w.aws.objects {
		if arn, ok := strings.CutPrefix(object, "iam:GetPolicyVersion "); ok {
			asked = append(asked, arn)
		}
	}
	slices.Sort(asked)
	if want := []string{boundary, workerPolicy}; !slices.Equal(asked, want) {
		t.Errorf("the second account was asked for %v, want %v", asked, want)
	}
}

// TestWithoutKube: where the Kubernetes API is not read, cannot be reached or refuses the
// credentials, its facts are missing with the reason, and AWS is read as always.
func TestWithoutKube(t *testing.T) {
	t.Parallel()
	const why = "it was not asked for (--aws-only)"
	for name, test := range map[string]struct {
		change func(*fakeServers, *collect.Options)
		want   string
	}{
		"not asked for":    {func(_ *fakeServers, o *collect.Options) { o.Kube, o.WithoutKube = nil, why }, why},
		"no connection":    {func(_ *fakeServers, o *collect.Options) { o.KubeOptional = true }, "cannot reach the Kubernetes API server http://127.0.0.1:1: "},
		"other credential": {func(_ *fakeServers, o *collect.Options) { o.KubeOptional = true }, "does not accept the credentials of the kubeconfig (Unauthorized)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			switch name {
			case "no connection":
				w.kube.URL = "http://127.0.0.1:1"
			case "other credential":
				w.kube.fault = func(_ string, rw http.ResponseWriter, r *http.Request) bool {
					w.kube.status(rw, r, apierrors.NewUnauthorized("Unauthorized"))
					return true
				}
			}
			o := w.options(t)
			test.change(w, &o)
			s, _, err := collect.Collect(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			var want []missing
			for _, fact := range []snapshot.Fact{
				snapshot.FactAWSAuth, snapshot.FactNodeClasses, snapshot.FactNodes, snapshot.FactServiceAccount, snapshot.FactDaemonSet,
				snapshot.FactPods, snapshot.FactSystemImages, snapshot.FactAgent, snapshot.FactEvents, snapshot.FactAddonPods,
			} {
				want = append(want, missing{fact, ""})
			}
			if diff := cmp.Diff(want, entries(s), cmp.AllowUnexported(missing{})); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			for _, m := range s.Missing {
				if m.Operation != "read the Kubernetes API" || !strings.Contains(m.Error, test.want) || m.Permission != "" {
					t.Errorf("missing %+v, want %s", m, test.want)
				}
			}
			if len(s.NodeGroups) != 3 || len(s.Roles) < 4 || len(s.Nodes) != 0 || len(s.Instances) == 0 {
				t.Errorf("%d node groups, %d roles, %d nodes, %d instances", len(s.NodeGroups), len(s.Roles), len(s.Nodes), len(s.Instances))
			}
			text, err := s.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := snapshot.Decode("without", text); err != nil {
				t.Error(err)
			}
		})
	}
}
