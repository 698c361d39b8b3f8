package awsauth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	names     = rapid.SampledFrom([]string{nodeName, "admin", "", "yes", "12", "a: b", "it's", "#x", "- y", "é", `back\slash`, "{{SessionName}}", "tab\tbed"})
	groupName = rapid.SampledFrom([]string{"system:bootstrappers", "system:nodes", "eks:kube-proxy-windows", "system:masters", "null", "0x1", "a,b", "[c]", "d:", "e #f"})
)

func mappingOf(arn string) *rapid.Generator[Mapping] {
	return rapid.Custom(func(t *rapid.T) Mapping {
		return Mapping{RoleARN: arn, Username: names.Draw(t, "username"), Groups: rapid.SliceOfNDistinct(groupName, 0, 4, rapid.ID).Draw(t, "groups")}
	})
}

// written is a text and how it says its mappings.
type written struct {
	text     string
	mappings []Mapping
	// pieces are the lines of each mapping, without what stands around them.
	pieces []string
}

// texts are lists of mappings in lines, each entry in a style of its own, with
// comments and blank lines around and inside them.
var texts = rapid.Custom(func(t *rapid.T) written {
	var w written
	indent := strings.Repeat(" ", rapid.IntRange(0, 4).Draw(t, "indent"))
	var b strings.Builder
	aside := func() {
		b.WriteString(rapid.SampledFrom([]string{"", "", "", "\n", "# aside\n", indent + "# - rolearn: x\n\n", "  \n"}).Draw(t, "aside"))
	}
	b.WriteString(rapid.SampledFrom([]string{"", "", "---\n", "# first\n---\n"}).Draw(t, "start"))
	aside()
	for i := range rapid.IntRange(0, 5).Draw(t, "entries") {
		m := mappingOf(fmt.Sprintf("arn:aws:iam::111122223333:role/role%d", i)).Draw(t, "mapping")
		st := style{
			flow:       rapid.Bool().Draw(t, "flow"),
			quote:      rapid.SampledFrom([]byte{0, '\'', '"'}).Draw(t, "quote"),
			quoteKeys:  rapid.Bool().Draw(t, "quoteKeys"),
			keys:       rapid.IntRange(2, 4).Draw(t, "keys"),
			groups:     rapid.IntRange(0, 3).Draw(t, "groups"),
			flowGroups: rapid.Bool().Draw(t, "flowGroups"),
		}
		piece := ""
		for n, line := range st.blockItem(m) {
			if n > 0 {
				piece += rapid.SampledFrom([]string{"", "", "", "\n", indent + "  # inside\n", "# far left\n"}).Draw(t, "inside")
			}
			piece += indent + line + rapid.SampledFrom([]string{"", "", " ", " # end"}).Draw(t, "end") + "\n"
		}
		b.WriteString(piece)
		aside()
		w.mappings, w.pieces = append(w.mappings, m), append(w.pieces, piece)
	}
	w.text = b.String()
	if rapid.Bool().Draw(t, "unended") {
		w.text = strings.TrimSuffix(w.text, "\n")
		if n := len(w.pieces); n > 0 && !strings.Contains(w.text, w.pieces[n-1]) {
			w.pieces[n-1] = strings.TrimSuffix(w.pieces[n-1], "\n")
		}
	}
	if rapid.Bool().Draw(t, "crlf") {
		w.text = strings.ReplaceAll(w.text, "\n", "\r\n")
		for i := range w.pieces {
			w.pieces[i] = strings.ReplaceAll(w.pieces[i], "\n", "\r\n")
		}
	}
	return w
})

// sameMappings compares groups without regard to order.
func sameMappings(a, b []Mapping) bool {
	sorted := func(groups []string) []string { return slices.Sorted(slices.Values(groups)) }
	return slices.EqualFunc(a, b, func(a, b Mapping) bool {
		a.Groups, b.Groups = sorted(a.Groups), sorted(b.Groups)
		return a.equal(b)
	})
}

func TestEditOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := texts.Draw(t, "text")
		if got, err := Parse(w.text); err != nil || !sameMappings(got, w.mappings) {
			t.Fatalf("%q: %v\n%s", w.text, err, cmp.Diff(w.mappings, got))
		}
		if len(w.mappings) == 0 {
			return
		}
		i := rapid.IntRange(0, len(w.mappings)-1).Draw(t, "i")
		old := w.mappings[i].RoleARN
		m := mappingOf(rapid.SampledFrom([]string{old, newRole}).Draw(t, "arn")).Draw(t, "wanted")
		set, err := Set(w.text, old, m)
		if err != nil {
			t.Fatalf("%q: %v", w.text, err)
		}
		removed, err := Remove(w.text, old)
		if err != nil {
			t.Fatalf("%q: %v", w.text, err)
		}
		want := slices.Clone(w.mappings)
		want[i] = m
		for _, e := range []struct {
			text string
			want []Mapping
		}{{set, want}, {removed, slices.Delete(slices.Clone(want), i, i+1)}} {
			if got, err := Parse(e.text); err != nil || !sameMappings(got, e.want) {
				t.Fatalf("%q\n%q: %v\n%s", w.text, e.text, err, cmp.Diff(e.want, got))
			}
			// Everything around the entry is what it was; a last line that comes to
			// be the last loses its end where the last had none.
			before, after, _ := strings.Cut(w.text, w.pieces[i])
			prefixed := strings.HasPrefix(e.text+"\n", before) || strings.HasPrefix(e.text+"\r\n", before)
			if !prefixed || !strings.HasSuffix(e.text, after) {
				t.Fatalf("%q\n%q: not only %q changed", w.text, e.text, w.pieces[i])
			}
		}
		again, err := Set(set, old, m)
		if err != nil || again != set {
			t.Fatalf("%q\n%q\n%q: %v: setting twice is not setting once", w.text, set, again, err)
		}
	})
}

func TestAddAndRemove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := texts.Draw(t, "text")
		if rapid.IntRange(0, 4).Draw(t, "flow") == 0 {
			w.text = rapid.SampledFrom([]string{"[]", "[ ]\n", "[\n]\n", "[{rolearn: a}]", "[{rolearn: a},]", "[\n  {rolearn: a}, # a\n  {'rolearn': b} # b\n]", "[\n  {rolearn: a},\n  # b\n]"}).Draw(t, "flowText")
			w.mappings, _ = Parse(w.text)
		}
		m := mappingOf(newRole).Draw(t, "new")
		added, err := Set(w.text, newRole, m)
		if err != nil {
			t.Fatalf("%q: %v", w.text, err)
		}
		if got, err := Parse(added); err != nil || !sameMappings(got, append(slices.Clone(w.mappings), m)) {
			t.Fatalf("%q\n%q: %v\n%s", w.text, added, err, cmp.Diff(append(slices.Clone(w.mappings), m), got))
		}
		removed, err := Remove(added, newRole)
		if err != nil || removed != w.text {
			t.Fatalf("%q\n%q\n%q: %v: not what it was", w.text, added, removed, err)
		}
	})
}
