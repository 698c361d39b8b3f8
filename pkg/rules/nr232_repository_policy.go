package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var repositoryPolicy = Rule{
	ID: "NR232", Name: "repository-policy", Severity: finding.Error, Concern: finding.ConcernPull,
	Explains: []finding.SymptomKind{finding.NoImage},
	NoRepair: "fix does not change policies of another account",
	Title:    "The policies of other accounts' repositories allow the node role to pull",
	Why: `Pods whose image is in a repository of another account end in ImagePullBackOff. Across accounts, the repository's policy
has to allow the node role too.`,
	Fix: `In the policy of the repository, allow ecr:BatchGetImage and ecr:GetDownloadUrlForLayer for the node role or its account.`,
	Refs: []string{
		"https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad:   repositoryPatch(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::777788889999:root"},"Action":"ecr:*"}`),
	Good:  repositoryPatch(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}`),
	Check: func(v *view.View, report Reporter) {
		repositories := v.ForeignRepositories()
		for _, r := range v.NodeRoles() {
			switch {
			case len(repositories) == 0 || r.Facts.NotFound:
				continue
			case len(r.Unread) > 0: // its tags may be what a condition asks for
				report(unknown(roleSubject(r), "whether "+r.Name+" can pull from repositories of other accounts is unknown", r.Unread))
				continue
			}
			report(judgeRepositories(r, repositories))
		}
	},
}

// repositoryPatch adds to the healthy example a repository of another account, with a
// statement as its policy.
func repositoryPatch(statement string) string {
	return fmt.Sprintf(`
repositoryPolicies:
  "arn:aws:ecr:eu-west-1:444455556666:repository/team/web": {document: '{"Version":"2012-10-17","Statement":[%s]}'}
`, statement)
}

func judgeRepositories(r *view.NodeRole, repositories []view.ForeignRepository) finding.Result {
	var all allowedAll
	var seen []string
	for _, repository := range repositories {
		one := sumUp(r.PolicyAllowsPull(repository))
		all.denied, all.depends, all.allowed = append(all.denied, one.denied...), append(all.depends, one.depends...), append(all.allowed, one.allowed...)
		all.unknown = append(all.unknown, one.unknown...)
		if len(one.denied) == 0 {
			continue
		}
		seen = append(seen, blockedPulls(repository, one)...)
		for _, e := range repository.Events {
			seen = appendNew(seen, fmt.Sprintf("%s reports %s, %d times", e.Object, e.Reason, max(e.Count, 1)))
		}
	}
	result := all.result(roleSubject(r), r.Name, "can pull from repositories of other accounts", "cannot pull from repositories of other accounts")
	if result.Status == finding.Fail {
		result.Evidence = firstLines(seen)
		result.Next = []finding.Next{finding.Advise("ask account " + repositories[0].Account + " to allow " + r.ARN + " in the policy of the repository")}
	}
	return result
}

// blockedPulls returns how a repository's policy denies.
func blockedPulls(repository view.ForeignRepository, all allowedAll) []string {
	why := "the policy of the repository does not allow this role"
	if a := all.denied[0]; a.Result.Explicit {
		why = "denied by " + statementList(a.Result.Statements)
	}
	var lines []string
	for _, name := range namesOf(all.denied) {
		lines = append(lines, name+" on "+repository.ARN+": "+why)
	}
	return lines
}
