package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
)

const (
	roleARN = "arn:aws:iam::111122223333:role/eksNodeRole"
	// others is an entry that is none of ours.
	others = "# ours\n- rolearn: arn:aws:iam::111122223333:role/admin\n  username: admin\n  groups: [system:masters]\n"
)

func statusOf(code int, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: reason, Code: int32(code), Message: message}
}

// api is an API server with aws-auth, the service account, the DaemonSet and the pods of
// aws-node.
type api struct {
	mu       sync.Mutex
	mapRoles *string // nil is no ConfigMap
	version  int
	account  *corev1.ServiceAccount
	set      appsv1.DaemonSet
	pods     []corev1.Pod
	// before is called before a request is answered, and answers it where it says so.
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
	// sent are the requests that write.
	sent []string
}

func (a *api) client(t *testing.T) *kube.Changes {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return client(t, &rest.Config{Host: server.URL}).Writing()
}

func (a *api) configMap() *corev1.ConfigMap {
	m := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: "kube-system", ResourceVersion: fmt.Sprint(a.version)}}
	if *a.mapRoles != "" {
		m.Data = map[string]string{"mapRoles": *a.mapRoles, "mapUsers": "[]"}
	}
	return m
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.before != nil && a.before(w, r) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodGet {
		text := string(body)
		if strings.HasPrefix(text, "k8s\x00") {
			text = "protobuf"
		}
		a.sent = append(a.sent, strings.TrimSpace(r.Method+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]+" "+text))
	}
	switch path := r.URL.Path; {
	case strings.Contains(path, "/configmaps"):
		a.serveConfigMap(w, r, body)
	case strings.HasSuffix(path, "/serviceaccounts/aws-node"):
		a.serveAccount(w, r, body)
	case strings.HasSuffix(path, "/daemonsets/aws-node"):
		if r.Method == http.MethodPatch {
			a.set.Generation++
		}
		a.set.TypeMeta = metav1.TypeMeta{Kind: "DaemonSet", APIVersion: "apps/v1"}
		writeJSON(w, http.StatusOK, a.set)
	case strings.HasSuffix(path, "/pods"):
		writeJSON(w, http.StatusOK, corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: a.pods})
	default:
		writeJSON(w, http.StatusNotFound, statusOf(404, metav1.StatusReasonNotFound, path))
	}
}

func (a *api) serveConfigMap(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method == http.MethodGet {
		if a.mapRoles == nil {
			writeJSON(w, http.StatusNotFound, statusOf(404, metav1.StatusReasonNotFound, "aws-auth"))
			return
		}
		writeJSON(w, http.StatusOK, a.configMap())
		return
	}
	var m corev1.ConfigMap
	if err := m.Unmarshal(rawOf(body)); err != nil {
		writeJSON(w, http.StatusBadRequest, statusOf(400, metav1.StatusReasonBadRequest, err.Error()))
		return
	}
	switch {
	case r.Method == http.MethodPost && a.mapRoles != nil:
		writeJSON(w, http.StatusConflict, statusOf(409, metav1.StatusReasonAlreadyExists, "aws-auth already exists"))
		return
	case r.Method == http.MethodPut && a.mapRoles == nil:
		writeJSON(w, http.StatusNotFound, statusOf(404, metav1.StatusReasonNotFound, "aws-auth"))
		return
	case r.Method == http.MethodPut && m.ResourceVersion != fmt.Sprint(a.version):
		writeJSON(w, http.StatusConflict, statusOf(409, metav1.StatusReasonConflict, "the object has been modified"))
		return
	case r.Method == http.MethodPut && *a.mapRoles != "" && m.Data["mapUsers"] != "[]":
		writeJSON(w, http.StatusBadRequest, statusOf(400, metav1.StatusReasonBadRequest, "mapUsers was lost"))
		return
	}
	text := m.Data["mapRoles"]
	a.mapRoles, a.version = &text, a.version+1
	writeJSON(w, http.StatusOK, a.configMap())
}

func (a *api) serveAccount(w http.ResponseWriter, r *http.Request, body []byte) {
	if a.account == nil {
		writeJSON(w, http.StatusNotFound, statusOf(404, metav1.StatusReasonNotFound, `serviceaccounts "aws-node" not found`))
		return
	}
	a.account.TypeMeta = metav1.TypeMeta{Kind: "ServiceAccount", APIVersion: "v1"}
	if r.Method == http.MethodPatch {
		var patch struct {
			Metadata struct {
				ResourceVersion string
				Annotations     map[string]*string
			}
		}
		if err := json.Unmarshal(body, &patch); err != nil || patch.Metadata.ResourceVersion != a.account.ResourceVersion {
			writeJSON(w, http.StatusConflict, statusOf(409, metav1.StatusReasonConflict, "the object has been modified"))
			return
		}
		for k, v := range patch.Metadata.Annotations {
			delete(a.account.Annotations, k)
			if v != nil {
				a.account.Annotations[k] = *v
			}
		}
	}
	writeJSON(w, http.StatusOK, a.account)
}

// rawOf takes the envelope off an object in protobuf.
func rawOf(body []byte) []byte {
	var envelope runtime.Unknown
	if len(body) < 4 || envelope.Unmarshal(body[4:]) != nil { // the first four bytes say that it is one
		return body
	}
	return envelope.Raw
}

func entry(username string) *change.State {
	return &change.State{Role: roleARN, Username: username, Groups: []string{"system:bootstrappers", "system:nodes"}}
}

func authText(username string) string {
	return "- rolearn: " + roleARN + "\n  username: " + username + "\n  groups:\n    - system:bootstrappers\n    - system:nodes\n"
}

func pointerTo(s string) *string { return &s }

func TestAuthRole(t *testing.T) {
	pathed := strings.Replace(roleARN, "role/", "role/eks/", 1)
	tests := map[string]struct {
		there         *string
		before, after *change.State
		err           string
		entries       *change.State // what there is to be then
		keeps         string
		sent          int
	}{
		"no ConfigMap":               {after: entry("node"), entries: entry("node"), sent: 1},
		"an empty ConfigMap":         {there: pointerTo(""), after: entry("node"), entries: entry("node"), sent: 1},
		"one more":                   {there: pointerTo(others), after: entry("node"), entries: entry("node"), keeps: others, sent: 1},
		"another in its place":       {there: pointerTo(others + authText("old")), before: entry("old"), after: entry("node"), entries: entry("node"), keeps: others, sent: 1},
		"removed":                    {there: pointerTo(others + authText("old")), before: entry("old"), keeps: others, sent: 1},
		"the path is taken out":      {there: pointerTo(strings.ReplaceAll(authText("node"), roleARN, pathed)), before: &change.State{Role: pathed, Username: "node", Groups: entry("").Groups}, after: entry("node"), entries: entry("node"), sent: 1},
		"the path is given back":     {there: pointerTo(authText("node")), before: entry("node"), after: &change.State{Role: pathed, Username: "node", Groups: entry("").Groups}, entries: &change.State{Role: pathed, Username: "node", Groups: entry("").Groups}, sent: 1},
		"it is another by now":       {there: pointerTo(authText("third")), before: entry("old"), after: entry("node"), entries: entry("third"), err: "is not as expected: username is third, not node"},
		"it is there by now":         {there: pointerTo(authText("third")), after: entry("node"), entries: entry("third"), err: "is not as expected"},
		"mapRoles is no list":        {there: pointerTo("a: [b"), after: entry("node"), err: "aws-auth: "},
		"an alias stands in the way": {there: pointerTo("- &a {rolearn: " + roleARN + ", username: old, groups: [system:bootstrappers, system:nodes]}\n- *a\n"), before: entry("old"), after: entry("node"), entries: entry("old"), err: "change entry of " + roleARN + " in aws-auth: "},
		"both of them are removed":   {there: pointerTo("- &a {rolearn: " + roleARN + ", username: old, groups: [system:bootstrappers, system:nodes]}\n- *a\n"), before: entry("old"), sent: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := &api{mapRoles: tt.there}
			c := a.client(t)
			ch := change.Change{Kind: change.AuthRole, Name: roleARN, Before: tt.before, After: tt.after}
			err := c.Write(t.Context(), ch)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v", err)
			}
			if len(a.sent) != tt.sent {
				t.Errorf("sent %q", a.sent)
			}
			if a.mapRoles != nil && !strings.Contains(*a.mapRoles, tt.keeps) {
				t.Errorf("mapRoles is\n%s", *a.mapRoles)
			}
			if name == "mapRoles is no list" {
				if _, err := c.State(t.Context(), ch); err == nil {
					t.Error("its state was read")
				}
				return
			}
			found, err := c.State(t.Context(), ch)
			if diff := cmp.Diff(tt.entries, found); diff != "" || err != nil {
				t.Errorf("%v, state (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestAuthRoleConflict: where somebody else writes meanwhile it begins again, and keeps
// what they wrote; not for ever.
func TestAuthRoleConflict(t *testing.T) {
	for name, tt := range map[string]struct {
		there  *string
		writes int // how often somebody else is first
		other  func(a *api, n int)
		err    bool
		keeps  string
	}{
		"once":             {there: pointerTo(others), writes: 1, other: func(a *api, _ int) { a.put(*a.mapRoles + "- rolearn: theirs\n") }, keeps: "- rolearn: theirs\n"},
		"as often as goes": {there: pointerTo(others), writes: 4, other: func(a *api, n int) { a.put(*a.mapRoles + fmt.Sprintf("- rolearn: theirs%d\n", n)) }, keeps: "- rolearn: theirs3\n"},
		"for ever":         {there: pointerTo(others), writes: 100, other: func(a *api, _ int) { a.put(others) }, err: true},
		"it is made":       {writes: 1, other: func(a *api, _ int) { a.put(others) }, keeps: others},
		"it is deleted":    {there: pointerTo(others), writes: 1, other: func(a *api, _ int) { a.mapRoles = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			a := &api{mapRoles: tt.there}
			n := 0
			a.before = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet && n < tt.writes {
					tt.other(a, n)
					n++
				}
				return false
			}
			ch := change.Change{Kind: change.AuthRole, Name: roleARN, After: entry("node")}
			err := a.client(t).Write(t.Context(), ch)
			if tt.err {
				var call *collect.CallError
				if !errors.As(err, &call) || call.Operation != "update configmaps in kube-system" || len(a.sent) != 5 {
					t.Errorf("%v after %d writes", err, len(a.sent))
				}
				return
			}
			if err != nil || !strings.Contains(*a.mapRoles, tt.keeps) || !strings.Contains(*a.mapRoles, roleARN) {
				t.Errorf("%v, mapRoles is\n%s", err, *a.mapRoles)
			}
		})
	}
	// The entry itself is somebody else's by now.
	a := &api{mapRoles: pointerTo(others)}
	a.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			a.put(authText("third"))
		}
		return false
	}
	err := a.client(t).Write(t.Context(), change.Change{Kind: change.AuthRole, Name: roleARN, After: entry("node")})
	var conflict *change.ConflictError
	if !errors.As(err, &conflict) || *a.mapRoles != authText("third") {
		t.Errorf("%v, mapRoles is\n%s", err, *a.mapRoles)
	}
}

// put writes mapRoles as somebody else does.
func (a *api) put(text string) { a.mapRoles, a.version = &text, a.version+1 }

// TestForbidden: what is refused names the permission.
func TestForbidden(t *testing.T) {
	auth := change.Change{Kind: change.AuthRole, Name: roleARN, After: entry("node")}
	account := change.Change{Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", After: &change.State{Role: roleARN}}
	rollout := change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{Type: change.IRSA, Role: roleARN}}
	for want, tt := range map[string]struct {
		method string
		change change.Change
		there  *string
	}{
		"update configmaps in kube-system":     {http.MethodPut, auth, pointerTo(others)},
		"create configmaps in kube-system":     {http.MethodPost, auth, nil},
		"patch serviceaccounts in kube-system": {http.MethodPatch, account, nil},
		"patch daemonsets.apps in kube-system": {http.MethodPatch, rollout, nil},
		"get configmaps in kube-system":        {http.MethodGet, auth, nil},
		"get serviceaccounts in kube-system":   {http.MethodGet, account, nil},
		"get daemonsets.apps in kube-system":   {http.MethodGet, rollout, nil},
	} {
		t.Run(want, func(t *testing.T) {
			a := &api{mapRoles: tt.there, account: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "aws-node"}}}
			a.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != tt.method {
					return false
				}
				writeJSON(w, http.StatusForbidden, statusOf(403, metav1.StatusReasonForbidden, "no"))
				return true
			}
			err := a.client(t).Write(t.Context(), tt.change)
			var call *collect.CallError
			if !errors.As(err, &call) || call.Permission != want || !strings.HasPrefix(err.Error(), "change "+tt.change.String()+": ") {
				t.Errorf("%v", err)
			}
		})
	}
	a := &api{before: func(w http.ResponseWriter, _ *http.Request) bool {
		writeJSON(w, http.StatusForbidden, statusOf(403, metav1.StatusReasonForbidden, "no"))
		return true
	}}
	for _, ch := range []change.Change{auth, account, rollout} {
		var call *collect.CallError
		if _, err := a.client(t).State(t.Context(), ch); !errors.As(err, &call) || call.Permission == "" || !strings.HasPrefix(err.Error(), "read "+ch.String()+": ") {
			t.Errorf("%v", err)
		}
	}
	foreign := change.Change{Kind: change.Role, Name: "r", After: &change.State{}}
	if err := a.client(t).Write(t.Context(), foreign); err == nil {
		t.Error("a role was made in the cluster")
	}
	if _, err := a.client(t).State(t.Context(), foreign); err == nil {
		t.Error("a role was read in the cluster")
	}
}

func TestServiceAccountRole(t *testing.T) {
	const annotation = "eks.amazonaws.com/role-arn"
	account := func(role string) *corev1.ServiceAccount {
		s := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "aws-node", ResourceVersion: "7", Annotations: map[string]string{"keep": "me"}}}
		if role != "" {
			s.Annotations[annotation] = role
		}
		return s
	}
	state := func(role string) *change.State {
		if role == "" {
			return nil
		}
		return &change.State{Role: role}
	}
	for name, tt := range map[string]struct{ there, before, after, sent, err string }{
		"given":                {"", "", "new", `PATCH aws-node {"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"new"},"resourceVersion":"7"}}`, ""},
		"another":              {"old", "old", "new", `PATCH aws-node {"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"new"},"resourceVersion":"7"}}`, ""},
		"taken away":           {"old", "old", "", `PATCH aws-node {"metadata":{"annotations":{"eks.amazonaws.com/role-arn":null},"resourceVersion":"7"}}`, ""},
		"it is another by now": {"third", "old", "new", "", "change role of service account kube-system/aws-node: role of service account kube-system/aws-node is not as expected: role is third, not new"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &api{account: account(tt.there)}
			c := a.client(t)
			ch := change.Change{Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", Before: state(tt.before), After: state(tt.after)}
			found, err := c.State(t.Context(), ch)
			if diff := cmp.Diff(state(tt.there), found); diff != "" || err != nil {
				t.Errorf("%v, before (-want +got):\n%s", err, diff)
			}
			err = c.Write(t.Context(), ch)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || err.Error() != tt.err) {
				t.Errorf("error %v", err)
			}
			if got := strings.Join(a.sent, "\n"); got != tt.sent {
				t.Errorf("sent %s", got)
			}
			want := tt.after
			if tt.err != "" {
				want = tt.there
			}
			if a.account.Annotations[annotation] != want || a.account.Annotations["keep"] != "me" {
				t.Errorf("annotations %v", a.account.Annotations)
			}
		})
	}
	// Somebody else writes between reading and writing.
	a := &api{account: account("")}
	a.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			a.account.ResourceVersion = "8"
		}
		return false
	}
	ch := change.Change{Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", After: state("new")}
	var call *collect.CallError
	if err := a.client(t).Write(t.Context(), ch); !errors.As(err, &call) || call.Message != "the object has been modified" {
		t.Errorf("%v", err)
	}
	if err := (&api{}).client(t).Write(t.Context(), ch); !errors.As(err, &call) || call.Operation != "get serviceaccounts in kube-system" {
		t.Errorf("%v", err)
	}
}

// podOf is a pod of aws-node with an identity.
func podOf(name, role string) corev1.Pod {
	container := corev1.Container{Name: "aws-node"}
	if role != "" {
		container.Env = []corev1.EnvVar{{Name: "AWS_ROLE_ARN", Value: role}, {Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/t"}}
	}
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}}}
}

func TestPodsState(t *testing.T) {
	ended := podOf("ended", "")
	ended.Status.Phase = corev1.PodSucceeded
	for name, tt := range map[string]struct {
		pods []corev1.Pod
		want *change.State
	}{
		"none":                   {nil, nil},
		"the node role":          {[]corev1.Pod{podOf("a", ""), podOf("b", "")}, &change.State{Type: change.NodeRole}},
		"its own":                {[]corev1.Pod{podOf("a", "r"), podOf("b", "r"), ended}, &change.State{Type: change.IRSA, Role: "r"}},
		"some of each":           {[]corev1.Pod{podOf("a", "r"), podOf("b", "")}, &change.State{Type: change.Mixed}},
		"two roles":              {[]corev1.Pod{podOf("a", "r"), podOf("b", "s")}, &change.State{Type: change.Mixed}},
		"mixed, and one as last": {[]corev1.Pod{podOf("a", "r"), podOf("b", ""), podOf("c", "r")}, &change.State{Type: change.Mixed}},
	} {
		got, err := (&api{pods: tt.pods}).client(t).State(t.Context(), change.Change{Kind: change.Rollout, Name: "kube-system/aws-node"})
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// clock is a time that goes on by a second with every look at it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) look() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func TestRollout(t *testing.T) {
	done := appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 2}
	under := done
	under.UpdatedNumberScheduled, under.NumberAvailable = 1, 1
	irsa := &change.State{Type: change.IRSA, Role: "r"}
	old, replaced := []corev1.Pod{podOf("a", ""), podOf("b", "")}, []corev1.Pod{podOf("c", "r"), podOf("d", "r")}
	tests := map[string]struct {
		status   appsv1.DaemonSetStatus
		pods     []corev1.Pod
		strategy appsv1.DaemonSetUpdateStrategyType
		// look is told of every look at the DaemonSet, counted from 1, and whether it
		// was restarted.
		look func(a *api, n int, restarted bool)
		sent int
		err  string
	}{
		"finished when the status says so": {
			status: done, pods: old, sent: 1,
			look: func(a *api, n int, restarted bool) {
				switch {
				case restarted && n == 3: // seen by the controller
					a.set.Status.ObservedGeneration, a.set.Status.UpdatedNumberScheduled = 2, 0
				case n == 5:
					a.set.Status.UpdatedNumberScheduled, a.set.Status.NumberAvailable = 2, 1
				case n == 7:
					a.set.Status.NumberAvailable, a.pods = 2, replaced
				}
			},
		},
		"OnDelete": {status: done, pods: old, strategy: appsv1.OnDeleteDaemonSetStrategyType, err: "its update strategy is OnDelete: delete its pods one node at a time, and run the same command again"},
		"one that is under way was the one": {
			status: under, pods: old,
			look: func(a *api, n int, _ bool) {
				if n == 4 {
					a.set.Status, a.pods = done, replaced
				}
			},
		},
		"one that is under way was another": {
			status: under, pods: old, sent: 1,
			look: func(a *api, n int, restarted bool) {
				switch {
				case restarted:
					a.set.Status, a.pods = done, replaced
					a.set.Status.ObservedGeneration = 2
				case n == 4:
					a.set.Status = done
				}
			},
		},
		"one that is under way stands still": {status: under, pods: old, err: "its rollout makes no progress: 1 of 2 pods are replaced, 1 are available; see why: kubectl -n kube-system get pods -l k8s-app=aws-node -o wide"},
		"it stands still": {
			status: done, pods: old, sent: 1, err: "its rollout makes no progress: 1 of 2 pods are replaced, 2 are available; see why: kubectl -n kube-system get pods -l k8s-app=aws-node -o wide",
			look: func(a *api, _ int, restarted bool) {
				if restarted {
					a.set.Status.ObservedGeneration, a.set.Status.UpdatedNumberScheduled = 2, 1
				}
			},
		},
		"it is slow": {
			status: done, pods: old, sent: 1,
			look: func(a *api, n int, restarted bool) {
				if restarted { // a pod in 8 seconds, which are less than stallTimeout, 40 in all
					a.set.Status.ObservedGeneration, a.set.Status.DesiredNumberScheduled = 2, 40
					a.set.Status.UpdatedNumberScheduled, a.set.Status.NumberAvailable = int32(n/4), int32(n/4)
				}
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := &api{pods: tt.pods}
			a.set.Name, a.set.Generation, a.set.Status, a.set.Spec.UpdateStrategy.Type = "aws-node", 1, tt.status, tt.strategy
			looks := 0
			a.before = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/daemonsets/aws-node") && tt.look != nil {
					looks++
					tt.look(a, looks, len(a.sent) > 0)
				}
				return false
			}
			c := a.client(t).Hurry(time.Microsecond, 20*time.Second, (&clock{now: time.Date(2030, 1, 2, 3, 4, 0, 0, time.UTC)}).look)
			err := c.Write(t.Context(), change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: irsa})
			var failed *change.FailedError
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("%v", err)
			case tt.err != "" && (!errors.As(err, &failed) || failed.Reason != tt.err):
				t.Errorf("%v, want %s", err, tt.err)
			case len(a.sent) != tt.sent:
				t.Errorf("sent %q", a.sent)
			case tt.err == "" && (a.set.Status.ObservedGeneration != a.set.Generation || a.set.Status.NumberAvailable != a.set.Status.DesiredNumberScheduled):
				t.Errorf("it did not wait: %+v", a.set.Status)
			}
			for _, sent := range a.sent {
				if !strings.HasPrefix(sent, `PATCH aws-node {"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2030-01-02T03:04:`) {
					t.Errorf("sent %s", sent)
				}
			}
		})
	}
}

func TestRolloutInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := &api{pods: []corev1.Pod{podOf("a", "")}}
	a.set.Status.DesiredNumberScheduled = 1
	looks := 0
	a.before = func(http.ResponseWriter, *http.Request) bool {
		if looks++; looks == 3 {
			cancel()
		}
		return false
	}
	err := a.client(t).Hurry(time.Millisecond, time.Hour, time.Now).Write(ctx, change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{Type: change.NodeRole}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
