package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// TargetsKind identifies the file of --targets, together with APIVersion.
const TargetsKind = "Targets"

// Targets describes which clusters a fleet has: every cluster that an entry of Include selects
// and no entry of Exclude.
type Targets struct {
	APIVersion string    `json:"apiVersion" jsonschema:"enum=noderole.dev/v1alpha1"`
	Kind       string    `json:"kind" jsonschema:"enum=Targets"`
	Include    []Include `json:"include"`
	Exclude    []Exclude `json:"exclude,omitempty"`
}

// Include selects clusters: those of contexts of the kubeconfig where Contexts is set, and
// otherwise those that EKS lists. In names, * matches any characters and ? matches one.
type Include struct {
	// Contexts are names of contexts.
	Contexts []string `json:"contexts,omitempty"`
	// Accounts are the ids of the accounts, in each of which RoleName is assumed; none is the
	// account of the credentials.
	Accounts []string `json:"accounts,omitempty"`
	// Organization is set for every active account of the organization that the credentials
	// belong to, in each of which RoleName is assumed but in their own; Units are the ids of
	// the roots or organizational units whose accounts are meant, with those below them.
	Organization bool     `json:"organization,omitempty"`
	Units        []string `json:"organizationalUnits,omitempty"`
	// Regions are names of regions; none, or all, is every region that is enabled.
	Regions []string `json:"regions,omitempty"`
	// Clusters are names of clusters; none is every cluster.
	Clusters []string `json:"clusters,omitempty"`
	// Profile is the AWS profile, RoleName the name of the role to assume in each account, and
	// ExternalID what its trust policy may ask for.
	Profile    string `json:"profile,omitempty"`
	RoleName   string `json:"roleName,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
	// AWSOnly is set where the Kubernetes API is not read.
	AWSOnly bool `json:"awsOnly,omitempty"`
	// Group is what reports call these clusters together.
	Group string `json:"group,omitempty"`
}

// Exclude selects the clusters to leave out: every field that is set has to match. In names, *
// matches any characters and ? matches one.
type Exclude struct {
	Contexts []string `json:"contexts,omitempty"`
	Accounts []string `json:"accounts,omitempty"`
	Regions  []string `json:"regions,omitempty"`
	Clusters []string `json:"clusters,omitempty"`
}

// AllRegions is the word for every region that is enabled.
const AllRegions = "all"

// LoadTargets reads a file of --targets. Unknown and repeated fields are refused. Errors are
// *problem.Error, but for that of the context.
func LoadTargets(ctx context.Context, name string) (*Targets, error) {
	text, err := files.Read(ctx, name, nil, files.MaxConfig)
	var fileErr *files.Error
	switch {
	case errors.As(err, &fileErr):
		return nil, &problem.Error{Problem: fileErr.Error(), Err: err}
	case err != nil:
		return nil, err
	}
	wrong := func(format string, args ...any) error {
		return &problem.Error{Problem: name + ": " + fmt.Sprintf(format, args...), Next: "docs/fleets.md shows such a file"}
	}
	file, err := files.YAML(text)
	switch {
	case err != nil:
		return nil, wrong("%s", yamlWords(err))
	case len(file.Docs) != 1 || file.Docs[0].Body == nil:
		return nil, wrong("it is not one YAML document")
	}
	t := &Targets{}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.NodeToValue(file.Docs[0].Body, &head); err != nil || head.APIVersion != APIVersion || head.Kind != TargetsKind {
		return nil, wrong("%q, %q is not %q, %q", head.APIVersion, head.Kind, APIVersion, TargetsKind)
	}
	if err := yaml.NodeToValue(file.Docs[0].Body, t, yaml.Strict()); err != nil {
		return nil, wrong("%s", yamlWords(err))
	}
	if err := t.check(); err != nil {
		return nil, wrong("%s", err)
	}
	return t, nil
}

// yamlWords is an error of the YAML library in one line, with the line of the text.
func yamlWords(err error) string {
	words := err.Error()
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		words = fmt.Sprintf("line %d: %s", y.GetToken().Position.Line, y.GetMessage())
	}
	words, _, _ = strings.Cut(strings.TrimSpace(words), "\n")
	return words
}

// check returns what is wrong with the targets.
func (t *Targets) check() error {
	if len(t.Include) == 0 {
		return errors.New("include is empty, so that it selects nothing")
	}
	for i, in := range t.Include {
		if err := in.Check(); err != nil {
			return fmt.Errorf("include[%d]: %w", i, err)
		}
	}
	for i, ex := range t.Exclude {
		if len(ex.Contexts)+len(ex.Accounts)+len(ex.Regions)+len(ex.Clusters) == 0 {
			return fmt.Errorf("exclude[%d] is empty, so that it would exclude everything", i)
		}
	}
	return nil
}

// Check returns what is wrong with an entry.
func (in Include) Check() error {
	switch {
	case len(in.Contexts) > 0 && len(in.Accounts)+len(in.Regions) > 0, len(in.Contexts) > 0 && in.RoleName != "":
		return errors.New("contexts name their own accounts, regions and roles")
	case len(in.Contexts) > 0 && in.Organization, len(in.Accounts) > 0 && in.Organization:
		return errors.New("organization excludes contexts and accounts")
	case len(in.Units) > 0 && !in.Organization:
		return errors.New("organizationalUnits needs organization: true")
	case in.Organization && in.RoleName == "":
		return errors.New("organization needs roleName, the role to assume in each account")
	case len(in.Accounts) > 0 && in.RoleName == "":
		return errors.New("accounts need roleName, the role to assume in each of them")
	case len(in.Accounts) == 0 && !in.Organization && in.RoleName != "":
		return errors.New("roleName needs accounts, in which it is assumed")
	case in.ExternalID != "" && in.RoleName == "":
		return errors.New("externalId is for roleName")
	}
	for _, u := range in.Units {
		if !unitForm().MatchString(u) {
			return fmt.Errorf("%q is not the id of a root or an organizational unit, such as ou-ab12-cdefgh34", u)
		}
	}
	for _, a := range in.Accounts {
		if !accountForm().MatchString(a) {
			return fmt.Errorf("%q is not the id of an account, which has 12 digits; write it in quotes", a)
		}
	}
	for _, r := range in.Regions {
		if r != AllRegions && !snapshot.IsRegion(r) {
			return fmt.Errorf("%q is not the name of a region", r)
		}
	}
	if in.RoleName != "" && !roleForm().MatchString(in.RoleName) {
		return fmt.Errorf("%q is not the name of a role, with its path where it has one", in.RoleName)
	}
	return nil
}

// unitForm is the form of the ids of roots and organizational units.
// Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccountsForParent.html
var unitForm = text.Pattern(`^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$`)

// roleForm is the form of the name of a role with its path.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var roleForm = text.Pattern(`^([A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}$`)

// EveryRegion reports whether the entry means every region that is enabled.
func (in Include) EveryRegion() bool {
	return len(in.Regions) == 0 || slices.Contains(in.Regions, AllRegions)
}

// Selects reports whether the entry selects a cluster of this name.
func (in Include) Selects(name string) bool {
	return len(in.Clusters) == 0 || Matches(in.Clusters, name)
}

// Excludes reports whether a cluster is excluded; of what is not known, such as the account
// of a context, it is empty.
func (t *Targets) Excludes(context, account, region, name string) bool {
	for _, ex := range t.Exclude {
		is := func(patterns []string, value string) bool {
			return len(patterns) == 0 || value != "" && Matches(patterns, value)
		}
		if is(ex.Contexts, context) && is(ex.Accounts, account) && is(ex.Regions, region) && is(ex.Clusters, name) {
			return true
		}
	}
	return false
}

// Matches reports whether a name matches one of the patterns, in which * is any characters
// and ? is one.
func Matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// matches compares with a pattern in time proportional to the product of the lengths.
func matches(pattern, name string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for j < len(name) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == name[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// RoleARN is the ARN of the role to assume in an account.
func (in Include) RoleARN(partition, account string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, account, in.RoleName)
}
