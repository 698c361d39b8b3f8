package aws_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// emptyHome keeps the machine's own configuration out of a test and returns
// the folder in which the AWS configuration is looked for.
func emptyHome(t *testing.T) string {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			t.Setenv(name, "") // so that it is put back
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	folder := filepath.Join(home, ".aws")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(folder, "credentials"))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// account asks for the caller's account.
func account(cfg aws.Config) (string, error) {
	client, err := aws.New(context.Background(), cfg)
	if err != nil {
		return "", err
	}
	return client.CallerAccount(context.Background())
}

func wantProblem(t *testing.T, err error, want, next string) {
	t.Helper()
	var got *problem.Error
	if !errors.As(err, &got) {
		t.Fatalf("error %v (%T), want a *problem.Error", err, err)
	}
	if got.Problem != want {
		t.Errorf("problem\n  %s\nwant\n  %s", got.Problem, want)
	}
	if !strings.Contains(got.Next, next) || next == "" {
		t.Errorf("next\n  %s\nwant it to hold\n  %s", got.Next, next)
	}
	if strings.ContainsAny(got.Problem+got.Next, "\n\r") || strings.Contains(got.Problem, "RequestID") {
		t.Errorf("not one clean line: %q, %q", got.Problem, got.Next)
	}
}

// Every way in which credentials can be wrong has its own line, before any call
// reaches a service.
func TestCredentialProblems(t *testing.T) {
	sts := stsServer(t)
	for _, test := range []struct {
		name          string
		config        string
		files         map[string]string
		env           map[string]string
		cfg           aws.Config
		problem, next string
	}{
		{
			name:    "no region",
			problem: "no AWS region: neither the kubeconfig nor the AWS configuration names one", next: "--region",
		},
		{
			name: "no credentials", cfg: aws.Config{Region: "eu-west-1"},
			problem: "no AWS credentials were found", next: "aws sso login",
		},
		{
			name: "no such profile", cfg: aws.Config{Region: "eu-west-1", Profile: "prod"},
			problem: `the AWS configuration has no profile "prod"`, next: "aws configure list-profiles",
		},
		{
			name: "no such source profile", cfg: aws.Config{Region: "eu-west-1", Profile: "prod"},
			config:  "[profile prod]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = none\n",
			problem: `the AWS configuration has no profile "none"`, next: "aws configure list-profiles",
		},
		{
			name: "broken file", cfg: aws.Config{Region: "eu-west-1", Profile: "prod"},
			config:  "[profile prod]\nsso_session = gone\n",
			problem: "the AWS configuration cannot be used: failed to find SSO session section, gone", next: "aws configure list",
		},
		{
			name: "SSO never opened", cfg: aws.Config{Region: "eu-west-1", Profile: "prod"},
			config:  ssoConfig,
			problem: `the AWS SSO session of profile "prod" has expired or was never opened`, next: "aws sso login --profile prod",
		},
		{
			name: "SSO expired", cfg: aws.Config{Region: "eu-west-1", Env: map[string]string{"AWS_PROFILE": "prod"}},
			config: ssoConfig,
			// The name is the SHA-1 of the session's name.
			files:   map[string]string{"sso/cache/e2ac8fe5ac1ba44ff2e0d2e2ba6ef2e4dd7ebc73.json": `{"accessToken":"t","expiresAt":"2020-01-01T00:00:00Z","region":"eu-west-1","startUrl":"https://x.awsapps.com/start"}`},
			problem: `the AWS SSO session of profile "prod" has expired or was never opened`, next: "aws sso login --profile prod",
		},
		{
			name: "legacy SSO expired", cfg: aws.Config{Region: "eu-west-1", Profile: "old"},
			config:  "[profile old]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 111122223333\nsso_role_name = Admin\n",
			problem: `the AWS SSO session of profile "old" has expired or was never opened`, next: "aws sso login --profile old",
		},
		{
			name: "aws login never opened", cfg: aws.Config{Region: "eu-west-1", Profile: "l"},
			config:  "[profile l]\nlogin_session = arn:aws:iam::111122223333:user/me\n",
			problem: `the AWS login session of profile "l" has expired or was never opened`, next: "aws login --profile l",
		},
		{
			name: "MFA", cfg: aws.Config{Region: "eu-west-1", Profile: "mfa"},
			config:  "[profile mfa]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\nmfa_serial = arn:aws:iam::111122223333:mfa/me\n[profile base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalr\n",
			problem: `the AWS profile "mfa" wants an MFA code, which cannot be asked for here`, next: "aws sts get-session-token",
		},
		{
			name: "credential_process", cfg: aws.Config{Region: "eu-west-1", Profile: "p"},
			config:  "[profile p]\ncredential_process = false\n",
			problem: `the credential_process of profile "p" failed: exit status 1`, next: "~/.aws/config",
		},
		{
			name: "role of the profile denied", cfg: aws.Config{Region: "eu-west-1", Profile: "r"},
			config:  "[profile r]\nrole_arn = arn:aws:iam::111122223333:role/denied\nsource_profile = base\n[profile base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalr\n",
			env:     map[string]string{"AWS_ENDPOINT_URL": sts.URL},
			problem: `the role of profile "r" cannot be assumed (AccessDenied: not you)`,
			next:    "aws sts get-caller-identity --profile r",
		},
		{
			name: "role denied", cfg: aws.Config{Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/denied", Env: map[string]string{"AWS_ENDPOINT_URL": sts.URL}},
			env:     map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr"},
			problem: "the role cannot be assumed (AccessDenied: not you)", next: "trust policy",
		},
		{
			name: "keys expired before the role is assumed", cfg: aws.Config{Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/expired", Env: map[string]string{"AWS_ENDPOINT_URL": sts.URL}},
			env:     map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr"},
			problem: "the AWS credentials have expired (ExpiredToken: too late)", next: "aws sso login",
		},
		{
			name: "web identity denied", cfg: aws.Config{Region: "eu-west-1"},
			env: map[string]string{
				"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/denied", "AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN", "AWS_ENDPOINT_URL": sts.URL,
			},
			problem: "the role cannot be assumed (AccessDenied: not you)", next: "trust policy",
		},
		{
			name: "bundle of the kubeconfig", cfg: aws.Config{Region: "eu-west-1", Env: map[string]string{"AWS_CA_BUNDLE": "/nonexistent"}},
			problem: "the AWS_CA_BUNDLE of the kubeconfig cannot be read: open /nonexistent: no such file or directory", next: "kubeconfig",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := emptyHome(t)
			write(t, filepath.Join(folder, "config"), test.config)
			write(t, filepath.Join(folder, "token"), "jwt")
			for name, text := range test.files {
				write(t, filepath.Join(folder, name), text)
			}
			for name, value := range test.env {
				t.Setenv(name, strings.ReplaceAll(value, "TOKEN", filepath.Join(folder, "token")))
			}
			_, err := account(test.cfg)
			wantProblem(t, err, test.problem, test.next)
		})
	}
}

const ssoConfig = `[profile prod]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Admin
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://x.awsapps.com/start
`

// stsServer answers as STS: it says who calls by the access key, hands out
// AKIAASSUMED for a role, and refuses some.
func stsServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "text/xml")
		refuse := func(code, message string) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>", code, message)
		}
		action, role := r.Form.Get("Action"), r.Form.Get("RoleArn")
		switch {
		case strings.HasSuffix(role, "/denied"):
			refuse("AccessDenied", "not you")
		case strings.HasSuffix(role, "/expired"):
			refuse("ExpiredToken", "too late")
		case action == "GetCallerIdentity":
			_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			key, scope, _ := strings.Cut(credential, "/")
			fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>%s in %s</Account><Arn>arn:aws:iam::111122223333:user/ci</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>", key, strings.Split(scope, "/")[1])
		default:
			fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>AKIAASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></%[1]sResult></%[1]sResponse>", action)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// Standard configuration works, and the kubeconfig's is laid over it in the
// SDK's order.
func TestConfiguration(t *testing.T) {
	sts := stsServer(t)
	const profiles = `[default]
region = us-east-1
[profile keys]
region = eu-north-1
aws_access_key_id = AKIAPROFILE
aws_secret_access_key = s
[profile role]
role_arn = arn:aws:iam::111122223333:role/fine
source_profile = keys
`
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAPROCESS", "AWS_SECRET_ACCESS_KEY": "s"}
	for _, test := range []struct {
		name string
		env  map[string]string
		cfg  aws.Config
		want string // key in region
	}{
		{"AWS_PROFILE", map[string]string{"AWS_PROFILE": "keys"}, aws.Config{}, "AKIAPROFILE in eu-north-1"},
		{"profile named", keys, aws.Config{Profile: "keys"}, "AKIAPROFILE in eu-north-1"},
		{"profile in the kubeconfig", nil, aws.Config{Env: map[string]string{"AWS_PROFILE": "keys"}}, "AKIAPROFILE in eu-north-1"},
		{"keys win over a profile that is only in the environment", keys, aws.Config{Env: map[string]string{"AWS_PROFILE": "keys"}}, "AKIAPROCESS in us-east-1"},
		{"keys in the kubeconfig", keys, aws.Config{Env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAKUBE", "AWS_SECRET_ACCESS_KEY": "s"}}, "AKIAKUBE in us-east-1"},
		{"region named", keys, aws.Config{Region: "cn-north-1", Env: map[string]string{"AWS_REGION": "eu-west-3"}}, "AKIAPROCESS in cn-north-1"},
		{"region in the kubeconfig", keys, aws.Config{Env: map[string]string{"AWS_REGION": "eu-west-3"}}, "AKIAPROCESS in eu-west-3"},
		{"AWS_REGION", map[string]string{"AWS_REGION": "eu-west-2", "AWS_PROFILE": "keys"}, aws.Config{}, "AKIAPROFILE in eu-west-2"},
		{"role of a profile", map[string]string{"AWS_PROFILE": "role", "AWS_REGION": "eu-west-2"}, aws.Config{}, "AKIAASSUMED in eu-west-2"},
		{"role named", keys, aws.Config{RoleARN: "arn:aws:iam::111122223333:role/fine"}, "AKIAASSUMED in us-east-1"},
		{"web identity", map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/fine", "AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN"}, aws.Config{}, "AKIAASSUMED in us-east-1"},
		{"endpoint of the service", map[string]string{"AWS_PROFILE": "keys", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_STS": sts.URL}, aws.Config{}, "AKIAPROFILE in eu-north-1"},
		{"endpoint in the kubeconfig", map[string]string{"AWS_PROFILE": "keys", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, aws.Config{Env: map[string]string{"AWS_ENDPOINT_URL": sts.URL}}, "AKIAPROFILE in eu-north-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := emptyHome(t)
			write(t, filepath.Join(folder, "config"), profiles)
			write(t, filepath.Join(folder, "token"), "jwt")
			t.Setenv("AWS_ENDPOINT_URL", sts.URL)
			for name, value := range test.env {
				t.Setenv(name, strings.ReplaceAll(value, "TOKEN", filepath.Join(folder, "token")))
			}
			got, err := account(test.cfg)
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// keys returns a configuration whose calls go to an endpoint.
func keys(endpoint string) aws.Config {
	return aws.Config{Region: "eu-west-1", Env: map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr", "AWS_ENDPOINT_URL": endpoint,
	}}
}

// An endpoint that cannot be reached ends the first call soon, after one try.
func TestUnreachable(t *testing.T) {
	emptyHome(t)
	var requests atomic.Int32
	silent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		select {
		case <-silent:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(silent)
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()

	for _, test := range []struct {
		name, endpoint, why string
	}{
		{"refused", "http://127.0.0.1:1", "connection refused"},
		{"no such host", "http://eks.invalid", ""},
		{"silent", server.URL, "no answer in time"},
		{"unknown authority", stranger.URL, "x509: certificate signed by unknown authority"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := keys(test.endpoint)
			cfg.RequestTimeout = 100 * time.Millisecond
			if test.name != "silent" {
				cfg.RequestTimeout = 10 * time.Second
			}
			client, err := aws.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.ListClusters(t.Context())
			if test.why == "" { // the resolver's words differ between machines
				var p *problem.Error
				if !errors.As(err, &p) || !strings.HasPrefix(p.Problem, "cannot reach AWS (eks:ListClusters) at "+test.endpoint+": ") {
					t.Errorf("error %v", err)
				}
				return
			}
			wantProblem(t, err, "cannot reach AWS (eks:ListClusters) at "+test.endpoint+": "+test.why, "AWS_ENDPOINT_URL")
			if n := client.Calls()["eks:ListClusters"]; n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("the silent server was asked %d times", n)
	}
}

// The bundle of the kubeconfig is trusted, AWS_CA_BUNDLE included.
func TestCABundle(t *testing.T) {
	folder := emptyHome(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"clusters":["prod"]}`)
	}))
	defer server.Close()
	bundle := filepath.Join(folder, "ca.pem")
	write(t, bundle, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	cfg := keys(server.URL)
	cfg.Env["AWS_CA_BUNDLE"] = bundle
	client, err := aws.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := client.ListClusters(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}
