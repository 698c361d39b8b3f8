package diff

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// factWords are what the facts are called in a sentence, where their name is no word.
var factWords = map[snapshot.Fact]string{
	snapshot.FactNodeGroups: "node groups", snapshot.FactFargateProfiles: "Fargate profiles", snapshot.FactOtherClusters: "other clusters",
	snapshot.FactAddons: "add-ons", snapshot.FactPodIdentity: "Pod Identity associations", snapshot.FactAccessEntries: "access entries",
	snapshot.FactAccessPolicies: "access policies", snapshot.FactHybridEntries: "access entries of hybrid nodes", snapshot.FactRoles: "the role itself",
	snapshot.FactAttachedPolicies: "attached policies", snapshot.FactInlinePolicies: "inline policies", snapshot.FactPolicies: "the document",
	snapshot.FactRoleProfiles: "instance profiles of the role", snapshot.FactInstanceProfiles: "instance profiles", snapshot.FactOIDCProviders: "OIDC providers",
	snapshot.FactAWSAuth: "aws-auth", snapshot.FactNodeClasses: "node classes", snapshot.FactAutoScaling: "Auto Scaling groups",
	snapshot.FactServiceAccount: "the service account of aws-node", snapshot.FactDaemonSet: "the DaemonSet aws-node", snapshot.FactPods: "pods of aws-node",
	snapshot.FactSystemImages: "images", snapshot.FactAgent: "the Pod Identity Agent", snapshot.FactSimulations: "answers of the policy simulator",
	snapshot.FactVPCEndpoints: "VPC endpoints", snapshot.FactOrganization: "policies of the organization", snapshot.FactRepositoryPolicies: "repository policies",
	snapshot.FactClusterRole: "policies of the cluster role", snapshot.FactAddonPods: "pods of add-ons", snapshot.FactAddonAccounts: "the service account",
	snapshot.FactRegistries: "the ECR registry", snapshot.FactProfileQuota: "the quota of instance profiles",
	snapshot.FactClusterProviders: "OIDC providers of EKS clusters", snapshot.FactMetadata: "instance metadata options",
}

// factName is a fact in words.
func factName(fact, subject string) string {
	words := cmp.Or(factWords[snapshot.Fact(fact)], fact)
	role, policy, one := strings.Cut(subject, "#")
	switch {
	case one:
		return "inline policy " + policy + " of " + role
	case subject == "":
		return words
	case snapshot.Fact(fact) == snapshot.FactRoles:
		return "role " + subject
	default:
		return words + " of " + subject
	}
}

// maxNames is how many names a line has before it counts them.
const maxNames = 3

// String returns the change in one line, with names in place of ARNs.
func (c Change) String() string {
	if c.Kind == KindFact {
		return c.fact()
	}
	object := string(c.Kind) + " " + c.names()
	older, newer := short(c.Old), short(c.New)
	switch {
	case c.Field == "":
		return object + c.whole(older, newer)
	case c.Action == Changed && older == newer:
		return object + ": " + c.Field + " changed"
	case c.Action == Added:
		return object + ": " + strings.TrimSpace(c.Field+" "+newer) + " added"
	case c.Action == Removed:
		return object + ": " + strings.TrimSpace(c.Field+" "+older) + " removed"
	default:
		return fmt.Sprintf("%s: %s %s -> %s", object, c.Field, older, newer)
	}
}

// whole returns what happened to an object.
func (c Change) whole(older, newer string) string {
	added, removed := " added", " removed"
	switch c.Kind { //nolint:exhaustive // the others are added and removed
	case KindOrganization:
		added, removed = ": read now", ": not read now"
	case KindRole, KindProfile, KindOIDCProvider, KindRepository, KindRegistry:
		added, removed = ": the cluster uses it now", ": the cluster does not use it any more"
	case KindNode:
		added, removed = " joined", " left"
	case KindEvent:
		added, removed = ": reported now", ": not reported any more"
	}
	switch {
	case c.Action == Added && newer != "":
		return added + " (" + newer + ")"
	case c.Action == Added:
		return added
	case c.Action == Removed && older != "":
		return removed + " (" + older + ")"
	case c.Action == Removed:
		return removed
	default:
		return ": " + text.OrNone(older) + " -> " + text.OrNone(newer)
	}
}

// fact returns what can no longer be read, or can be read now, and why it could not.
func (c Change) fact() string {
	if c.Action == Readable {
		return c.Brief() + "; before: " + c.Old
	}
	return c.Brief() + ": " + c.New
}

// Brief is the change in fewer words, for a verdict that rests on it: without the error of a
// call.
func (c Change) Brief() string {
	if c.Kind != KindFact {
		return c.String()
	}
	what := factName(c.Field, c.names())
	if c.Action == Readable {
		return what + " can be read now"
	}
	return what + " could not be read"
}

func (c Change) names() string {
	if len(c.Names) <= maxNames {
		return strings.Join(c.Names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(c.Names[:maxNames], ", "), len(c.Names)-maxNames)
}

// short is a text with names in place of ARNs.
func short(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		word, comma := strings.CutSuffix(w, ",")
		if _, ok := snapshot.ParseARN(word); ok {
			words[i] = snapshot.NameOf(word)
			if comma {
				words[i] += ","
			}
		}
	}
	return strings.Join(words, " ")
}

// Message is what the rule says now or, where it says nothing any more, what it said.
func (v Verdict) Message() string {
	if v.New != nil {
		return v.New.Message
	}
	return v.Old.Message
}

// Headline returns in a sentence what matters most.
func (d *Diff) Headline() string {
	s := d.Summary
	other := len(d.Verdicts) - s.Worse - s.Resolved
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{s.Worse, text.Count(s.Worse, "verdict") + " got worse"},
		{s.Resolved, text.Count(s.Resolved, "verdict") + " resolved"},
		{other, text.Count(other, "other verdict") + " changed"},
		{s.Changes, text.Count(s.Changes, "fact") + " changed"},
	} {
		if part.n > 0 {
			parts = append(parts, part.text)
		}
	}
	counts := strings.Join(parts, ", ")
	switch {
	case s.Worse > 0:
		return counts + "; begin with " + d.Verdicts[0].ID
	case s.Unread > 0:
		return fmt.Sprintf("nothing got worse as far as it could be read: %d facts or verdicts can no longer be read", s.Unread)
	case len(d.Verdicts) > 0:
		return "nothing got worse: " + counts
	case s.Changes > 0:
		return "no verdict moved: " + counts
	default:
		return "nothing changed"
	}
}
