package terraform

import "strings"

// step is a name of an address with its key: module.node["a"] has the steps module and
// node, the second with the key "a", quotes included.
type step struct{ name, key string }

// String returns the step as an address has it.
func (s step) String() string {
	if s.key == "" {
		return s.name
	}
	return s.name + "[" + s.key + "]"
}

// steps splits an address, or a reference, at its dots. Dots in keys do not count.
func steps(address string) []step {
	var list []step
	for address != "" {
		var s step
		end := strings.IndexAny(address, ".[")
		if end < 0 {
			return append(list, step{name: address})
		}
		s.name, address = address[:end], address[end:]
		if strings.HasPrefix(address, "[") {
			end := keyEnd(address)
			s.key, address = address[1:end], strings.TrimPrefix(address[end:], "]")
			for strings.HasPrefix(address, "[") { // a second index is not part of the address
				address = strings.TrimPrefix(address[keyEnd(address):], "]")
			}
		}
		address = strings.TrimPrefix(address, ".")
		list = append(list, s)
	}
	return list
}

// keyEnd is the index of the bracket that closes a key, which may be quoted.
func keyEnd(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ']' && !quoted:
			return i
		}
	}
	return len(s)
}

// address is a resource's address in its parts.
type address struct {
	// modules are the calls that lead to its module, with their keys.
	modules []step
	// data is set for a data source.
	data bool
	// kind is its type, and name has its name and key.
	kind string
	name step
}

// parseAddress returns the parts of an address; ok is false where the text is none.
func parseAddress(text string) (a address, ok bool) {
	list := steps(text)
	for len(list) > 2 && list[0].name == "module" {
		a.modules = append(a.modules, list[1])
		list = list[2:]
	}
	if len(list) > 2 && list[0].name == "data" {
		a.data, list = true, list[1:]
	}
	if len(list) != 2 {
		return address{}, false
	}
	a.kind, a.name = list[0].name, list[1]
	return a, true
}

// path is the address of a module, empty for the root.
func path(modules []step) string {
	var b strings.Builder
	for _, m := range modules {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString("module." + m.String())
	}
	return b.String()
}

// block is the address of the resource in its module, without key.
func (a address) block() string {
	if a.data {
		return "data." + a.kind + "." + a.name.name
	}
	return a.kind + "." + a.name.name
}
