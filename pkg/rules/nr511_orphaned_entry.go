package rules

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var orphanedEntry = Rule{
	ID: "NR511", Name: "orphaned-entry", Severity: finding.Warning, Concern: finding.ConcernJoin, Security: true,
	NoRepair: "whether to recreate the role is your decision",
	Title:    "Every access entry of nodes belongs to a role that exists",
	Why: `An access entry of a deleted role gives no node access, and hides that the role is gone. The entry has the unique ID
of the deleted role: a role of the same name that somebody creates later does not work with it.`,
	Fix: `Delete the access entry. Where nodes are to use the role again, create the role first and then a new access entry.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
		"https://github.com/aws/containers-roadmap/issues/2631",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad:   orphanPatch(`{notFound: true}`),
	Good:  orphanPatch(`{createdAt: "2026-01-01T00:00:00Z", trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'}`),
	Check: func(v *view.View, report Reporter) {
		for _, arn := range text.SortedKeys(v.Snapshot.AccessEntries) {
			entry := v.Snapshot.AccessEntries[arn]
			if !strings.HasPrefix(entry.Type, "EC2") || v.UsedByNodes(arn) {
				continue // of people, or of a role that rules about node roles judge
			}
			r := v.Role(arn)
			subject := finding.Subject{Kind: finding.SubjectSource, Name: "access entry of " + r.Name, ARN: arn}
			evidence := []string{fmt.Sprintf("eks:DescribeAccessEntry %s: type %s", arn, entry.Type)}
			switch {
			case len(r.Unread) > 0:
				report(unknown(subject, "whether role "+r.Name+" of an access entry exists is unknown", r.Unread))
			case r.Facts.NotFound:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: "the access entry of " + r.Name + " belongs to a role that does not exist",
					Evidence: append(evidence, "iam:GetRole "+r.Name+": NoSuchEntity"),
					Next:     []finding.Next{finding.Run(command.AWS("eks", "delete-access-entry", "--cluster-name", v.Place.Cluster, "--principal-arn", arn, "--region", v.Place.Region))},
				})
			default:
				report(finding.Result{Status: finding.Pass, Subject: subject, Message: "the role of the access entry of " + r.Name + " exists", Evidence: evidence})
			}
		}
	},
}

// orphanPatch adds an access entry of nodes to the healthy example, with what IAM says of
// its role.
func orphanPatch(role string) string {
	const arn = "arn:aws:iam::111122223333:role/formerNodeRole"
	return fmt.Sprintf(`
accessEntries: {%[1]q: {type: EC2_LINUX, createdAt: "2026-02-01T00:00:00Z"}}
roles: {%[1]q: %[2]s}
`, arn, role)
}
