package locate

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// kubeconfig returns one context, named by the caller, with a user that runs the
// words; no words mean a token.
func kubeconfig(t *testing.T, contextName, cluster, user, server string, env map[string]string, words ...string) clientcmdapi.Config {
	t.Helper()
	auth := &clientcmdapi.AuthInfo{Token: "x"}
	if len(words) > 0 {
		auth = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: words[0], Args: words[1:]}}
		for name, value := range env {
			auth.Exec.Env = append(auth.Exec.Env, clientcmdapi.ExecEnvVar{Name: name, Value: value})
		}
	}
	return clientcmdapi.Config{
		CurrentContext: contextName,
		Contexts:       map[string]*clientcmdapi.Context{contextName: {Cluster: cluster, AuthInfo: user}},
		Clusters:       map[string]*clientcmdapi.Cluster{cluster: {Server: server}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: auth},
	}
}

const (
	prodARN    = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
	prodServer = "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"
)

func noEnv(string) string { return "" }

// TestFromKubeconfig has the kubeconfigs that tools write, and what they lead to.
func TestFromKubeconfig(t *testing.T) {
	type want struct{ Name, Region, Account, Partition, Profile, RoleARN string }
	tests := map[string]struct {
		context, cluster, user, server string
		env                            map[string]string
		exec                           []string
		flags                          Flags
		getenv                         map[string]string
		want                           want
	}{
		"aws eks update-kubeconfig": {
			context: prodARN, cluster: prodARN, user: prodARN, server: prodServer,
			exec: []string{"aws", "--region", "eu-west-1", "eks", "get-token", "--cluster-name", "prod", "--output", "json"},
			want: want{"prod", "eu-west-1", "111122223333", "aws", "", ""},
		},
		"with alias, profile in env and role": {
			context: "p", cluster: prodARN, user: prodARN, server: prodServer, env: map[string]string{"AWS_PROFILE": "ops"},
			exec: []string{"/usr/local/bin/aws", "--region", "eu-west-1", "eks", "get-token", "--cluster-name", "prod", "--output", "json", "--role-arn", "arn:aws:iam::111122223333:role/admin"},
			want: want{"prod", "eu-west-1", "111122223333", "aws", "", "arn:aws:iam::111122223333:role/admin"},
		},
		"profile as an argument": {
			context: "p", cluster: "c", user: "u", server: prodServer,
			exec: []string{"aws", "eks", "get-token", "--profile=ops", "--cluster-name=prod", "--region=eu-west-1"},
			want: want{"prod", "eu-west-1", "", "aws", "ops", ""},
		},
		"profile flag wins, the role stays": {
			context: "p", cluster: "c", user: "u", server: prodServer, flags: Flags{Profile: "mine"},
			exec: []string{"aws", "--profile", "ops", "eks", "get-token", "--cluster-name", "prod", "--role-arn", "arn:aws:iam::111122223333:role/admin"},
			want: want{"prod", "eu-west-1", "", "aws", "mine", "arn:aws:iam::111122223333:role/admin"},
		},
		"eksctl": {
			context: "ada@prod.eu-west-1.eksctl.io", cluster: "prod.eu-west-1.eksctl.io", user: "ada@prod.eu-west-1.eksctl.io", server: prodServer,
			exec: []string{"aws-iam-authenticator", "token", "-i", "prod"}, env: map[string]string{"AWS_STS_REGIONAL_ENDPOINTS": "regional"},
			want: want{"prod", "eu-west-1", "", "aws", "", ""},
		},
		"eksctl with an address for a user": {
			context: "ada@example.org@prod.eu-west-1.eksctl.io", cluster: "c", user: "u", server: "https://127.0.0.1:8443",
			want: want{"prod", "eu-west-1", "", "aws", "", ""},
		},
		"aws-iam-authenticator": {
			context: "p", cluster: "c", user: "u", server: prodServer,
			exec: []string{"aws-iam-authenticator", "token", "--cluster-id", "prod", "--role", "arn:aws:iam::111122223333:role/admin"},
			want: want{"prod", "eu-west-1", "", "aws", "", "arn:aws:iam::111122223333:role/admin"},
		},
		"wrapped in aws-vault": {
			context: "p", cluster: "c", user: "u", server: prodServer,
			exec: []string{"aws-vault", "exec", "ops", "--", "aws", "eks", "get-token", "--cluster-name", "prod"},
			want: want{"prod", "eu-west-1", "", "aws", "", ""},
		},
		"wrapped in a shell": {
			context: "p", cluster: "c", user: "u", server: prodServer,
			exec: []string{"sh", "-c", `exec aws --profile "ops" eks get-token --cluster-name 'prod'`},
			want: want{"prod", "eu-west-1", "", "aws", "ops", ""},
		},
		"windows": {
			context: "p", cluster: "c", user: "u", server: prodServer,
			exec: []string{`C:\Program Files\Amazon\AWSCLIV2\aws.exe`, "eks", "get-token", "--cluster-name", "prod"},
			want: want{"prod", "eu-west-1", "", "aws", "", ""},
		},
		"only the endpoint": {
			context: "p", cluster: "c", user: "u", server: prodServer,
			want: want{"", "eu-west-1", "", "aws", "", ""},
		},
		"china": {
			context: "arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod", cluster: "c", user: "u",
			server: "https://0123456789ABCDEF.yl4.cn-north-1.eks.amazonaws.com.cn",
			want:   want{"prod", "cn-north-1", "111122223333", "aws-cn", "", ""},
		},
		"govcloud": {
			context: "p", cluster: "c", user: "u", server: "https://0123456789ABCDEF.gr7.us-gov-west-1.eks.amazonaws.com",
			want: want{"", "us-gov-west-1", "", "aws-us-gov", "", ""},
		},
		"iso": {
			context: "p", cluster: "c", user: "u", server: "https://0123456789ABCDEF.gr7.us-iso-east-1.eks.c2s.ic.gov",
			want: want{"", "us-iso-east-1", "", "aws-iso", "", ""},
		},
		"through a proxy, named by flags": {
			context: "p", cluster: "c", user: "u", server: "https://rancher.example.org/k8s/clusters/c-abc",
			flags: Flags{ClusterName: "prod", Region: "eu-west-1"},
			want:  want{"prod", "eu-west-1", "", "aws", "", ""},
		},
		"region from the environment": {
			context: "p", cluster: "c", user: "u", server: "https://10.0.0.1", getenv: map[string]string{"AWS_DEFAULT_REGION": "eu-west-3"},
			exec: []string{"aws", "eks", "get-token", "--cluster-name", "prod"},
			want: want{"prod", "eu-west-3", "", "aws", "", ""},
		},
		"region of the plugin's environment first": {
			context: "p", cluster: "c", user: "u", server: "https://10.0.0.1", getenv: map[string]string{"AWS_REGION": "eu-west-3"},
			env: map[string]string{"AWS_REGION": "eu-west-2"}, exec: []string{"aws", "eks", "get-token", "--cluster-name", "prod"},
			want: want{"prod", "eu-west-2", "", "aws", "", ""},
		},
		"another cluster by flag keeps nothing of the context's account": {
			context: prodARN, cluster: prodARN, user: "u", server: prodServer, flags: Flags{ClusterName: "staging"},
			want: want{"staging", "eu-west-1", "", "aws", "", ""},
		},
		"a local cluster's id is no name": {
			context: prodARN, cluster: prodARN, user: "u", server: prodServer,
			exec: []string{"aws", "eks", "get-token", "--cluster-id", "8c1b0d0c-1111-2222-3333-444455556666"},
			want: want{"prod", "eu-west-1", "111122223333", "aws", "", ""},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			raw := kubeconfig(t, test.context, test.cluster, test.user, test.server, test.env, test.exec...)
			target, err := FromKubeconfig(raw, test.flags, func(name string) string { return test.getenv[name] })
			if err != nil {
				t.Fatal(err)
			}
			got := want{target.Name, target.Region, target.Account, target.Partition, target.Profile, target.RoleARN}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for part, value := range map[string]string{"cluster": got.Name, "region": got.Region, "profile": got.Profile, "role": got.RoleARN} {
				if value != "" && !strings.Contains(strings.Join(target.Evidence, "\n"), value) {
					t.Errorf("no evidence for the %s %s: %q", part, value, target.Evidence)
				}
			}
		})
	}
}

func TestFromKubeconfigRefuses(t *testing.T) {
	tests := map[string]struct {
		raw   clientcmdapi.Config
		flags Flags
		want  string
	}{
		"partition of the ARN": {
			kubeconfig(t, "arn:aws:eks:cn-north-1:111122223333:cluster/prod", "c", "u", "https://10.0.0.1", nil),
			Flags{},
			"region cn-north-1 is in partition aws-cn, but the cluster's ARN is in aws",
		},
		"two regions": {
			kubeconfig(t, prodARN, "c", "u", "https://A.gr7.eu-west-2.eks.amazonaws.com", nil),
			Flags{},
			"says region eu-west-1, server https://A.gr7.eu-west-2.eks.amazonaws.com says eu-west-2",
		},
		"part of a name": {
			kubeconfig(t, "my-prod-eks", "prod", "u", "https://10.0.0.1", nil),
			Flags{},
			`context "my-prod-eks" is not an EKS cluster (server https://10.0.0.1)`,
		},
		"user is gone": {
			clientcmdapi.Config{
				CurrentContext: "p", Contexts: map[string]*clientcmdapi.Context{"p": {Cluster: "c", AuthInfo: "u"}},
				Clusters: map[string]*clientcmdapi.Cluster{"c": {Server: prodServer}},
			}, Flags{}, `names user "u", which the kubeconfig does not have`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := FromKubeconfig(test.raw, test.flags, noEnv)
			var p *problem.Error
			if !errors.As(err, &p) || !strings.Contains(p.Problem, test.want) || p.Next == "" {
				t.Errorf("got %v (%+v), want %s", err, p, test.want)
			}
		})
	}
}

// TestFlagsAlone: without a kubeconfig a name and a region are enough.
func TestFlagsAlone(t *testing.T) {
	target, err := FromKubeconfig(*clientcmdapi.NewConfig(), Flags{ClusterName: "prod", Region: "eu-west-1"}, noEnv)
	if err != nil || target.Name != "prod" || target.Server != "" {
		t.Fatalf("%+v, %v", target, err)
	}
	if _, err := target.Confirm(context.Background(), fake{clusters: []Cluster{{Name: "prod", ARN: prodARN, Endpoint: prodServer}}}); err != nil {
		t.Error(err)
	}
}

type fake struct {
	clusters []Cluster
	account  string
}

func (f fake) ListClusters(context.Context) ([]string, error) {
	var names []string
	for _, c := range f.clusters {
		names = append(names, c.Name)
	}
	return names, nil
}

func (f fake) DescribeCluster(_ context.Context, name string) (Cluster, error) {
	for _, c := range f.clusters {
		if c.Name == name {
			return c, nil
		}
	}
	return Cluster{}, fmt.Errorf("describe %s: %w", name, ErrNoCluster)
}

func (f fake) CallerAccount(context.Context) (string, error) {
	if f.account == "" {
		return "", errors.New("refused")
	}
	return f.account, nil
}

func certificate(text string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)})
}

func TestConfirm(t *testing.T) {
	prod := Cluster{Name: "prod", ARN: prodARN, Endpoint: prodServer, CertificateAuthority: certificate("prod")}
	other := Cluster{Name: "prod-eu", ARN: prodARN + "-eu", Endpoint: strings.Replace(prodServer, "0123", "FFFF", 1)}
	tests := map[string]struct {
		target   Target
		api      fake
		evidence string // of the success
		problem  string // of the error
		warning  string
	}{
		"endpoint and authority": {
			target: Target{Name: "prod", Server: strings.ToLower(prodServer) + ":443/", CAData: append([]byte("\r\n# text\n"), certificate("prod")...)},
			api:    fake{clusters: []Cluster{prod}}, evidence: "the same certificate authority",
		},
		"found by endpoint": {
			target: Target{Server: prodServer}, api: fake{clusters: []Cluster{other, prod}}, evidence: "cluster prod: the only one",
		},
		"no cluster has the endpoint": {
			target: Target{Server: prodServer}, api: fake{clusters: []Cluster{other}, account: "111122223333"},
			problem: "none of the 1 EKS clusters in account 111122223333, region eu-west-1 has the endpoint",
		},
		"another authority": {
			target: Target{Name: "prod", Server: prodServer, CAData: certificate("old")}, api: fake{clusters: []Cluster{prod}},
			problem: "another certificate authority",
		},
		"another cluster": {
			target: Target{Name: "prod", Server: other.Endpoint}, api: fake{clusters: []Cluster{prod}}, problem: "is another cluster than prod",
		},
		"another cluster by flag too": {
			target: Target{Name: "prod", Server: other.Endpoint, flagName: true}, api: fake{clusters: []Cluster{prod}}, problem: "is another cluster than prod",
		},
		"tunnel": {
			target: Target{Name: "prod", Server: "https://localhost:8443", CAData: certificate("prod")}, api: fake{clusters: []Cluster{prod}},
			evidence: "a proxy or tunnel",
		},
		"tunnel to another": {
			target: Target{Name: "prod", Server: "https://localhost:8443", CAData: certificate("other"), flagName: true}, api: fake{clusters: []Cluster{prod}},
			problem: "both differ",
		},
		"tunnel that cannot be told": {
			target: Target{Name: "prod", Server: "https://localhost:8443"}, api: fake{clusters: []Cluster{prod}}, problem: "is unknown: the server is not an EKS endpoint",
		},
		"tunnel that the user vouches for": {
			target: Target{Name: "prod", Server: "https://localhost:8443", flagName: true}, api: fake{clusters: []Cluster{prod}}, warning: "could not be verified",
		},
		"no such cluster": {
			target: Target{Name: "pro", Server: prodServer}, api: fake{clusters: []Cluster{prod}, account: "111122223333"},
			problem: `there is no EKS cluster "pro" in account 111122223333, region eu-west-1`,
		},
		"wrong account, no such cluster": {
			target: Target{Name: "prod", Account: "111122223333"}, api: fake{account: "444455556666"},
			problem: "in account 111122223333, but the AWS credentials belong to account 444455556666",
		},
		"wrong account, a cluster of that name": {
			target: Target{Name: "prod", Account: "444455556666", Server: prodServer}, api: fake{clusters: []Cluster{prod}},
			problem: "in account 444455556666, but the AWS credentials belong to account 111122223333",
		},
		"no AWS": {
			target: Target{Name: "prod"}, api: fake{clusters: []Cluster{{Name: "prod", ARN: "prod"}}}, problem: `"prod", which is not a cluster's ARN`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			target := test.target
			target.Context, target.Region = "ctx", "eu-west-1"
			_, err := target.Confirm(context.Background(), test.api)
			if test.problem != "" {
				var p *problem.Error
				if !errors.As(err, &p) || !strings.Contains(p.Problem, test.problem) || p.Next == "" {
					t.Errorf("got %v (%+v), want %s", err, p, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if target.Name != "prod" || target.Account != "111122223333" {
				t.Errorf("the target was not completed: %+v", target)
			}
			if !strings.Contains(strings.Join(target.Evidence, "\n"), test.evidence) || !strings.Contains(strings.Join(target.Warnings, "\n"), test.warning) {
				t.Errorf("evidence %q, warnings %q", target.Evidence, target.Warnings)
			}
		})
	}
}

// TestNeverASubstring: no name is found in a context that only contains it.
func TestNeverASubstring(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,20}`).Draw(t, "name")
		text := rapid.StringMatching(`[a-z]{0,4}[-_./@]?`).Draw(t, "before") + name + rapid.StringMatching(`([-_/@][a-z]{1,4})?`).Draw(t, "after")
		if c, ok := fromARN("", text); ok {
			t.Errorf("%q read as an ARN: %+v", text, c)
		}
		if c, ok := fromEksctl("", text); ok {
			t.Errorf("%q read as eksctl's: %+v", text, c)
		}
	})
}

// TestARNRoundTrip: every cluster ARN gives back its parts.
func TestARNRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := clue{
			partition: rapid.SampledFrom([]string{"aws", "aws-cn", "aws-us-gov"}).Draw(t, "partition"),
			region:    rapid.SampledFrom([]string{"eu-west-1", "cn-north-1"}).Draw(t, "region"),
			account:   rapid.StringMatching(`[0-9]{12}`).Draw(t, "account"),
			name:      rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,99}`).Draw(t, "name"),
		}
		got, ok := fromARN("", fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", want.partition, want.region, want.account, want.name))
		if !ok || got != want {
			t.Errorf("got %+v, %v, want %+v", got, ok, want)
		}
	})
}

func TestEndpoint(t *testing.T) {
	tests := map[string]struct {
		region, partition string
		ok                bool
	}{
		prodServer:                      {"eu-west-1", "aws", true},
		strings.ToUpper(prodServer[8:]): {},
		"https://A.gr7.eu-west-1.eks.amazonaws.com:443":                 {"eu-west-1", "aws", true},
		"https://A.sk1.eu-west-1.api.aws":                               {"eu-west-1", "aws", true},
		"https://A.gr7.cn-northwest-1.api.amazonwebservices.com.cn":     {"cn-northwest-1", "aws-cn", true},
		"https://A.gr7.us-isob-east-1.eks.sc2s.sgov.gov":                {"us-isob-east-1", "aws-iso-b", true},
		"https://A.gr7.eusc-de-east-1.eks.amazonaws.eu":                 {"eusc-de-east-1", "aws-eusc", true},
		"https://eu-west-1.eks.amazonaws.com":                           {}, // the EKS API itself
		"https://eks.eu-west-1.amazonaws.com":                           {},
		"https://A.gr7.eu-west-1.eks.amazonaws.com.example.org":         {},
		"https://A.gr7.prod.eks.amazonaws.com":                          {},
		"https://rancher.example.org/A.gr7.eu-west-1.eks.amazonaws.com": {},
		"":             {},
		"https://[::1": {},
	}
	for server, want := range tests {
		region, partition, ok := endpoint(server)
		if region != want.region || partition != want.partition || ok != want.ok {
			t.Errorf("%s: got %s %s %v, want %+v", server, region, partition, ok, want)
		}
	}
}

func FuzzEndpoint(f *testing.F) {
	f.Add(prodServer)
	f.Add("https://A.sk1.eu-west-1.api.aws:443/x")
	f.Fuzz(func(t *testing.T, server string) {
		region, partition, ok := endpoint(server)
		if ok && (!isRegion(region) || partition == "" || !strings.Contains(strings.ToLower(server), region)) {
			t.Errorf("%q: %q %q", server, region, partition)
		}
	})
}

func FuzzTokenCommand(f *testing.F) {
	f.Add("aws --region eu-west-1 eks get-token --cluster-name prod")
	f.Add(`sh -c "aws eks get-token --cluster-name 'prod' --profile=\"a b\""`)
	f.Add("aws-iam-authenticator token -i prod -r")
	f.Fuzz(func(t *testing.T, line string) {
		program, flags, ok := tokenCommand(shellWords(line))
		if ok != (program != "") || !ok && flags != nil {
			t.Errorf("%q: %q %v %v", line, program, flags, ok)
		}
	})
}

// TestLoadedKubeconfig: what clientcmd reads from a file is what the tests above
// build by hand.
func TestLoadedKubeconfig(t *testing.T) {
	raw, err := clientcmd.Load([]byte(`
apiVersion: v1
kind: Config
current-context: ` + prodARN + `
clusters: [{name: "` + prodARN + `", cluster: {server: "` + prodServer + `"}}]
users: [{name: "` + prodARN + `", user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, args: [--region, eu-west-1, eks, get-token, --cluster-name, prod], env: [{name: AWS_PROFILE, value: ops}]}}}]
contexts: [{name: "` + prodARN + `", context: {cluster: "` + prodARN + `", user: "` + prodARN + `"}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	target, err := FromKubeconfig(*raw, Flags{}, noEnv)
	if err != nil || target.Name != "prod" || target.Env["AWS_PROFILE"] != "ops" {
		t.Errorf("%+v, %v", target, err)
	}
}
