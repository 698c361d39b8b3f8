package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// What follows is kubectl's flags on client-go and cli-runtime's printers.
// cli-runtime's own genericclioptions would do too, but brings kustomize, OpenAPI
// and the types of every API group along: 16 MB of 50, and a third of the start.

// kubeFlags are kubectl's flags of the connection, but for those that select
// another server or user than the context says: what is judged has to be what was
// verified.
type kubeFlags struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
	userExtra  []string

	// Context is the kube context's name, empty for the current one.
	Context *string
	// command is the command that was called, with --kubeconfig and --context of its flags, for what errors tell
	// the user to type.
	command string
	// silent keeps the kubeconfig's credential plugin from asking the user anything.
	silent bool
}

func newKubeFlags() *kubeFlags {
	k := &kubeFlags{}
	k.Context = &k.overrides.CurrentContext
	return k
}

// addFlags adds the flags. Those that few need work as in kubectl and are left
// out of --help.
func (k *kubeFlags) addFlags(f *pflag.FlagSet) {
	f.StringVar(&k.kubeconfig, clientcmd.RecommendedConfigPathFlag, "", "Path to the kubeconfig file to use for CLI requests")
	all := clientcmd.RecommendedConfigOverrideFlags("")
	clientcmd.BindOverrideFlags(&k.overrides, f, clientcmd.ConfigOverrideFlags{
		CurrentContext:       all.CurrentContext,
		Timeout:              all.Timeout,
		ClusterOverrideFlags: clientcmd.ClusterOverrideFlags{ProxyURL: all.ClusterOverrideFlags.ProxyURL},
		AuthOverrideFlags: clientcmd.AuthOverrideFlags{
			Impersonate:       all.AuthOverrideFlags.Impersonate,
			ImpersonateUID:    all.AuthOverrideFlags.ImpersonateUID,
			ImpersonateGroups: all.AuthOverrideFlags.ImpersonateGroups,
		},
	})
	f.StringArrayVar(&k.userExtra, "as-user-extra", nil, "User extras to impersonate for the operation as KEY=VALUE, this flag can be repeated")
	for _, name := range []string{"as", "as-group", "as-uid", "as-user-extra", "request-timeout"} {
		f.Lookup(name).Hidden = true
	}
}

// loader returns what reads the kubeconfig, with the flags laid over it. client-go reads
// any file to its end, so the files are checked here: a *files.Error names the one that is
// too large. client-go itself refuses one that is nested too deep.
func (k *kubeFlags) loader() (clientcmd.ClientConfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	for _, name := range rules.GetLoadingPrecedence() {
		if err := files.Check(name, files.MaxKubeconfig); err != nil {
			return nil, err
		}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &k.overrides), nil
}

// RawConfig returns the kubeconfig. The files that its context names are not larger than
// what is read of such files.
func (k *kubeFlags) RawConfig() (clientcmdapi.Config, error) {
	loader, err := k.loader()
	if err != nil {
		return clientcmdapi.Config{}, err
	}
	raw, err := loader.RawConfig()
	if err != nil {
		words := err.Error()
		for _, w := range kubeconfigWords {
			words = w.form().ReplaceAllString(words, w.words)
		}
		return raw, errors.New(words)
	}
	return raw, checkNamed(raw, cmp.Or(*k.Context, raw.CurrentContext))
}

// kubeconfigWords are errors of client-go about a kubeconfig that speak of Go, and other words
// for them.
var kubeconfigWords = []struct {
	form  func() *regexp.Regexp
	words string
}{
	{text.Pattern(`error loading config file "([^"]*)": `), "$1: "},
	{text.Pattern(`couldn't get version/kind; json parse error: json: cannot unmarshal \w+ into Go value of type struct \{[^}]*\}`), "it is not a mapping"},
	{text.Pattern(`json: cannot unmarshal (\w+) into Go struct field \w+\.(\S+) of type [^\s,\]]+`), "$2 has the wrong type: $1"},
	{text.Pattern(`no kind "([^"]*)" is registered for version "([^"]*)" in scheme "[^"]*"`), "it is a $1 of $2, not a kubeconfig"},
	{text.Pattern(`error converting \S+ into \S+ duplicate name "([^"]*)" in list: \[.*\]`), `the name "$1" is there twice`},
}

// checkNamed returns an error where a file that a context names is larger than what is read
// of such files.
func checkNamed(raw clientcmdapi.Config, name string) error {
	kubeContext, ok := raw.Contexts[name]
	if !ok {
		return nil
	}
	var named []string
	if cluster, ok := raw.Clusters[kubeContext.Cluster]; ok {
		named = append(named, cluster.CertificateAuthority)
	}
	if user, ok := raw.AuthInfos[kubeContext.AuthInfo]; ok {
		named = append(named, user.ClientCertificate, user.ClientKey, user.TokenFile)
	}
	for _, name := range named {
		if err := files.Check(name, files.MaxConfig); err != nil {
			return err
		}
	}
	return nil
}

// eachContext is the kubeconfig for runs over several contexts; see live.Kubeconfig.
type eachContext struct{ *kubeFlags }

// Prepare implements live.Kubeconfig.
func (k eachContext) Prepare(raw clientcmdapi.Config, name string) error {
	if err := checkNamed(raw, name); err != nil {
		return err
	}
	return loadAuthority(raw, name)
}

// REST implements live.Kubeconfig. A credential plugin may not ask the user anything.
func (k eachContext) REST(raw clientcmdapi.Config, name string) (*rest.Config, error) {
	overrides := k.overrides
	overrides.CurrentContext = name
	c, err := clientcmd.NewNonInteractiveClientConfig(raw, name, &overrides, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	if c.ExecProvider != nil {
		c.ExecProvider.InteractiveMode = clientcmdapi.NeverExecInteractiveMode
	}
	return c, nil
}

// ToRESTConfig returns how to reach the API server.
func (k *kubeFlags) ToRESTConfig() (*rest.Config, error) {
	k.overrides.AuthInfo.ImpersonateUserExtra = map[string][]string{}
	for _, extra := range k.userExtra {
		key, value, ok := strings.Cut(extra, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--as-user-extra %q is not KEY=VALUE", extra)
		}
		k.overrides.AuthInfo.ImpersonateUserExtra[key] = append(k.overrides.AuthInfo.ImpersonateUserExtra[key], value)
	}
	loader, err := k.loader()
	if err != nil {
		return nil, err
	}
	c, err := loader.ClientConfig()
	if err == nil && k.silent && c.ExecProvider != nil {
		c.ExecProvider.InteractiveMode = clientcmdapi.NeverExecInteractiveMode
	}
	return c, err
}

// requestTimeout returns --request-timeout, the limit of one request; zero where it is not
// given.
func (k *kubeFlags) requestTimeout() (time.Duration, error) {
	if k.overrides.Timeout == "" {
		return 0, nil
	}
	limit, err := clientcmd.ParseTimeout(k.overrides.Timeout)
	if err != nil || limit < 0 {
		return 0, usage("such as --request-timeout 30s", "--request-timeout %q is not a length of time", k.overrides.Timeout)
	}
	return limit, nil
}

// errNoFormat is the error of a format that a printer does not have.
var errNoFormat = errors.New("no such format")

// jsonYAML prints as JSON, YAML or its strict form KYAML.
type jsonYAML struct{}

// AllowedFormats returns the values of -o.
func (jsonYAML) AllowedFormats() []string { return []string{"json", "yaml", "kyaml"} }

// ToPrinter returns the printer of a format, or errNoFormat.
func (jsonYAML) ToPrinter(format string) (printers.ResourcePrinter, error) {
	switch format {
	case "json":
		return machinePrinter(print.JSON), nil
	case "yaml":
		return machinePrinter(print.YAML), nil
	case "kyaml":
		return machinePrinter(print.KYAML), nil
	default:
		return nil, errNoFormat
	}
}

// machinePrinter prints by a function of pkg/print, whose output is safe to show.
func machinePrinter(write func(io.Writer, any) error) printers.ResourcePrinter {
	return printers.ResourcePrinterFunc(func(obj runtime.Object, w io.Writer) error { return write(w, obj) })
}

// templates prints by a template of the user's.
type templates struct {
	// text is --template; it takes precedence over what follows = in -o.
	text string
}

// AllowedFormats returns the values of -o, which have =TEMPLATE behind them where
// --template is not given.
func (*templates) AllowedFormats() []string {
	return []string{"go-template", "go-template-file", "jsonpath", "jsonpath-as-json", "jsonpath-file", "template", "templatefile"}
}

// ToPrinter returns the printer of a format, errNoFormat, or the error of the
// template or its file.
func (t *templates) ToPrinter(ctx context.Context, output string) (printers.ResourcePrinter, error) {
	format, source, _ := strings.Cut(output, "=")
	if !slices.Contains(t.AllowedFormats(), format) {
		return nil, errNoFormat
	}
	if t.text != "" {
		source = t.text
	}
	if source == "" {
		return nil, errors.New("template format specified but no template given")
	}
	if strings.HasSuffix(format, "file") {
		content, err := files.Read(ctx, source, nil, files.MaxConfig)
		if err != nil {
			return nil, err
		}
		source = string(content)
	}
	if !strings.HasPrefix(format, "jsonpath") {
		p, err := printers.NewGoTemplatePrinter([]byte(source))
		if err != nil {
			return nil, fmt.Errorf("parse the template: %w", err)
		}
		p.AllowMissingKeys(true)
		return wholly(p, nil), nil
	}
	p, err := printers.NewJSONPathPrinter(source)
	if err != nil {
		return nil, fmt.Errorf("parse the JSONPath: %w", err)
	}
	p.AllowMissingKeys(true)
	if format != "jsonpath-as-json" {
		return wholly(p, nil), nil
	}
	p.EnableJSONOutput(true)
	return wholly(p, text.EscapeJSON), nil
}

// wholly prints what a template makes of an object, or nothing where it fails: the printers
// of templates write all of the object then, for debugging, and return it as their error.
func wholly(p printers.ResourcePrinter, convert func([]byte) []byte) printers.ResourcePrinter {
	return printers.ResourcePrinterFunc(func(obj runtime.Object, w io.Writer) error {
		var b bytes.Buffer
		if err := p.PrintObj(obj, &b); err != nil {
			short, _, _ := strings.Cut(err.Error(), ". Printing more information")
			return errors.New(short)
		}
		out := b.Bytes()
		if convert != nil {
			out = convert(out)
		}
		_, err := w.Write(out)
		return err
	})
}
