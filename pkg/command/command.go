// Package command has a command for a shell as data: a program and its arguments. Only this
// package quotes for a POSIX shell. It runs no command.
package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Command is a program with its arguments. The zero Command is none.
type Command struct {
	words []word
	stdin string
}

// word is one argument.
type word struct {
	text string
	kind kind
	// output is the command whose output is the argument.
	output *Command
}

type kind int

const (
	// literal is taken as it is.
	literal kind = iota
	// placeholder is a name in capitals that the reader replaces.
	placeholder
	// account is a text with AccountVariable in it, which the shell fills in.
	account
	// output is what another command prints.
	output
)

// AccountVariable replaces the account ID in an argument that WithAccount adds.
// The shell fills it in from the variable that AskAccount sets.
const (
	AccountVariable = "${ACCOUNT}"
	AskAccount      = "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)"
)

// New returns a command of a program and its arguments, each taken as it is.
func New(program string, args ...string) Command {
	return Command{}.With(program).With(args...)
}

// AWS returns a command of the AWS CLI.
func AWS(args ...string) Command { return New("aws", args...) }

// Kubectl returns a command of kubectl.
func Kubectl(args ...string) Command { return New("kubectl", args...) }

// Noderole returns a command of this plugin.
func Noderole(args ...string) Command { return New("kubectl", "noderole").With(args...) }

// With returns the command with further arguments, each taken as it is.
func (c Command) With(args ...string) Command {
	c.words = slices.Clone(c.words)
	for _, a := range args {
		c.words = append(c.words, word{text: a})
	}
	return c
}

// Option returns the option with a value that is taken as it is, also where it begins with a
// hyphen.
func Option(name, value string) []string {
	if strings.HasPrefix(value, "-") {
		return []string{"--" + name + "=" + value}
	}
	return []string{"--" + name, value}
}

// Insert returns the command with further arguments after its first n words; the
// program is word 0.
func (c Command) Insert(n int, args ...string) Command {
	var inserted Command
	inserted = inserted.With(args...)
	c.words = slices.Concat(c.words[:n], inserted.words, c.words[n:])
	return c
}

// WithPlaceholder returns the command with an argument that the reader replaces: a
// name in capitals such as ROLE_ARN.
func (c Command) WithPlaceholder(name string) Command {
	c.words = append(slices.Clone(c.words), word{text: name, kind: placeholder})
	return c
}

// WithAccount returns the command with arguments in which the shell replaces
// AccountVariable by the account ID. What else they hold is taken as it is.
func (c Command) WithAccount(args ...string) Command {
	c.words = slices.Clone(c.words)
	for _, a := range args {
		k := literal
		if strings.Contains(a, AccountVariable) {
			k = account
		}
		c.words = append(c.words, word{text: a, kind: k})
	}
	return c
}

// WithOutput returns the command with an argument that is what another command prints.
func (c Command) WithOutput(of Command) Command {
	c.words = append(slices.Clone(c.words), word{kind: output, output: &of})
	return c
}

// WithStdin returns the command with a text on its standard input.
func (c Command) WithStdin(s string) Command {
	c.stdin = s
	return c
}

// Stdin is what the command reads on its standard input.
func (c Command) Stdin() string { return c.stdin }

// IsZero reports whether there is no command.
func (c Command) IsZero() bool { return len(c.words) == 0 }

// Word returns the word at a position, the program at 0, where it is an argument that
// is taken as it is; else it is empty.
func (c Command) Word(i int) string {
	if i >= len(c.words) || c.words[i].kind != literal {
		return ""
	}
	return c.words[i].text
}

// Words returns the words up to the first that begins with a hyphen or that is not
// taken as it is: the program and its subcommands.
func (c Command) Words() []string {
	var list []string
	for _, w := range c.words {
		if w.kind != literal || strings.HasPrefix(w.text, "-") {
			break
		}
		list = append(list, w.text)
	}
	return list
}

// Has reports whether the command has an option: a word that is --NAME or begins with
// --NAME=.
func (c Command) Has(option string) bool {
	return slices.ContainsFunc(c.words, func(w word) bool {
		return w.kind == literal && (w.text == "--"+option || strings.HasPrefix(w.text, "--"+option+"="))
	})
}

// Placeholders are the words that the reader replaces before the command can run.
func (c Command) Placeholders() []string {
	var names []string
	for _, w := range c.words {
		switch w.kind {
		case placeholder:
			names = append(names, w.text)
		case output:
			names = append(names, w.output.Placeholders()...)
		case literal, account:
		}
	}
	return names
}

// Args returns the program and its arguments as execve(2) takes them. A command that
// needs a shell to find an argument is one of sh -c.
func (c Command) Args() []string {
	if slices.ContainsFunc(c.words, func(w word) bool { return w.kind == output || w.kind == account }) {
		return []string{"sh", "-c", c.line()}
	}
	args := make([]string, 0, len(c.words))
	for _, w := range c.words {
		args = append(args, w.text)
	}
	return args
}

// Map returns the command with f applied to it and to every command whose output is
// an argument of it.
func (c Command) Map(f func(Command) Command) Command {
	c.words = slices.Clone(c.words)
	for i, w := range c.words {
		if w.kind == output {
			inner := w.output.Map(f)
			c.words[i].output = &inner
		}
	}
	return f(c)
}

// Equal reports whether two commands are the same.
func (c Command) Equal(other Command) bool {
	return c.String() == other.String() && slices.Equal(c.Placeholders(), other.Placeholders())
}

// String returns the command for a POSIX shell. It is one line of characters that are
// safe to show, whatever the arguments are; only an argument that ends in line breaks
// keeps these. An argument that no shell can pass, as it holds a NUL character, makes
// it a line that fails.
func (c Command) String() string {
	line := c.line()
	if c.stdin != "" {
		line = "printf '%s\\n' " + Quote(c.stdin) + " | " + line
	}
	return line
}

func (c Command) line() string {
	words := make([]string, 0, len(c.words))
	for _, w := range c.words {
		words = append(words, w.String())
	}
	return strings.Join(words, " ")
}

func (w word) String() string {
	switch w.kind {
	case placeholder:
		return w.text
	case output:
		return `"$(` + w.output.line() + `)"`
	case account:
		parts := strings.Split(w.text, AccountVariable)
		quoted := make([]string, 0, len(parts))
		plain := true
		for _, p := range parts {
			plain = plain && (p == "" || plainWord().MatchString(p))
		}
		if plain {
			return `"` + w.text + `"`
		}
		for _, p := range parts {
			if p != "" {
				p = Quote(p)
			}
			quoted = append(quoted, p)
		}
		return strings.Join(quoted, `"`+AccountVariable+`"`)
	case literal:
	}
	return Quote(w.text)
}

// plainWord needs no quotes in a POSIX shell.
var plainWord = text.Pattern(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote returns a word for a POSIX shell. Characters that a terminal must not see are
// written as escapes of printf(1), so that the shell passes the word as it is and the
// line is safe to show.
// Source: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html
func Quote(s string) string {
	if plainWord().MatchString(s) {
		return s
	}
	if strings.IndexFunc(s, unsafe) < 0 {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	if strings.Contains(s, "\x00") {
		return `"${UNPRINTABLE:?an argument holds a NUL character}"`
	}
	// A command substitution strips the line breaks at its end.
	body := strings.TrimRight(s, "\n")
	ending := s[len(body):]
	quoted := ""
	if body != "" {
		quoted = `"$(printf '` + escaped(body) + `')"`
	}
	if ending != "" {
		quoted += "'" + ending + "'"
	}
	return quoted
}

func unsafe(r rune) bool { return !text.Safe(r) }

// escaped writes s as a format of printf(1) within single quotes.
func escaped(s string) string {
	var b strings.Builder
	for i, r := range s {
		size := len(string(r))
		if r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD") {
			size = 1 // a byte that is not UTF-8
		}
		switch {
		case r == '\'':
			b.WriteString(`'\''`)
		case r == '\\':
			b.WriteString(`\\`)
		case r == '%':
			b.WriteString(`%%`)
		case r == '-' && i == 0: // printf takes it for an option
			b.WriteString(`\055`)
		case text.Safe(r):
			b.WriteRune(r)
		default:
			for _, octet := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\%03o`, octet)
			}
		}
	}
	return b.String()
}
