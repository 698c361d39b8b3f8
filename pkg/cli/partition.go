package cli

import (
	"cmp"
	"os"

	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
)

// partitions are AWS's, by the names that ARNs have.
var partitions = []string{"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"}

// placeOptions say for which partition and IP family something is printed,
// without credentials and without a cluster.
type placeOptions struct {
	config *kubeFlags

	partition, ipFamily, region string

	// cluster and contextRegion are those of the kube context, if it has any.
	cluster, contextRegion string
}

func (o *placeOptions) addFlags(f *pflag.FlagSet) {
	inSection(f, sectionCluster, func() {
		(&enum{one: &o.partition, words: partitions, unknown: "unknown partition %q"}).
			addTo(f, "partition", "", "AWS partition: %s (default that of --region, else that of the kube context's cluster, else aws)")
		o.ipFamily = "ipv4"
		(&enum{one: &o.ipFamily, words: []string{"ipv4", "ipv6"}, unknown: "unknown IP family %q"}).addTo(f, "ip-family", "", "IP family of the cluster: %s")
		f.StringVar(&o.region, "region", "", "AWS region, which also gives the partition")
	})
}

// check refuses flags that say two things, and takes the partition
// from the region.
func (o *placeOptions) check() error {
	if o.region != "" {
		of := locate.PartitionOf(o.region)
		if o.partition != "" && o.partition != of {
			return usage("leave one of them out", "--region %s is in partition %s, not %s", o.region, of, o.partition)
		}
		o.partition = of
	}
	return nil
}

// complete is check, and asks the kube context for what the flags leave open. A
// kubeconfig without an EKS cluster is not an error: it says nothing then,
// unless a context was named.
func (o *placeOptions) complete() error {
	if err := o.check(); err != nil {
		return err
	}
	raw, err := o.config.RawConfig()
	if err == nil {
		var target *locate.Target
		target, err = locate.FromKubeconfig(raw, locate.Flags{Context: *o.config.Context}, os.Getenv)
		if err == nil {
			o.cluster, o.contextRegion = target.Name, target.Region
			o.partition = cmp.Or(o.partition, target.Partition)
		}
	}
	if err != nil && *o.config.Context != "" && o.partition == "" {
		return usage("give --partition or --region instead", "context %q has no partition: %s", *o.config.Context, err)
	}
	o.partition = cmp.Or(o.partition, "aws")
	return nil
}
