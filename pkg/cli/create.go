package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// createOptions is what the create command was told.
type createOptions struct {
	streams genericiooptions.IOStreams
	place   placeOptions
	// scope completes the commands that are printed.
	scope scope

	role                   newrole.Role
	clusterName, profile   string
	timeout                timeout
	noInstanceProfile      bool
	cni, entry, output     string
	dryRun, yes, ipFlagSet bool
	// described is whether the description was asked for.
	described bool
}

func newCreateCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &createOptions{streams: streams, place: placeOptions{config: config}}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a node role",
		Long: `Create a node role that check passes: the trust policy of the partition, the two
managed policies, and an instance profile of the same name.

create shows the plan first and creates nothing before you confirm it, on a terminal
or with --yes. It keeps a resource that already exists as planned, and does not
change its description and tags, so that you can repeat an interrupted run. With -o
it creates nothing: it prints the same role for another tool, and needs neither
credentials nor a cluster.

--cni attaches the CNI policy for an IP family: that of --ip-family, else that of
the EKS cluster of the kube context, else IPv4. With -o the cluster is not read. On
IPv6 an existing policy AmazonEKS_CNI_IPv6_Policy is used if it allows the actions
that the VPC CNI needs.`,
		Example: `  # A node role for managed node groups
  kubectl noderole create eksNodeRole

  # For Karpenter or self-managed nodes: also create an access entry
  kubectl noderole create karpenter-node --access-entry

  # The node role of an EKS Auto Mode NodeClass
  kubectl noderole create auto-node --auto-mode --access-entry

  # The same as Terraform, for China
  kubectl noderole create eksNodeRole -o terraform --partition aws-cn

  # Show the plan and create nothing
  kubectl noderole create eksNodeRole --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneArg(cmd, args, "the name of one role", cmd.CommandPath()+" NAME"); err != nil {
				return err
			}
			o.role.Name = args[0]
			o.scope = newScope(cmd)
			o.scope.profile = o.profile
			if err := o.complete(cmd); err != nil {
				return err
			}
			if o.output != "" {
				return o.print()
			}
			return o.timeout.within(cmd.Context(), o.run)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func (o *createOptions) addFlags(f *pflag.FlagSet) {
	o.place.addFlags(f)
	ipFamily := f.Lookup("ip-family")
	ipFamily.Usage, ipFamily.DefValue = "IP family for --cni: ipv4, ipv6 (default that of the kube context's EKS cluster; ipv4 without a cluster and with -o)", ""
	inSection(f, sectionCluster, func() { addClusterFlags(f, &o.clusterName, &o.profile) })
	inSection(f, sectionRole, func() {
		f.StringVar(&o.role.Path, "path", "/", "Path of the role and the instance profile, such as /eks/")
		f.StringVar(&o.role.Description, "description", "Amazon EKS node role", "Description of the role")
		f.StringToStringVar(&o.role.Tags, "tags", nil, "Tags of everything that is created, as KEY=VALUE,…")
		f.StringVar(&o.role.Boundary, "permissions-boundary", "", "ARN of the role's permissions boundary")
		f.BoolVar(&o.role.Minimal, "minimal", false, "Grant only the permissions that every node needs, in an inline policy instead of the managed policies")
		f.BoolVar(&o.role.AutoMode, "auto-mode", false, "Create a role for nodes of EKS Auto Mode, with the two policies that they need")
		f.BoolVar(&o.noInstanceProfile, "no-instance-profile", false, "Do not create an instance profile; managed node groups and Karpenter create their own")
		(&enum{one: &o.cni, words: []string{"current", "original"}, implied: "current", unknown: "unknown CNI policy %q"}).
			addTo(f, "cni", "", "Also attach the CNI policy of the IP family; original is the policy for IPv6 before vpc-cni v1.22.1 (a separate role for aws-node is safer): %s")
		(&enum{one: &o.entry, words: []string{"EC2_LINUX", "EC2_WINDOWS", "EC2"}, implied: "auto", unknown: "unknown type of access entries for nodes %q"}).
			addTo(f, "access-entry", "", "Also create an access entry of this type, which gives the role access to the cluster: %s")
	})
	inSection(f, sectionOutput, func() {
		(&enum{one: &o.output, words: []string{"aws-cli", "terraform", "cloudformation", "eksctl"}, unknown: unknownFormat}).
			addTo(f, "output", "o", "Print the role for another tool instead of creating it: %s")
	})
	inSection(f, sectionApply, func() {
		f.BoolVar(&o.dryRun, "dry-run", false, "Show the plan and create nothing")
		f.BoolVar(&o.yes, "yes", false, "Create without confirmation")
	})
	inSection(f, sectionConnection, func() { o.timeout.addFlag(f) })
}

var (
	// The forms that IAM allows.
	// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
	roleName = text.Pattern(`^[\w+=,.@-]{1,64}$`)
	rolePath = text.Pattern(`^/([!-~]*/)?$`)
)

// complete checks what the flags say.
func (o *createOptions) complete(cmd *cobra.Command) error {
	r := &o.role
	switch {
	case !roleName().MatchString(r.Name):
		return usage("1 to 64 letters, digits and _+=,.@-", "%q is not a role name", r.Name)
	case !rolePath().MatchString(r.Path):
		return usage("such as /eks/", "--path %q does not begin and end with a slash", r.Path)
	case r.Minimal && r.AutoMode:
		return usage("give one of them", "--minimal and --auto-mode exclude each other")
	case o.output != "" && (o.dryRun || o.yes):
		return usage("leave it out", "--dry-run and --yes do not apply to --output, which creates nothing")
	}
	if r.Boundary != "" {
		if a, ok := snapshot.ParseARN(r.Boundary); !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
			return usage("such as arn:aws:iam::111122223333:policy/boundary", "--permissions-boundary %q is not the ARN of a policy", r.Boundary)
		}
	}
	if !o.noInstanceProfile {
		r.InstanceProfile = r.Name
	}
	switch {
	case o.entry == "auto" && r.AutoMode:
		r.EntryType = "EC2"
	case o.entry == "auto":
		r.EntryType = "EC2_LINUX"
	default:
		r.EntryType = o.entry
	}
	o.ipFlagSet, o.described = cmd.Flags().Changed("ip-family"), cmd.Flags().Changed("description")
	return o.place.check()
}

// setCNI says which CNI policy the role carries on an IP family.
func (o *createOptions) setCNI(ipFamily string) error {
	switch {
	case o.cni == "original" && ipFamily != "ipv6":
		return usage("give --cni alone", "--cni=original is for IPv6, and the IP family is IPv4")
	case o.cni == "original":
		o.role.CNI = newrole.OriginalIPv6CNI
	case o.cni == "current":
		o.role.CNI = newrole.CNIPolicy(ipFamily)
	}
	return nil
}

// print writes the role as another tool's text.
func (o *createOptions) print() error {
	if err := o.place.complete(); err != nil {
		return err
	}
	if err := o.setCNI(o.place.ipFamily); err != nil {
		return err
	}
	r := o.role
	r.Partition, r.Cluster = o.place.partition, cmp.Or(o.clusterName, o.place.cluster)
	region := cmp.Or(o.place.region, o.place.contextRegion)
	switch {
	case r.EntryType != "" && r.Cluster == "":
		return usage("name it: --cluster-name NAME", "an access entry needs the name of a cluster, and the kube context is not an EKS cluster")
	case o.output == "eksctl" && (r.Cluster == "" || region == ""):
		return usage("name them: --cluster-name NAME --region REGION", "a configuration for eksctl needs a cluster, and the kube context is not an EKS cluster")
	}
	var out string
	var err error
	switch o.output {
	case "aws-cli":
		o.scope.region, o.scope.everywhere = region, r.Partition != "aws"
		out = export.Commands(r, o.scope.complete)
	case "terraform":
		out = export.Terraform(r)
	case "cloudformation":
		out, err = export.CloudFormation(r)
	case "eksctl":
		if out, err = export.Eksctl(r, r.Cluster, region); err != nil {
			return usage("print it for another tool, or leave the flag out", "%s", err)
		}
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(o.streams.Out, out)
	return err
}

// run plans, asks, and creates.
func (o *createOptions) run(ctx context.Context) error {
	store, err := o.open(ctx)
	if err != nil {
		return err
	}
	changes, err := o.useCNIPolicy(ctx, store, o.role.Changes())
	if err != nil {
		return err
	}
	pending, err := change.Pending(ctx, store, changes)
	var conflict *change.ConflictError
	switch {
	case errors.As(err, &conflict):
		return o.differs(err)
	case err != nil:
		return unread(err)
	}
	if err := o.noteLabels(ctx, store, changes, pending); err != nil {
		return err
	}
	if len(pending) == 0 {
		fmt.Fprintf(o.streams.ErrOut, "role %s already exists as planned; nothing to do\n", o.role.Name)
		return nil
	}
	o.showPlan(pending, len(changes)-len(pending))
	if o.dryRun {
		fmt.Fprintln(o.streams.ErrOut, "nothing was created: --dry-run")
		return nil
	}
	if err := ask(ctx, o.streams, o.yes, fmt.Sprintf("Apply %s?", text.Count(len(pending), "change")), "nothing was created"); err != nil {
		return err
	}
	for i, c := range pending {
		if _, err := change.Apply(ctx, store, c); err != nil {
			return o.failed(pending, i, err)
		}
		printLine(o.streams.Out, "done  %s", newrole.Why(c))
	}
	printLine(o.streams.Out, "created role %s", o.role.ARN())
	return nil
}

// useCNIPolicy leaves out of the changes the CNI policy for IPv6 where one of its name
// exists that allows what the VPC CNI needs. One that does not is an error.
func (o *createOptions) useCNIPolicy(ctx context.Context, store change.Store, changes []change.Change) ([]change.Change, error) {
	at := slices.IndexFunc(changes, func(c change.Change) bool { return c.Kind == change.Policy })
	if at < 0 {
		return changes, nil
	}
	found, err := store.State(ctx, changes[at])
	switch {
	case err != nil:
		return nil, unread(err)
	case found == nil || changes[at].AppliedIn(found):
		return changes, nil
	}
	lacks, someVersions, err := o.role.CNIPolicyLacks(found.Document)
	why := "does not allow " + strings.Join(lacks, ", ") + ", which the VPC CNI needs on IPv6"
	if err != nil {
		why = "cannot be evaluated: " + err.Error()
	}
	if err != nil || len(lacks) > 0 {
		return nil, codeError{code: ExitFindings, err: &problem.Error{
			Problem: fmt.Sprintf("policy %s exists, and %s", changes[at].Name, why),
			Next:    "nothing was changed; add a policy version with the document that this command prints, or omit --cni: kubectl noderole policy cni --ip-family ipv6",
		}}
	}
	line := fmt.Sprintf("policy %s exists and is used as it is", newrole.IPv6PolicyName)
	if len(someVersions) > 0 {
		line += "; it does not allow " + strings.Join(someVersions, ", ") + ", which some versions of vpc-cni need"
	}
	fmt.Fprintln(o.streams.ErrOut, line)
	return slices.Delete(changes, at, at+1), nil
}

// noteLabels says in one line which descriptions and tags of what exists are not as
// asked for.
func (o *createOptions) noteLabels(ctx context.Context, store change.Store, changes, pending []change.Change) error {
	var notes []string
	for _, c := range changes {
		want := *c.After
		if !o.described {
			want.Description = ""
		}
		isPending := slices.ContainsFunc(pending, func(p change.Change) bool { return p.Target() == c.Target() })
		if isPending || want.Description == "" && len(want.Tags) == 0 {
			continue
		}
		found, err := store.State(ctx, c)
		if err != nil {
			return unread(err)
		}
		if found != nil && want.Description == "" {
			want.Description = found.Description
		}
		for _, line := range change.Labels(&want, found) {
			notes = append(notes, c.String()+": "+line)
		}
	}
	if len(notes) > 0 {
		fmt.Fprintln(o.streams.ErrOut, text.Visible("not changed: "+strings.Join(notes, "; ")))
	}
	return nil
}

// open finds the account in which the role is created and, where a flag needs it, the
// cluster of the kube context.
func (o *createOptions) open(ctx context.Context) (*aws.Changes, error) {
	wantsCluster := o.role.EntryType != "" || o.cni != "" && !o.ipFlagSet
	live := liveOptions{streams: o.streams, config: o.place.config, clusterName: o.clusterName, region: o.place.region, profile: o.profile}
	target, err := live.target()
	if err != nil {
		if o.role.EntryType != "" || *o.place.config.Context != "" || o.clusterName != "" {
			return nil, err
		}
		if wantsCluster {
			fmt.Fprintln(o.streams.ErrOut, "the kube context is not an EKS cluster: --cni uses IPv4; for IPv6 add --ip-family ipv6")
			wantsCluster = false
		}
		target = &locate.Target{Region: o.place.region, Profile: o.profile}
	}
	settings, err := live.awsConfig(target)
	if err != nil {
		return nil, err
	}
	store, err := aws.NewChanges(ctx, settings)
	if err != nil {
		return nil, unread(err)
	}
	ipFamily := o.place.ipFamily
	if wantsCluster {
		if _, err := live.confirm(ctx, target, store); err != nil {
			return nil, err
		}
		o.role.Cluster = target.Name
		if !o.ipFlagSet {
			cluster, err := store.Cluster(ctx, target.Name)
			if err != nil {
				return nil, unread(err)
			}
			ipFamily = cmp.Or(cluster.IPFamily, ipFamily)
		}
	}
	if err := o.setCNI(ipFamily); err != nil {
		return nil, err
	}
	caller, err := store.Caller(ctx)
	if err != nil {
		return nil, unread(err)
	}
	a, ok := snapshot.ParseARN(caller)
	if !ok {
		return nil, unread(fmt.Errorf("sts:GetCallerIdentity: %q is not an ARN", caller))
	}
	o.role.Account, o.role.Partition = a.Account, a.Partition
	o.scope.region, o.scope.profile, o.scope.everywhere = target.Region, target.Profile, a.Partition != "aws"
	if o.place.partition != "" && o.place.partition != a.Partition {
		return nil, usage("use credentials of that partition", "the credentials are of partition %s, not %s", a.Partition, o.place.partition)
	}
	return store, nil
}

// differs says how existing resources differ from the planned ones.
func (o *createOptions) differs(err error) error {
	var lines []string
	for _, c := range change.Conflicts(err) {
		lines = append(lines, c.Error())
	}
	return codeError{code: ExitFindings, err: &problem.Error{
		Problem: strings.Join(lines, "\nerror: "),
		Next:    "nothing was changed; choose another name, or check the existing role: kubectl noderole check",
	}}
}

func (o *createOptions) showPlan(pending []change.Change, kept int) {
	w := o.streams.Out
	fmt.Fprintf(w, "%s for role %s in account %s, in this order:\n\n", text.Count(len(pending), "change"), text.Visible(o.role.Name), o.role.Account)
	for i, c := range pending {
		fmt.Fprintf(w, "%2d  %s\n", i+1, text.Visible(newrole.Why(c)))
		writeNext(w, "    ", commandsOf([]change.Change{c}, o.scope.complete))
		writeNext(w, "    undo  ", commandsOf([]change.Change{c.Invert()}, o.scope.complete))
	}
	if kept > 0 {
		fmt.Fprintf(w, "\n%s already created as planned\n", text.Count(kept, "part"))
	}
	fmt.Fprintln(w)
}

// writeNext writes commands and notes, a line each.
func writeNext(w io.Writer, lead string, list []finding.Next) {
	for _, n := range list {
		fmt.Fprintln(w, lead+cmp.Or(n.Text, text.Visible(n.Note)))
	}
}

// failed says what was created and how to continue.
func (o *createOptions) failed(pending []change.Change, at int, err error) error {
	return codeError{code: ExitIncomplete, err: &problem.Error{
		Problem: err.Error(),
		Next:    fmt.Sprintf("%d of %s applied, and none was undone; run the same command again to continue", at, text.Count(len(pending), "change")),
		Err:     err,
	}}
}
