package rules

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var publicRegistry = Rule{
	ID: "NR222", Name: "public-registry", Severity: finding.Info, Concern: finding.ConcernPull,
	Explains: []finding.SymptomKind{finding.NoPublicImage, finding.DeniedCall},
	NoRepair: "pulls from public ECR also work without a login, within lower limits",
	Title:    "The node role can log in to public ECR if images come from there",
	Why: `kubelet pulls from public ECR without a login, and with lower limits. Pulls above the limits fail with
toomanyrequests.`,
	Fix: `Attach AmazonElasticContainerRegistryPublicReadOnly, or allow ecr-public:GetAuthorizationToken and
sts:GetServiceBearerToken in a policy of your own. They are not needed if the limits of anonymous pulls are enough.`,
	Refs: []string{
		"https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html",
		"https://docs.aws.amazon.com/AmazonECR/latest/public/public-service-quotas.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonElasticContainerRegistryPublicReadOnly.html",
		"https://github.com/terraform-aws-modules/terraform-aws-eks/pull/3679",
		"https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/internal/kubelet/image-credential-provider.go",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactDaemonSet, snapshot.FactSystemImages, snapshot.FactEvents,
	},
	Bad: `systemImages: {coredns: {images: ["public.ecr.aws/eks-distro/coredns/coredns:v1.12.4"]}}`,
	Good: `
systemImages: {coredns: {images: ["public.ecr.aws/eks-distro/coredns/coredns:v1.12.4"]}}
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies:
      public: |
        {
          "Version": "2012-10-17",
          "Statement": {"Effect": "Allow", "Action": ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"], "Resource": "*"}
        }`,
	Check: func(v *view.View, report Reporter) {
		seen, unread := publicImages(v)
		switch {
		case v.Place.Partition != "aws":
			report(finding.Result{
				Status: finding.NotApplicable, Subject: clusterSubject(v),
				Message: "public ECR takes logins from the partition aws only",
			})
			return
		case len(seen) == 0 && len(unread) > 0:
			report(unknown(clusterSubject(v), "whether images come from public ECR is unknown", unread))
			return
		case len(seen) == 0:
			report(finding.Result{
				Status: finding.NotApplicable, Subject: clusterSubject(v),
				Message: "no image of kube-system that was read and no event names public ECR",
			})
			return
		}
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			all := askAll(r.Role, need.PublicPull)
			result := all.result(roleSubject(r), r.Name, "can log in to public ECR", "cannot log in to public ECR: its nodes pull from there anonymously")
			if result.Status == finding.Fail {
				result.Next = []finding.Next{attach(r.Role, v.Place.Partition, "AmazonElasticContainerRegistryPublicReadOnly")}
			}
			if result.Status != finding.Unknown {
				result.Evidence = append(result.Evidence, firstLines(seen)...)
			}
			report(all.unblock(result))
		}
	},
}

// publicImages says which images of public ECR the cluster names, a line each. unread is
// set where there may be more.
func publicImages(v *view.View) (seen []string, unread []snapshot.Missing) {
	images, _, unread := v.SystemImages()
	for _, i := range images {
		if i.Public() {
			seen = append(seen, i.String())
		}
	}
	for _, e := range v.Snapshot.Events {
		if e.NamesPublicECR() {
			seen = append(seen, "event "+e.Reason+" of "+e.Object+": "+e.Message)
		}
	}
	return seen, append(unread, v.Unread(snapshot.FactEvents)...)
}

// pullsAnonymously reports whether a node role cannot log in to public ECR.
func pullsAnonymously(v *view.View) bool {
	return slices.ContainsFunc(v.NodeRoles(), func(r *view.NodeRole) bool {
		return !r.Facts.NotFound && len(askAll(r.Role, need.PublicPull).allowed) < len(need.PublicPull)
	})
}
