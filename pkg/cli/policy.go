package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// policyOptions are the options of the policy command.
type policyOptions struct {
	streams genericiooptions.IOStreams
	place   placeOptions

	minimal, original, rbac bool
	// org, where set, prints the role of readers in the accounts of an organization, with its
	// full name and in the form of output.
	org              bool
	role             export.ReaderRole
	roleName, output string
}

// policyDocument is one of the documents that the policy command prints.
type policyDocument struct {
	name, what string
	text       func(*policyOptions) (string, error)
	// flags are the flags that only this document has.
	flags []string
}

var policyDocuments = []policyDocument{
	{"trust", "the trust policy of a node role", fixed(func(o *policyOptions) need.Document { return need.NodeTrust(o.place.partition) }), nil},
	{"worker", "the permissions that kubelet needs", fixed(func(o *policyOptions) need.Document { return need.WorkerDocument(o.minimal) }), []string{"minimal"}},
	{"pull", "image pulls from ECR", fixed(func(o *policyOptions) need.Document { return need.PullDocument(o.minimal) }), []string{"minimal"}},
	{"cni", "the permissions that the VPC CNI needs, by IP family", fixed((*policyOptions).cni), []string{"original"}},
	{"pod-identity", "the permission of the node role for the EKS Pod Identity Agent", fixed(func(*policyOptions) need.Document { return need.PodIdentityAgentDocument() }), nil},
	{"reader", "the permissions that check, diff, snapshot, list and usage need", (*policyOptions).reader, append([]string{"rbac", "org"}, orgFlags...)},
	{"admin", "the permissions that create and fix need, with all of reader", (*policyOptions).admin, []string{"rbac"}},
}

// orgFlags are the flags that say more about --org, of which all but the first two have to be
// given.
var orgFlags = []string{"output", "role-name", "org-id", "external-id", "trusted-principal"}

// fixed is the text of a document.
func fixed(of func(*policyOptions) need.Document) func(*policyOptions) (string, error) {
	return func(o *policyOptions) (string, error) { return of(o).String(), nil }
}

func newPolicyCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &policyOptions{streams: streams, place: placeOptions{config: config}}
	var names, list []string
	for _, d := range policyDocuments {
		names = append(names, d.name)
		list = append(list, fmt.Sprintf("  %-13s %s", d.name, d.what))
	}
	cmd := &cobra.Command{
		Use:   "policy DOCUMENT",
		Short: "Print a policy document to copy and paste",
		Long: `Print a policy document to copy and paste, for a partition and an IP family:

` + strings.Join(list, "\n") + `

With --org, reader is the role that check and snapshot assume in each account of an
organization: as a CloudFormation template for a StackSet, or as Terraform.

It needs no credentials and no cluster.`,
		Example: `  # The trust policy of a node role in China
  kubectl noderole policy trust --partition aws-cn

  # The IPv6 policy of the VPC CNI, for which AWS has no managed one
  kubectl noderole policy cni --ip-family ipv6 > AmazonEKS_CNI_IPv6_Policy.json

  # The permissions of a CI job that runs check, in AWS and in the cluster
  kubectl noderole policy reader
  kubectl noderole policy reader --rbac | kubectl apply -f -

  # The role that check --all-clusters --org assumes, for a StackSet
  kubectl noderole policy reader --org --org-id o-a1b2c3d4e5 \
    --external-id noderole --trusted-principal arn:aws:iam::111122223333:role/ci`,
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneArg(cmd, args, "the name of one document", "one of "+strings.Join(names, ", ")); err != nil {
				return err
			}
			return o.run(cmd, args[0])
		},
	}
	f := cmd.Flags()
	o.place.addFlags(f)
	f.BoolVar(&o.minimal, "minimal", false, "For worker and pull: only the permissions that every node needs")
	f.BoolVar(&o.original, "original", false, "For cni on IPv6: the actions before vpc-cni v1.22.1, without subnet discovery")
	f.BoolVar(&o.rbac, "rbac", false, "For reader and admin: the Kubernetes RBAC instead of the IAM policy")
	inSection(f, sectionFleet, func() {
		f.BoolVar(&o.org, "org", false, "For reader: the role to assume in each account of an organization, instead of the policy alone")
		f.StringVar(&o.roleName, "role-name", "NodeRoleReader", "With --org: the name of the role, with its path")
		f.StringVar(&o.role.OrganizationID, "org-id", "", "With --org: the id of the organization, such as o-a1b2c3d4e5, whose principals may assume the role")
		f.StringVar(&o.role.ExternalID, "external-id", "", "With --org: the external ID that is needed to assume the role")
		f.StringVar(&o.role.Principal, "trusted-principal", "", "With --org: the ARN of the role or user that assumes the role")
	})
	o.output = "cloudformation"
	inSection(f, sectionOutput, func() {
		(&enum{one: &o.output, words: []string{"cloudformation", "terraform"}, unknown: unknownFormat}).
			addTo(f, "output", "o", "With --org: print the role for this tool: %s")
	})
	return cmd
}

func (o *policyOptions) run(cmd *cobra.Command, name string) error {
	i := slices.IndexFunc(policyDocuments, func(d policyDocument) bool { return d.name == name })
	if i < 0 {
		return usage("one of "+strings.Join(cmd.ValidArgs, ", "), "unknown policy document %q", name)
	}
	for _, flag := range append([]string{"minimal", "original", "rbac", "org"}, orgFlags...) {
		if cmd.Flags().Changed(flag) && !slices.Contains(policyDocuments[i].flags, flag) {
			return usage("leave it out", "--%s does not apply to %s", flag, name)
		}
	}
	if err := o.completeOrg(cmd); err != nil {
		return err
	}
	if err := o.place.complete(); err != nil {
		return err
	}
	if o.original && o.place.ipFamily != "ipv6" {
		return usage("add --ip-family ipv6, or leave it out", "--original does not apply to IPv4")
	}
	document, err := policyDocuments[i].text(o)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(o.streams.Out, document); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// The forms of an organization's id and of an external ID.
// Sources: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html,
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var (
	organizationID = text.Pattern(`^o-[a-z0-9]{10,32}$`)
	externalID     = text.Pattern(`^[\w+=,.@:/-]+$`)
)

// completeOrg checks --org and the flags that say more about it.
func (o *policyOptions) completeOrg(cmd *cobra.Command) error {
	if !o.org {
		for _, flag := range orgFlags {
			if cmd.Flags().Changed(flag) {
				return usage("kubectl noderole policy reader --org --"+flag+" …", "--%s needs --org", flag)
			}
		}
		return nil
	}
	for _, flag := range orgFlags[2:] {
		if cmd.Flag(flag).Value.String() == "" {
			return usage("such as kubectl noderole policy reader --org --org-id o-a1b2c3d4e5 --external-id noderole --trusted-principal arn:aws:iam::111122223333:role/ci", "--org needs --%s", flag)
		}
	}
	slash := strings.LastIndex(o.roleName, "/") + 1
	o.role.Path, o.role.Name = "/"+o.roleName[:slash], o.roleName[slash:]
	principal, ok := snapshot.ParseARN(o.role.Principal)
	switch {
	case o.rbac:
		return usage("use one of them", "--org and --rbac exclude each other")
	case !roleName().MatchString(o.role.Name) || !rolePath().MatchString(o.role.Path):
		return usage("such as NodeRoleReader, or with its path audit/NodeRoleReader", "--role-name %q is not the name of a role", o.roleName)
	case !organizationID().MatchString(o.role.OrganizationID):
		return usage("such as o-a1b2c3d4e5; aws organizations describe-organization shows it", "--org-id %q is not the id of an organization", o.role.OrganizationID)
	case !externalID().MatchString(o.role.ExternalID) || len(o.role.ExternalID) < 2 || len(o.role.ExternalID) > 1224:
		return usage("2 to 1224 letters, digits and _+=,.@:/-", "--external-id %q is not an external ID", o.role.ExternalID)
	case !ok || principal.Account == "" || principal.Service != "iam" && principal.Service != "sts":
		return usage("such as arn:aws:iam::111122223333:role/ci", "--trusted-principal %q is not the ARN of a principal", o.role.Principal)
	}
	return nil
}

func (o *policyOptions) cni() need.Document {
	if o.original {
		return need.OriginalIPv6Document(o.place.partition)
	}
	return need.CNI{IPFamily: o.place.ipFamily}.Document(o.place.partition)
}

func (o *policyOptions) reader() (string, error) {
	switch {
	case o.org && o.output == "terraform":
		return o.role.Terraform(), nil
	case o.org:
		return o.role.CloudFormation()
	case o.rbac:
		return need.ReaderRBAC, nil
	default:
		return need.ReaderDocument().String(), nil
	}
}

func (o *policyOptions) admin() (string, error) {
	if o.rbac {
		return need.AdminRBAC, nil
	}
	return need.AdminDocument().String(), nil
}
