package locate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// Cluster is what EKS says of a cluster, as far as it identifies it.
type Cluster struct {
	Name, ARN, Endpoint string
	// CertificateAuthority is the decoded certificateAuthority.data, PEM.
	CertificateAuthority []byte
}

// API is what Confirm asks. Its errors reach the caller unchanged, but for
// ErrNoCluster.
type API interface {
	// ListClusters returns the names of the region's clusters.
	ListClusters(ctx context.Context) ([]string, error)
	// DescribeCluster returns a cluster, or an error that wraps ErrNoCluster.
	DescribeCluster(ctx context.Context, name string) (Cluster, error)
	// CallerAccount returns the account of the credentials. It is asked only to
	// explain an error.
	CallerAccount(ctx context.Context) (string, error)
}

// describeLimit bounds the clusters described at once when one is sought by its
// endpoint.
const describeLimit = 10

// Confirm asks EKS for the cluster, by name or else by endpoint, and compares it
// with the kubeconfig: the endpoint, the certificate authority, account and
// partition. It completes the target and returns what EKS says. Errors of its
// own are *problem.Error.
func (t *Target) Confirm(ctx context.Context, api API) (Cluster, error) {
	var c Cluster
	var err error
	if t.Name == "" {
		c, err = t.findByEndpoint(ctx, api)
	} else {
		c, err = t.describe(ctx, api)
	}
	if err != nil {
		return Cluster{}, err
	}
	if err := t.compare(ctx, api, c); err != nil {
		return Cluster{}, err
	}
	t.Name = c.Name
	return c, nil
}

func (t *Target) describe(ctx context.Context, api API) (Cluster, error) {
	c, err := api.DescribeCluster(ctx, t.Name)
	if !errors.Is(err, ErrNoCluster) {
		return c, err
	}
	account, accountErr := api.CallerAccount(ctx)
	if accountErr == nil && t.Account != "" && account != t.Account {
		return Cluster{}, t.wrongAccount(account, err)
	}
	where := "in region " + t.Region
	if accountErr == nil {
		where = fmt.Sprintf("in account %s, region %s", account, t.Region)
	}
	next := "aws eks list-clusters"
	if t.Region != "" {
		next += " --region " + command.Quote(t.Region)
	}
	return Cluster{}, &problem.Error{
		Problem: fmt.Sprintf("there is no EKS cluster %q %s", t.Name, where),
		Next:    next + t.profileHint() + " lists them; --region and --profile look elsewhere",
		Err:     err,
	}
}

func (t *Target) wrongAccount(caller string, err error) *problem.Error {
	return &problem.Error{
		Problem: fmt.Sprintf("context %q is cluster %s in account %s, but the AWS credentials belong to account %s", t.Context, t.Name, t.Account, caller),
		Next:    fmt.Sprintf("use credentials of account %s: %s --profile PROFILE", t.Account, t.command),
		Err:     err,
	}
}

// findByEndpoint looks through the region's clusters for the kubeconfig's server.
func (t *Target) findByEndpoint(ctx context.Context, api API) (Cluster, error) {
	names, err := api.ListClusters(ctx)
	if err != nil {
		return Cluster{}, err
	}
	clusters := make([]Cluster, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(describeLimit)
	for i, name := range names {
		g.Go(func() error {
			c, err := api.DescribeCluster(gctx, name)
			if errors.Is(err, ErrNoCluster) {
				return nil // deleted meanwhile
			}
			clusters[i] = c
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Cluster{}, err
	}
	i := slices.IndexFunc(clusters, func(c Cluster) bool { return sameEndpoint(c.Endpoint, t.Server) })
	if i < 0 {
		account, err := api.CallerAccount(ctx)
		if err != nil {
			account = "of the credentials"
		}
		return Cluster{}, &problem.Error{
			Problem: fmt.Sprintf("none of the %d EKS clusters in account %s, region %s has the endpoint of context %q (%s)", len(names), account, t.Region, t.Context, t.Server),
			Next:    "use the account's credentials with --profile, or name the cluster with --cluster-name",
		}
	}
	t.note("cluster %s: the only one in region %s with the endpoint %s", clusters[i].Name, t.Region, t.Server)
	return clusters[i], nil
}

// compare holds what EKS says against the kubeconfig.
func (t *Target) compare(ctx context.Context, api API, c Cluster) error {
	arn, ok := fromARN("", c.ARN)
	if !ok {
		return &problem.Error{Problem: fmt.Sprintf("EKS answered for cluster %s with %q, which is not a cluster's ARN", t.Name, c.ARN), Next: "check AWS_ENDPOINT_URL; the endpoint may not be AWS"}
	}
	if t.Account != "" && arn.account != t.Account {
		if caller, err := api.CallerAccount(ctx); err == nil && caller != arn.account {
			return t.wrongAccount(caller, nil)
		}
		return t.wrongAccount(arn.account, nil)
	}
	t.Account, t.Partition, t.Region = arn.account, arn.partition, cmp.Or(t.Region, arn.region)

	if t.Server == "" {
		t.note("there is no kubeconfig to compare with")
		return nil
	}
	ca := compareCA(t.CAData, c.CertificateAuthority)
	switch {
	case sameEndpoint(t.Server, c.Endpoint):
		if ca == different {
			return &problem.Error{
				Problem: fmt.Sprintf("context %q has the endpoint of cluster %s but another certificate authority", t.Context, c.Name),
				Next:    t.UpdateKubeconfig(c.Name),
			}
		}
		t.note("EKS gives %s the endpoint of context %s%s", c.Name, t.Context, map[comparison]string{same: " and the same certificate authority"}[ca])
	case isEKS(t.Server):
		return &problem.Error{
			Problem: fmt.Sprintf("context %q is another cluster than %s: its server is %s, that of %s is %s", t.Context, c.Name, t.Server, c.Name, c.Endpoint),
			Next:    t.UpdateKubeconfig(c.Name),
		}
	case ca == same:
		t.note("context %s reaches %s through %s, a proxy or tunnel: the certificate authority is the same", t.Context, c.Name, t.Server)
	case ca == different:
		return &problem.Error{
			Problem: fmt.Sprintf("context %q is not cluster %s: server %s and certificate authority both differ from those in EKS", t.Context, c.Name, t.Server),
			Next:    "choose another --context, or correct --cluster-name",
		}
	case t.flagName:
		t.Warnings = append(t.Warnings, fmt.Sprintf("whether server %s is cluster %s could not be verified; the nodes are those of the server", t.Server, c.Name))
	default:
		return &problem.Error{
			Problem: fmt.Sprintf("whether context %q (server %s) is cluster %s is unknown: the server is not an EKS endpoint, and there is no certificate authority to compare", t.Context, t.Server, c.Name),
			Next:    fmt.Sprintf("if it is: %s --cluster-name %s --region %s", t.command, command.Quote(c.Name), command.Quote(t.Region)),
		}
	}
	return nil
}

// UpdateKubeconfig returns the command that writes a cluster's entry in the kubeconfig.
func (t *Target) UpdateKubeconfig(cluster string) string {
	return fmt.Sprintf("aws eks update-kubeconfig --name %s --region %s%s", command.Quote(cluster), command.Quote(t.Region), t.profileHint())
}

type comparison int

const (
	incomparable comparison = iota
	same
	different
)

// compareCA compares two PEM bundles by their certificates, so that line ends
// and text between them do not matter.
func compareCA(a, b []byte) comparison {
	ca, cb := certificates(a), certificates(b)
	switch {
	case len(ca) == 0 || len(cb) == 0:
		return incomparable
	case slices.EqualFunc(ca, cb, bytes.Equal):
		return same
	default:
		return different
	}
}

func certificates(data []byte) [][]byte {
	var list [][]byte
	for rest := bytes.TrimSpace(data); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list
		}
		if strings.Contains(block.Type, "CERTIFICATE") {
			list = append(list, block.Bytes)
		}
	}
}
