package finding

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// Next is one thing to do about a result: a command to type, an explanation, or both.
type Next struct {
	// Command is the program and its arguments, as execve(2) takes them.
	Command []string `json:"command,omitempty"`
	// Placeholders are the words of Command that the reader replaces first.
	Placeholders []string `json:"placeholders,omitempty"`
	// Stdin is what the command reads on its standard input.
	Stdin string `json:"stdin,omitempty"`
	// Text is Command, quoted for a POSIX shell. It can be pasted as it is, unless
	// there are Placeholders.
	Text string `json:"text,omitempty"`
	// Note is an explanation in words, of the command where there is one.
	Note string `json:"note,omitempty"`
	// Plan is what a repair changes, step by step.
	Plan []string `json:"plan,omitempty"`
	// Link is a page that explains more.
	Link string `json:"link,omitempty"`

	command command.Command
}

// Run returns a Next that is a command.
func Run(c command.Command) Next {
	return Next{
		Command: c.Args(), Placeholders: c.Placeholders(), Stdin: c.Stdin(), Text: c.String(), command: c,
	}
}

// Fix returns a Next that is a command of fix, with the steps that it plans.
func Fix(c command.Command, plan []string) Next {
	n := Run(c).With("plan: " + strings.Join(plan, "; "))
	n.Plan = plan
	return n
}

// Joined returns one command for two repairs whose commands differ only in the rules that
// they repair; false for any other two.
func (n Next) Joined(o Next) (Next, bool) {
	const only = "--only"
	i := slices.Index(n.Command, only) + 1
	if len(n.Plan) == 0 || len(o.Plan) == 0 || i == 0 || i == len(n.Command) || len(n.Command) != len(o.Command) || n.Command[i-1] != o.Command[i-1] {
		return Next{}, false
	}
	args := slices.Clone(n.Command)
	args[i] = o.Command[i]
	if !slices.Equal(args, o.Command) {
		return Next{}, false
	}
	ids := append(strings.Split(n.Command[i], ","), strings.Split(o.Command[i], ",")...)
	slices.Sort(ids)
	args[i] = strings.Join(slices.Compact(ids), ",")
	plan := slices.Clone(n.Plan)
	for _, step := range o.Plan {
		if !slices.Contains(plan, step) {
			plan = append(plan, step)
		}
	}
	return Fix(command.New(args[0], args[1:]...), plan), true
}

// Advise returns a Next in words alone.
func Advise(note string) Next { return Next{Note: note} }

// With returns n with an explanation.
func (n Next) With(note string) Next {
	n.Note = note
	return n
}

// See returns n with a page that explains more.
func (n Next) See(link string) Next {
	n.Link = link
	return n
}

// Pasteable reports whether n has a command without placeholders.
func (n Next) Pasteable() bool { return len(n.Command) > 0 && len(n.Placeholders) == 0 }

// Map returns n with f applied to its command and to the commands within it.
func (n Next) Map(f func(command.Command) command.Command) Next {
	if n.command.IsZero() {
		return n
	}
	mapped := Run(n.command.Map(f)).With(n.Note).See(n.Link)
	mapped.Plan = n.Plan
	return mapped
}

// Equal reports whether two are the same for a reader.
func (n Next) Equal(o Next) bool {
	return slices.Equal(n.Command, o.Command) && slices.Equal(n.Placeholders, o.Placeholders) &&
		n.Stdin == o.Stdin && n.Text == o.Text && n.Note == o.Note && n.Link == o.Link
}

// MapCommands applies f to every command of the report. It completes them, so that
// each acts on the cluster that was judged.
func (r *Report) MapCommands(f func(command.Command) command.Command) {
	for i := range r.Results {
		MapCommands(r.Results[i].Next, f)
	}
}

// MapCommands applies f to every command of a list.
func MapCommands(list []Next, f func(command.Command) command.Command) {
	for i := range list {
		list[i] = list[i].Map(f)
	}
}
