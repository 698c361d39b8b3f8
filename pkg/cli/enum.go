package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// unknownFormat is the error of -o.
const unknownFormat = "unknown output format %q"

// enum is the value of a flag that takes one of some words, or several of them. It
// refuses every other word; its help lists the words, and the shell completes them.
type enum struct {
	// unknown is the error about another word, with %q for it.
	unknown string
	// words are those that are listed, in order.
	words []string
	// assigned are the words that may be followed by =VALUE.
	assigned []string
	// implied is the word of a flag that is given without one. It may be none of words.
	implied string

	// one is set by a flag that takes one word; an empty one is the default.
	one *string
	// list is set by a flag that takes several, repeated or, where none of the words is
	// assigned, with commas.
	list *[]string

	initial string
}

// addTo adds the flag. Its help has a %s for the words.
func (e *enum) addTo(f *pflag.FlagSet, name, shorthand, help string) {
	if e.one != nil {
		e.initial = *e.one
	}
	f.VarP(e, name, shorthand, fmt.Sprintf(help, strings.Join(e.words, ", ")))
	f.Lookup(name).NoOptDefVal = e.implied
}

// Set takes the value of a flag; errors are *problem.Error.
func (e *enum) Set(value string) error {
	if e.one != nil {
		if value == "" {
			value = e.initial
		} else if err := e.check(value); err != nil {
			return err
		}
		*e.one = value
		return nil
	}
	values := []string{value}
	if len(e.assigned) == 0 {
		values = strings.Split(value, ",")
	}
	for _, v := range values {
		if err := e.check(v); err != nil {
			return err
		}
	}
	*e.list = append(*e.list, values...)
	return nil
}

func (e *enum) check(value string) error {
	word, _, assigns := strings.Cut(value, "=")
	if slices.Contains(e.words, value) || assigns && slices.Contains(e.assigned, word) || value == e.implied && value != "" {
		return nil
	}
	return &problem.Error{Problem: fmt.Sprintf(e.unknown, value), Next: "use one of: " + strings.Join(e.words, ", ")}
}

// String returns the value as it would be given.
func (e *enum) String() string {
	if e.one != nil {
		return *e.one
	}
	if e.list != nil {
		return strings.Join(*e.list, ",")
	}
	return ""
}

// Type is what help shows as the form of the value.
func (e *enum) Type() string {
	switch {
	case e.list == nil:
		return "string"
	case len(e.assigned) > 0:
		return "stringArray"
	default:
		return "strings"
	}
}

// complete returns the values that begin with what is typed.
func (e *enum) complete(typed string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(e.assigned) < len(e.words):
		words := e.words
		if e.list != nil {
			words = afterComma(typed, words)
		}
		return starting(typed, words), cobra.ShellCompDirectiveNoFileComp
	case strings.Contains(typed, "="):
		return nil, cobra.ShellCompDirectiveDefault // a file
	default:
		var words []string
		for _, w := range e.words {
			words = append(words, w+"=")
		}
		return starting(typed, words), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
