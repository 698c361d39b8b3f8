package fleetsim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// template is the text of a snapshot that clusters are made from.
type template struct{ name, text string }

// simulated are the rules whose failing example the simulator can serve whole. The other
// examples have facts that were not read, or that nobody reads from a cluster in this form:
// a role that nothing names, or only a part of what AWS always has.
var simulated = []string{
	"NR101", "NR102", "NR103", "NR105", "NR106", "NR107", "NR108", "NR109", "NR111", "NR112", "NR201", "NR202",
	"NR203", "NR204", "NR205", "NR206", "NR207", "NR208", "NR209", "NR210", "NR211", "NR212", "NR213", "NR214",
	"NR220", "NR221", "NR222", "NR223", "NR231", "NR301", "NR303", "NR304", "NR305", "NR306", "NR310", "NR501",
	"NR502", "NR503", "NR504", "NR505", "NR507", "NR508", "NR509", "NR510", "NR511", "NR512", "NR515", "NR602", "NR603",
	"NR604", "NR605", "NR607", "NR701", "NR702", "NR801", "NR802",
}

// templates are the examples of the program and, as merge patches over the healthy one,
// those of rules.
func templates(t testing.TB) []template {
	t.Helper()
	var all []template
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		all = append(all, template{name, string(text)})
	}
	healthy, _ := examples.Read("healthy")
	base, err := yaml.YAMLToJSON(healthy)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range simulated {
		i := slices.IndexFunc(rules.All(), func(r rules.Rule) bool { return r.ID == id })
		if i < 0 {
			t.Fatalf("%s is not a rule", id)
		}
		patch, err := yaml.YAMLToJSON([]byte(rules.All()[i].Bad))
		if err != nil {
			t.Fatal(err)
		}
		merged, err := jsonpatch.MergePatch(base, patch)
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.JSONToYAML(merged)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, template{id, string(text)})
	}
	return all
}

// place is where a cluster of the fleet is.
type place struct{ account, region, name string }

func (p place) arn() string {
	return "arn:aws:eks:" + p.region + ":" + p.account + ":cluster/" + p.name
}

// The account, region and OIDC issuer of the examples.
const (
	exampleAccount = "111122223333"
	exampleRegion  = "eu-west-1"
	exampleIssuer  = "9F3C1B2A4D5E6F708192A3B4C5D6E7F8"
)

var (
	iamARN     = regexp.MustCompile(`arn:aws:iam::` + exampleAccount + `:(role|instance-profile|policy)/([\w+=,.@/-]+)`)
	resourceID = regexp.MustCompile(`\b(i|vpc|lt|subnet|rtb|vpce|a)-[0-9a-f]+\b`)
)

// hash is a number that depends on a text alone.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}

// source makes the facts of a cluster from a template. Clusters of one template in one
// account share the roles that do not depend on the cluster.
func (t template) source(tb testing.TB, p place) *snapshot.Snapshot {
	tb.Helper()
	original, err := snapshot.Decode(t.name, []byte(t.text))
	if err != nil {
		tb.Fatal(err)
	}
	own := map[string]bool{} // names of what depends on the cluster
	dependent := func(text string) bool {
		return strings.Contains(text, exampleIssuer) || strings.Contains(text, ":cluster/") || resourceID.MatchString(text)
	}
	for arn, role := range original.Roles {
		own[snapshot.NameOf(arn)] = dependent(role.TrustPolicy + fmt.Sprint(role.InlinePolicies, role.Tags))
	}
	for arn, policy := range original.Policies {
		own[snapshot.NameOf(arn)] = dependent(policy.Document)
	}
	for arn, profile := range original.InstanceProfiles {
		for _, role := range profile.Roles {
			own[snapshot.NameOf(arn)] = own[snapshot.NameOf(arn)] || own[snapshot.NameOf(role)]
		}
	}
	rename := func(name string) string {
		if own[name] {
			return name + "-" + p.name
		}
		return name + "-" + t.name
	}
	text := iamARN.ReplaceAllStringFunc(t.text, func(arn string) string {
		parts := iamARN.FindStringSubmatch(arn)
		at := strings.LastIndex(parts[2], "/") + 1
		return "arn:aws:iam::" + p.account + ":" + parts[1] + "/" + parts[2][:at] + rename(parts[2][at:])
	})
	text = resourceID.ReplaceAllStringFunc(text, func(id string) string {
		kind, _, _ := strings.Cut(id, "-")
		return fmt.Sprintf("%s-0%016x", kind, hash(id+p.arn()))
	})
	issuer := fmt.Sprintf("%016X%016X", hash("a"+p.arn()), hash("b"+p.arn()))
	text = strings.NewReplacer(
		original.Cluster.ARN, p.arn(), exampleIssuer, issuer, "oidc.eks."+exampleRegion, "oidc.eks."+p.region, exampleAccount, p.account,
	).Replace(text)
	s, err := snapshot.Decode(t.name+" as "+p.arn(), []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	for _, classes := range []map[string]snapshot.NodeClass{s.KarpenterNodeClasses, s.KarpenterNodeTemplates, s.AutoModeNodeClasses} {
		for name, class := range classes {
			for _, field := range []*string{&class.Role, &class.InstanceProfile, &class.StatusProfile} {
				if *field != "" && !strings.HasPrefix(*field, "arn:") {
					*field = rename(*field)
				}
			}
			classes[name] = class
		}
	}
	for name, group := range s.AutoScalingGroups {
		if group.LaunchConfiguration != "" {
			group.LaunchConfiguration += "-" + p.name
			s.AutoScalingGroups[name] = group
		}
	}
	asRead(s)
	return s
}

// asRead writes facts as they come out where they are read: what is looked for and does not
// exist, and documents with one kind of white space.
func asRead(s *snapshot.Snapshot) {
	s.Source, s.OtherClusters, s.OtherRegions = snapshot.Source{}, map[string]snapshot.OtherCluster{}, nil
	if _, known := s.Roles[s.Cluster.RoleARN]; !known && s.Cluster.RoleARN != "" {
		s.Roles[s.Cluster.RoleARN] = snapshot.Role{NotFound: true}
	}
	if s.SystemImages == nil {
		s.SystemImages = map[string]snapshot.PodImages{}
	}
	if set := s.AWSNode.DaemonSet; set != nil && set.Image != "" {
		images := s.SystemImages[snapshot.WorkloadAWSNode]
		images.Images = append(images.Images, set.Image)
		slices.Sort(images.Images)
		images.Images = slices.Compact(images.Images)
		s.SystemImages[snapshot.WorkloadAWSNode] = images
	}
	for _, workload := range snapshot.SystemWorkloads {
		if _, runs := s.SystemImages[workload]; !runs {
			s.SystemImages[workload] = snapshot.PodImages{}
		}
	}
	if s.Cluster.AuthenticationMode == "CONFIG_MAP" { // in which EKS knows no access entries
		s.AccessEntries = nil
	}
	used := map[string]bool{} // managed policies
	for arn, role := range s.Roles {
		if role.NotFound {
			s.Roles[arn] = snapshot.Role{NotFound: true}
			continue
		}
		used[role.PermissionsBoundary] = true
		for _, policy := range role.AttachedPolicies {
			used[policy] = true
		}
		role.TrustPolicy = indented(role.TrustPolicy)
		for name, document := range role.InlinePolicies {
			role.InlinePolicies[name] = indented(document)
		}
		slices.Sort(role.AttachedPolicies)
		s.Roles[arn] = role
	}
	maps.DeleteFunc(s.Policies, func(arn string, _ snapshot.Policy) bool { return !used[arn] })
	for arn, policy := range s.Policies {
		policy.Document = indented(policy.Document)
		s.Policies[arn] = policy
	}
	for name, group := range s.AutoScalingGroups { // each has a launch template, which may set nothing
		if group.Metadata == nil {
			group.Metadata = &snapshot.MetadataOptions{}
		}
		s.AutoScalingGroups[name] = group
	}
	for id, endpoint := range s.VPCEndpoints {
		endpoint.Policy = indented(endpoint.Policy)
		s.VPCEndpoints[id] = endpoint
	}
	for arn, policy := range s.RepositoryPolicies {
		policy.Document = indented(policy.Document)
		s.RepositoryPolicies[arn] = policy
	}
}

func indented(document string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(document), "", "  ") != nil {
		return document
	}
	return b.String()
}

// sourceFleet is a fleet: what the simulator answers from, and what has to be collected.
type sourceFleet struct {
	clusters map[string]*snapshot.Snapshot // by ARN
	accounts map[string]*account
	// managed are AWS's managed policies, which are the same in every account.
	managed map[string]snapshot.Policy
}

// account is what IAM knows in an account, and where its clusters are.
type account struct {
	regions   map[string][]string // the names of clusters by region
	roles     map[string]namedRole
	profiles  map[string]namedProfile
	policies  map[string]snapshot.Policy
	providers map[string]snapshot.OIDCProvider
	// quota is how many instance profiles there are, and how many there may be.
	quota snapshot.Quota
}

type (
	namedRole struct {
		arn string
		snapshot.Role
	}
	namedProfile struct {
		arn string
		snapshot.InstanceProfile
	}
)

// newSourceFleet makes a fleet of so many accounts with so many clusters each, in the regions in
// turn. Every second cluster of an account has the template of the one before.
func newSourceFleet(t testing.TB, accounts, clusters int, regions ...string) *sourceFleet {
	t.Helper()
	w := &sourceFleet{clusters: map[string]*snapshot.Snapshot{}, accounts: map[string]*account{}, managed: map[string]snapshot.Policy{}}
	all := templates(t)
	for i := range accounts {
		id := fmt.Sprintf("%012d", 100000000001+i)
		a := &account{
			regions: map[string][]string{}, roles: map[string]namedRole{}, profiles: map[string]namedProfile{},
			policies: map[string]snapshot.Policy{}, providers: map[string]snapshot.OIDCProvider{},
			quota: snapshot.Quota{Used: 10, Max: 1000},
		}
		w.accounts[id] = a
		for _, region := range regions {
			a.regions[region] = []string{}
		}
		for j := range clusters {
			from := all[(i*((clusters+1)/2)+j/2)%len(all)]
			p := place{id, regions[j%len(regions)], fmt.Sprintf("c%03d-%s", j, from.name)}
			w.add(t, p, from.source(t, p))
		}
	}
	w.connect()
	return w
}

// add adds a cluster to its account.
func (w *sourceFleet) add(t testing.TB, p place, s *snapshot.Snapshot) {
	t.Helper()
	a := w.accounts[p.account]
	a.regions[p.region] = append(a.regions[p.region], p.name)
	w.clusters[p.arn()] = s
	for arn, policy := range s.Policies {
		into := a.policies
		if strings.HasPrefix(arn, "arn:aws:iam::aws:") {
			into = w.managed
			if first, known := into[arn]; known {
				policy = first
				s.Policies[arn] = policy
			}
		}
		same(t, into, arn, policy)
	}
	for arn, role := range s.Roles {
		if !role.NotFound {
			same(t, a.roles, snapshot.NameOf(arn), namedRole{arn, role})
		}
	}
	for arn, profile := range s.InstanceProfiles {
		if !profile.NotFound {
			same(t, a.profiles, snapshot.NameOf(arn), namedProfile{arn, profile})
		}
	}
	if s.InstanceProfileQuota != nil {
		a.quota = *s.InstanceProfileQuota
	}
	for arn, provider := range s.OIDCProviders {
		if !provider.NotFound {
			same(t, a.providers, arn, provider)
		}
	}
}

// same adds to a map, which must not have another value of that name.
func same[V any](t testing.TB, m map[string]V, key string, value V) {
	t.Helper()
	if old, known := m[key]; known && fmt.Sprint(old) != fmt.Sprint(value) {
		t.Fatalf("two clusters disagree about %s:\n%v\n%v", key, old, value)
	}
	m[key] = value
}

// connect tells every cluster of the others in its account, and of the account's OIDC
// providers.
func (w *sourceFleet) connect() {
	for _, s := range w.clusters {
		id := s.Cluster.Identity()
		s.ClusterProviders = &snapshot.ClusterProviders{ARNs: sorted(w.accounts[id.Account].providers)}
		for region, names := range w.accounts[id.Account].regions {
			if region != id.Region {
				s.OtherRegions = append(s.OtherRegions, region)
			}
			for _, name := range names {
				if arn := (place{id.Account, region, name}).arn(); arn != s.Cluster.ARN {
					s.OtherClusters[arn] = snapshot.OtherCluster{RoleARN: w.clusters[arn].Cluster.RoleARN, OIDCIssuer: w.clusters[arn].Cluster.OIDCIssuer}
				}
			}
		}
		slices.Sort(s.OtherRegions)
	}
}
