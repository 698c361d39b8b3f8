package view

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// ForeignRepository is an ECR repository of another account from which the cluster pulls.
type ForeignRepository struct {
	ARN     string
	Account string
	// Events are the events that say that an image was not pulled.
	Events []snapshot.Event

	region string
	policy *document // nil where the repository has none
}

// ForeignRepositories are those whose policy is known, by ARN.
func (v *View) ForeignRepositories() []ForeignRepository {
	var list []ForeignRepository
	for arn, facts := range sortedPairs(v.Snapshot.RepositoryPolicies) {
		id, _ := snapshot.ParseARN(arn)
		if id.Account == v.Place.Account {
			continue
		}
		repository := ForeignRepository{ARN: arn, Account: id.Account, Events: v.eventsOf(arn), region: id.Region}
		if facts.Document != "" {
			d := v.parse(iampolicy.Resource, "repositoryPolicies#"+arn, iampolicy.Policy{Name: "policy of repository " + snapshot.NameOf(arn)}, facts.Document)
			repository.policy = &d
		}
		list = append(list, repository)
	}
	return list
}

// eventsOf are the events that say that an image of a repository was not pulled.
func (v *View) eventsOf(repository string) []snapshot.Event {
	var events []snapshot.Event
	for _, event := range v.Snapshot.Events {
		if event.Image().RepositoryARN() == repository {
			events = append(events, event)
		}
	}
	return events
}

// CachedRepository is an ECR repository of the account that a pull-through cache rule is for,
// and from which the cluster pulls.
type CachedRepository struct {
	ARN string
	// Prefix and Upstream are those of the rule.
	Prefix, Upstream string
	// NotFound is set where there is no such repository: the first pull creates it.
	NotFound bool
	// Events are the events that say that an image was not pulled.
	Events []snapshot.Event

	region string
	// The permissions of the registry and the policy of the repository; nil for none.
	registry, policy *document
}

// CachedRepositories are those that are known, by ARN.
func (v *View) CachedRepositories() []CachedRepository {
	var list []CachedRepository
	for arn, facts := range sortedPairs(v.Snapshot.RepositoryPolicies) {
		id, _ := snapshot.ParseARN(arn)
		registry, read := v.Snapshot.Registries[id.Region]
		prefix, upstream := registry.CacheRule(strings.TrimPrefix(id.Resource, "repository/"))
		if id.Account != v.Place.Account || !read || prefix == "" {
			continue
		}
		repository := CachedRepository{ARN: arn, Prefix: prefix, Upstream: upstream, NotFound: facts.NotFound, Events: v.eventsOf(arn), region: id.Region}
		if registry.Policy != "" {
			d := v.parse(iampolicy.Resource, "registries#"+id.Region, iampolicy.Policy{Name: "permissions of the registry in " + id.Region}, registry.Policy)
			repository.registry = &d
		}
		if facts.Document != "" {
			d := v.parse(iampolicy.Resource, "repositoryPolicies#"+arn, iampolicy.Policy{Name: "policy of repository " + snapshot.NameOf(arn)}, facts.Document)
			repository.policy = &d
		}
		list = append(list, repository)
	}
	return list
}

// CanImport answers whether a role may do what the first pull of an image through a
// pull-through cache calls. The permissions of the registry and the policy of the
// repository can allow it too.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
func (r *Role) CanImport(repository CachedRepository) []Answer {
	var answers []Answer
	for _, a := range need.ImportInto(repository.region, repository.ARN, repository.NotFound) {
		ans := r.Can(a)
		for _, d := range []*document{repository.registry, repository.policy} {
			if d == nil || ans.Verdict != Denied || ans.Blocked() {
				continue
			}
			g := r.grants()
			policies := g.policies
			policies.Resource = &d.policy
			result, err := iampolicy.Prepare(policies).Evaluate(a.Requests(r.v.Place, r.ARN, r.session().known(r))[0])
			ans = answer(a, result, err, slices.Concat(g.unread, d.unread))
		}
		answers = append(answers, ans)
	}
	return answers
}

// PolicyAllowsPull answers whether the repository's policy allows a role what pulling the image
// calls, whatever the role's own policies say.
func (r *Role) PolicyAllowsPull(repository ForeignRepository) []Answer {
	policies := iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "everything", Document: everything}}, ResourceState: iampolicy.NoPolicy}
	var unread []snapshot.Missing
	if d := repository.policy; d != nil {
		policies.Resource, unread = &d.policy, d.unread
	}
	set := iampolicy.Prepare(policies)
	actions := slices.DeleteFunc(need.PullFrom(repository.region, repository.ARN), func(a need.Action) bool { return len(a.Resources) == 0 })
	answers := make([]Answer, 0, len(actions))
	for _, a := range actions {
		request := a.Requests(r.v.Place, r.ARN, r.session().known(r))[0]
		request.Account = repository.Account
		result, err := set.Evaluate(request)
		answers = append(answers, answer(a, result, err, unread))
	}
	return answers
}
