package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/cloudformation"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/manifests"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/terraform"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/managed"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// codeOptions name infrastructure code whose facts are used instead of a live cluster's.
type codeOptions struct {
	// terraform are plans and states, cloudformation templates, and manifests folders of
	// Kubernetes manifests, that are parts of the same code.
	terraform, cloudformation, manifests []string
	// parameters are those of the templates, as KEY=VALUE.
	parameters []string
	account    string
	// onto names the facts that the code is applied to: live, or a snapshot's file.
	onto string
	// templates are the texts of the templates, which are read once.
	templates []cloudformation.Template
}

func (o *codeOptions) addFlags(f *pflag.FlagSet) {
	inSection(f, sectionCluster, func() {
		f.StringArrayVar(&o.terraform, "terraform", nil, `Use the plan or state in this file instead of a live cluster, as "terraform show -json" writes it, - for standard input; repeat it where a cluster's code has several`)
		f.StringArrayVar(&o.cloudformation, "cloudformation", nil, "Use the CloudFormation template in this file instead of a live cluster, - for standard input; repeat it where a cluster's code has several")
		f.StringArrayVar(&o.parameters, "parameter", nil, "Value of a parameter of the --cloudformation templates, as NAME=VALUE, repeatable")
		f.StringArrayVar(&o.manifests, "manifests", nil, "Folder of Kubernetes manifests that are part of the code: node classes, aws-auth, the service account aws-node; repeatable")
		f.StringVar(&o.account, "account", "", "AWS account of what --terraform or --cloudformation creates, if the code does not contain it")
	})
}

// addOnto adds the flag of those who compare with what is there.
func (o *codeOptions) addOnto(f *pflag.FlagSet) {
	inSection(f, sectionCluster, func() {
		f.StringVar(&o.onto, "onto", "", "Apply the code to the facts of the cluster, live or the snapshot in this file, and report as new only what the code brings")
	})
}

// ontoLive is the value of --onto for the cluster of the kube context.
const ontoLive = "live"

// given reports whether the facts come from infrastructure code.
func (o *codeOptions) given() bool { return o.file() != "" }

// file is the name of the code's file, or of its files.
func (o *codeOptions) file() string {
	return strings.Join(slices.Concat(o.terraform, o.cloudformation, o.onlyManifests()), ", ")
}

// onlyManifests are the folders of manifests where they are all of the code: they have no
// roles, so that they are judged with the facts of a cluster only.
func (o *codeOptions) onlyManifests() []string {
	if o.onto == "" || len(o.terraform)+len(o.cloudformation) > 0 {
		return nil
	}
	return o.manifests
}

// codeFlags are the flags of a live cluster that also apply to infrastructure code.
var codeFlags = []string{"region", "cluster-name"}

// accountID is the form of the IDs of AWS accounts.
var accountID = text.Pattern(`^[0-9]{12}$`)

// complete refuses flags that contradict each other.
func (o *codeOptions) complete(cmd *cobra.Command) error {
	switch {
	case len(o.terraform) > 0 && len(o.cloudformation) > 0:
		return usage("give one of them", "--terraform and --cloudformation are two sources of facts")
	case len(o.cloudformation) == 0 && len(o.parameters) > 0:
		return usage("give the template too: --cloudformation template.yaml", "--parameter applies to CloudFormation templates only")
	case !o.given() && len(o.manifests) > 0:
		return usage("give the code of the roles too, --terraform plan.json, or the facts of the cluster, --onto live", "--manifests alone does not show a node role")
	case !o.given() && o.account != "":
		return usage("give the plan too: --terraform plan.json", "--account applies to infrastructure code only")
	case !o.given() && o.onto != "":
		return usage("give the code too: --terraform plan.json", "--onto applies to infrastructure code only")
	case !o.given():
		return nil
	case o.account != "" && !accountID().MatchString(o.account):
		return usage("such as --account 111122223333", "--account: %q is not the ID of an AWS account", o.account)
	}
	if err := o.once(); err != nil {
		return err
	}
	if o.onto == ontoLive {
		return nil
	}
	for _, name := range append([]string{"context", "kubeconfig"}, liveFlags...) {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && !slices.Contains(codeFlags, name) {
			return usage("omit it, or check the cluster live", "--%s does not apply to infrastructure code", name)
		}
	}
	return nil
}

// once refuses a file that is given twice.
func (o *codeOptions) once() error {
	input := 0
	for _, list := range []struct {
		flag  string
		names []string
	}{{"terraform", o.terraform}, {"cloudformation", o.cloudformation}, {"manifests", o.manifests}, {"onto", []string{o.onto}}} {
		for i, name := range list.names {
			if name == "-" {
				input++
			}
			switch {
			case input > 1:
				return usage("save one of them in a file", "only one file can be read from standard input")
			case slices.Contains(list.names[:i], name):
				return usage("give it once", "--%s: %s is given twice", list.flag, name)
			}
		}
	}
	return nil
}

// code reads the infrastructure code with its manifests. Where it does not say where in AWS
// it is, the place does.
func (o *codeOptions) code(ctx context.Context, live *liveOptions, place iac.Place) (*iac.Code, error) {
	code, err := o.declared(ctx, live, iac.Place{Account: cmp.Or(o.account, place.Account), Region: cmp.Or(live.region, place.Region)})
	if err != nil {
		return nil, err
	}
	var cluster iac.Value // the only one
	if live.clusterName != "" {
		cluster = iac.Text(live.clusterName)
	}
	for _, folder := range o.manifests {
		if err := manifests.Read(code, folder, cluster); err != nil {
			return nil, codeError{code: ExitUsage, err: err}
		}
	}
	return code, nil
}

// declared reads the plans and states, or the templates.
func (o *codeOptions) declared(ctx context.Context, live *liveOptions, place iac.Place) (*iac.Code, error) {
	switch {
	case len(o.cloudformation) > 0:
		return o.declaredTemplates(ctx, live, place)
	case len(o.terraform) == 0:
		return &iac.Code{Kind: "manifests", Command: "manifests", File: o.file(), Place: place}, nil
	}
	var parts []*iac.Code
	for _, name := range o.terraform {
		part, err := o.plan(ctx, live, name, place)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return iac.Join(parts), nil
}

// plan reads a plan or state.
func (o *codeOptions) plan(ctx context.Context, live *liveOptions, name string, place iac.Place) (*iac.Code, error) {
	text, err := files.Read(ctx, name, live.streams.In, files.MaxPlan)
	var fileErr *files.Error
	switch {
	case errors.As(err, &fileErr):
		return nil, usage(nextForPlan(fileErr), "%s", fileErr)
	case err != nil:
		return nil, err
	}
	options := terraform.Options{Place: place, Sources: ".", Label: "stdin"}
	if name != "-" {
		options.Sources, options.Label = filepath.Dir(name), name
	}
	if len(o.terraform) == 1 {
		options.Label = ""
	}
	code, err := terraform.Read(name, text, options)
	if err != nil {
		return nil, codeError{code: ExitUsage, err: err}
	}
	return code, nil
}

// declaredTemplates reads the CloudFormation templates.
func (o *codeOptions) declaredTemplates(ctx context.Context, live *liveOptions, place iac.Place) (*iac.Code, error) {
	parameters := map[string]string{}
	for _, p := range o.parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usage("such as --parameter ClusterName=prod", "--parameter: %q is not NAME=VALUE", p)
		}
		parameters[name] = value
	}
	for _, name := range o.cloudformation[len(o.templates):] {
		text, err := files.Read(ctx, name, live.streams.In, files.MaxConfig)
		var fileErr *files.Error
		switch {
		case errors.As(err, &fileErr):
			return nil, usage("give a template that CloudFormation takes, which has 1 MB at most", "%s", fileErr)
		case err != nil:
			return nil, err
		}
		o.templates = append(o.templates, cloudformation.Template{Name: name, Content: text})
	}
	code, err := cloudformation.Read(o.templates, cloudformation.Options{Place: place, Parameters: parameters})
	if err != nil {
		return nil, codeError{code: ExitUsage, err: err}
	}
	return code, nil
}

// evidence returns where facts of infrastructure code come from.
func (o *codeOptions) evidence(code *iac.Code) string {
	switch {
	case len(o.terraform) > 1:
		return fmt.Sprintf("the facts are those of %d files of Terraform, %s", len(o.terraform), o.file())
	case len(o.terraform) == 1:
		return fmt.Sprintf("the facts are those of a Terraform %s, %s", code.Kind, o.file())
	case len(o.cloudformation) > 1:
		return fmt.Sprintf("the facts are those of %d CloudFormation templates, %s", len(o.cloudformation), o.file())
	case len(o.cloudformation) == 1:
		return "the facts are those of a CloudFormation template, " + o.file()
	}
	return "the facts are those of the manifests in " + o.file()
}

// readOnto returns the facts of the cluster as they are, and as they are when the code has
// been applied to it; the footer says what reading them cost.
func (o *codeOptions) readOnto(ctx context.Context, live *liveOptions) (before, after *snapshot.Snapshot, footer string, err error) {
	code, err := o.code(ctx, live, iac.Place{})
	if err != nil {
		return nil, nil, "", err // before much is read
	}
	apply := func(facts *snapshot.Snapshot) (*snapshot.Snapshot, error) {
		id := facts.Cluster.Identity()
		if len(o.cloudformation) > 0 { // their functions ask for the place
			if code, err = o.code(ctx, live, iac.Place{Account: id.Account, Region: id.Region}); err != nil {
				return nil, err
			}
		}
		applied, err := iac.Onto(code, facts)
		if err != nil {
			return nil, codeError{code: ExitUsage, err: err}
		}
		return applied, nil
	}
	if o.onto == ontoLive {
		before, footer, err = live.readAnd(ctx, func(ctx context.Context, facts *snapshot.Snapshot, cloud *aws.Client) error {
			applied, err := apply(facts)
			if err != nil {
				return err
			}
			return readManaged(ctx, cloud, facts, applied)
		})
	} else {
		before, err = snapshot.Load(ctx, o.onto, live.streams.In)
	}
	if err != nil {
		return nil, nil, "", err
	}
	if after, err = apply(before); err != nil {
		return nil, nil, "", err
	}
	after.Source.Evidence = append(slices.Clone(before.Source.Evidence), o.evidence(code)+", applied to the cluster")
	return before, after, footer, nil
}

// readManaged adds to the facts of a cluster the managed policies of AWS that the code brings,
// as IAM has them today. Where IAM does not answer, the copies stay.
func readManaged(ctx context.Context, cloud *aws.Client, facts, applied *snapshot.Snapshot) error {
	wanted := slices.Collect(maps.Keys(applied.Policies))
	for _, m := range applied.Missing {
		if m.Fact == snapshot.FactPolicies {
			wanted = append(wanted, m.Subject)
		}
	}
	slices.Sort(wanted)
	for _, arn := range slices.Compact(wanted) {
		if _, ok := facts.Policies[arn]; ok || !managed.Is(arn) || facts.IsMissing(snapshot.FactPolicies, arn) {
			continue
		}
		version, err := cloud.PolicyVersion(ctx, arn)
		var document string
		if err == nil {
			document, err = cloud.PolicyDocument(ctx, arn, version)
		}
		switch {
		case errors.As(err, new(*collect.CallError)):
			continue
		case err != nil:
			return unread(err)
		case facts.Policies == nil:
			facts.Policies = map[string]snapshot.Policy{}
		}
		facts.Policies[arn] = snapshot.Policy{Version: version, Document: document}
	}
	return nil
}

// read returns the facts of every cluster that the code is about, or of the one that live
// names.
func (o *codeOptions) read(ctx context.Context, live *liveOptions) ([]*snapshot.Snapshot, error) {
	code, err := o.code(ctx, live, iac.Place{})
	if err != nil {
		return nil, err
	}
	snapshots, err := iac.Build(code)
	if err != nil {
		return nil, unread(err)
	}
	var names []string
	for _, s := range snapshots {
		s.Source.Tool = toolName()
		s.Source.Evidence = []string{o.evidence(code)}
		names = append(names, s.Cluster.Identity().Name())
	}
	if live.clusterName == "" && len(o.manifests) > 0 {
		return snapshots, o.oneCluster(snapshots, "--manifests")
	}
	if live.clusterName == "" {
		return snapshots, nil
	}
	snapshots = slices.DeleteFunc(snapshots, func(s *snapshot.Snapshot) bool { return s.Cluster.Identity().Name() != live.clusterName })
	if len(snapshots) == 0 {
		return nil, usage("it has "+strings.Join(names, ", "), "%s has nothing for cluster %s", o.file(), live.clusterName)
	}
	return snapshots, nil
}

// nextForPlan returns what to do about a file that cannot be read.
func nextForPlan(err *files.Error) string {
	if strings.Contains(err.Problem, "is larger than") {
		if err.Name == "-" {
			return "leave out what check does not read: terraform show -json tfplan | jq 'del(.planned_values)' > small.json"
		}
		return "leave out what check does not read: jq 'del(.planned_values)' " + command.Quote(err.Name) + " > small.json"
	}
	return "write it with: terraform plan -out tfplan && terraform show -json tfplan > plan.json"
}

// oneCluster refuses to write several reports where only one fits.
func (o *codeOptions) oneCluster(snapshots []*snapshot.Snapshot, what string) error {
	if len(snapshots) == 1 {
		return nil
	}
	var names []string
	for _, s := range snapshots {
		names = append(names, s.Cluster.Identity().Name())
	}
	return usage("choose one: --cluster-name "+command.Quote(names[0]), "%s has %d clusters, %s, and %s has room for one", o.file(), len(snapshots), strings.Join(names, ", "), what)
}

// advise says what to do about findings in infrastructure code: no command of AWS or of this
// program changes code.
func (o *codeOptions) advise(report *finding.Report) {
	for i := range report.Results {
		r := &report.Results[i]
		r.Next = nil
		if !r.Failed() || len(r.Causes) > 0 {
			continue
		}
		note := "shows how to correct the code"
		if r.Place != nil {
			note = "shows how to correct " + r.Place.Address
		}
		r.Next = []finding.Next{finding.Run(command.Noderole("explain", r.ID)).With(note)}
	}
	report.Sort()
}

// noNodeRole is the error of a report without a node role, which is not a pass.
func (o *codeOptions) noNodeRole(report *finding.Report) error {
	if len(report.NodeRoles) > 0 {
		return nil
	}
	return unread(&problem.Error{
		Problem: fmt.Sprintf("%s has no node role of cluster %s that is known", o.file(), report.Cluster.Name),
		Next:    "check the code that has its node groups, its access entries or its node classes",
	})
}
