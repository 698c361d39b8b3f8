package awsauth

import (
	"encoding/json"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// style is how a text writes its entries, so that a new one looks like them.
type style struct {
	// flow: {rolearn: …} instead of lines.
	flow bool
	// quote is ', " or 0 for plain text.
	quote byte
	// quoteKeys: "rolearn": …
	quoteKeys bool
	// keys is how far the fields stand from the dash, and groups how far the
	// dashes of the groups stand from the fields.
	keys, groups int
	// flowGroups: groups: [a, b]
	flowGroups bool
}

// The styles where a text has no entry to look at: as in the EKS user guide, and
// as JSON inside [].
var (
	blockStyle = style{keys: 2, groups: 2}
	flowStyle  = style{flow: true, quote: '"', quoteKeys: true}
)

// plain are texts that need no quotes, but for those that YAML takes for other
// types; without braces also inside [] and {}.
var plain = regexp.MustCompile(`^[A-Za-z0-9/_.]([A-Za-z0-9/_.:=@+{}-]*[A-Za-z0-9/_.=@+}-])?$`)

// scalar returns a string as YAML, plain only where that is safe.
func scalar(text string, quote byte, inFlow bool) string {
	if quote == 0 {
		var v any
		err := yaml.Unmarshal([]byte(text), &v)
		if err == nil && v == text && plain.MatchString(text) && (!inFlow || !strings.ContainsAny(text, "{}")) {
			return text
		}
		quote = '\''
	}
	printable := !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 })
	if quote == '\'' && printable {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return "''" // a string always encodes; the check of the edit would refuse this
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (st style) key(name string) string {
	if st.quoteKeys {
		name = `"` + name + `"`
	}
	return name + ":"
}

func (st style) flowList(values []string) string {
	var items []string
	for _, v := range values {
		items = append(items, scalar(v, st.quote, true))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// flowItem returns a mapping as {rolearn: …}.
func (st style) flowItem(m Mapping) string {
	fields := []string{st.key(roleARN) + " " + scalar(m.RoleARN, st.quote, true)}
	if m.Username != "" {
		fields = append(fields, st.key(username)+" "+scalar(m.Username, st.quote, true))
	}
	if len(m.Groups) > 0 {
		fields = append(fields, st.key(groups)+" "+st.flowList(m.Groups))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// blockItem returns a mapping as lines that begin with a dash, without their
// common indentation.
func (st style) blockItem(m Mapping) []string {
	if st.flow {
		return []string{"- " + st.flowItem(m)}
	}
	indent := strings.Repeat(" ", st.keys)
	lines := []string{"-" + indent[1:] + st.key(roleARN) + " " + scalar(m.RoleARN, st.quote, false)}
	if m.Username != "" {
		lines = append(lines, indent+st.key(username)+" "+scalar(m.Username, st.quote, false))
	}
	if len(m.Groups) > 0 {
		for _, line := range st.blockGroups(m.Groups) {
			lines = append(lines, indent+line)
		}
	}
	return lines
}

// blockGroups returns the lines of the field groups.
func (st style) blockGroups(values []string) []string {
	if st.flowGroups || len(values) == 0 {
		return []string{st.key(groups) + " " + st.flowList(values)}
	}
	lines := []string{st.key(groups)}
	for _, v := range values {
		lines = append(lines, strings.Repeat(" ", st.groups)+"- "+scalar(v, st.quote, false))
	}
	return lines
}
