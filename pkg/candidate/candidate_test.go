package candidate_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/candidate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const (
	trustEC2    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	trustEKS    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	trustIf     = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceOrgID":"o-1"}}}}`
	trustDenied = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:*"}]}`

	worker   = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
	minimal  = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy"
	pull     = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
	cni      = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
	boundary = "arn:aws:iam::111122223333:policy/boundary"
)

func allow(actions ...string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["%s"],"Resource":"*"}}`, strings.Join(actions, `","`))
}

func arn(name string) string { return "arn:aws:iam::111122223333:role/" + name }

// account is an account with one cluster, prod, and a role of this name.
func account(name string, role snapshot.Role, change ...func(*snapshot.Account)) *snapshot.Account {
	role.CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := &snapshot.Account{
		Snapshot: &snapshot.Snapshot{
			Cluster: snapshot.Cluster{ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/*"},
			Roles:   map[string]snapshot.Role{arn(name): role},
			Policies: map[string]snapshot.Policy{
				worker:   {Document: allow("ec2:DescribeInstances", "ec2:DescribeVpcs", "eks-auth:AssumeRoleForPodIdentity")},
				minimal:  {Document: allow("eks-auth:AssumeRoleForPodIdentity")},
				pull:     {Document: allow("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")},
				cni:      {Document: allow("ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "ec2:DescribeInstances")},
				boundary: {Document: allow("ec2:*")},
			},
			InstanceProfiles: map[string]snapshot.InstanceProfile{},
		},
		Clusters: map[string]snapshot.ClusterRoles{"prod": {Cluster: arn("clusterRole")}},
		LastUsed: map[string]time.Time{arn(name): {}},
	}
	for _, c := range change {
		c(a)
	}
	return a
}

func profile(name string) func(*snapshot.Account) {
	return func(a *snapshot.Account) {
		a.Snapshot.InstanceProfiles["arn:aws:iam::111122223333:instance-profile/"+name] = snapshot.InstanceProfile{Roles: []string{arn(name)}}
	}
}

// carries notes that AWS's policies for nodes are attached to a role.
func carries(name string, policies ...string) func(*snapshot.Account) {
	return func(a *snapshot.Account) {
		a.NodePolicies = map[string][]string{}
		for _, policy := range policies {
			a.NodePolicies[policy] = []string{name}
		}
	}
}

func uses(c snapshot.ClusterRoles) func(*snapshot.Account) {
	return func(a *snapshot.Account) { a.Clusters["prod"] = c }
}

// karpenter and autoMode add a node class of the cluster that is judged for.
func karpenter(name string, class snapshot.NodeClass) func(*snapshot.Account) {
	return func(a *snapshot.Account) { put(&a.Snapshot.KarpenterNodeClasses, name, class) }
}

func autoMode(name string, class snapshot.NodeClass) func(*snapshot.Account) {
	return func(a *snapshot.Account) { put(&a.Snapshot.AutoModeNodeClasses, name, class) }
}

func put(classes *map[string]snapshot.NodeClass, name string, class snapshot.NodeClass) {
	if *classes == nil {
		*classes = map[string]snapshot.NodeClass{}
	}
	(*classes)[name] = class
}

// lacking and unread note that a role's fact, or a list, could not be read.
func lacking(fact snapshot.Fact, subject string) func(*snapshot.Account) {
	return func(a *snapshot.Account) {
		a.Snapshot.Missing = append(a.Snapshot.Missing, snapshot.Missing{Fact: fact, Subject: subject, Operation: "iam:X", Error: "no"})
	}
}

func unread(fact snapshot.Fact) func(*snapshot.Account) {
	return func(a *snapshot.Account) {
		a.Unread = append(a.Unread, snapshot.Missing{Fact: fact, Operation: "iam:X", Error: "no"})
	}
}

func judgedFor(name, family string) func(*snapshot.Account) {
	return func(a *snapshot.Account) {
		a.Snapshot.Cluster = snapshot.Cluster{ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/" + name, IPFamily: family}
	}
}

// row is a role of a list in one line.
func row(l *candidate.List) string {
	if len(l.Items) == 0 {
		return "none"
	}
	r := l.Items[0]
	return fmt.Sprintf("%s %s %s %s %s | %s", r.Trust, r.Worker, r.ECR, r.CNI, r.PodIdentity, r.Verdict.Text)
}

func TestVerdicts(t *testing.T) {
	node := snapshot.Role{TrustPolicy: trustEC2, AttachedPolicies: []string{worker, pull}}
	with := func(role snapshot.Role, change func(*snapshot.Role)) snapshot.Role {
		change(&role)
		return role
	}
	const role = "x-NodeInstanceRole-y"
	for _, test := range []struct {
		name string
		role snapshot.Role
		with []func(*snapshot.Account)
		want string
	}{
		{"in order", node, nil, "allowed allowed allowed denied allowed | could serve as it is"},
		{
			"CNI policy, a family that is unknown", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{worker, pull, cni} }), nil,
			"allowed allowed allowed allowed allowed | could serve as it is",
		},
		{
			"IPv4's CNI policy says nothing on IPv6", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{worker, pull, cni} }),
			[]func(*snapshot.Account){judgedFor("prod", "ipv6")},
			"allowed allowed allowed denied allowed | could serve as it is",
		},
		{"wrong trust", with(node, func(r *snapshot.Role) { r.TrustPolicy = trustEKS }), nil, "denied allowed allowed denied allowed | lacks: trust"},
		{"trust that an explicit Deny takes away", with(node, func(r *snapshot.Role) { r.TrustPolicy = trustDenied }), nil, "denied allowed allowed denied allowed | lacks: trust"},
		{"trust with a condition", with(node, func(r *snapshot.Role) { r.TrustPolicy = trustIf }), nil, "depends allowed allowed denied allowed | depends on conditions: trust"},
		{"no policies", snapshot.Role{TrustPolicy: trustEC2}, nil, "allowed denied denied denied denied | lacks: worker, ECR"},
		{"boundary", with(node, func(r *snapshot.Role) { r.PermissionsBoundary = boundary }), nil, "allowed allowed denied denied denied | lacks: ECR"},
		{
			"Auto Mode", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{minimal, pull} }), nil,
			"allowed denied allowed denied allowed | could serve EKS Auto Mode",
		},
		{
			"as for Auto Mode, but a node group uses it", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{minimal, pull} }),
			[]func(*snapshot.Account){uses(snapshot.ClusterRoles{AutoMode: arn(role), NodeGroups: map[string]string{"apps": arn(role)}})},
			"allowed denied allowed denied allowed | lacks: worker",
		},
		{
			"Auto Mode, but what uses it is unknown", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{minimal, pull} }),
			[]func(*snapshot.Account){unread(snapshot.FactOtherClusters)},
			"allowed denied allowed denied allowed | lacks: worker",
		},
		{
			"as for Auto Mode, but Karpenter uses it", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{minimal, pull} }),
			[]func(*snapshot.Account){judgedFor("prod", "ipv4"), karpenter("default", snapshot.NodeClass{RoleARN: arn(role)})},
			"allowed denied allowed denied allowed | lacks: worker",
		},
		{
			"Auto Mode, and its NodeClass uses it", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{minimal, pull} }),
			[]func(*snapshot.Account){judgedFor("prod", "ipv4"), autoMode("default", snapshot.NodeClass{RoleARN: arn(role)})},
			"allowed denied allowed denied allowed | could serve EKS Auto Mode",
		},
		{
			"node classes may share", node,
			[]func(*snapshot.Account){unread(snapshot.FactNodeClasses)},
			"allowed allowed allowed denied allowed | could serve as it is",
		},
		{"pull alone", with(node, func(r *snapshot.Role) { r.AttachedPolicies = []string{pull} }), nil, "allowed denied allowed denied denied | lacks: worker"},
		{
			"Pod Identity of one cluster", with(node, func(r *snapshot.Role) {
				r.AttachedPolicies = []string{pull}
				r.InlinePolicies = map[string]string{"p": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"},{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"arn:aws:eks:eu-west-1:111122223333:cluster/prod"}]}`}
			}), nil,
			"allowed allowed allowed denied depends | could serve as it is",
		},
		{
			"Pod Identity of this cluster", with(node, func(r *snapshot.Role) {
				r.AttachedPolicies = []string{pull}
				r.InlinePolicies = map[string]string{"p": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"},{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"arn:aws:eks:eu-west-1:111122223333:cluster/prod"}]}`}
			}),
			[]func(*snapshot.Account){judgedFor("prod", "ipv4")},
			"allowed allowed allowed denied allowed | could serve as it is",
		},
		{
			"cluster role", node,
			[]func(*snapshot.Account){uses(snapshot.ClusterRoles{Cluster: arn(role), NodeGroups: map[string]string{"apps": arn(role)}})},
			"allowed allowed allowed denied allowed | is the cluster role of prod",
		},
		{
			"pod execution role", node,
			[]func(*snapshot.Account){uses(snapshot.ClusterRoles{FargateProfiles: map[string]string{"batch": arn(role)}})},
			"allowed allowed allowed denied allowed | is the pod execution role of profile batch of prod",
		},
		{
			"shared by node groups", node,
			[]func(*snapshot.Account){uses(snapshot.ClusterRoles{NodeGroups: map[string]string{"apps": arn(role)}})},
			"allowed allowed allowed denied allowed | could serve as it is",
		},
		{
			"a policy was not read", node,
			[]func(*snapshot.Account){lacking(snapshot.FactPolicies, pull)},
			"allowed unknown unknown unknown unknown | not read: worker, ECR",
		},
		{
			"iam:GetRole was refused", node,
			[]func(*snapshot.Account){lacking(snapshot.FactRoles, arn(role))},
			"allowed unknown unknown unknown unknown | not read: worker, ECR",
		},
		{
			"what lacks is certain", with(node, func(r *snapshot.Role) { r.TrustPolicy = trustEKS }),
			[]func(*snapshot.Account){lacking(snapshot.FactAttachedPolicies, arn(role))},
			"denied unknown unknown unknown unknown | lacks: trust",
		},
		{
			"an explicit Deny is certain", with(node, func(r *snapshot.Role) {
				r.InlinePolicies = map[string]string{"p": `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:GetAuthorizationToken","Resource":"*"}}`}
			}),
			[]func(*snapshot.Account){lacking(snapshot.FactAttachedPolicies, arn(role))},
			"allowed unknown denied unknown unknown | lacks: ECR",
		},
		{
			"Fargate profiles were not read", node,
			[]func(*snapshot.Account){unread(snapshot.FactFargateProfiles)},
			"allowed allowed allowed denied allowed | not read: what else uses it",
		},
		{
			"node groups may share", node,
			[]func(*snapshot.Account){unread(snapshot.FactNodeGroups)},
			"allowed allowed allowed denied allowed | could serve as it is",
		},
		{"deleted meanwhile", snapshot.Role{NotFound: true}, nil, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := candidate.New(account(role, test.role, test.with...), candidate.Filter{})
			if diff := cmp.Diff(test.want, row(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Why a role is a candidate, and what of it costs little to tell.
func TestReasons(t *testing.T) {
	node := snapshot.Role{TrustPolicy: trustEC2, AttachedPolicies: []string{worker, pull}}
	may := ", and it may do ec2:DescribeInstances, ecr:GetAuthorizationToken, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer"
	for _, test := range []struct {
		name string // of the role
		role snapshot.Role
		with []func(*snapshot.Account)
		pre  bool
		want []string
	}{
		{"my-eksnoderole", snapshot.Role{TrustPolicy: trustEKS}, nil, true, []string{"its name contains eksNodeRole"}},
		{"AMAZONEKSAUTONODEROLE", snapshot.Role{TrustPolicy: trustEKS}, nil, true, []string{"its name contains AmazonEKSAutoNodeRole"}},
		{"web", node, nil, false, nil},
		{"web", node, []func(*snapshot.Account){profile("web")}, true, []string{"EC2 may assume it, it has an instance profile" + may}},
		{"web", node, []func(*snapshot.Account){profile("other")}, false, nil},
		{"web", snapshot.Role{TrustPolicy: trustEC2}, []func(*snapshot.Account){profile("web")}, true, nil},
		{"web", snapshot.Role{TrustPolicy: trustDenied, AttachedPolicies: []string{worker}}, []func(*snapshot.Account){profile("web")}, false, nil},
		{"web", snapshot.Role{TrustPolicy: "{"}, []func(*snapshot.Account){profile("web")}, false, nil},
		{
			"web",
			snapshot.Role{TrustPolicy: trustIf, AttachedPolicies: []string{worker}},
			[]func(*snapshot.Account){profile("web")},
			true,
			[]string{"on a condition EC2 may assume it, it has an instance profile, and it may do ec2:DescribeInstances"},
		},
		{
			"web", node,
			[]func(*snapshot.Account){unread(snapshot.FactRoleProfiles)},
			true,
			[]string{"EC2 may assume it, whether it has an instance profile was not read" + may},
		},
		{
			"web",
			snapshot.Role{TrustPolicy: trustEC2},
			[]func(*snapshot.Account){profile("web"), lacking(snapshot.FactAttachedPolicies, arn("web"))},
			true,
			[]string{"EC2 may assume it, it has an instance profile, and what it may do was not read in full"},
		},
		{
			"web",
			snapshot.Role{TrustPolicy: trustEKS},
			[]func(*snapshot.Account){uses(snapshot.ClusterRoles{AutoMode: arn("web"), NodeGroups: map[string]string{"b": arn("web"), "a": arn("web")}})},
			true,
			[]string{"Auto Mode of prod uses it", "node group prod/a uses it", "node group prod/b uses it"},
		},
		{
			"web",
			snapshot.Role{TrustPolicy: trustEKS},
			[]func(*snapshot.Account){
				judgedFor("prod", "ipv4"), karpenter("own", snapshot.NodeClass{RoleARN: arn("web")}), autoMode("private", snapshot.NodeClass{RoleARN: arn("web")}),
			},
			true,
			[]string{"EC2NodeClass prod/own uses it", "Auto Mode NodeClass prod/private uses it"},
		},
		{
			// The profile's role counts, whatever the class says of its role.
			"web",
			snapshot.Role{TrustPolicy: trustEKS},
			[]func(*snapshot.Account){
				judgedFor("prod", "ipv4"), profile("web"),
				karpenter("profile", snapshot.NodeClass{ProfileARN: "arn:aws:iam::111122223333:instance-profile/web"}),
				karpenter("both", snapshot.NodeClass{RoleARN: arn("web"), ProfileARN: "arn:aws:iam::111122223333:instance-profile/web"}),
				karpenter("other", snapshot.NodeClass{ProfileARN: "arn:aws:iam::111122223333:instance-profile/none"}),
			},
			true,
			[]string{"EC2NodeClass prod/both uses it", "EC2NodeClass prod/profile uses it"},
		},
		{"web", snapshot.Role{TrustPolicy: trustEKS}, []func(*snapshot.Account){uses(snapshot.ClusterRoles{Cluster: arn("web")})}, false, nil},
		{"web", node, []func(*snapshot.Account){carries("web", worker)}, true, []string{"EC2 may assume it, and it has AmazonEKSWorkerNodePolicy"}},
		{"web", node, []func(*snapshot.Account){carries("other", worker)}, false, nil},
		{
			"web",
			snapshot.Role{TrustPolicy: trustIf},
			[]func(*snapshot.Account){carries("web", worker, minimal)},
			true,
			[]string{"on a condition EC2 may assume it, and it has AmazonEKSWorkerNodeMinimalPolicy and AmazonEKSWorkerNodePolicy"},
		},
		{"web", snapshot.Role{TrustPolicy: trustEKS}, []func(*snapshot.Account){carries("web", worker)}, false, nil},
		{
			"web", node,
			[]func(*snapshot.Account){carries("web", worker), profile("web")},
			true,
			[]string{"EC2 may assume it, and it has AmazonEKSWorkerNodePolicy", "EC2 may assume it, it has an instance profile" + may},
		},
		{"aws-service-role/eks.amazonaws.com/eksNodeRole", node, nil, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := account(test.name, test.role, test.with...)
			var pre []string
			if test.pre {
				pre = []string{arn(test.name)}
			}
			if diff := cmp.Diff(pre, candidate.Preselect(a, candidate.Filter{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("preselected (-want +got):\n%s", diff)
			}
			var got []string
			for _, r := range candidate.New(a, candidate.Filter{}).Items {
				got = append(got, r.Reasons...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

// many is an account with a role for each filter.
func many() *snapshot.Account {
	node := snapshot.Role{TrustPolicy: trustEC2, AttachedPolicies: []string{worker, pull}}
	a := account("b-eksNodeRole", node)
	maps.Copy(a.Snapshot.Roles, map[string]snapshot.Role{
		arn("a-eksNodeRole"):         node,
		arn("c-eksNodeRole"):         {TrustPolicy: trustEKS},
		arn("AmazonEKSAutoNodeRole"): {TrustPolicy: trustEC2, AttachedPolicies: []string{minimal, pull}},
		arn("lambda"):                {TrustPolicy: trustEKS},
	})
	a.Clusters["prod"] = snapshot.ClusterRoles{NodeGroups: map[string]string{"apps": arn("b-eksNodeRole"), "gone": arn("unlisted")}}
	a.LastUsed[arn("a-eksNodeRole")] = time.Date(2026, 5, 6, 0, 0, 0, 0, time.UTC)
	return a
}

func TestFilters(t *testing.T) {
	for _, test := range []struct {
		name   string
		filter candidate.Filter
		unread []snapshot.Fact
		want   []string
	}{
		{"none", candidate.Filter{}, nil, []string{"AmazonEKSAutoNodeRole", "a-eksNodeRole", "b-eksNodeRole", "c-eksNodeRole", "unlisted"}},
		{"name", candidate.Filter{Name: "A-EKS"}, nil, []string{"a-eksNodeRole"}},
		{"fit", candidate.Filter{Fit: true}, nil, []string{"a-eksNodeRole", "b-eksNodeRole"}},
		{"unused", candidate.Filter{Unused: true}, nil, []string{"AmazonEKSAutoNodeRole", "a-eksNodeRole", "c-eksNodeRole"}},
		{"fit and unused", candidate.Filter{Fit: true, Unused: true}, nil, []string{"a-eksNodeRole"}},
		{"nothing is known to be unused", candidate.Filter{Unused: true}, []snapshot.Fact{snapshot.FactNodeGroups}, nil},
		{"nothing is known to be unused without the node classes", candidate.Filter{Unused: true}, []snapshot.Fact{snapshot.FactNodeClasses}, nil},
		{"nothing is known to be fit", candidate.Filter{Fit: true}, []snapshot.Fact{snapshot.FactOtherClusters}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := many()
			for _, fact := range test.unread {
				unread(fact)(a)
			}
			var got []string
			for _, r := range candidate.New(a, test.filter).Items {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A whole row, of a role that was read and of one that nothing is known of.
func TestRows(t *testing.T) {
	a := many()
	judgedFor("prod", "ipv4")(a)
	lacking(snapshot.FactRoles, arn("unlisted"))(a)
	unread(snapshot.FactNodeGroups)(a)
	l := candidate.New(a, candidate.Filter{})
	got := *l
	got.Items = []candidate.Role{l.Items[1], l.Items[4]}
	want := candidate.List{
		Header: finding.Header{APIVersion: "noderole.dev/v1alpha1", Kind: "NodeRoleList"}, Account: "111122223333", Region: "eu-west-1", Cluster: "prod", IPFamily: "ipv4",
		Items: []candidate.Role{
			{
				Name: "a-eksNodeRole", ARN: arn("a-eksNodeRole"), LastUsedAt: time.Date(2026, 5, 6, 0, 0, 0, 0, time.UTC),
				Reasons: []string{"its name contains eksNodeRole"},
				Trust:   candidate.Allowed, Worker: candidate.Allowed, ECR: candidate.Allowed, CNI: candidate.Denied, PodIdentity: candidate.Allowed,
				UsedBy: []candidate.Use{}, UsedByUnknown: true, Verdict: candidate.Verdict{Status: candidate.Fit, Text: "could serve as it is"},
			},
			{
				Name: "unlisted", ARN: arn("unlisted"), LastUsedUnknown: true,
				Reasons: []string{"node group prod/gone uses it"},
				Trust:   candidate.Unknown, Worker: candidate.Unknown, ECR: candidate.Unknown, CNI: candidate.Unknown, PodIdentity: candidate.Unknown,
				UsedBy: []candidate.Use{{Kind: candidate.UseNodeGroup, Cluster: "prod", Name: "gone"}}, UsedByUnknown: true,
				Verdict: candidate.Verdict{Status: candidate.NotJudged, Text: "not read: trust, worker, ECR"},
			},
		},
		Missing: []snapshot.Missing{
			{Fact: snapshot.FactNodeGroups, Operation: "iam:X", Error: "no"},
			{Fact: snapshot.FactRoles, Subject: arn("unlisted"), Operation: "iam:X", Error: "no"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// In China EC2 has two names, of which one suffices.
func TestChina(t *testing.T) {
	for service, want := range map[string]candidate.Answer{
		"ec2.amazonaws.com": candidate.Allowed, "ec2.amazonaws.com.cn": candidate.Allowed, "eks.amazonaws.com": candidate.Denied,
	} {
		a := account("eksNodeRole", snapshot.Role{TrustPolicy: strings.ReplaceAll(trustEC2, "ec2.amazonaws.com", service)})
		a.Snapshot.Cluster.ARN = "arn:aws-cn:eks:cn-north-1:111122223333:cluster/*"
		if got := candidate.New(a, candidate.Filter{}).Items[0].Trust; got != want {
			t.Errorf("%s: %s, want %s", service, got, want)
		}
	}
}
