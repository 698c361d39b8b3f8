package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// part is a fact that can change on its own, of facts or of a report.
type part[T any] struct {
	kind      ObjectKind
	name, arn string
	field     string
	// needs are the facts that have to be read for the part to be known.
	needs []factRef
	// value is the text that people read; it is not there for an absent part.
	value func(T) (text string, there bool)
	// same says whether the values mean the same; nil compares the texts.
	same func(older, newer T) bool
	// document is set for a policy: its text, empty for none, and its grammar.
	document func(T) string
	grammar  iampolicy.Kind
	// copyTo makes the part of one as it is in the other; nil for one that follows from others
	// or is of a report.
	copyTo func(to, from T)
	// copyAll is copyTo for all of several parts at once, by key, of a part whose change may
	// be one with the same change of others; nil for any other.
	copyAll func(to, from T, keys []string)
	key     string
}

// factRef names a fact, as an entry under missing does.
type factRef struct{ fact, subject string }

func factOf(fact snapshot.Fact, subject string) factRef { return factRef{string(fact), subject} }

// missing reports whether an entry leaves one of the needed facts unread.
func (p part[T]) missing(list []finding.Missing) bool {
	return slices.ContainsFunc(list, func(m finding.Missing) bool { return p.needsFact(m.Fact, m.Subject) })
}

func (p part[T]) needsFact(fact, subject string) bool {
	return slices.ContainsFunc(p.needs, func(n factRef) bool {
		return n.fact == fact && (subject == "" || n.subject == "" || n.subject == subject)
	})
}

// changed compares the part.
func (p part[T]) changed(older, newer T) (Change, bool) {
	c := Change{Action: Changed, Kind: p.kind, Names: []string{p.name}, ARN: p.arn, Field: p.field}
	if p.document != nil {
		return p.changedDocument(c, p.document(older), p.document(newer))
	}
	oldText, wasThere := p.value(older)
	newText, isThere := p.value(newer)
	if wasThere == isThere && (!wasThere || p.equal(older, newer, oldText, newText)) {
		return Change{}, false
	}
	if oldText != newText { // else what differs is too long to be shown
		c.Old, c.New = oldText, newText
	}
	switch {
	case !wasThere:
		c.Action = Added
	case !isThere:
		c.Action = Removed
	}
	return c, true
}

func (p part[T]) equal(older, newer T, oldText, newText string) bool {
	if p.same != nil {
		return p.same(older, newer)
	}
	return oldText == newText
}

// changedDocument compares policy documents by what they grant. One that cannot be parsed
// is compared as a text.
func (p part[T]) changedDocument(c Change, older, newer string) (Change, bool) {
	if older == newer {
		return Change{}, false
	}
	switch {
	case older == "":
		c.Action = Added
	case newer == "":
		c.Action = Removed
	}
	was, wasErr := parsed(p.grammar, older)
	is, isErr := parsed(p.grammar, newer)
	if wasErr != nil || isErr != nil {
		return c, true // a text that is not a policy document is not shown
	}
	if iampolicy.Equivalent(was, is) {
		return Change{}, false
	}
	c.PolicyDiff = iampolicy.Diff(was, is)
	return c, true
}

// parsed is a document; nil for none.
func parsed(grammar iampolicy.Kind, text string) (*iampolicy.Document, error) {
	if text == "" {
		return nil, nil
	}
	return iampolicy.Parse(grammar, []byte(text))
}

// group is a change with what makes it: the parts of facts, or what is no longer read.
type group struct {
	change Change
	// revert makes the facts of one side as those of the other where this change is; nil
	// where the change follows from others.
	revert []func(to, from *snapshot.Snapshot)
	// id is equal for changes that are one; all and keys are then what reverts them.
	id   string
	all  func(to, from *snapshot.Snapshot, keys []string)
	keys []string
}

// reverting returns what copies a part of facts; nil for a part of a report.
func (p part[T]) reverting() (one func(to, from *snapshot.Snapshot), all func(to, from *snapshot.Snapshot, keys []string)) {
	one, _ = any(p.copyTo).(func(to, from *snapshot.Snapshot))
	all, _ = any(p.copyAll).(func(to, from *snapshot.Snapshot, keys []string))
	return one, all
}

// compareParts returns the changes of the parts that both sides could read, and what one
// of them alone could read.
func compareParts[T any](parts []part[T], older, newer T, was, is []finding.Missing) []group {
	var list []group
	for _, p := range parts {
		if p.missing(was) || p.missing(is) {
			continue
		}
		if c, changed := p.changed(older, newer); changed {
			g := group{change: c}
			one, all := p.reverting()
			switch {
			case all != nil:
				g.id = strings.Join([]string{string(c.Action), string(c.Kind), c.Field, c.Old, c.New}, "\x00")
				g.all, g.keys = all, []string{p.key}
			case one != nil:
				g.revert = append(g.revert, one)
			}
			list = append(list, g)
		}
	}
	return append(list, readability(parts, was, is)...)
}

// readability returns what only one side could read.
func readability[T any](parts []part[T], was, is []finding.Missing) []group {
	lines := func(list []finding.Missing) map[factRef]string {
		found := map[factRef]string{}
		for _, m := range list {
			if ofOlderRelease(m) {
				continue // it was not tried
			}
			ref, line := factRef{m.Fact, m.Subject}, m.Operation+": "+m.Error
			if have, ok := found[ref]; !ok || line < have {
				found[ref] = line
			}
		}
		return found
	}
	before, after := lines(was), lines(is)
	both := maps.Clone(before)
	maps.Copy(both, after)
	var list []group
	for ref := range both {
		old, wasMissing := before[ref]
		now, isMissing := after[ref]
		if wasMissing == isMissing {
			continue
		}
		c := Change{Action: Unread, Kind: KindFact, Names: []string{snapshot.NameOf(ref.subject)}, Field: ref.fact, Old: old, New: now}
		if a, ok := snapshot.ParseARN(ref.subject); ok && a.Service != "" {
			c.ARN, _, _ = strings.Cut(ref.subject, "#")
		}
		if wasMissing {
			c.Action = Readable
		}
		g := group{change: c, revert: []func(to, from *snapshot.Snapshot){func(to, from *snapshot.Snapshot) { copyMissing(to, from, ref) }}}
		many := map[string]group{}
		for _, p := range parts {
			if !p.needsFact(ref.fact, ref.subject) {
				continue
			}
			one, all := p.reverting()
			switch {
			case all != nil:
				id := string(p.kind) + " " + p.field
				many[id] = group{all: all, keys: append(many[id].keys, p.key)}
			case one != nil:
				g.revert = append(g.revert, one)
			}
		}
		for _, m := range many {
			g.revert = append(g.revert, m.together())
		}
		list = append(list, g)
	}
	return list
}

// together is what reverts changes that are one.
func (g group) together() func(to, from *snapshot.Snapshot) {
	return func(to, from *snapshot.Snapshot) { g.all(to, from, g.keys) }
}

// copyMissing makes what is missing of a fact as it is on the other side.
func copyMissing(to, from *snapshot.Snapshot, ref factRef) {
	of := func(m snapshot.Missing) bool { return string(m.Fact) == ref.fact && m.Subject == ref.subject }
	to.Missing = slices.DeleteFunc(slices.Clone(to.Missing), of)
	for _, m := range from.Missing {
		if of(m) {
			to.Missing = append(to.Missing, m)
		}
	}
}

// collapse makes one change of the same change of several nodes, and sorts the changes.
func collapse(list []group) []group {
	var kept []group
	at := map[string]int{}
	for _, g := range list {
		i, seen := at[g.id]
		if g.id == "" || !seen {
			at[g.id] = len(kept)
			kept = append(kept, g)
			continue
		}
		kept[i].change.Names = append(kept[i].change.Names, g.change.Names...)
		kept[i].keys = append(kept[i].keys, g.keys...)
	}
	for i := range kept {
		slices.Sort(kept[i].change.Names)
		if kept[i].all != nil {
			kept[i].revert = append(kept[i].revert, kept[i].together())
		}
	}
	slices.SortFunc(kept, func(a, b group) int { return compareChanges(a.change, b.change) })
	return kept
}
