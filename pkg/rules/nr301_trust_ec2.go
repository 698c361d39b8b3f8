package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var trustEC2 = Rule{
	ID: "NR301", Name: "trust-ec2", Severity: finding.Error, Concern: finding.ConcernTrust,
	Joining:  40,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.TrustEC2,
	Title:    "The node role's trust policy allows EC2 to assume it",
	Why: `Nodes start without credentials and do not join. EC2 cannot give the role to instances. The creation of managed node
groups fails with AccessDenied or NodeCreationFailure.`,
	Fix: `Add a statement to the trust policy that allows sts:AssumeRole for the service ec2.amazonaws.com. Keep the other
statements that you need.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3359",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}}'`,
	Good: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":["ssm.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:*"}}'`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			report(judgeTrust(v, r))
		}
	},
}

func judgeTrust(v *view.View, r *view.NodeRole) finding.Result {
	subject := roleSubject(r)
	var denied []view.Answer
	var best view.Answer
	for _, session := range v.InstanceSessions() {
		service := session.Principal
		answer := r.TrustAllows(session, "sts:AssumeRole")
		switch answer.Verdict {
		case view.Unknown:
			return unknown(subject, "whether EC2 may assume "+r.Name+" is unknown", answer.Unread)
		case view.Allowed:
			return finding.Result{
				Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s allows EC2 to assume it", r.Name),
				Evidence: []string{fmt.Sprintf("%s: allowed by %s", service, statementList(answer.Result.Statements))},
			}
		case view.Depends:
			best = answer
		case view.Denied:
			denied = append(denied, answer)
		}
	}
	if best.Verdict == view.Depends {
		return finding.Result{
			Status: finding.Depends, Subject: subject, Message: fmt.Sprintf("whether EC2 may assume %s depends on a condition", r.Name),
			Evidence: dependsLines([]view.Answer{best}),
			Next:     []finding.Next{finding.Advise("remove the condition, unless you know that it is true for every launch")},
		}
	}

	result := finding.Result{Status: finding.Fail, Subject: subject, Message: "trust policy of " + r.Name + " does not allow EC2"}
	for _, a := range denied {
		if a.Result.Explicit {
			result.Evidence = append(result.Evidence, fmt.Sprintf("%s: denied by %s", a.Action.For, statementList(a.Result.Statements)))
		} else {
			line := fmt.Sprintf("%s: no statement of the trust policy allows sts:AssumeRole", a.Action.For)
			if ref, found := conditional(r.Trust(), a); found {
				line += "; the conditions of " + ref.String() + " are not met"
			}
			result.Evidence = append(result.Evidence, line)
		}
	}
	if names := trusted(r.Role); names != "" {
		result.Evidence = append(result.Evidence, "the trust policy allows "+names)
	}
	if i := slices.IndexFunc(denied, view.Answer.ByOrganization); i >= 0 {
		result.Message = "the organization does not allow EC2 to assume " + r.Name
		result.Next = []finding.Next{askOrganization(denied[i])}
	} else if slices.ContainsFunc(denied, func(a view.Answer) bool { return a.Result.Explicit }) {
		result.Next = []finding.Next{finding.Advise("change the Deny statement of the trust policy: an Allow statement does not override it")}
	}
	return result
}

// conditional returns the first statement of a trust policy that would allow a service that is
// denied if its conditions were met.
func conditional(trust *iampolicy.Document, denied view.Answer) (ref iampolicy.Reference, found bool) {
	i := slices.IndexFunc(denied.Result.Nearest, func(ref iampolicy.Reference) bool {
		return slices.Contains(trust.Statements[ref.Index].Principals["Service"], denied.Action.For)
	})
	if i < 0 {
		return ref, false
	}
	return denied.Result.Nearest[i], true
}

// trusted lists who the trust policy's Allow statements name.
func trusted(r *view.Role) string {
	doc := r.Trust()
	if doc == nil {
		return ""
	}
	var names []string
	for _, s := range doc.Statements {
		if s.Effect != iampolicy.Allow {
			continue
		}
		for _, kind := range slices.Sorted(maps.Keys(s.Principals)) {
			for _, name := range s.Principals[kind] {
				names = appendNew(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

func trustStatement(services []string) string {
	quoted := `"` + strings.Join(services, `","`) + `"`
	if len(services) > 1 {
		quoted = "[" + quoted + "]"
	}
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"Service":%s},"Action":"sts:AssumeRole"}`, quoted)
}
