// Package locate finds the EKS cluster of a kubeconfig's context:
// name, region, account, partition, and the AWS profile and role that kubectl
// itself uses, each with the evidence for it.
//
// FromKubeconfig works offline; Confirm then asks EKS and compares. The package
// never guesses: it reads a name where tools write it, never from a part of another
// name, and contradictory evidence is an error.
package locate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// ErrNoCluster is what an API answers about a cluster that EKS does not have;
// test with errors.Is.
var ErrNoCluster = errors.New("no such cluster")

// ErrNotEKS is the cause of the error about a context that nothing says is an EKS cluster's;
// test with errors.Is.
var ErrNotEKS = errors.New("not an EKS cluster")

// Flags is what the command line says; it wins over the kubeconfig.
type Flags struct {
	Context, ClusterName, Region, Profile string
	// Command is the command that errors tell the user to type, such as kubectl
	// noderole check; empty is that one.
	Command string
}

// Target is the EKS cluster of a context. Empty fields are not known yet.
type Target struct {
	// Context is the kube context; empty without a kubeconfig.
	Context string
	// Name is the cluster's, where the kubeconfig tells it.
	Name, Region, Account, Partition string
	// Profile is the AWS profile that was named explicitly, by flag or in the
	// credential plugin's arguments.
	Profile string
	// RoleARN is the role that the credential plugin assumes.
	RoleARN string
	// Server is the API server's URL and CAData the PEM of its certificate
	// authority, as the kubeconfig has them.
	Server string
	CAData []byte
	// EKSToken is set where the context's credential plugin is aws eks get-token itself, not
	// a program around it: its token depends on Name, Profile, RoleARN and Env alone.
	EKSToken bool
	// Env holds the AWS_… variables that the kubeconfig gives the credential
	// plugin. It may hold secrets and is not to be printed.
	Env map[string]string
	// Evidence says, a sentence each, what each part was taken from.
	Evidence []string
	// Warnings are messages for the user that are not errors.
	Warnings []string

	flagName bool
	command  string
}

// FromKubeconfig reads from the kubeconfig which EKS cluster a context is. The
// certificate authority has to be in the kubeconfig itself or loaded into it
// (clientcmdapi.FlattenConfig). getenv is asked for AWS_REGION and
// AWS_DEFAULT_REGION, the last resort for the region. Errors are *problem.Error.
func FromKubeconfig(raw clientcmdapi.Config, flags Flags, getenv func(string) string) (*Target, error) {
	t := &Target{flagName: flags.ClusterName != "", command: cmp.Or(flags.Command, "kubectl noderole check")}
	found, err := t.readContext(raw, flags)
	if err != nil {
		return nil, err
	}
	if err := t.settle(found, flags); err != nil {
		return nil, err
	}
	t.Profile = cmp.Or(flags.Profile, t.Profile)
	if flags.Profile != "" {
		t.note("AWS profile %s: --profile", flags.Profile)
	}
	if t.Region == "" {
		for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
			if t.Region = cmp.Or(t.Env[name], getenv(name)); t.Region != "" {
				t.note("region %s: %s", t.Region, name)
				break
			}
		}
	}
	if t.Name == "" && !isEKS(t.Server) {
		return nil, notEKS(t)
	}
	if want := PartitionOf(t.Region); t.Region != "" && t.Partition != "" && want != t.Partition {
		return nil, &problem.Error{
			Problem: fmt.Sprintf("region %s is in partition %s, but the cluster's ARN is in %s", t.Region, want, t.Partition),
			Next:    "correct --region or the kubeconfig",
		}
	}
	if t.Partition == "" && t.Region != "" {
		t.Partition = PartitionOf(t.Region)
	}
	return t, nil
}

func notEKS(t *Target) *problem.Error {
	e := &problem.Error{Next: "name the cluster: " + t.command + " --cluster-name NAME --region REGION", Err: ErrNotEKS}
	switch {
	case t.Context == "":
		e.Problem = "the kubeconfig has no current context"
		e.Next = "choose one with kubectl config use-context NAME, or " + e.Next
	case t.Server == "":
		e.Problem = fmt.Sprintf("context %q is not an EKS cluster", t.Context)
	default:
		e.Problem = fmt.Sprintf("context %q is not an EKS cluster (server %s)", t.Context, t.Server)
	}
	return e
}

func (t *Target) note(format string, args ...any) {
	t.Evidence = append(t.Evidence, fmt.Sprintf(format, args...))
}

// clue is what one place of the kubeconfig says of the cluster.
type clue struct {
	// from says where, as the subject of evidence.
	from                             string
	name, region, account, partition string
}

// readContext gathers the clues of the context, and the profile, role and
// environment of its credential plugin.
func (t *Target) readContext(raw clientcmdapi.Config, flags Flags) ([]clue, error) {
	name := cmp.Or(flags.Context, raw.CurrentContext)
	if name == "" {
		return nil, nil
	}
	ctx, ok := raw.Contexts[name]
	if !ok {
		return nil, unknownContext(raw, name)
	}
	t.Context = name
	cluster, ok := raw.Clusters[ctx.Cluster]
	if !ok {
		return nil, &problem.Error{
			Problem: fmt.Sprintf("context %q names cluster %q, which the kubeconfig does not have", name, ctx.Cluster),
			Next:    "write the entry again: aws eks update-kubeconfig --name NAME --region REGION",
		}
	}
	t.Server, t.CAData = text.WithoutSecrets(cluster.Server), cluster.CertificateAuthorityData

	var clues []clue
	if user, ok := raw.AuthInfos[ctx.AuthInfo]; ok {
		if user.Exec != nil {
			clues = append(clues, t.readExec(ctx.AuthInfo, user.Exec)...)
		}
	} else if ctx.AuthInfo != "" {
		return nil, &problem.Error{
			Problem: fmt.Sprintf("context %q names user %q, which the kubeconfig does not have", name, ctx.AuthInfo),
			Next:    "write the entry again: aws eks update-kubeconfig --name NAME --region REGION",
		}
	}
	for _, place := range []struct{ what, text string }{
		{"kubeconfig cluster", ctx.Cluster}, {"context", name}, {"kubeconfig user", ctx.AuthInfo},
	} {
		from := fmt.Sprintf("%s %s", place.what, place.text)
		if c, ok := fromARN(from, place.text); ok {
			clues = append(clues, c)
		}
		if c, ok := fromEksctl(from, place.text); ok {
			clues = append(clues, c)
		}
	}
	if region, partition, ok := endpoint(t.Server); ok {
		clues = append(clues, clue{from: "server " + t.Server, region: region, partition: partition})
	}
	return clues, nil
}

// settle takes name, region, account and partition from the clues. Flags win;
// otherwise clues that contradict each other are an error.
func (t *Target) settle(clues []clue, flags Flags) error {
	if flags.ClusterName != "" {
		// Evidence of another cluster is not evidence of this one's account. The
		// endpoint stays: Confirm compares it.
		clues = slices.DeleteFunc(clues, func(c clue) bool { return c.name != "" && c.name != flags.ClusterName })
	}
	if flags.Region != "" {
		clues = slices.DeleteFunc(clues, func(c clue) bool { return c.region != "" && c.region != flags.Region })
	}
	parts := []struct {
		what, flag, flagName string
		into                 *string
		of                   func(clue) string
	}{
		{"cluster", flags.ClusterName, "--cluster-name", &t.Name, func(c clue) string { return c.name }},
		{"region", flags.Region, "--region", &t.Region, func(c clue) string { return c.region }},
		{"account", "", "", &t.Account, func(c clue) string { return c.account }},
		{"partition", "", "", &t.Partition, func(c clue) string { return c.partition }},
	}
	for _, p := range parts {
		if p.flag != "" {
			*p.into = p.flag
			t.note("%s %s: %s", p.what, p.flag, p.flagName)
			continue
		}
		var from string
		for _, c := range clues {
			value := p.of(c)
			switch {
			case value == "" || value == *p.into:
			case *p.into == "":
				*p.into, from = value, c.from
				t.note("%s %s: %s", p.what, value, c.from)
			default:
				return &problem.Error{
					Problem: fmt.Sprintf("context %q contradicts itself: %s says %s %s, %s says %s", t.Context, from, p.what, *p.into, c.from, value),
					Next:    "name the cluster: " + t.command + " --cluster-name NAME --region REGION",
				}
			}
		}
	}
	return nil
}

// fromARN reads an EKS cluster's ARN, which is what aws eks update-kubeconfig
// calls the cluster, user and context.
// Source: aws/aws-cli awscli/customizations/eks/update_kubeconfig.py.
func fromARN(from, text string) (clue, bool) {
	p := strings.SplitN(text, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "eks" || p[1] == "" || p[3] == "" || p[4] == "" {
		return clue{}, false
	}
	name, ok := strings.CutPrefix(p[5], "cluster/")
	if !ok || !isClusterName(name) {
		return clue{}, false
	}
	return clue{from: from, partition: p[1], region: p[3], account: p[4], name: name}, true
}

// fromEksctl reads NAME.REGION.eksctl.io, with USER@ before it in contexts and
// users.
// Source: eksctl-io/eksctl pkg/utils/kubeconfig/kubeconfig.go.
func fromEksctl(from, text string) (clue, bool) {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		text = text[i+1:]
	}
	text, ok := strings.CutSuffix(text, ".eksctl.io")
	if !ok {
		return clue{}, false
	}
	name, region, ok := strings.Cut(text, ".")
	if !ok || !isClusterName(name) || strings.Contains(region, ".") || region == "" {
		return clue{}, false
	}
	return clue{from: from, name: name, region: region}, true
}

// isClusterName reports whether EKS allows the name: letters, digits, hyphens
// and underscores, beginning with a letter or digit, 100 at most.
// Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
func isClusterName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i, r := range s {
		alphanumeric := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !alphanumeric && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return true
}

// unknownContext names the contexts that may have been meant.
func unknownContext(raw clientcmdapi.Config, name string) *problem.Error {
	e := &problem.Error{Problem: fmt.Sprintf("the kubeconfig has no context %q", name), Next: "kubectl config get-contexts lists them"}
	names := slices.SortedFunc(maps.Keys(raw.Contexts), func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(a, name), distance(b, name)), cmp.Compare(a, b))
	})
	if len(names) > 0 && (distance(names[0], name) <= 2 || strings.Contains(names[0], name)) {
		e.Next = "did you mean: --context " + command.Quote(names[0])
	}
	return e
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
