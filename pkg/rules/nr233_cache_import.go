package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cacheImport = Rule{
	ID: "NR233", Name: "cache-import", Severity: finding.Error, Concern: finding.ConcernPull,
	Explains: []finding.SymptomKind{finding.NoImage},
	NoRepair: "whether nodes may create repositories is your decision",
	Title:    "The node role can import the images that could not be pulled through a pull-through cache",
	Why: `Pods with the image end in ImagePullBackOff. The first pull through a pull-through cache imports the image, and creates
its repository if there is none, with the permissions of the node role.`,
	Fix: `Allow ecr:BatchImportUpstreamImage and, for repositories that do not exist yet, ecr:CreateRepository: in a policy of the
node role, or for the role in the permissions of the private registry. Or create the repository yourself.`,
	Refs: []string{
		"https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html",
		"https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private-wildcards.html",
		"https://github.com/aws/containers-roadmap/issues/939",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad:   cachePatch(`{notFound: true}`),
	Good:  cachePatch(`{}`),
	Check: func(v *view.View, report Reporter) {
		repositories := v.CachedRepositories()
		for _, r := range v.NodeRoles() {
			if len(repositories) > 0 && !r.Facts.NotFound {
				report(judgeImports(v, r, repositories))
			}
		}
	},
}

// cachePatch adds to the healthy example a pull-through cache rule, and a repository that it
// is for.
func cachePatch(repository string) string {
	return fmt.Sprintf(`
registries: {eu-west-1: {pullThroughCache: {docker-hub: registry-1.docker.io}}}
repositoryPolicies: {"arn:aws:ecr:eu-west-1:111122223333:repository/docker-hub/library/nginx": %s}
`, repository)
}

func judgeImports(v *view.View, r *view.NodeRole, repositories []view.CachedRepository) finding.Result {
	var all allowedAll
	var seen []string
	for _, repository := range repositories {
		one := sumUp(r.CanImport(repository))
		all.denied, all.depends = append(all.denied, one.denied...), append(all.depends, one.depends...)
		all.allowed, all.unknown = append(all.allowed, one.allowed...), append(all.unknown, one.unknown...)
		if len(one.denied) == 0 {
			continue
		}
		seen = append(seen, deniedLines(one.denied)...)
		line := fmt.Sprintf("%s: pull-through cache rule %s for %s", repository.ARN, repository.Prefix, repository.Upstream)
		if repository.NotFound {
			line += "; the repository does not exist"
		}
		seen = append(seen, line)
		for _, e := range repository.Events {
			seen = appendNew(seen, fmt.Sprintf("%s reports %s, %d times", e.Object, e.Reason, max(e.Count, 1)))
		}
	}
	result := all.result(roleSubject(r), r.Name, "can import images through the pull-through cache", "cannot import images through the pull-through cache")
	if result.Status != finding.Fail {
		return result
	}
	result.Evidence = firstLines(seen)
	names := namesOf(all.denied)
	if len(names) == 1 && names[0] == need.PullThroughCache[0].Name {
		result.Next = []finding.Next{attach(r.Role, v.Place.Partition, "AmazonEC2ContainerRegistryPullOnly")}
	}
	return all.unblock(result)
}
