package diff

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// maxNames is how many names a line has before it counts them.
const maxNames = 3

// String says the change in one line, with names in place of ARNs.
func (c Change) String() string {
	if c.Kind == KindFact {
		return c.fact()
	}
	object := string(c.Kind) + " " + c.names()
	older, newer := short(c.Old), short(c.New)
	switch {
	case c.Field == "":
		return object + c.whole(older, newer)
	case c.PolicyDiff != "" && c.Action == Changed:
		return object + ": " + c.Field + " changed"
	case c.Action == Added:
		return object + ": " + strings.TrimSpace(c.Field+" "+newer) + " added"
	case c.Action == Removed:
		return object + ": " + strings.TrimSpace(c.Field+" "+older) + " removed"
	default:
		return fmt.Sprintf("%s: %s %s -> %s", object, c.Field, older, newer)
	}
}

// whole says what happened to an object.
func (c Change) whole(older, newer string) string {
	added, removed := " added", " removed"
	switch c.Kind { //nolint:exhaustive // the others are added and removed
	case KindRole, KindProfile, KindOIDCProvider:
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

// fact says what can no longer be read, or can be read now.
func (c Change) fact() string {
	what := c.Field
	if name := c.names(); name != "" {
		what += " of " + name
	}
	if c.Action == Readable {
		return what + ": read now; before: " + c.Old
	}
	return what + ": could not be read: " + c.New
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

// Headline says in a sentence what matters most.
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
