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

// ExitDepends is can's exit code where the answer depends on what is not known of
// the request.
const ExitDepends = 4

// canOptions are the options of the can command.
type canOptions struct {
	streams genericiooptions.IOStreams
	facts   factsOptions

	batch   bool
	explain bool

	// For documents on disk.
	policyFiles               []string
	scpFiles, rcpFiles        []string
	trustFile, resourceFile   string
	boundaryFile, sessionFile string
	endpointFile              string
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

ROLE is a node role of the cluster or the role of aws-node, by name or ARN. With
--policy-file or another flag of documents, the policies in these files are
evaluated instead, and there is no ROLE. The flags of a cluster are for a ROLE
only, the flags of documents for documents only.

RESOURCE is an ARN. An ARN with wildcards means every resource that it matches.
"*" alone is the resource of an action without resource types, and nothing else.
Without RESOURCE, an action that this program knows is evaluated on every
resource type that it needs, any other action on "*".

Exit code 0: allowed; 1: denied; 2: wrong usage; 3: a policy could not be read;
4: the answer depends on the request.`,
		Example: `  # Can the node role pull from every repository?
  kubectl noderole can eksNodeRole ecr:BatchGetImage

  # A saved snapshot, with the decision of each statement
  kubectl noderole can eksNodeRole ec2:DescribeInstances --explain \
    -f snapshot.yaml

  # A document on disk
  kubectl noderole can --policy-file pull.json ecr:BatchGetImage \
    arn:aws:ecr:eu-west-1:111122223333:repository/app

  # Can EC2 assume a role with this trust policy?
  kubectl noderole can --trust-policy trust.json sts:AssumeRole \
    --principal ec2.amazonaws.com

  # The pull of another account's image, through a VPC endpoint
  kubectl noderole can --policy-file pull.json --endpoint-policy vpce.json \
    --resource-policy repository.json ecr:BatchGetImage \
    arn:aws:ecr:eu-west-1:444455556666:repository/app --explain

  # Many requests, one JSON object per line
  kubectl noderole can --batch < questions.jsonl`,
		ValidArgsFunction: o.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, args); err != nil {
				return err
			}
			if o.batch || o.documents() {
				return o.run(cmd.Context())
			}
			return o.facts.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	o.facts.addFlags(f)
	inSection(f, sectionDocuments, func() {
		f.StringArrayVar(&o.policyFiles, "policy-file", nil, "File with an identity policy of the principal; may be repeated")
		f.StringVar(&o.trustFile, "trust-policy", "", "File with the trust policy of the role that is assumed")
		f.StringVar(&o.resourceFile, "resource-policy", "", "File with the policy of the resource, such as a repository or a key")
		f.StringVar(&o.boundaryFile, "boundary", "", "File with the permissions boundary of the principal")
		f.StringVar(&o.sessionFile, "session-policy", "", "File with the session policy of the principal's session")
		f.StringArrayVar(&o.scpFiles, "scp", nil, "Files with the service control policies of one level, separated by commas; repeat for each level, from the root to the account")
		f.StringArrayVar(&o.rcpFiles, "rcp", nil, "Files with the resource control policies of one level of the resource's account, as with --scp")
		f.StringVar(&o.endpointFile, "endpoint-policy", "", "File with the policy of the VPC endpoint that the request goes through")
		f.StringVar(&o.principal, "principal", "", "Principal of the request, an ARN or the name of a service (default a role of account 111122223333, or ec2.amazonaws.com if only --trust-policy is given)")
		f.StringArrayVar(&o.contextKeys, "context-key", nil, "Condition key of the request as KEY=VALUE; repeat for several values")
		f.BoolVar(&o.completeContext, "complete-context", false, "Treat condition keys that are not given as absent instead of unknown")
	})
	inSection(f, sectionRequest, func() {
		f.BoolVar(&o.batch, "batch", false, "Read one request as JSON from each line of standard input, and write one answer per line")
		f.BoolVar(&o.explain, "explain", false, "Show for every statement why it applies or does not")
	})
	return cmd
}

// documents reports whether documents on disk are evaluated.
func (o *canOptions) documents() bool {
	return len(o.policyFiles)+len(o.scpFiles)+len(o.rcpFiles) > 0 || o.trustFile+o.resourceFile+o.boundaryFile+o.sessionFile+o.endpointFile != ""
}

// documentFlags are the flags that are about documents on disk.
var documentFlags = []string{
	"policy-file", "trust-policy", "resource-policy", "boundary", "session-policy", "scp", "rcp", "endpoint-policy", "principal", "context-key", "complete-context",
}

// factsFlags are the flags that say where the facts about a role come from.
var factsFlags = append([]string{"filename", "example", "context", "kubeconfig", "proxy-url"}, liveFlags...)

func (o *canOptions) complete(cmd *cobra.Command, args []string) error {
	form := cmd.CommandPath() + " ROLE ACTION [RESOURCE]"
	switch {
	case o.batch:
		if flag := firstChanged(cmd, append(append([]string{"explain"}, documentFlags...), factsFlags...)); flag != "" || len(args) > 0 {
			return usage(cmd.CommandPath()+" --batch < FILE", "--batch reads everything from standard input and takes no arguments or other flags")
		}
		return nil
	case o.documents():
		form = cmd.CommandPath() + " --policy-file FILE ACTION [RESOURCE]"
		if o.trustFile != "" && o.resourceFile != "" {
			return usage("a role's policy is its trust policy; every other resource has --resource-policy", "--trust-policy and --resource-policy are both the policy of the resource")
		}
		if flag := firstChanged(cmd, factsFlags); flag != "" {
			return usage("leave it out, or name a ROLE instead of documents", "--%s is for a ROLE, not for documents on disk", flag)
		}
	default:
		if flag := firstChanged(cmd, documentFlags); flag != "" {
			return usage("give the documents with --policy-file or --trust-policy", "--%s is for documents on disk", flag)
		}
		if len(args) == 0 {
			return usage(form, "no role and no action were named")
		}
		if next := nextForArg(cmd, args[:1], ""); next != "" && (len(args) == 1 || !strings.Contains(args[1], ":")) {
			return usage(next, "no role is named %q", args[0])
		}
		if len(args) == 1 {
			if strings.Contains(args[0], ":") && !strings.HasPrefix(args[0], "arn:") {
				return usage(form, "no role was named for action %s", args[0])
			}
			return usage(form+", such as "+cmd.CommandPath()+" "+args[0]+" ec2:DescribeInstances", "no action was named for role %s", args[0])
		}
		o.role, args = args[0], args[1:]
	}
	switch len(args) {
	case 0:
		return usage(form, "no action was named")
	case 1:
		o.action = args[0]
	case 2:
		o.action, o.resourceArg = args[0], args[1]
	default:
		return usage(form, "one ACTION and at most one RESOURCE are expected, got also %q", args[2])
	}
	if service, name, ok := strings.Cut(o.action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(name, ":*?") {
		return usage("for example ec2:DescribeInstances", "%q is not one action", o.action)
	}
	if len(args) == 2 {
		if err := (&iampolicy.Request{Principal: examplePrincipal, Action: o.action, Resource: o.resourceArg}).Validate(); err != nil {
			return usage("for example arn:aws:s3:::bucket/key", "%s", err)
		}
	}
	return o.facts.complete(cmd)
}

// firstChanged returns the first of the flags that was given, or nothing.
func firstChanged(cmd *cobra.Command, names []string) string {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			return name
		}
	}
	return ""
}

// examplePrincipal is the principal whose policies are on disk, unless --principal names one.
const examplePrincipal = "arn:aws:iam::111122223333:role/example"

func (o *canOptions) run(ctx context.Context) error {
	switch {
	case o.batch:
		if err := iampolicy.Batch(ctx, o.streams.In, o.streams.Out); err != nil {
			return usage("one JSON object per line; see docs/iam-evaluation.md", "%s", err)
		}
		return nil
	case o.documents():
		return o.askDocuments(ctx)
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
		names := roleNames(facts)
		if slices.Contains(names, o.role) {
			return usage("give the ARN of one of them", "several roles are named %q", o.role)
		}
		return usage("the roles are "+strings.Join(names, ", "), "no role is named %q", o.role)
	}
	action := o.needed()
	answer := role.Can(action)
	var traces []iampolicy.Trace
	if o.explain {
		if traces, err = role.Explain(action); err != nil {
			return usage("", "%s", err)
		}
	}
	request := askedOf(action.Requests(v.Place, role.ARN, nil), answer.On)
	if answer.Verdict == view.Unknown {
		o.head("unknown", role.Name, request)
		for _, m := range answer.Unread {
			printLine(o.streams.Out, "  %s of %s: %s", m.Operation, snapshot.NameOf(m.Subject), m.Error)
		}
		o.trace(traces)
		return codeError{code: ExitIncomplete}
	}
	return o.answer(role.Name, request, answer.Result, traces)
}

// askedOf is the request that an answer is about: of several the one on a resource
// type or, without one, all of them.
func askedOf(requests []*iampolicy.Request, on string) *iampolicy.Request {
	asked := *requests[0]
	var resources []string
	for _, r := range requests {
		if strings.HasSuffix(r.Resource, on) {
			resources = append(resources, r.Resource)
		}
	}
	asked.Resource = strings.Join(resources, " and ")
	return &asked
}

func roleNames(facts *snapshot.Snapshot) []string {
	var names []string
	for arn := range facts.Roles {
		names = append(names, snapshot.NameOf(arn))
	}
	slices.Sort(names)
	return names
}

// needed returns the action on RESOURCE or, without one, on every resource that it
// acts on. It warns of an action that is not in this program.
func (o *canOptions) needed() need.Action {
	action, known := knownAction(o.action)
	if problem := doubtful(o.action); !known && problem != "" {
		fmt.Fprintf(o.streams.ErrOut, "warning: %s\n", problem)
	}
	switch {
	case o.resourceArg != "":
		action.Resources = []string{o.resourceArg}
	case !known:
		fmt.Fprintf(o.streams.ErrOut, "warning: the resource types of %s are unknown, so that resource \"*\" is used; give RESOURCE if the action has resource types\n", o.action)
	}
	return action
}

// askDocuments asks about the documents on disk.
func (o *canOptions) askDocuments(ctx context.Context) error {
	p, err := o.policies(ctx)
	if err != nil {
		return err
	}
	known, err := o.context()
	if err != nil {
		return err
	}
	principal := o.principal
	switch {
	case principal != "":
	case o.trustFile != "" && len(o.policyFiles) == 0:
		principal = "ec2.amazonaws.com"
	default:
		principal = examplePrincipal
	}
	if o.resourceArg == "" && o.trustFile != "" {
		o.resourceArg = "arn:aws:iam::111122223333:role/assumed"
	}
	requests := o.needed().Requests(need.Place{Partition: "aws", Region: "*", Account: "111122223333", Cluster: "*"}, principal, known)
	return o.evaluate(iampolicy.Prepare(p), requests)
}

// policies reads the documents of every layer.
func (o *canOptions) policies(ctx context.Context) (iampolicy.Policies, error) {
	var p iampolicy.Policies
	var err error
	if p.Identity, err = loadPolicies(ctx, iampolicy.Identity, o.policyFiles); err != nil {
		return p, err
	}
	for _, layer := range []struct {
		policy **iampolicy.Policy
		kind   iampolicy.Kind
		file   string
	}{
		{&p.Boundary, iampolicy.Identity, o.boundaryFile},
		{&p.Session, iampolicy.Identity, o.sessionFile},
		{&p.Endpoint, iampolicy.Resource, o.endpointFile},
		{&p.Resource, iampolicy.Resource, o.resourceFile},
		{&p.Resource, iampolicy.Trust, o.trustFile},
	} {
		if layer.file == "" {
			continue
		}
		if *layer.policy, err = loadPolicy(ctx, layer.kind, layer.file); err != nil {
			return p, err
		}
	}
	if p.SCPs, err = loadLevels(ctx, iampolicy.Identity, o.scpFiles); err != nil {
		return p, err
	}
	p.RCPs, err = loadLevels(ctx, iampolicy.ResourceControl, o.rcpFiles)
	return p, err
}

// evaluate asks policies about an action on each of its resource types: all of them
// have to be allowed.
func (o *canOptions) evaluate(set *iampolicy.Set, requests []*iampolicy.Request) error {
	var decisive *iampolicy.Request
	var worst iampolicy.Result
	var traces []iampolicy.Trace
	for _, r := range requests {
		r.Account = ""
		result, err := set.Evaluate(r)
		if err != nil {
			return usage("", "%s", err)
		}
		if decisive == nil || result.Decision < worst.Decision { // denied, depends, allowed
			decisive, worst = r, result
		}
		if o.explain {
			more, err := set.Explain(r)
			if err != nil {
				return usage("", "%s", err)
			}
			traces = append(traces, more...)
		}
	}
	if worst.Decision == iampolicy.Allowed {
		decisive = askedOf(requests, "")
	}
	return o.answer(decisive.Principal, decisive, worst, traces)
}

// context builds the request's context from --context-key.
func (o *canOptions) context() (*iampolicy.Context, error) {
	values := map[string][]string{}
	for _, kv := range o.contextKeys {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || !strings.Contains(key, ":") {
			return nil, usage("for example --context-key aws:RequestedRegion=eu-west-1", "--context-key %q is not KEY=VALUE", kv)
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

func loadPolicies(ctx context.Context, kind iampolicy.Kind, files []string) ([]iampolicy.Policy, error) {
	var list []iampolicy.Policy
	for _, file := range files {
		p, err := loadPolicy(ctx, kind, file)
		if err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, nil
}

// loadLevels reads the documents of an organization's levels: the names of the files of
// one level have commas between them.
func loadLevels(ctx context.Context, kind iampolicy.Kind, files []string) ([][]iampolicy.Policy, error) {
	var levels [][]iampolicy.Policy
	for _, level := range files {
		policies, err := loadPolicies(ctx, kind, strings.Split(level, ","))
		if err != nil {
			return nil, err
		}
		levels = append(levels, policies)
	}
	return levels, nil
}

// loadPolicy reads a document.
func loadPolicy(ctx context.Context, kind iampolicy.Kind, file string) (*iampolicy.Policy, error) {
	text, err := readFile(ctx, file, files.MaxConfig)
	if err != nil {
		return nil, err
	}
	doc, err := iampolicy.Parse(kind, text)
	if err != nil {
		return nil, usage("IAM would not accept this document either", "%s: %s", file, err)
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
			printLine(out, "  allowed by %s", s)
		}
		if result.Reason != "" {
			printLine(out, "  %s", result.Reason)
		}
	case iampolicy.Denied:
		code = ExitFindings
		for _, s := range result.Statements {
			printLine(out, "  denied by %s", s)
		}
		if !result.Explicit {
			printLine(out, "  no statement of the %s allows it", result.By)
		}
		for _, s := range result.Nearest {
			line := "  nearest: " + s.String()
			if len(s.Resources) > 0 {
				line += ", on " + strings.Join(s.Resources, ", ")
			}
			printLine(out, "%s", line)
		}
	case iampolicy.Depends:
		code = ExitDepends
		for _, d := range result.DependsOn {
			printLine(out, "  depends on %s", d)
		}
	}
	o.trace(traces)
	if code == ExitOK {
		return nil
	}
	return codeError{code: code}
}

func (o *canOptions) head(decision, who string, r *iampolicy.Request) {
	printLine(o.streams.Out, "%s  %s %s on %s", decision, who, r.Action, r.Resource)
}

func (o *canOptions) trace(traces []iampolicy.Trace) {
	layer := ""
	for _, t := range traces {
		of := t.Layer.String()
		if t.Level > 0 {
			of += fmt.Sprintf(", level %d", t.Level)
		}
		if of != layer && of != "" {
			printLine(o.streams.Out, "%s:", of)
		}
		layer = of
		printLine(o.streams.Out, "  %s", t.Sentence)
	}
}
