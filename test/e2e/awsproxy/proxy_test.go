package awsproxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	role      = "arn:aws:iam::123456789012:role/team/nodes"
	otherRole = "arn:aws:iam::123456789012:role/other"
	policy    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	owner     = "arn:aws:eks:eu-west-1:123456789012:addon/c/vpc-cni/"
)

var (
	cluster  = aws.String("c")
	cni      = aws.String("vpc-cni")
	ctx      = context.Background()
	anyTime  = cmpopts.IgnoreFields(AccessEntry{}, "CreatedAt")
	anyTimeA = cmpopts.IgnoreFields(Association{}, "CreatedAt")
	noNil    = cmpopts.EquateEmpty()
)

// rig is a proxy with the cluster c, in front of a backend that knows nothing
// but node groups, a client that tries every call once, and one that retries.
type rig struct {
	*testing.T
	proxy           *Proxy
	client, retries *eks.Client
	// changes are what OnChange was told.
	changes []string
	// backend are requests that came through.
	backend []string
}

func newRig(t *testing.T, c Cluster) *rig {
	t.Helper()
	g := &rig{T: t}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.backend = append(g.backend, r.Method+" "+r.URL.EscapedPath())
		if strings.HasSuffix(r.URL.Path, "/node-groups") {
			_, _ = io.WriteString(w, `{"nodegroup":{"nodegroupName":"apps"}}`)
			return
		}
		w.WriteHeader(http.StatusNotImplemented)
	}))
	t.Cleanup(backend.Close)
	p, err := New(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.SetCluster("c", c)
	p.SetOnChange(func(cluster, operation string) {
		p.Cluster(cluster) // the mutex is free
		g.changes = append(g.changes, cluster+" "+operation)
	})
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(p.URL), HTTPClient: &http.Client{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
	}
	g.proxy, g.retries = p, eks.NewFromConfig(cfg)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	g.client = eks.NewFromConfig(cfg)
	return g
}

func (g *rig) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *rig) equal(what string, got, want any, opts ...cmp.Option) {
	g.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		g.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// refusedWith wants one of EKS's own errors.
func refusedWith[E error](g *rig, what string, err error) {
	g.Helper()
	var want E
	if !errors.As(err, &want) {
		g.Errorf("%s: error %v, want %T", what, err, want)
	}
}

// unchanged wants that no write was done.
func (g *rig) unchanged() {
	g.Helper()
	g.equal("changes", g.changes, []string(nil))
}

func TestCreateAccessEntry(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   eks.CreateAccessEntryInput
		want AccessEntry
	}{
		{name: "default", want: AccessEntry{Type: "STANDARD", Username: "arn:aws:sts::123456789012:assumed-role/nodes/{{SessionName}}"}},
		{
			name: "standard", in: eks.CreateAccessEntryInput{Type: aws.String("STANDARD"), Username: aws.String("me"), KubernetesGroups: []string{"a", "b"}, Tags: map[string]string{"k": "v"}},
			want: AccessEntry{Type: "STANDARD", Username: "me", Groups: []string{"a", "b"}, Tags: map[string]string{"k": "v"}},
		},
		{name: "linux", in: eks.CreateAccessEntryInput{Type: aws.String("EC2_LINUX")}, want: AccessEntry{Type: "EC2_LINUX", Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}}},
		{name: "windows", in: eks.CreateAccessEntryInput{Type: aws.String("EC2_WINDOWS")}, want: AccessEntry{Type: "EC2_WINDOWS", Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes", "eks:kube-proxy-windows"}}},
		{name: "auto", in: eks.CreateAccessEntryInput{Type: aws.String("EC2")}, want: AccessEntry{Type: "EC2", Username: "system:node:{{SessionName}}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, Cluster{})
			tt.in.ClusterName, tt.in.PrincipalArn = cluster, aws.String(role)
			out, err := g.client.CreateAccessEntry(ctx, &tt.in)
			g.must(err)
			g.equal("state", g.proxy.Cluster("c").AccessEntries[role], tt.want, anyTime, noNil)
			g.equal("changes", g.changes, []string{"c eks:CreateAccessEntry"})
			described, err := g.client.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: aws.String(role)})
			g.must(err)
			e := described.AccessEntry
			g.equal("described", e, out.AccessEntry, cmpopts.IgnoreUnexported(types.AccessEntry{}))
			got := AccessEntry{Type: aws.ToString(e.Type), Username: aws.ToString(e.Username), Groups: e.KubernetesGroups, Tags: e.Tags}
			g.equal("on the wire", got, tt.want, noNil)
			if age := time.Since(aws.ToTime(e.CreatedAt)); age < 0 || age > time.Minute {
				t.Errorf("created at %v", e.CreatedAt)
			}
			g.equal("ARN", strings.HasPrefix(aws.ToString(e.AccessEntryArn), "arn:aws:eks:eu-west-1:123456789012:access-entry/c/role/123456789012/team/nodes/"), true)
		})
	}
}

func TestCreateAccessEntryRefused(t *testing.T) {
	entries := map[string]AccessEntry{otherRole: {Type: "STANDARD"}}
	g := newRig(t, Cluster{AccessEntries: entries})
	create := func(principal, kind string, groups ...string) error {
		_, err := g.client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: &principal, Type: &kind, KubernetesGroups: groups})
		return err
	}
	refusedWith[*types.ResourceInUseException](g, "exists", create(otherRole, "STANDARD"))
	refusedWith[*types.InvalidParameterException](g, "groups", create(role, "EC2_LINUX", "g"))
	refusedWith[*types.InvalidParameterException](g, "type", create(role, "EC3"))
	refusedWith[*types.InvalidParameterException](g, "session", create("arn:aws:sts::123456789012:assumed-role/a/b", "STANDARD"))
	_, err := g.client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: aws.String("d"), PrincipalArn: aws.String(role)})
	refusedWith[*types.ResourceNotFoundException](g, "cluster", err)
	g.proxy.SetCluster("c", Cluster{AuthenticationMode: "CONFIG_MAP"})
	refusedWith[*types.InvalidRequestException](g, "mode", create(role, "STANDARD"))
	g.unchanged()
}

func TestUpdateAccessEntry(t *testing.T) {
	g := newRig(t, Cluster{AccessEntries: map[string]AccessEntry{
		role:      {Type: "STANDARD", Username: "u", Groups: []string{"a"}},
		otherRole: {Type: "EC2_LINUX", Username: "n", Groups: []string{"system:nodes"}},
	}})
	update := func(principal, username string, groups []string) error {
		in := &eks.UpdateAccessEntryInput{ClusterName: cluster, PrincipalArn: &principal, KubernetesGroups: groups}
		if username != "" {
			in.Username = &username
		}
		_, err := g.client.UpdateAccessEntry(ctx, in)
		return err
	}
	refusedWith[*types.ResourceNotFoundException](g, "absent", update("arn:aws:iam::123456789012:role/none", "x", nil))
	refusedWith[*types.InvalidParameterException](g, "groups", update(otherRole, "", []string{"g"}))
	g.unchanged()
	g.must(update(role, "", []string{"b"}))
	g.equal("groups", g.proxy.Cluster("c").AccessEntries[role], AccessEntry{Type: "STANDARD", Username: "u", Groups: []string{"b"}}, noNil)
	g.must(update(role, "v", nil))
	g.equal("username", g.proxy.Cluster("c").AccessEntries[role], AccessEntry{Type: "STANDARD", Username: "v", Groups: []string{"b"}}, noNil)
	g.must(update(role, "", []string{}))
	g.equal("no groups", g.proxy.Cluster("c").AccessEntries[role], AccessEntry{Type: "STANDARD", Username: "v"}, noNil)
	g.equal("changes", slices.Compact(g.changes), []string{"c eks:UpdateAccessEntry"})
}

func TestDeleteAccessEntry(t *testing.T) {
	entries := map[string]AccessEntry{role: {Type: "STANDARD"}}
	g := newRig(t, Cluster{AccessEntries: entries})
	in := &eks.DeleteAccessEntryInput{ClusterName: cluster, PrincipalArn: aws.String(role)}
	_, err := g.client.DeleteAccessEntry(ctx, in)
	g.must(err)
	g.equal("entries", len(g.proxy.Cluster("c").AccessEntries), 0)
	g.equal("the test's own map", len(entries), 1)
	_, err = g.client.DeleteAccessEntry(ctx, in)
	refusedWith[*types.ResourceNotFoundException](g, "again", err)
	g.equal("changes", g.changes, []string{"c eks:DeleteAccessEntry"})
}

func (g *rig) policies(principal string) []types.AssociatedAccessPolicy {
	g.Helper()
	out, err := g.client.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: cluster, PrincipalArn: &principal})
	g.must(err)
	return out.AssociatedAccessPolicies
}

func TestAccessPolicies(t *testing.T) {
	const admin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	g := newRig(t, Cluster{AccessEntries: map[string]AccessEntry{role: {Type: "STANDARD", Policies: []string{admin}}, otherRole: {Type: "EC2_LINUX"}}})
	unexported := cmpopts.IgnoreUnexported(types.AssociatedAccessPolicy{}, types.AccessScope{})
	whole, some := types.AccessScope{Type: "cluster"}, types.AccessScope{Type: "namespace", Namespaces: []string{"a", "b"}}
	associate := func(principal, policy string, scope types.AccessScope) error {
		_, err := g.client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: &principal, PolicyArn: &policy, AccessScope: &scope})
		return err
	}
	disassociate := func(principal, policy string) error {
		_, err := g.client.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: &principal, PolicyArn: &policy})
		return err
	}
	refusedWith[*types.ResourceNotFoundException](g, "entry", associate("arn:aws:iam::123456789012:role/none", policy, whole))
	refusedWith[*types.InvalidParameterException](g, "type of entry", associate(otherRole, policy, whole))
	refusedWith[*types.InvalidParameterException](g, "policy", associate(role, "arn:aws:iam::aws:policy/ReadOnlyAccess", whole))
	refusedWith[*types.InvalidParameterException](g, "no namespaces", associate(role, policy, types.AccessScope{Type: "namespace"}))
	refusedWith[*types.InvalidParameterException](g, "namespaces", associate(role, policy, types.AccessScope{Type: "cluster", Namespaces: []string{"a"}}))
	refusedWith[*types.InvalidParameterException](g, "scope", associate(role, policy, types.AccessScope{Type: "world"}))
	refusedWith[*types.ResourceNotFoundException](g, "not associated", disassociate(role, policy))
	refusedWith[*types.ResourceNotFoundException](g, "no entry", disassociate("arn:aws:iam::123456789012:role/none", policy))
	g.unchanged()

	g.must(associate(role, policy, some))
	want := []types.AssociatedAccessPolicy{{PolicyArn: aws.String(admin), AccessScope: &whole}, {PolicyArn: aws.String(policy), AccessScope: &some}}
	g.equal("list", g.policies(role), want, unexported, noNil)
	g.must(associate(role, policy, whole))
	want[1].AccessScope = &whole
	g.equal("other scope", g.policies(role), want, unexported, noNil)
	g.must(disassociate(role, policy))
	g.equal("one less", g.policies(role), want[:1], unexported, noNil)
	g.equal("changes", g.changes, []string{"c eks:AssociateAccessPolicy", "c eks:AssociateAccessPolicy", "c eks:DisassociateAccessPolicy"})
}

// The types of entries that may have access policies.
func TestTypesWithPolicies(t *testing.T) {
	for kind, want := range map[string]bool{
		"STANDARD": true, "EC2": true, "HYPERPOD_LINUX": true,
		"EC2_LINUX": false, "EC2_WINDOWS": false, "FARGATE_LINUX": false, "HYBRID_LINUX": false,
	} {
		g := newRig(t, Cluster{})
		_, err := g.client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: aws.String(role), Type: &kind})
		g.must(err)
		_, err = g.client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: aws.String(role), PolicyArn: aws.String(policy), AccessScope: &types.AccessScope{Type: "cluster"}})
		g.equal(kind, err == nil, want)
	}
}

func (g *rig) addon() *types.Addon {
	g.Helper()
	out, err := g.client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: cni})
	g.must(err)
	return out.Addon
}

// ids are the associations' by service account.
func (g *rig) ids() map[string]string {
	ids := map[string]string{}
	for id, a := range g.proxy.Cluster("c").Associations {
		ids[a.ServiceAccount] = id
	}
	return ids
}

func associations(pairs ...string) []types.AddonPodIdentityAssociations {
	list := []types.AddonPodIdentityAssociations{}
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, types.AddonPodIdentityAssociations{ServiceAccount: &pairs[i], RoleArn: &pairs[i+1]})
	}
	return list
}

func TestCreateAddon(t *testing.T) {
	g := newRig(t, Cluster{})
	in := &eks.CreateAddonInput{
		ClusterName: cluster, AddonName: cni, AddonVersion: aws.String("v1"), ResolveConflicts: types.ResolveConflictsOverwrite,
		ConfigurationValues: aws.String("{}"), Tags: map[string]string{"k": "v"}, PodIdentityAssociations: associations("aws-node", role),
	}
	out, err := g.client.CreateAddon(ctx, in)
	g.must(err)
	g.equal("created", out.Addon.Status, types.AddonStatusCreating)
	a := g.addon()
	g.equal("described", a.Status, types.AddonStatusActive)
	g.equal("version", *a.AddonVersion, "v1")
	g.equal("values", *a.ConfigurationValues, "{}")
	g.equal("tags", a.Tags, map[string]string{"k": "v"})
	g.equal("no role", a.ServiceAccountRoleArn, (*string)(nil))
	arn := AddonARN("eu-west-1", "c", "vpc-cni")
	g.equal("ARN", *a.AddonArn, arn)
	g.equal("ARN's form", strings.HasPrefix(arn, owner), true)
	id := g.ids()["aws-node"]
	g.equal("associations", a.PodIdentityAssociations, []string{"arn:aws:eks:eu-west-1:123456789012:podidentityassociation/c/" + id})
	g.equal("association", g.proxy.Cluster("c").Associations[id], Association{Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: role, OwnerARN: arn}, anyTimeA)
	described, err := g.client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: cluster, AssociationId: &id})
	g.must(err)
	g.equal("owner", aws.ToString(described.Association.OwnerArn), arn)

	_, err = g.client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: cni})
	refusedWith[*types.ResourceInUseException](g, "exists", err)
	_, err = g.client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: aws.String("other"), PodIdentityAssociations: associations("aws-node", role)})
	refusedWith[*types.ResourceInUseException](g, "association exists", err)
	_, err = g.client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: aws.String("other"), ResolveConflicts: "MAYBE"})
	refusedWith[*types.InvalidParameterException](g, "conflicts", err)
	g.equal("add-ons", sorted(g.proxy.Cluster("c").Addons), []string{"vpc-cni"})
	g.equal("changes", g.changes, []string{"c eks:CreateAddon"})
}

func TestUpdateAddon(t *testing.T) {
	g := newRig(t, Cluster{
		Addons:       map[string]Addon{"vpc-cni": {Version: "v1", ServiceAccountRoleARN: role, ConfigurationValues: "{}"}},
		Associations: map[string]Association{"a-1": {Namespace: "kube-system", ServiceAccount: "taken", RoleARN: role}},
	})
	update := func(in eks.UpdateAddonInput) (*types.Update, error) {
		in.ClusterName = cluster
		if in.AddonName == nil {
			in.AddonName = cni
		}
		out, err := g.client.UpdateAddon(ctx, &in)
		if err != nil {
			return nil, err
		}
		return out.Update, nil
	}
	_, err := update(eks.UpdateAddonInput{AddonName: aws.String("other")})
	refusedWith[*types.ResourceNotFoundException](g, "absent", err)
	_, err = update(eks.UpdateAddonInput{PodIdentityAssociations: associations("aws-node", role, "taken", role)})
	refusedWith[*types.ResourceInUseException](g, "taken", err)
	g.equal("role is still there", *g.addon().ServiceAccountRoleArn, role)
	g.unchanged()

	// A role of the service account; the rest stays.
	u, err := update(eks.UpdateAddonInput{ServiceAccountRoleArn: aws.String(otherRole), ResolveConflicts: types.ResolveConflictsPreserve})
	g.must(err)
	g.equal("update", []string{string(u.Status), string(u.Type)}, []string{"Successful", "AddonUpdate"})
	described, err := g.client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: u.Id, AddonName: cni})
	g.must(err)
	g.equal("described update", []string{*described.Update.Id, string(described.Update.Status)}, []string{*u.Id, "Successful"})
	_, err = g.client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: u.Id})
	refusedWith[*types.ResourceNotFoundException](g, "update without the add-on", err)
	g.equal("once", g.addon().Status, types.AddonStatusUpdating)
	a := g.addon()
	g.equal("then", a.Status, types.AddonStatusActive)
	g.equal("role", *a.ServiceAccountRoleArn, otherRole)
	g.equal("rest", *a.AddonVersion+*a.ConfigurationValues, "v1{}")
	g.equal("conflicts", g.proxy.Cluster("c").Addons["vpc-cni"].ResolveConflicts, "PRESERVE")

	// Associations instead of it.
	_, err = update(eks.UpdateAddonInput{PodIdentityAssociations: associations("aws-node", role, "b", role)})
	g.must(err)
	first := g.ids()
	a = g.addon()
	g.equal("no role", a.ServiceAccountRoleArn, (*string)(nil))
	g.equal("associations", len(a.PodIdentityAssociations), 2)
	_, err = update(eks.UpdateAddonInput{AddonVersion: aws.String("v2")})
	g.must(err)
	g.equal("left as they are", g.ids(), first)
	_, err = update(eks.UpdateAddonInput{PodIdentityAssociations: associations("aws-node", otherRole)})
	g.must(err)
	g.equal("replaced", g.ids(), map[string]string{"taken": "a-1", "aws-node": first["aws-node"]})
	g.equal("other role", g.proxy.Cluster("c").Associations[first["aws-node"]].RoleARN, otherRole)
	_, err = update(eks.UpdateAddonInput{PodIdentityAssociations: associations()})
	g.must(err)
	g.equal("removed", g.ids(), map[string]string{"taken": "a-1"})
	g.equal("changes", slices.Compact(g.changes), []string{"c eks:UpdateAddon"})
}

// The SDK's waiter waits over the status that is told once.
func TestAddonWaiter(t *testing.T) {
	g := newRig(t, Cluster{Addons: map[string]Addon{"vpc-cni": {Version: "v1"}}})
	_, err := g.client.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: cni})
	g.must(err)
	g.proxy.Calls()
	waiter := eks.NewAddonActiveWaiter(g.client, func(o *eks.AddonActiveWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Millisecond })
	g.must(waiter.Wait(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: cni}, time.Minute))
	g.equal("calls", len(g.proxy.Calls()), 2)
}

func TestDeleteAddon(t *testing.T) {
	g := newRig(t, Cluster{
		Addons: map[string]Addon{"vpc-cni": {Version: "v1"}},
		Associations: map[string]Association{
			"a-1": {Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: role, OwnerARN: AddonARN("eu-west-1", "c", "vpc-cni")},
			"a-2": {Namespace: "kube-system", ServiceAccount: "other", RoleARN: role},
		},
	})
	in := &eks.DeleteAddonInput{ClusterName: cluster, AddonName: cni, Preserve: true}
	out, err := g.client.DeleteAddon(ctx, in)
	g.must(err)
	g.equal("status", out.Addon.Status, types.AddonStatusDeleting)
	g.equal("associations", g.ids(), map[string]string{"other": "a-2"})
	_, err = g.client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: cni})
	refusedWith[*types.ResourceNotFoundException](g, "gone", err)
	_, err = g.client.DeleteAddon(ctx, in)
	refusedWith[*types.ResourceNotFoundException](g, "again", err)
	g.equal("changes", g.changes, []string{"c eks:DeleteAddon"})
}

func TestPodIdentityAssociations(t *testing.T) {
	g := newRig(t, Cluster{Associations: map[string]Association{
		"a-owned": {Namespace: "kube-system", ServiceAccount: "owned", RoleARN: role, OwnerARN: AddonARN("eu-west-1", "c", "vpc-cni")},
	}})
	create := func(account string) (*eks.CreatePodIdentityAssociationOutput, error) {
		return g.client.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
			ClusterName: cluster, Namespace: aws.String("kube-system"), ServiceAccount: &account, RoleArn: aws.String(role), Tags: map[string]string{"k": "v"},
		})
	}
	update := func(id string, role *string) error {
		_, err := g.client.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: cluster, AssociationId: &id, RoleArn: role})
		return err
	}
	remove := func(id string) error {
		_, err := g.client.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: cluster, AssociationId: &id})
		return err
	}
	_, err := create("owned")
	refusedWith[*types.ResourceInUseException](g, "exists", err)
	refusedWith[*types.InvalidRequestException](g, "update of an owned one", update("a-owned", aws.String(otherRole)))
	refusedWith[*types.InvalidRequestException](g, "delete of an owned one", remove("a-owned"))
	refusedWith[*types.ResourceNotFoundException](g, "update", update("a-none", aws.String(otherRole)))
	refusedWith[*types.ResourceNotFoundException](g, "delete", remove("a-none"))
	g.unchanged()

	out, err := create("aws-node")
	g.must(err)
	id := *out.Association.AssociationId
	g.equal("ARN", *out.Association.AssociationArn, "arn:aws:eks:eu-west-1:123456789012:podidentityassociation/c/"+id)
	want := Association{Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: role, Tags: map[string]string{"k": "v"}}
	g.equal("created", g.proxy.Cluster("c").Associations[id], want, anyTimeA)
	list, err := g.client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: cluster, ServiceAccount: aws.String("aws-node")})
	g.must(err)
	g.equal("listed", *list.Associations[0].AssociationId, id)
	refusedWith[*types.InvalidParameterException](g, "nothing to change", update(id, nil))
	g.must(update(id, aws.String(otherRole)))
	want.RoleARN = otherRole
	g.equal("updated", g.proxy.Cluster("c").Associations[id], want, anyTimeA)
	g.must(remove(id))
	g.equal("deleted", g.ids(), map[string]string{"owned": "a-owned"})
	g.equal("changes", g.changes, []string{"c eks:CreatePodIdentityAssociation", "c eks:UpdatePodIdentityAssociation", "c eks:DeletePodIdentityAssociation"})
}

// TestOperations: every call is counted under its own name, and a fault of that
// name refuses it before anything is changed.
func TestOperations(t *testing.T) {
	id, principal, pol := aws.String("a-1"), aws.String(role), aws.String(policy)
	scope, version := &types.AccessScope{Type: "cluster"}, aws.String("1.35")
	for operation, call := range map[string]func(c *eks.Client) error{
		"CreateAccessEntry": func(c *eks.Client) error {
			return second(c.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: principal}))
		},
		"DescribeAccessEntry": func(c *eks.Client) error {
			return second(c.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: principal}))
		},
		"UpdateAccessEntry": func(c *eks.Client) error {
			return second(c.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: cluster, PrincipalArn: principal}))
		},
		"DeleteAccessEntry": func(c *eks.Client) error {
			return second(c.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: cluster, PrincipalArn: principal}))
		},
		"ListAccessEntries": func(c *eks.Client) error {
			return second(c.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: cluster}))
		},
		"AssociateAccessPolicy": func(c *eks.Client) error {
			return second(c.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal, PolicyArn: pol, AccessScope: scope}))
		},
		"DisassociateAccessPolicy": func(c *eks.Client) error {
			return second(c.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal, PolicyArn: pol}))
		},
		"ListAssociatedAccessPolicies": func(c *eks.Client) error {
			return second(c.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: cluster, PrincipalArn: principal}))
		},
		"CreateAddon": func(c *eks.Client) error {
			return second(c.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: cni}))
		},
		"DescribeAddon": func(c *eks.Client) error {
			return second(c.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: cni}))
		},
		"UpdateAddon": func(c *eks.Client) error {
			return second(c.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: cni}))
		},
		"DeleteAddon": func(c *eks.Client) error {
			return second(c.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: cluster, AddonName: cni}))
		},
		"ListAddons": func(c *eks.Client) error {
			return second(c.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: cluster}))
		},
		"DescribeAddonVersions": func(c *eks.Client) error {
			return second(c.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{}))
		},
		"DescribeUpdate": func(c *eks.Client) error {
			return second(c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: id}))
		},
		"CreatePodIdentityAssociation": func(c *eks.Client) error {
			return second(c.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: cluster, Namespace: id, ServiceAccount: id, RoleArn: principal}))
		},
		"DescribePodIdentityAssociation": func(c *eks.Client) error {
			return second(c.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id}))
		},
		"UpdatePodIdentityAssociation": func(c *eks.Client) error {
			return second(c.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id}))
		},
		"DeletePodIdentityAssociation": func(c *eks.Client) error {
			return second(c.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id}))
		},
		"ListPodIdentityAssociations": func(c *eks.Client) error {
			return second(c.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: cluster}))
		},
		"ListClusters": func(c *eks.Client) error { return second(c.ListClusters(ctx, &eks.ListClustersInput{})) },
		"DescribeCluster": func(c *eks.Client) error {
			return second(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: cluster}))
		},
		"UpdateClusterConfig": func(c *eks.Client) error {
			return second(c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: cluster}))
		},
		"UpdateClusterVersion": func(c *eks.Client) error {
			return second(c.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: cluster, Version: version}))
		},
		"ListNodegroups": func(c *eks.Client) error {
			return second(c.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: cluster}))
		},
		"UpdateNodegroupConfig": func(c *eks.Client) error {
			return second(c.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: cluster, NodegroupName: id}))
		},
		"ListFargateProfiles": func(c *eks.Client) error {
			return second(c.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: cluster}))
		},
	} {
		t.Run(operation, func(t *testing.T) {
			g := newRig(t, Cluster{})
			g.proxy.SetFault("eks:"+operation, Denied("eks:"+operation))
			err := call(g.client)
			var denied interface{ ErrorCode() string }
			if !errors.As(err, &denied) || denied.ErrorCode() != "AccessDeniedException" {
				t.Errorf("error %v, want AccessDeniedException", err)
			}
			calls := g.proxy.Calls()
			if len(calls) != 1 || calls[0].Operation != "eks:"+operation {
				t.Errorf("calls %+v", calls)
			}
			g.unchanged()
			g.equal("backend", g.backend, []string(nil))
		})
	}
}

func second(_ any, err error) error { return err }

// What is unknown is named by method and path, and everything that is not the
// proxy's goes to the backend.
func TestForwarded(t *testing.T) {
	g := newRig(t, Cluster{})
	_, err := g.client.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("apps"), NodeRole: aws.String(role), Subnets: []string{"s"}})
	g.must(err)
	g.equal("backend", g.backend, []string{"POST /clusters/c/node-groups"})
	g.equal("changes", g.changes, []string{"c eks:CreateNodegroup"})
	if _, err := g.client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: cluster}); err == nil {
		t.Error("the backend refuses UpdateClusterConfig")
	}
	g.equal("no change", g.changes, []string{"c eks:CreateNodegroup"})
	g.equal("unknown", eksOperation(httptest.NewRequest(http.MethodGet, "/else", nil)), "GET /else")
}

// The operation of a fault that comes after it is done, here and in the backend.
func TestFaultAfter(t *testing.T) {
	in := &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: aws.String(role)}
	for name, fault := range map[string]Fault{
		"error": {Status: http.StatusInternalServerError, Code: "Server", After: true},
		"cut":   {Cut: true, After: true},
		"hang":  {Hang: true, After: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, Cluster{})
			g.proxy.SetFault("eks:CreateAccessEntry", fault)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if fault.Hang {
				go func() {
					g.proxy.AwaitCall("eks:CreateAccessEntry")
					cancel()
				}()
			}
			if _, err := g.client.CreateAccessEntry(ctx, in); err == nil {
				t.Error("no error")
			}
			g.equal("entries", sorted(g.proxy.Cluster("c").AccessEntries), []string{role})
			g.equal("changes", g.changes, []string{"c eks:CreateAccessEntry"})
		})
	}
	g := newRig(t, Cluster{})
	g.proxy.SetFault("eks:CreateNodegroup", Fault{Cut: true, After: true})
	_, err := g.client.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("apps"), NodeRole: aws.String(role), Subnets: []string{"s"}})
	if err == nil {
		t.Error("no error")
	}
	g.equal("backend", g.backend, []string{"POST /clusters/c/node-groups"})
}

// A retry has the token of the first try and gets its answer; another call of
// the same has a token of its own.
func TestToken(t *testing.T) {
	g := newRig(t, Cluster{})
	g.proxy.SetFault("eks:CreateAccessEntry", Fault{Status: http.StatusInternalServerError, Code: "Server", After: true, Times: 1})
	create := func() error { // the SDK writes the token into its input
		return second(g.retries.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: aws.String(role)}))
	}
	g.must(create())
	g.equal("calls", len(g.proxy.Calls()), 2)
	g.equal("changes", g.changes, []string{"c eks:CreateAccessEntry"})
	refusedWith[*types.ResourceInUseException](g, "another call", create())
}

// What Cluster returns and what SetCluster was given are the test's own.
func TestClusterIsACopy(t *testing.T) {
	given := Cluster{AccessEntries: map[string]AccessEntry{role: {
		Type: "STANDARD", Groups: []string{"a"}, Policies: []string{policy}, Scopes: map[string]AccessScope{policy: {Type: "namespace", Namespaces: []string{"n"}}},
	}}, Addons: map[string]Addon{"vpc-cni": {Tags: map[string]string{"k": "v"}}}}
	g := newRig(t, given)
	got := g.proxy.Cluster("c")
	g.equal("copy", got, given, noNil)
	got.AccessEntries[role].Groups[0] = "changed"
	got.AccessEntries[role].Scopes[policy].Namespaces[0] = "changed"
	got.Addons["vpc-cni"].Tags["k"] = "changed"
	delete(got.AccessEntries, role)
	g.equal("state", g.proxy.Cluster("c"), given, noNil)
	_, err := g.client.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: cni})
	g.must(err)
	g.equal("given", given.Addons["vpc-cni"].Status, "")
	g.proxy.Reset()
	g.equal("reset", g.proxy.Cluster("c"), Cluster{}, noNil)
}
