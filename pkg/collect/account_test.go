package collect_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// goneNodePolicy is a managed policy that the partition does not have.
const goneNodePolicy = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy"

// listing are fakeServers whose IAM lists roles and profiles, too. It refuses the
// operation that refuse names.
func listing(t *testing.T, refuse string) *fakeServers {
	t.Helper()
	w := newFakeServers(t)
	f := w.aws
	f.fault = func(op string, rw http.ResponseWriter, r *http.Request) bool {
		var result string
		switch op {
		case refuse:
			fail(rw, op, http.StatusForbidden, accessDenied(op), "not authorized")
			return true
		case "iam:ListRoles":
			result = f.members(r, "Roles", keysOf(f.roles), func(name string) string { return f.roleXML(name, false) })
		case "iam:ListInstanceProfiles":
			result = f.members(r, "InstanceProfiles", keysOf(f.profiles), f.profileXML)
		case "iam:ListEntitiesForPolicy":
			policy := r.Form.Get("PolicyArn")
			if policy == goneNodePolicy {
				queryError(rw, http.StatusNotFound, "NoSuchEntity", "Policy "+policy+" was not found.")
				return true
			}
			with := slices.DeleteFunc(keysOf(f.roles), func(name string) bool {
				if r.Form.Get("PolicyUsageFilter") == "PermissionsBoundary" {
					return f.roles[name].boundary != policy
				}
				return !slices.Contains(f.roles[name].attached, policy)
			})
			result = f.members(r, "PolicyRoles", with, func(name string) string { return element("RoleName", name) })
		default:
			return false
		}
		action := strings.TrimPrefix(op, "iam:")
		writeXML(rw, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, result)
		return true
	}
	return w
}

// details are the account's roles and, on the last page, its own policies. As in IAM's
// answers, there are no boundaries.
func (f *fakeAWS) details(r *http.Request) string {
	list := func(field, members string) string { return "<" + field + ">" + members + "</" + field + ">" }
	result := f.members(r, "RoleDetailList", keysOf(f.roles), func(name string) string {
		role := f.roles[name]
		var attached, inline, profiles, tags string
		for _, arn := range role.attached {
			attached += list("member", element("PolicyArn", arn))
		}
		for _, policy := range keysOf(role.inline) {
			inline += list("member", element("PolicyName", policy)+element("PolicyDocument", f.document(role.inline[policy])))
		}
		for _, profile := range keysOf(f.profiles) {
			if f.profiles[profile].role == name {
				profiles += list("member", f.profileXML(profile))
			}
		}
		for _, key := range keysOf(role.tags) {
			tags += list("member", element("Key", key)+element("Value", role.tags[key]))
		}
		return f.roleXML(name, false) + list("AttachedManagedPolicies", attached) + list("RolePolicyList", inline) + list("InstanceProfileList", profiles) +
			list("Tags", tags) + f.lastUsedXML(name)
	})
	if strings.Contains(result, "<IsTruncated>true") {
		return result
	}
	var policies string
	for _, arn := range keysOf(f.policies) {
		if !strings.Contains(arn, ":iam::aws:") {
			policies += list("member", element("Arn", arn)+list("PolicyVersionList", list("member", element("VersionId", "v2")+element("Document", "{}")+element("IsDefaultVersion", "false"))+
				list("member", element("VersionId", "v3")+element("Document", f.document(f.policies[arn]))+element("IsDefaultVersion", "true"))))
		}
	}
	return result + list("Policies", policies)
}

func (w *fakeServers) account(t *testing.T, cluster string, keep ...string) (*snapshot.Account, error) {
	t.Helper()
	api, _ := w.clients(t)
	return collect.ReadAccount(context.Background(), collect.AccountOptions{
		Cluster: locate.Cluster{Name: cluster, ARN: clusterARN(cluster)}, AWS: api,
		NodePolicies: []string{workerPolicy, goneNodePolicy},
		Bulk:         func(int, int) bool { return w.bulk },
		Keep: func(*snapshot.Account) []string {
			var arns []string
			for _, name := range keep {
				arns = append(arns, w.aws.roleARN(name))
			}
			return arns
		},
	})
}

// Every role is listed, those that are kept are read closely, and each managed
// policy once.
func TestReadAccount(t *testing.T) {
	t.Parallel()
	w := listing(t, "")
	got, err := w.account(t, "prod", "node-a", "node-b", "lost")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Unread)+len(got.Snapshot.Missing) != 0 {
		t.Errorf("missing %v, %v", got.Unread, got.Snapshot.Missing)
	}
	if diff := cmp.Diff("ipv4", got.Snapshot.Cluster.IPFamily); diff != "" {
		t.Errorf("the cluster's IP family (-want +got):\n%s", diff)
	}
	f := w.aws
	wantRoles := map[string]snapshot.Role{
		f.roleARN("node-a"): {
			ID: "AROANODE-A", CreatedAt: created, TrustPolicy: document, PermissionsBoundary: boundary, Tags: map[string]string{"team": "core"},
			AttachedPolicies: []string{pullPolicy, workerPolicy, cniPolicy}, InlinePolicies: map[string]string{"extra": document, "more": document, "third": document},
		},
		f.roleARN("node-b"): {ID: "AROANODE-B", CreatedAt: created, TrustPolicy: document, AttachedPolicies: []string{workerPolicy}},
		f.roleARN("lost"):   {NotFound: true},
	}
	for _, name := range []string{"self", "cni", "pod-cni", "cluster", "hybrid", "hyperpod", "mapped", "quick"} {
		wantRoles[f.roleARN(name)] = snapshot.Role{ID: "AROA" + strings.ToUpper(name), CreatedAt: created, TrustPolicy: document}
	}
	if diff := cmp.Diff(wantRoles, got.Snapshot.Roles, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{boundary, pullPolicy, workerPolicy, cniPolicy}, keysOf(got.Snapshot.Policies), cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	groups := map[string]string{"a1": f.roleARN("node-a"), "a2": f.roleARN("node-a"), "b1": f.roleARN("node-b")}
	fargate := map[string]string{"fp": f.roleARN("fargate")}
	wantClusters := map[string]snapshot.ClusterRoles{
		"prod":    {Cluster: f.roleARN("cluster"), AutoMode: f.roleARN("node-b"), NodeGroups: groups, FargateProfiles: fargate},
		"dev":     {Cluster: f.roleARN("dev-cluster"), NodeGroups: groups, FargateProfiles: fargate},
		"staging": {Cluster: f.roleARN("staging-cluster"), NodeGroups: groups, FargateProfiles: fargate},
	}
	if diff := cmp.Diff(wantClusters, got.Clusters); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	wantPolicies := map[string][]string{workerPolicy: {"node-a", "node-b", "self"}, goneNodePolicy: nil}
	if diff := cmp.Diff(wantPolicies, got.NodePolicies); diff != "" {
		t.Errorf("roles with node policies (-want +got):\n%s", diff)
	}
	if len(got.Snapshot.InstanceProfiles) != 5 {
		t.Errorf("%d instance profiles", len(got.Snapshot.InstanceProfiles))
	}
	if diff := cmp.Diff(map[string]time.Time{f.roleARN("node-a"): {}, f.roleARN("node-b"): {}}, got.LastUsed); diff != "" {
		t.Errorf("last used (-want +got):\n%s", diff)
	}

	for operation, want := range map[string]int{
		"iam:ListRoles": 5, "iam:ListInstanceProfiles": 3, "iam:GetRole": 3, "iam:GetRolePolicy": 3, "iam:ListPolicies": 2, "iam:GetPolicy": 1, "iam:GetPolicyVersion": 4,
		"eks:ListClusters": 2, "eks:DescribeCluster": 3, "eks:DescribeNodegroup": 9, "eks:DescribeFargateProfile": 3,
		"eks:DescribeAccessEntry": 0, "iam:ListInstanceProfilesForRole": 0,
	} {
		if n := f.calls[operation]; n != want {
			t.Errorf("%s was called %d times, want %d", operation, n, want)
		}
	}
}

// For any cluster of the region none is read as the one to judge for.
func TestReadAccountOfRegion(t *testing.T) {
	t.Parallel()
	got, err := listing(t, "").account(t, "*")
	if err != nil {
		t.Fatal(err)
	}
	want := snapshot.Cluster{ARN: clusterARN("*")}
	if diff := cmp.Diff(want, got.Snapshot.Cluster); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"dev", "prod", "staging"}, keysOf(got.Clusters)); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
}

// Each operation in turn is refused. That costs its facts and nothing else.
func TestReadAccountRefused(t *testing.T) {
	t.Parallel()
	node := "arn:aws:iam::" + account + ":role/node-a"
	each := func(fact snapshot.Fact, subjects ...string) []missing {
		var out []missing
		for _, s := range subjects {
			out = append(out, missing{fact, s})
		}
		return out
	}
	for operation, want := range map[string]struct{ unread, missing []missing }{
		"iam:ListRoles":                {unread: each(snapshot.FactRoles, "")},
		"iam:ListInstanceProfiles":     {unread: each(snapshot.FactRoleProfiles, "")},
		"iam:ListEntitiesForPolicy":    {unread: each(snapshot.FactAttachedPolicies, goneNodePolicy, workerPolicy)},
		"eks:ListClusters":             {unread: each(snapshot.FactOtherClusters, "")},
		"eks:DescribeCluster":          {unread: each(snapshot.FactOtherClusters, clusterARN("dev"), clusterARN("prod"), clusterARN("staging"))},
		"eks:ListNodegroups":           {unread: each(snapshot.FactNodeGroups, "dev", "prod", "staging")},
		"eks:ListFargateProfiles":      {unread: each(snapshot.FactFargateProfiles, "dev", "prod", "staging")},
		"eks:DescribeNodegroup":        {unread: each(snapshot.FactNodeGroups, "dev/a1", "dev/a2", "dev/b1", "prod/a1", "prod/a2", "prod/b1", "staging/a1", "staging/a2", "staging/b1")},
		"eks:DescribeFargateProfile":   {unread: each(snapshot.FactFargateProfiles, "dev/fp", "prod/fp", "staging/fp")},
		"iam:GetRole":                  {missing: each(snapshot.FactRoles, node)},
		"iam:ListAttachedRolePolicies": {missing: each(snapshot.FactAttachedPolicies, node)},
		"iam:ListRolePolicies":         {missing: each(snapshot.FactInlinePolicies, node)},
		"iam:GetRolePolicy":            {missing: each(snapshot.FactInlinePolicies, node+"#extra", node+"#more", node+"#third")},
		"iam:ListPolicies":             {},
		"iam:GetPolicy":                {missing: each(snapshot.FactPolicies, cniPolicy)}, // not on the page of the attached policies
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			got, err := listing(t, operation).account(t, "prod", "node-a")
			if err != nil {
				t.Fatal(err)
			}
			for i, list := range [][]snapshot.Missing{got.Unread, got.Snapshot.Missing} {
				wanted := [][]missing{want.unread, want.missing}[i]
				var have []missing
				for _, m := range list {
					have = append(have, missing{m.Fact, m.Subject})
					if m.Operation != operation || m.Permission != operation {
						t.Errorf("operation %q, permission %q", m.Operation, m.Permission)
					}
				}
				if diff := cmp.Diff(wanted, have, cmp.AllowUnexported(missing{})); diff != "" {
					t.Errorf("missing of list %d (-want +got):\n%s", i, diff)
				}
			}
			// The list and GetRole both tell of the trust policy.
			if diff := cmp.Diff(document, got.Snapshot.Roles[node].TrustPolicy); diff != "" {
				t.Errorf("trust policy (-want +got):\n%s", diff)
			}
			if _, known := got.LastUsed[node]; known == (operation == "iam:GetRole") {
				t.Errorf("when it was last used is known: %t", known)
			}
		})
	}
}

// classes is account for cluster prod with its node classes.
func (w *fakeServers) classes(t *testing.T) *snapshot.Account {
	t.Helper()
	api, kube := w.clients(t)
	got, err := collect.ReadAccount(context.Background(), collect.AccountOptions{
		Cluster: locate.Cluster{Name: "prod", ARN: clusterARN("prod")}, AWS: api, Kube: kube,
		Keep: func(*snapshot.Account) []string { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Node classes lead to roles and instance profiles of the lists, without a call more.
func TestReadAccountNodeClasses(t *testing.T) {
	t.Parallel()
	w := listing(t, "")
	got := w.classes(t)
	f := w.aws
	want := map[string]snapshot.NodeClass{
		"fast":  {Role: "node-b", StatusProfile: "self", RoleARN: f.roleARN("node-b"), ProfileARN: f.profileARN("self")},
		"wrong": {Role: f.roleARN("node-a"), InstanceProfile: "gone", RoleARN: f.roleARN("node-a")},
		"odd": {Role: "no/name", AMIFamily: "windows2022", Conditions: []snapshot.Condition{
			{Type: "InstanceProfileReady", Status: "False", Reason: "NodeRoleNotFound", Message: "Failed to detect the NodeRole"}, {Type: "Ready", Status: "Unknown"},
		}},
	}
	if diff := cmp.Diff(want, got.Snapshot.KarpenterNodeClasses); diff != "" {
		t.Errorf("Karpenter's (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]snapshot.NodeClass{"private": {Role: "lost"}}, got.Snapshot.AutoModeNodeClasses); diff != "" {
		t.Errorf("Auto Mode's (-want +got):\n%s", diff)
	}
	if len(got.Unread) > 0 || f.calls["iam:GetRole"]+f.calls["iam:GetInstanceProfile"] > 0 {
		t.Errorf("unread %v, calls %v", got.Unread, f.calls)
	}
	if n := w.kube.calls["list nodes"]; n > 0 {
		t.Errorf("the nodes were listed %d times", n)
	}
}

// What of node classes cannot be read is unread, whatever the cause, and costs
// nothing else.
func TestReadAccountNodeClassesUnread(t *testing.T) {
	t.Parallel()
	status := func(err *apierrors.StatusError) func(*fakeServers) {
		return func(w *fakeServers) {
			w.kube.fault = func(_ string, rw http.ResponseWriter, r *http.Request) bool {
				w.kube.status(rw, r, err)
				return true
			}
		}
	}
	type unread struct{ Subject, Operation, Permission, Error string }
	both := func(operation string, message string) []unread {
		return []unread{{"autoMode", operation, "", message}, {"karpenter", operation, "", message}}
	}
	for name, test := range map[string]struct {
		refuse string // an operation of AWS
		fault  func(*fakeServers)
		want   []unread
	}{
		"refused": {fault: status(forbidden("nodeclasses")), want: []unread{
			{"autoMode", "list nodeclasses.eks.amazonaws.com", "list nodeclasses.eks.amazonaws.com", "refused"},
			{"karpenter", "list ec2nodeclasses.karpenter.k8s.aws", "list ec2nodeclasses.karpenter.k8s.aws", "refused"},
		}},
		"credentials": {
			fault: status(apierrors.NewUnauthorized("no")),
			want:  both("list node classes", "the Kubernetes API server URL does not accept the credentials of the kubeconfig (Unauthorized)"),
		},
		"no connection": {
			fault: func(w *fakeServers) { w.kube.URL = "http://127.0.0.1:1" },
			want:  both("list node classes", "cannot reach the Kubernetes API server URL: connection refused"),
		},
		"roles not listed": {refuse: "iam:ListRoles", fault: func(*fakeServers) {}, want: []unread{
			{"EC2NodeClass/fast", "iam:ListRoles", "iam:ListRoles", "refused"},
			{"EC2NodeClass/odd", "iam:ListRoles", "iam:ListRoles", "refused"},
			{"EC2NodeClass/wrong", "iam:ListRoles", "iam:ListRoles", "refused"},
			{"NodeClass/private", "iam:ListRoles", "iam:ListRoles", "refused"},
		}},
		"profiles not listed": {refuse: "iam:ListInstanceProfiles", fault: func(*fakeServers) {}, want: []unread{
			{"EC2NodeClass/fast", "iam:ListInstanceProfiles", "iam:ListInstanceProfiles", "refused"},
			{"EC2NodeClass/wrong", "iam:ListInstanceProfiles", "iam:ListInstanceProfiles", "refused"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := listing(t, test.refuse)
			test.fault(w)
			account := w.classes(t)
			var got []unread
			for _, m := range account.Unread {
				if m.Permission != "" {
					m.Error = "refused"
				}
				if m.Fact == snapshot.FactNodeClasses {
					got = append(got, unread{m.Subject, m.Operation, m.Permission, strings.ReplaceAll(m.Error, w.kube.URL, "URL")})
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"dev", "prod", "staging"}, keysOf(account.Clusters)); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
		})
	}
}

// A role that is no role of the account is not asked for, and a run that cannot
// go on ends.
func TestReadAccountLimits(t *testing.T) {
	t.Parallel()
	w := listing(t, "")
	api, _ := w.clients(t)
	foreign := "arn:aws:iam::999999999999:role/node-a"
	options := collect.AccountOptions{
		Cluster: locate.Cluster{Name: "*", ARN: clusterARN("*")}, AWS: api,
		Keep: func(*snapshot.Account) []string { return []string{foreign} },
	}
	got, err := collect.ReadAccount(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	want := []snapshot.Missing{{Fact: snapshot.FactRoles, Subject: foreign, Operation: "iam:GetRole", Error: foreign + " is not the ARN of a role of account " + account}}
	if diff := cmp.Diff(want, got.Snapshot.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if n := w.aws.calls["iam:GetRole"]; n != 0 {
		t.Errorf("iam:GetRole was called %d times", n)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := collect.ReadAccount(ctx, options); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// An Auto Scaling group without instances: the page of instance profiles gives the same
// facts as asking for its profile, and nothing is missing where it is refused.
func TestEmptyGroups(t *testing.T) {
	t.Parallel()
	read := func(refuse string) *snapshot.Snapshot {
		w := listing(t, refuse)
		w.aws.emptyGroups, w.aws.pageSize = true, 100
		s, stats := w.collect(t)
		if got := stats.PerOperation["iam:ListInstanceProfiles"]; got != 1 {
			t.Errorf("iam:ListInstanceProfiles was called %d times", got)
		}
		return s
	}
	if diff := cmp.Diff(read("iam:ListInstanceProfiles"), read("")); diff != "" {
		t.Errorf("facts (-refused +allowed):\n%s", diff)
	}
}

// Reading the roles at once gives the facts that reading each gives, boundaries and the last
// use included, with fewer calls. Where one of its operations is refused, each is read.
func TestBulk(t *testing.T) {
	t.Parallel()
	each := []string{"iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListInstanceProfilesForRole"}
	fakeServers := func(bulk bool, refuse string) *fakeServers {
		w := listing(t, refuse)
		w.bulk = bulk
		own := "arn:aws:iam::" + account + ":policy/own"
		w.aws.policies[own] = rawDocument
		role := w.aws.roles["node-a"]
		role.lastUsed, role.attached = "2024-06-07T08:09:10Z", append(role.attached, own)
		w.aws.roles["node-a"] = role
		return w
	}
	wantAccount, err := fakeServers(false, "").account(t, "prod", "node-a", "node-b", "lost")
	if err != nil {
		t.Fatal(err)
	}
	want, _ := fakeServers(false, "").collect(t)
	for name, test := range map[string]struct {
		refuse string
		bulk   bool // whether roles are read at once all the same
	}{
		"allowed":           {"", true},
		"refused":           {"iam:GetAccountAuthorizationDetails", false},
		"boundaries hidden": {"iam:ListEntitiesForPolicy", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fakeServers(true, test.refuse)
			got, stats := w.collect(t)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-each +at once):\n%s", diff)
			}
			if n := stats.PerOperation["iam:GetAccountAuthorizationDetails"]; n == 0 {
				t.Error("the roles were not read at once")
			}
			for _, operation := range each {
				// Roles that do not exist are asked for.
				if n := stats.PerOperation[operation]; (n > 3) == test.bulk {
					t.Errorf("%d calls of %s", n, operation)
				}
			}
			if test.refuse == "iam:ListEntitiesForPolicy" {
				return // which also says what list keeps
			}
			gotAccount, err := fakeServers(true, test.refuse).account(t, "prod", "node-a", "node-b", "lost")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantAccount, gotAccount); diff != "" {
				t.Errorf("account (-each +at once):\n%s", diff)
			}
		})
	}
}
