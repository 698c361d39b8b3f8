package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// ExitDepends is can's exit code where the answer hangs on what is not known of
// the request.
const ExitDepends = 4

// canOptions is what the can command was told.
type canOptions struct {
	streams genericiooptions.IOStreams
	facts   factsOptions

	batch   bool
	explain bool

	// For documents on disk.
	policyFiles, scpFiles     []string
	trustFile, boundaryFile   string
	principal                 string
	contextKeys               []string
	completeContext           bool
	role, action, resourceArg string
}

func newCanCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &canOptions{streams: streams, facts: newFactsOptions(streams, config)}
	cmd := &cobra.Command{
		Use:   "can ROLE ACTION [RESOURCE]",
		Short: "Ask whether a role is allowed an action, and why",
		Long: `Ask whether a role is allowed an action, and which statement decides it.

The role is one that check knows: a node role or aws-node's own, by name or ARN. A
RESOURCE with wildcards asks about everything that it matches; without RESOURCE an
action that nodes need is asked about on all that they call it on, any other on
"*". With --policy-file, --trust-policy, --boundary or --scp documents on disk are
judged instead, and no role is named.

Exit code 0: allowed; 1: denied; 2: wrong use; 3: a policy could not be read;
4: it depends on the request.`,
		Example: `  # May the node role pull from every repository?
  kubectl noderole can eksNodeRole ecr:BatchGetImage

  # The same of a saved snapshot, statement by statement
  kubectl noderole can eksNodeRole ec2:DescribeInstances -f snapshot.yaml --explain

  # A document on disk
  kubectl noderole can --policy-file pull.json ecr:BatchGetImage 'arn:aws:ecr:eu-west-1:111122223333:repository/app'

  # May EC2 assume a role with this trust policy?
  kubectl noderole can --trust-policy trust.json sts:AssumeRole --principal ec2.amazonaws.com

  # Many questions, one JSON object a line
  kubectl noderole can --batch < questions.jsonl`,
		ValidArgsFunction: o.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	o.facts.addFlags(f)
	f.BoolVar(&o.batch, "batch", false, "Read one request as JSON from each line of standard input, write one answer a line")
	f.BoolVar(&o.explain, "explain", false, "Say of every statement why it applies or does not")
	f.StringArrayVar(&o.policyFiles, "policy-file", nil, "Judge this identity policy; may be repeated")
	f.StringVar(&o.trustFile, "trust-policy", "", "Judge this trust policy of the role that is assumed")
	f.StringVar(&o.boundaryFile, "boundary", "", "Permissions boundary of the principal")
	f.StringArrayVar(&o.scpFiles, "scp", nil, "Service control policies of one level, separated by commas; once a level, from the root to the account")
	f.StringVar(&o.principal, "principal", "", "Who asks, an ARN or a service's name (default a role of account 111122223333, or ec2.amazonaws.com for --trust-policy alone)")
	f.StringArrayVar(&o.contextKeys, "context-key", nil, "A condition key of the request as KEY=VALUE; repeated for several values")
	f.BoolVar(&o.completeContext, "complete-context", false, "A condition key that is not given is absent instead of unknown")
	return cmd
}

// documents reports whether documents on disk are asked about.
func (o *canOptions) documents() bool {
	return len(o.policyFiles) > 0 || o.trustFile != "" || o.boundaryFile != "" || len(o.scpFiles) > 0
}

func (o *canOptions) complete(cmd *cobra.Command, args []string) error {
	form := cmd.CommandPath() + " ROLE ACTION [RESOURCE]"
	switch {
	case o.batch:
		if len(args) > 0 || o.documents() {
			return usage(cmd.CommandPath()+" --batch < FILE", "--batch takes its questions from standard input alone")
		}
		return nil
	case o.documents():
		form = cmd.CommandPath() + " --policy-file FILE ACTION [RESOURCE]"
	case len(o.contextKeys) > 0 || o.principal != "" || o.completeContext:
		return usage("give the documents with --policy-file or --trust-policy", "--context-key, --complete-context and --principal are for documents on disk")
	default:
		if len(args) == 0 {
			return usage(form, "no role and no action were named")
		}
		o.role, args = args[0], args[1:]
	}
	if len(args) < 1 || len(args) > 2 {
		return usage(form, "one ACTION and at most one RESOURCE are asked about, got %q", args)
	}
	o.action = args[0]
	if service, name, ok := strings.Cut(o.action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(o.action, "*?") {
		return usage("an action is such as ec2:DescribeInstances", "%q is not one action", o.action)
	}
	if len(args) == 2 {
		o.resourceArg = args[1]
	}
	return o.facts.complete(cmd)
}

func (o *canOptions) run(ctx context.Context) error {
	switch {
	case o.batch:
		if err := iampolicy.Batch(ctx, o.streams.In, o.streams.Out); err != nil {
			return usage("one JSON object a line; see docs/iam-evaluation.md", "%s", err)
		}
		return nil
	case o.documents():
		return o.askDocuments()
	default:
		return o.askRole(ctx)
	}
}

// askRole asks about a role of the cluster.
func (o *canOptions) askRole(ctx context.Context) error {
	facts, _, err := o.facts.read(ctx)
	if err != nil {
		return err
	}
	v := view.New(facts)
	role, ok := v.FindRole(o.role)
	if !ok {
		return usage("the roles are "+strings.Join(roleNames(facts), ", "), "no role or several are named %q", o.role)
	}
	action := need.Named(o.action)
	if o.resourceArg != "" {
		action.Resource = o.resourceArg
	}
	answer := role.Can(action)
	var traces []iampolicy.Trace
	if o.explain {
		traces = role.Explain(action)
	}
	request := action.Request(v.Place, role.ARN, nil)
	if answer.Verdict == view.Unknown {
		o.head("unknown", role.Name, request)
		for _, m := range answer.Unread {
			fmt.Fprintf(o.streams.Out, "  %s of %s: %s\n", m.Operation, snapshot.NameOf(m.Subject), m.Error)
		}
		o.trace(traces)
		return codeError{code: ExitIncomplete}
	}
	return o.answer(role.Name, request, answer.Result, traces)
}

func roleNames(facts *snapshot.Snapshot) []string {
	var names []string
	for arn := range facts.Roles {
		names = append(names, snapshot.NameOf(arn))
	}
	slices.Sort(names)
	return names
}

// askDocuments asks about the documents on disk.
func (o *canOptions) askDocuments() error {
	var p iampolicy.Policies
	var err error
	if p.Identity, err = loadPolicies(iampolicy.Identity, o.policyFiles); err != nil {
		return err
	}
	if p.Boundary, err = loadPolicy(iampolicy.Identity, o.boundaryFile); err != nil {
		return err
	}
	if p.Resource, err = loadPolicy(iampolicy.Trust, o.trustFile); err != nil {
		return err
	}
	for _, level := range o.scpFiles {
		policies, err := loadPolicies(iampolicy.Identity, strings.Split(level, ","))
		if err != nil {
			return err
		}
		p.SCPs = append(p.SCPs, policies)
	}
	known, err := o.context()
	if err != nil {
		return err
	}
	r := &iampolicy.Request{Principal: o.principal, Action: o.action, Resource: o.resourceArg, Context: known}
	if r.Principal == "" {
		r.Principal = "arn:aws:iam::111122223333:role/example"
		if o.trustFile != "" && len(o.policyFiles) == 0 {
			r.Principal = "ec2.amazonaws.com"
		}
	}
	if r.Resource == "" {
		r.Resource = "*"
		if o.trustFile != "" {
			r.Resource = "arn:aws:iam::111122223333:role/assumed"
		}
	}
	r.Any = r.Resource != "*" && strings.ContainsAny(r.Resource, "*?")
	if parts := strings.SplitN(r.Resource, ":", 6); len(parts) == 6 {
		r.Account = strings.Trim(parts[4], "*")
	}
	set := iampolicy.Prepare(p)
	var traces []iampolicy.Trace
	if o.explain {
		traces = set.Explain(r)
	}
	return o.answer(r.Principal, r, set.Evaluate(r), traces)
}

// context builds the request's context from --context-key.
func (o *canOptions) context() (*iampolicy.Context, error) {
	values := map[string][]string{}
	for _, kv := range o.contextKeys {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || !strings.Contains(key, ":") {
			return nil, usage("such as --context-key aws:RequestedRegion=eu-west-1", "--context-key %q is not KEY=VALUE", kv)
		}
		values[key] = append(values[key], value)
	}
	known := iampolicy.NewContext()
	known.Complete = o.completeContext
	for _, key := range slices.Sorted(maps.Keys(values)) {
		known.Set(key, values[key]...)
	}
	return known, nil
}

func loadPolicies(kind iampolicy.Kind, files []string) ([]iampolicy.Policy, error) {
	var list []iampolicy.Policy
	for _, file := range files {
		p, err := loadPolicy(kind, file)
		if err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, nil
}

// loadPolicy reads a document; an empty name is none.
func loadPolicy(kind iampolicy.Kind, file string) (*iampolicy.Policy, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readFile(context.Background(), file, files.MaxConfig)
	if err != nil {
		return nil, err
	}
	doc, err := iampolicy.Parse(kind, text)
	if err != nil {
		return nil, usage("IAM would refuse this document too", "%s: %s", file, err)
	}
	return &iampolicy.Policy{Name: filepath.Base(file), Document: doc}, nil
}

// answer prints the decision with its reasons and returns its exit code.
func (o *canOptions) answer(who string, r *iampolicy.Request, result iampolicy.Result, traces []iampolicy.Trace) error {
	o.head(result.Decision.String(), who, r)
	out := o.streams.Out
	code := ExitOK
	switch result.Decision {
	case iampolicy.Allowed:
		for _, s := range result.Statements {
			fmt.Fprintf(out, "  allowed by %s\n", s)
		}
	case iampolicy.Denied:
		code = ExitFindings
		for _, s := range result.Statements {
			fmt.Fprintf(out, "  denied by %s\n", s)
		}
		if !result.Explicit {
			fmt.Fprintf(out, "  no statement of the %s allows it\n", result.By)
		}
		for _, s := range result.Nearest {
			fmt.Fprintf(out, "  nearest: %s, on %s\n", s, strings.Join(s.Resources, ", "))
		}
	case iampolicy.Depends:
		code = ExitDepends
		for _, d := range result.DependsOn {
			fmt.Fprintf(out, "  depends on %s\n", d)
		}
	}
	o.trace(traces)
	if code == ExitOK {
		return nil
	}
	return codeError{code: code}
}

func (o *canOptions) head(decision, who string, r *iampolicy.Request) {
	fmt.Fprintf(o.streams.Out, "%s  %s %s on %s\n", decision, who, r.Action, r.Resource)
}

func (o *canOptions) trace(traces []iampolicy.Trace) {
	for _, t := range traces {
		fmt.Fprintf(o.streams.Out, "  %s\n", t.Sentence)
	}
}
