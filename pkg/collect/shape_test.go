package collect_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// misshapen are answers with status 200 that are none, in place of a server's own.
var misshapen = map[string]func(w http.ResponseWriter, r *http.Request, server http.Handler){
	"HTML": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		html(http.StatusOK)(w, nil)
	},
	"empty": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusOK)
	},
	"an empty object": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		writeJSON(w, struct{}{})
	},
	"another element": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		writeXML(w, "<x/>")
	},
	"the first half": func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		whole := httptest.NewRecorder()
		server.ServeHTTP(whole, r)
		w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	},
}

// answersXML reports whether an operation's service answers with XML; the others answer with
// JSON.
func answersXML(operation string) bool {
	service, _, _ := strings.Cut(operation, ":")
	return slices.Contains([]string{"autoscaling", "ec2", "iam", "sts"}, service)
}

// faulty gives an operation's answers by answer.
func faulty(w *fakeServers, operation string, answer func(http.ResponseWriter, *http.Request, http.Handler)) {
	const whole = "X-Whole" // the request of an answer that is changed
	fault := func(server http.Handler) func(string, http.ResponseWriter, *http.Request) bool {
		return func(op string, rw http.ResponseWriter, r *http.Request) bool {
			if op != operation || r.Header.Get(whole) != "" {
				return false
			}
			r.Header.Set(whole, "1")
			answer(rw, r, server)
			return true
		}
	}
	w.aws.fault, w.kube.fault = fault(w.aws), fault(w.kube)
}

// An answer that is not one costs the facts that a refusal would cost, for every
// operation: nothing is taken from it, and nothing is absent because of it. Each operation
// gets one such answer, the kinds in turn: the tests of the clients have every kind for
// every operation.
func TestMisshapen(t *testing.T) {
	t.Parallel()
	tests := unreadWithout()
	tests["iam:SimulatePrincipalPolicy"] = missingOf(snapshot.FactSimulations, fakeRoles("node-a", "node-b", "self", "cni", "pod-cni", "lost", "hybrid", "hyperpod", "mapped", "quick")...)
	for i, operation := range slices.Sorted(maps.Keys(tests)) {
		// What is of another format altogether is HTML; a service's own format has another
		// content than expected.
		foreign := map[bool]string{true: "an empty object", false: "another element"}[answersXML(operation)]
		kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(misshapen)), func(kind string) bool { return kind == foreign })
		name := kinds[i%len(kinds)]
		answer, refused := misshapen[name], tests[operation]
		t.Run(operation+"/"+name, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			w.env["AWS_MAX_ATTEMPTS"] = "1"
			if operation == "iam:SimulatePrincipalPolicy" {
				w.simulate = []collect.Question{{Action: "ec2:DescribeInstances", Resource: "*"}}
			}
			faulty(w, operation, answer)
			got, _ := w.collect(t)
			if diff := cmp.Diff(refused, entries(got), cmp.AllowUnexported(missing{})); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			for _, m := range got.Missing {
				if m.Operation != operation || m.Permission != "" || m.Error == "" || strings.Contains(m.Error, "\n") {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}
