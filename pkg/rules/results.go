package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

func roleSubject(r *view.NodeRole) finding.Subject {
	return finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
}

func clusterSubject(v *view.View) finding.Subject {
	return finding.Subject{Kind: finding.SubjectCluster, Name: v.Place.Cluster, ARN: v.Snapshot.Cluster.ARN}
}

func awsNodeSubject() finding.Subject {
	return finding.Subject{Kind: finding.SubjectAWSNode, Name: "aws-node"}
}

// withoutAWSNode is the message where no node runs aws-node.
func withoutAWSNode(v *view.View) string {
	if v.Snapshot.AWSNode.DaemonSet == nil {
		return "aws-node is not installed"
	}
	return "no node runs aws-node"
}

// rolesUnderAWSNode are the node roles whose nodes run aws-node, which uses the role where it
// has none of its own. The others are reported.
func rolesUnderAWSNode(v *view.View, report Reporter) []*view.NodeRole {
	var roles []*view.NodeRole
	for _, r := range v.NodeRoles() {
		if v.RunsSystemImages(r) {
			roles = append(roles, r)
			continue
		}
		report(finding.Result{Status: finding.NotApplicable, Subject: roleSubject(r), Message: "aws-node does not run on nodes of " + r.Name + ": they are EKS Auto Mode or Windows nodes"})
	}
	return roles
}

// unknown is the result for a subject whose facts could not be read.
func unknown(subject finding.Subject, message string, unread []snapshot.Missing) finding.Result {
	r := finding.Result{Status: finding.Unknown, Subject: subject, Message: message}
	var permissions []string
	for _, m := range unread {
		r.Evidence = appendNew(r.Evidence, missingLine(m))
		if m.Permission != "" {
			permissions = appendNew(permissions, m.Permission)
		}
	}
	if len(permissions) > 0 {
		r.Next = []finding.Next{finding.Advise("grant yourself " + strings.Join(permissions, ", ") + " and run check again")}
	}
	return r
}

func missingLine(m snapshot.Missing) string {
	if m.Subject == "" {
		return fmt.Sprintf("%s: %s", m.Operation, m.Error)
	}
	return fmt.Sprintf("%s of %s: %s", m.Operation, shortSubject(m.Subject), m.Error)
}

// shortSubject is the name in ARN or ARN#NAME.
func shortSubject(s string) string {
	arn, name, ok := strings.Cut(s, "#")
	if ok {
		return snapshot.NameOf(arn) + " " + name
	}
	return snapshot.NameOf(arn)
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// allowedAll asks a role for every action of a need and sums up: denied if any
// is denied, else unknown, else depends, else passed.
type allowedAll struct {
	denied, unknown, depends, allowed []view.Answer
}

func askAll(r *view.Role, actions []need.Action) allowedAll { return sumUp(answersOf(r, actions)) }

func answersOf(r *view.Role, actions []need.Action) []view.Answer {
	answers := make([]view.Answer, 0, len(actions))
	for _, a := range actions {
		answers = append(answers, r.Can(a))
	}
	return answers
}

func sumUp(answers []view.Answer) allowedAll {
	var all allowedAll
	for _, a := range answers {
		all.add(a)
	}
	return all
}

// askAs is askAll for a session.
func askAs(s *view.Session, r *view.Role, actions []need.Action) allowedAll {
	var all allowedAll
	for _, a := range actions {
		all.add(r.CanAs(s, a))
	}
	return all
}

func (all *allowedAll) add(ans view.Answer) {
	switch ans.Verdict {
	case view.Denied:
		all.denied = append(all.denied, ans)
	case view.Unknown:
		all.unknown = append(all.unknown, ans)
	case view.Depends:
		all.depends = append(all.depends, ans)
	case view.Allowed:
		all.allowed = append(all.allowed, ans)
	}
}

// result turns the answers into one result. who is the role's name, can is a phrase such as "can pull
// images from ECR", cannot its opposite.
func (all allowedAll) result(subject finding.Subject, who, can, cannot string) finding.Result {
	switch {
	case len(all.denied) > 0:
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: who + " " + cannot,
			Evidence: append(deniedLines(all.denied), otherLines(all)...), Denied: namesOf(all.denied),
		}
	case len(all.unknown) > 0:
		return unknown(subject, fmt.Sprintf("whether %s %s is unknown", who, can), unreadOf(all.unknown))
	case len(all.depends) > 0:
		return finding.Result{
			Status: finding.Depends, Subject: subject,
			Message:  fmt.Sprintf("whether %s %s depends on the request", who, can),
			Evidence: append(dependsLines(all.depends), grantLines(all.allowed)...),
			Next:     []finding.Next{explainAction(who, all.depends[0].Action.Name).With("shows what it depends on")},
		}
	default:
		return finding.Result{Status: finding.Pass, Subject: subject, Message: who + " " + can, Evidence: grantLines(all.allowed)}
	}
}

func namesOf(answers []view.Answer) []string {
	names := make([]string, 0, len(answers))
	for _, a := range answers {
		names = appendNew(names, a.Action.Name)
	}
	return names
}

func otherLines(all allowedAll) []string {
	lines := dependsLines(all.depends)
	for _, a := range all.unknown {
		lines = append(lines, a.Action.Name+": unknown")
	}
	return lines
}

func unreadOf(answers []view.Answer) []snapshot.Missing {
	var list []snapshot.Missing
	for _, a := range answers {
		list = append(list, a.Unread...)
	}
	return list
}

// deniedLines returns what denies the actions, actions with the same reason in one line.
func deniedLines(answers []view.Answer) []string { return grouped(answers, whyDenied) }

// reason is why actions are allowed, denied or depend on something.
type reason struct {
	// before is written before the actions; where it is empty, the actions come first.
	before, after string
}

// of is the line about actions that have the reason.
func (r reason) of(actions ...string) string {
	names := strings.Join(actions, ", ")
	if r.before == "" {
		return names + ": " + r.after
	}
	return r.before + " " + names + r.after
}

// String is the reason where the actions are named before.
func (r reason) String() string {
	if r.before == "" {
		return r.after
	}
	return r.before + " it" + r.after
}

func whyDenied(a view.Answer) reason {
	switch {
	case a.Organization != nil:
		return reason{after: "denied by a service control policy, according to the IAM policy simulator (" + a.Organization.Decision + " on " + a.Organization.Resource + ")"}
	case a.Result.Explicit:
		return reason{after: "denied by " + statementList(a.Result.Statements)}
	case a.Result.By == iampolicy.LayerSCP:
		return reason{after: "the service control policies (SCPs) of the organization do not allow it at every level" + nearest(a.Result)}
	case a.Result.By == iampolicy.LayerBoundary:
		return reason{after: "the permissions boundary does not allow it" + nearest(a.Result)}
	case a.Result.By == iampolicy.LayerSession:
		return reason{after: "the session policy of the Pod Identity association does not allow it" + nearest(a.Result)}
	default:
		return reason{before: "no statement allows", after: nearest(a.Result)}
	}
}

// nearest names statements that allow the action, but not here.
func nearest(r iampolicy.Result) string {
	if len(r.Nearest) == 0 {
		return ""
	}
	s := r.Nearest[0]
	text := " (nearest: " + s.String()
	if len(s.Resources) > 0 {
		text += ", " + s.Resources[0]
	}
	return text + ")"
}

func dependsLines(answers []view.Answer) []string { return grouped(answers, whyDepends) }

func whyDepends(a view.Answer) reason {
	if a.NotNeeded != "" {
		denied := whyDenied(a)
		denied.after += "; not needed where " + a.NotNeeded
		return denied
	}
	if len(a.Result.DependsOn) == 0 {
		return reason{after: "depends on the request"}
	}
	parts := make([]string, 0, len(a.Result.DependsOn))
	for _, c := range a.Result.DependsOn {
		parts = append(parts, c.String())
	}
	return reason{after: "depends on " + strings.Join(parts, "; ")}
}

// grantLines returns which statement allows the actions.
func grantLines(answers []view.Answer) []string { return grouped(answers, whyAllowed) }

func whyAllowed(a view.Answer) reason {
	return reason{after: "allowed by " + statementList(a.Result.Statements)}
}

// grouped is a line for each distinct reason, with the actions that have it.
func grouped(answers []view.Answer, why func(view.Answer) reason) []string {
	var order []reason
	actions := map[reason][]string{}
	for _, a := range answers {
		r := why(a)
		if _, seen := actions[r]; !seen {
			order = append(order, r)
		}
		actions[r] = appendNew(actions[r], asked(a))
	}
	lines := make([]string, 0, len(order))
	for _, r := range order {
		lines = append(lines, r.of(actions[r]...))
	}
	return lines
}

// asked is the action and, where its resource types have different answers, the one
// that decides.
func asked(a view.Answer) string {
	if a.On == "" {
		return a.Action.Name
	}
	return a.Action.Name + " on " + a.On
}

func statementList(list []iampolicy.Reference) string {
	names := make([]string, 0, len(list))
	for _, s := range list {
		names = appendNew(names, s.String())
	}
	return strings.Join(names, " and ")
}

// firstLines are the first of many lines of evidence, and how many more there are.
func firstLines(lines []string) []string {
	const few = 10
	if len(lines) <= few {
		return lines
	}
	return append(slices.Clone(lines[:few]), fmt.Sprintf("and %d more", len(lines)-few))
}

// attach is the command that attaches an AWS managed policy to a role.
func attach(r *view.Role, partition, policy string) finding.Next {
	return finding.Run(command.AWS("iam", "attach-role-policy", "--role-name", r.Name, "--policy-arn", need.ManagedPolicy(partition, policy)))
}

// explainAction is the command that shows statement by statement whether a role is
// allowed an action.
func explainAction(role, action string) finding.Next {
	return finding.Run(command.Noderole("can", role, action, "--explain"))
}

// editAWSAuth is the command that opens aws-auth in an editor.
func editAWSAuth(note string) finding.Next {
	return finding.Run(command.Kubectl("-n", "kube-system", "edit", "configmap", "aws-auth")).With(note)
}

// unblock says what to do about a failure that another policy does not repair: an explicit
// Deny, the boundary, the session policy or a service control policy denies.
func (all allowedAll) unblock(result finding.Result) finding.Result {
	if result.Status != finding.Fail {
		return result
	}
	for _, a := range all.denied {
		switch {
		case a.ByOrganization():
			result.Next = []finding.Next{askOrganization(a)}
			return result
		case !a.Result.Explicit && a.Result.By == iampolicy.LayerSession:
			result.Next = []finding.Next{finding.Advise("allow " + a.Action.Name + " in the session policy of the Pod Identity association too: the policies of the role are not enough")}
			return result
		case a.Blocked():
			result.Next = []finding.Next{finding.Advise("change the Deny statement or the permissions boundary in the evidence: no other policy can allow " + a.Action.Name)}
			return result
		}
	}
	return result
}

// askOrganization says who can change what the organization denies.
func askOrganization(a view.Answer) finding.Next {
	policies := "service control policies"
	if a.Result.By == iampolicy.LayerRCP {
		policies = "resource control policies"
	}
	advice := "ask the administrators of your organization's " + policies + " to allow " + a.Action.Name + ": no policy of the account can override them"
	if a.Organization != nil {
		advice += "; check with --org-profile reads the policies themselves"
	}
	return finding.Advise(advice)
}

// explainTrust is the command that shows statement by statement whether a trust policy
// allows a principal an action.
func explainTrust(principal, action string) finding.Next {
	return finding.Run(command.Noderole("can", "--trust-policy").WithPlaceholder("FILE").With(action, "--principal", principal, "--explain"))
}
