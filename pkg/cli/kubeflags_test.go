package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

func TestKubeFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	err := os.WriteFile(file, []byte(`apiVersion: v1
kind: Config
current-context: a
clusters:
- {name: one, cluster: {server: https://one.example}}
- {name: two, cluster: {server: https://two.example}}
contexts:
- {name: a, context: {cluster: one, user: me}}
- {name: b, context: {cluster: two, user: me}}
users:
- {name: me, user: {token: secret}}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args                   []string
		host, context, timeout string
		as                     rest.ImpersonationConfig
		err                    string
	}{
		"current context": {host: "https://one.example", timeout: "0s"},
		"another context": {args: []string{"--context=b"}, host: "https://two.example", context: "b", timeout: "0s"},
		"hidden flags": {
			args: []string{"--as=eve", "--as-uid=7", "--as-group=x", "--as-group=y", "--as-user-extra=scopes=a", "--as-user-extra=scopes=b", "--request-timeout=3s"},
			host: "https://one.example", timeout: "3s",
			as: rest.ImpersonationConfig{UserName: "eve", UID: "7", Groups: []string{"x", "y"}, Extra: map[string][]string{"scopes": {"a", "b"}}},
		},
		"user extra without a value": {args: []string{"--as=eve", "--as-user-extra=scopes"}, err: `--as-user-extra "scopes" is not KEY=VALUE`},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKubeFlags()
			f := pflag.NewFlagSet("", pflag.ContinueOnError)
			k.addFlags(f)
			if err := f.Parse(append(c.args, "--kubeconfig="+file)); err != nil {
				t.Fatal(err)
			}
			config, err := k.ToRESTConfig()
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if config.Host != c.host || *k.Context != c.context || config.Timeout.String() != c.timeout || config.BearerToken != "secret" {
				t.Errorf("%s, %s, %s", config.Host, *k.Context, config.Timeout)
			}
			if diff := cmp.Diff(c.as, config.Impersonate); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestKubeFlagsAreTheContexts holds that no flag leads to another server or user
// than the context does.
func TestKubeFlagsAreTheContexts(t *testing.T) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	newKubeFlags().addFlags(f)
	var shown, hidden []string
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			hidden = append(hidden, flag.Name)
		} else {
			shown = append(shown, flag.Name)
		}
	})
	slices.Sort(shown)
	slices.Sort(hidden)
	if diff := cmp.Diff([]string{"context", "kubeconfig", "proxy-url"}, shown); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"as", "as-group", "as-uid", "as-user-extra", "request-timeout"}, hidden); diff != "" {
		t.Error(diff)
	}
}

func TestPrinters(t *testing.T) {
	file := filepath.Join(t.TempDir(), "template")
	if err := os.WriteFile(file, []byte("{.cluster.name}"), 0o600); err != nil {
		t.Fatal(err)
	}
	report := &finding.Report{Header: finding.Header{APIVersion: "v1", Kind: "Report"}, Cluster: finding.ClusterInfo{Name: "prod"}}
	for _, c := range []struct{ output, template, want, err string }{
		{output: "json", want: `"name": "prod"`},
		{output: "yaml", want: "  name: prod\n"},
		{output: "kyaml", want: `name: "prod"`},
		{output: "go-template={{.cluster.name}}", want: "prod"},
		{output: "go-template", template: "<{{.cluster.name}}{{.missing}}>", want: "<prod<no value>>"},
		{output: "jsonpath={.cluster.name}{.missing}", want: "prod"},
		{output: "jsonpath-as-json={.cluster.name}", want: "\"prod\"\n"},
		{output: "jsonpath-file=" + file, want: "prod"},
		{output: "jsonpath-file", template: file, want: "prod"},
		{output: "jsonpath", err: "template format specified but no template given"},
		{output: "go-template-file=" + file + ".missing", err: file + ".missing: cannot be read: "},
		{output: "go-template={{", err: "parse the template: "},
		{output: "jsonpath={", err: "parse the JSONPath: "},
		{output: "jsonpaths={}", err: "no such format"},
	} {
		printer, err := jsonYAML{}.ToPrinter(c.output)
		if errors.Is(err, errNoFormat) {
			printer, err = (&templates{text: c.template}).ToPrinter(t.Context(), c.output)
		}
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", c.output, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.output, err)
			continue
		}
		var b strings.Builder
		if err := printer.PrintObj(report, io.Writer(&b)); err != nil || !strings.Contains(b.String(), c.want) {
			t.Errorf("%s: %v, want %q in\n%s", c.output, err, c.want, b.String())
		}
	}
}
