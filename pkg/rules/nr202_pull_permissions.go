package rules

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var pullPermissions = Rule{
	ID: "NR202", Name: "pull-permissions", Severity: finding.Error, Concern: finding.ConcernPull,
	Joining:  170,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoImage, finding.DeniedCall},
	Repair:   finding.AttachPullPolicy,
	Title:    "The node role can pull images from ECR",
	Why: `New nodes cannot pull aws-node and kube-proxy, and stay NotReady. These images come from ECR. Pods with images in
private repositories end in ImagePullBackOff. EKS keeps its images in registries of its own accounts: a policy for the
repositories of your account does not cover them.`,
	Fix: `Attach AmazonEC2ContainerRegistryPullOnly (or ReadOnly). Or use a policy of your own: allow ecr:GetAuthorizationToken on *,
and ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the repositories of all images. These include the images of aws-node,
kube-proxy and CoreDNS.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryPullOnly.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactDaemonSet, snapshot.FactSystemImages,
	},
	Bad: `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]}}`,
	Good: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
    inlinePolicies:
      pull: |
        {
          "Version": "2012-10-17",
          "Statement": [
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {
              "Effect": "Allow",
              "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
              "Resource": [
                "arn:aws:ecr:eu-west-1:602401143452:repository/amazon*",
                "arn:aws:ecr:eu-west-1:602401143452:repository/eks/*"
              ]
            },
            {"Effect": "Allow", "Action": "ecr:BatchImportUpstreamImage", "Resource": "arn:aws:ecr:*:*:repository/*"}
          ]
        }`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			report(judgePull(v, r))
		}
	},
}

func judgePull(v *view.View, r *view.NodeRole) finding.Result {
	asked := pullOf(v, r.Role, v.RunsSystemImages(r))
	all := sumUp(asked.answers)
	result := all.result(roleSubject(r), r.Name, "can pull "+asked.what, "cannot pull "+asked.what)
	if len(asked.elsewhere) > 0 && result.Status != finding.Pass {
		return finding.Result{
			Status: finding.NotApplicable, Subject: roleSubject(r), Evidence: firstLines(asked.elsewhere),
			Message: r.Name + " does not need to pull from ECR: the images of " + strings.Join(snapshot.SystemWorkloads, ", ") + " come from other registries",
		}
	}
	if result.Status != finding.Unknown {
		result.Evidence = append(result.Evidence, firstLines(asked.evidence)...)
	}
	return all.unblock(result)
}

// pull is what a node role is asked about pulling images.
type pull struct {
	answers []view.Answer
	// what is what the answers are about, such as images from ECR.
	what string
	// evidence says which images.
	evidence []string
	// elsewhere names the images of kube-system where none of them is in a private
	// registry of ECR: the answers are then about other images, which are not known.
	elsewhere []string
}

// needed are the answers, none where no image is in a private registry of ECR.
func (p pull) needed() []view.Answer {
	if len(p.elsewhere) > 0 {
		return nil
	}
	return p.answers
}

// pullOf asks a role about the images of aws-node, kube-proxy and CoreDNS. It asks about
// the images of every repository where these are not all known, and where the role is
// allowed or denied all of them. runs is false where the nodes run none of the three, and
// without names those that they do not run.
func pullOf(v *view.View, r *view.Role, runs bool, without ...string) pull {
	every := pull{answers: answersOf(r, need.Pull), what: "images from ECR"}
	if !runs {
		return every
	}
	images, complete, unread := v.SystemImages()
	images = slices.DeleteFunc(slices.Clone(images), func(i view.SystemImage) bool { return slices.Contains(without, i.Workload) })
	some, all := askImages(r, images), sumUp(every.answers)
	denied := len(sumUp(some.answers).denied) > 0
	switch {
	case slices.ContainsFunc(all.denied, func(a view.Answer) bool { return a.Organization != nil }), denied && len(all.denied) > 0:
		return every
	case denied:
		return some
	case len(all.allowed) == len(every.answers):
		return every
	case complete && len(some.answers) > 0:
		return some
	case complete && !pullRefused(v):
		for _, i := range images {
			every.elsewhere = append(every.elsewhere, i.String())
		}
	case len(unread) > 0:
		for i := range every.answers {
			if a := &every.answers[i]; a.Verdict == view.Depends {
				a.Verdict, a.Unread = view.Unknown, unread
			}
		}
	}
	return every
}

// askImages asks a role about those images that are in private registries of ECR.
func askImages(r *view.Role, images []view.SystemImage) pull {
	var some pull
	var workloads, denied []string
	for _, i := range images {
		if !i.Private() {
			continue
		}
		workloads = appendNew(workloads, i.Workload)
		refused := false
		for _, a := range answersOf(r, view.PullOf(i.Image)) {
			if a.Verdict == view.Denied {
				refused = true
				if i.NotNeeded != "" {
					a.Verdict, a.NotNeeded = view.Depends, i.NotNeeded
				} else {
					denied = appendNew(denied, i.Workload)
				}
			}
			some.answers = append(some.answers, a)
		}
		if refused {
			some.evidence = append(some.evidence, i.String())
		}
	}
	if len(some.evidence) == 0 {
		some.evidence = []string{"the policies do not allow all repositories; whether other images can be pulled is unknown"}
	}
	if len(denied) > 0 {
		workloads = denied
	}
	some.what = "the images of " + strings.Join(workloads, ", ") + " from ECR"
	return some
}

// pullRefused reports whether an event says that a private registry of ECR refused a pull.
func pullRefused(v *view.View) bool {
	return slices.ContainsFunc(v.Snapshot.Events, func(e snapshot.Event) bool { return e.Cause() == snapshot.CauseImage })
}

// withPulls adds to a result about several calls which images the denied ones are for, and
// how to see what denies the first of them.
func withPulls(r *view.Role, all allowedAll, pulls pull, result finding.Result) finding.Result {
	if result.Status != finding.Fail {
		return result
	}
	if len(sumUp(pulls.answers).denied) > 0 {
		result.Evidence = append(result.Evidence, firstLines(pulls.evidence)...)
	}
	result.Next = []finding.Next{explainAction(r.Name, all.denied[0].Action.Name)}
	return result
}
