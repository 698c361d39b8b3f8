// Package examples embeds the example snapshots, which new users check first and which the
// tests of every rule start from.
package examples

import (
	"embed"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists the examples, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil { // an embedded folder is always readable
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Read returns the text of an example; ok is false where there is none of that name.
func Read(name string) (text []byte, ok bool) {
	text, err := files.ReadFile(name + ".yaml")
	return text, err == nil
}
