package view

import (
	"slices"

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
		repository := ForeignRepository{ARN: arn, Account: id.Account, region: id.Region}
		for _, event := range v.Snapshot.Events {
			if event.Image().RepositoryARN() == arn {
				repository.Events = append(repository.Events, event)
			}
		}
		if facts.Document != "" {
			d := v.parse(iampolicy.Resource, "repositoryPolicies#"+arn, iampolicy.Policy{Name: "policy of repository " + snapshot.NameOf(arn)}, facts.Document)
			repository.policy = &d
		}
		list = append(list, repository)
	}
	return list
}

// LetsPull answers whether the repository's policy allows a role what pulling the image
// calls, whatever the role's own policies say.
func (r *Role) LetsPull(repository ForeignRepository) []Answer {
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
