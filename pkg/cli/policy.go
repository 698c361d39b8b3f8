package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// policyOptions are the options of the policy command.
type policyOptions struct {
	streams genericiooptions.IOStreams
	place   placeOptions

	minimal, original, rbac bool
}

// policyDocument is one of the documents that the policy command prints.
type policyDocument struct {
	name, what string
	text       func(*policyOptions) string
	// flags are the flags that only this document has.
	flags []string
}

var policyDocuments = []policyDocument{
	{"trust", "the trust policy of a node role", func(o *policyOptions) string { return need.NodeTrust(o.place.partition).String() }, nil},
	{"worker", "the permissions that kubelet needs", func(o *policyOptions) string { return need.WorkerDocument(o.minimal).String() }, []string{"minimal"}},
	{"pull", "image pulls from ECR", func(o *policyOptions) string { return need.PullDocument(o.minimal).String() }, []string{"minimal"}},
	{"cni", "the permissions that the VPC CNI needs, by IP family", (*policyOptions).cni, []string{"original"}},
	{"pod-identity", "the permission of the node role for the EKS Pod Identity Agent", func(*policyOptions) string { return need.PodIdentityAgentDocument().String() }, nil},
	{"reader", "the permissions that check, diff, snapshot, list and usage need", (*policyOptions).reader, []string{"rbac"}},
	{"admin", "the permissions that create and fix need, with all of reader", (*policyOptions).admin, []string{"rbac"}},
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

It needs no credentials and no cluster.`,
		Example: `  # The trust policy of a node role in China
  kubectl noderole policy trust --partition aws-cn

  # The IPv6 policy of the VPC CNI, for which AWS has no managed one
  kubectl noderole policy cni --ip-family ipv6 > AmazonEKS_CNI_IPv6_Policy.json

  # The permissions of a CI job that runs check, in AWS and in the cluster
  kubectl noderole policy reader
  kubectl noderole policy reader --rbac | kubectl apply -f -`,
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
	return cmd
}

func (o *policyOptions) run(cmd *cobra.Command, name string) error {
	i := slices.IndexFunc(policyDocuments, func(d policyDocument) bool { return d.name == name })
	if i < 0 {
		return usage("one of "+strings.Join(cmd.ValidArgs, ", "), "there is no policy document %q", name)
	}
	for _, flag := range []string{"minimal", "original", "rbac"} {
		if cmd.Flags().Changed(flag) && !slices.Contains(policyDocuments[i].flags, flag) {
			return usage("leave it out", "--%s does not apply to %s", flag, name)
		}
	}
	if err := o.place.complete(); err != nil {
		return err
	}
	if o.original && o.place.ipFamily != "ipv6" {
		return usage("add --ip-family ipv6, or leave it out", "--original does not apply to IPv4")
	}
	if _, err := fmt.Fprint(o.streams.Out, policyDocuments[i].text(o)); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

func (o *policyOptions) cni() string {
	if o.original {
		return need.OriginalIPv6Document(o.place.partition).String()
	}
	return need.CNI{IPFamily: o.place.ipFamily}.Document(o.place.partition).String()
}

func (o *policyOptions) reader() string {
	if o.rbac {
		return need.ReaderRBAC
	}
	return need.ReaderDocument().String()
}

func (o *policyOptions) admin() string {
	if o.rbac {
		return need.AdminRBAC
	}
	return need.AdminDocument().String()
}
