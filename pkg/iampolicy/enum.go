package iampolicy

import (
	"fmt"
	"slices"
)

// nameOf returns the name of an enumerated value; for a number that has none, the
// type and the number.
func nameOf[E ~uint8](kind string, names []string, value E) string {
	if int(value) < len(names) {
		return names[value]
	}
	return fmt.Sprintf("%s(%d)", kind, value)
}

// marshalName is nameOf for a text that has to be read back.
func marshalName[E ~uint8](kind string, names []string, value E) ([]byte, error) {
	if int(value) >= len(names) {
		return nil, fmt.Errorf("%s is not defined", nameOf(kind, names, value))
	}
	return []byte(names[value]), nil
}

// unmarshalName reads what marshalName wrote.
func unmarshalName[E ~uint8](kind string, names []string, text []byte, value *E) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a %s; use one of %q", text, kind, names)
	}
	*value = E(i)
	return nil
}
