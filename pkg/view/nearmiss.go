package view

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// MissKind is why an entry of aws-auth that is meant for a role never matches it.
type MissKind string

// The kinds of near misses, in the order in which they are looked for.
const (
	MissBlanks    MissKind = "blanks"          // spaces or quotes around the ARN
	MissPath      MissKind = "path"            // the role's path
	MissProfile   MissKind = "instanceProfile" // the ARN of an instance profile
	MissSession   MissKind = "session"         // the ARN of a session, assumed-role/…
	MissName      MissKind = "name"            // the role's name alone
	MissAccount   MissKind = "account"         // the role's name in another account
	MissPartition MissKind = "partition"       // the role's name in another partition
	MissTemplate  MissKind = "template"        // a placeholder that was not filled in
	MissWildcard  MissKind = "wildcard"        // a pattern
)

// missReasons say for each kind why such an entry matches no role.
var missReasons = map[MissKind]string{
	MissBlanks:    "has spaces or quotes around the ARN, which count as a part of it",
	MissPath:      "has the role's path, which the ARN of a session does not have",
	MissProfile:   "is the ARN of an instance profile, not of its role",
	MissSession:   "is the ARN of one session of the role, not of the role",
	MissName:      "is the role's name, not its ARN",
	MissAccount:   "is in another account than the role",
	MissPartition: "is in another partition than the role",
	MissTemplate:  "has a placeholder that was not filled in",
	MissWildcard:  "is a pattern, and aws-auth compares whole ARNs",
}

// Reason is a clause about rolearn that says why it never matches.
func (k MissKind) Reason() string { return missReasons[k] }

// NearMiss is an entry of aws-auth that is meant for a role and never matches it.
type NearMiss struct {
	awsauth.Mapping
	Kind MissKind
	// Line is the entry's line in mapRoles, counted from 1.
	Line int
}

// nearMiss says why an entry that is meant for a role does not match it; empty where it is
// not meant for the role.
//
// The authenticator turns the ARN of the caller's session into that of the role without
// its path, and compares it with rolearn as a whole, without regard to case.
// Source: kubernetes-sigs/aws-iam-authenticator pkg/mapper/configmap/mapper.go, pkg/arn/arn.go.
func (v *View) nearMiss(m awsauth.Mapping, roleARN string) MissKind {
	want := snapshot.WithoutPath(roleARN)
	role, ok := snapshot.ParseARN(want)
	if !ok || m.RoleARN == "" {
		return ""
	}
	written := strings.Trim(m.RoleARN, " \t\r\n\"'`")
	if strings.EqualFold(written, want) {
		return MissBlanks
	}
	if strings.EqualFold(snapshot.WithoutPath(written), want) {
		return MissPath
	}
	if strings.EqualFold(written, role.Name()) || strings.EqualFold(written, role.Resource) {
		return MissName
	}
	if placeholder().MatchString(written) {
		// A text that is only a placeholder may be meant for any role, but only where the rest of the
		// entry is a node's.
		if (matchesTemplate(written, want) || matchesTemplate(written, roleARN)) && (len(placeholder().ReplaceAllString(written, "")) > 0 || looksLikeNodes(m)) {
			return MissTemplate
		}
		return ""
	}
	if strings.Contains(written, "*") {
		if pieces := strings.Split(written, "*"); matches(pieces, want) || matches(pieces, roleARN) {
			return MissWildcard
		}
		return ""
	}
	other, ok := snapshot.ParseARN(written)
	if !ok {
		return ""
	}
	return v.otherARN(other, role)
}

// otherARN recognizes a well-formed ARN that is meant for a role and is not the role's ARN.
func (v *View) otherARN(other, role snapshot.ARN) MissKind {
	named := strings.EqualFold(other.Name(), role.Name())
	switch {
	case strings.HasPrefix(other.Resource, "instance-profile/"):
		if named || v.profileHolds(other, role) {
			return MissProfile
		}
	case strings.HasPrefix(other.Resource, "assumed-role/"):
		name, _, _ := strings.Cut(strings.TrimPrefix(other.Resource, "assumed-role/"), "/")
		if strings.EqualFold(name, role.Name()) && other.Account == role.Account {
			return MissSession
		}
	case !strings.HasPrefix(other.Resource, "role/") || !named:
	case other.Account != role.Account:
		return MissAccount
	case other.Partition != role.Partition:
		return MissPartition
	}
	return ""
}

// profileHolds reports whether an instance profile contains a role, by their names.
func (v *View) profileHolds(profile, role snapshot.ARN) bool {
	for arn, p := range v.Snapshot.InstanceProfiles {
		if strings.EqualFold(snapshot.NameOf(arn), profile.Name()) && slices.ContainsFunc(p.Roles, func(r string) bool { return snapshot.NameOf(r) == role.Name() }) {
			return true
		}
	}
	return false
}

// placeholder is what template languages replace: ${…} and %{…} (Terraform,
// CloudFormation, shells), {{…}} (Helm, Jinja), <…> (documentation), and $NAME. No ARN has
// any of their characters.
var placeholder = text.Pattern(`[$%]\{[^}]*\}|\{\{[^}]*\}\}|<[^>]*>|\$[A-Za-z_][A-Za-z0-9_]*`)

// matchesTemplate reports whether a text with placeholders can become an ARN.
func matchesTemplate(template, arn string) bool {
	return matches(placeholder().Split(template, -1), arn)
}

// matches reports whether a text consists of pieces, in order, with anything between
// them, without regard to case.
func matches(pieces []string, text string) bool {
	quoted := make([]string, len(pieces))
	for i, p := range pieces {
		quoted[i] = regexp.QuoteMeta(p)
	}
	pattern, err := regexp.Compile("(?i)^" + strings.Join(quoted, ".*") + "$")
	return err == nil && pattern.MatchString(text)
}

// looksLikeNodes reports whether an entry is meant for nodes.
func looksLikeNodes(m awsauth.Mapping) bool {
	return slices.Contains(NodeNames, m.Username) || slices.Contains(m.Groups, NodesGroup)
}

// mappingLine is the line of an entry of mapRoles, counted from 1; 0 where it is not
// known.
func (v *View) mappingLine(i int) int {
	if v.authLines == nil && v.Snapshot.AWSAuth != nil {
		v.authLines = awsauth.Lines(v.Snapshot.AWSAuth.MapRoles)
	}
	if i >= len(v.authLines) {
		return 0
	}
	return v.authLines[i]
}
