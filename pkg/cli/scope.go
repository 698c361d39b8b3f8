package cli

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// scope is what names the cluster that was judged: the flags of this run, and the
// region and profile that its facts came from.
type scope struct {
	root *cobra.Command
	// given are the flags that say where the facts came from, by name.
	given map[string]string
	// region and profile are for the AWS CLI. everywhere is set where IAM too asks
	// for the region, as in partitions other than aws.
	region, profile string
	everywhere      bool
}

// regional are the services whose answers differ by region.
var regional = []string{"eks", "ec2", "autoscaling"}

// complete adds the flags by which a command acts on the cluster that was judged.
func (s scope) complete(c command.Command) command.Command {
	words := c.Words()
	switch {
	case len(words) < 2 && c.Word(0) != "kubectl":
		return c
	case words[0] == "aws":
		if s.everywhere || slices.Contains(regional, words[1]) {
			c = withOption(c, "region", s.region)
		}
		return withOption(c, "profile", s.profile)
	case words[0] != "kubectl":
		return c
	case len(words) > 1 && words[1] == "noderole":
		return s.plugin(c, words[2:])
	}
	for _, name := range []string{"kubeconfig", "context"} {
		if value := s.given[name]; value != "" && !c.Has(name) {
			c = c.Insert(1, command.Option(name, value)...)
		}
	}
	return c
}

// plugin completes a command of this program by the flags that its subcommand has.
func (s scope) plugin(c command.Command, words []string) command.Command {
	sub, _, err := s.root.Find(words)
	if err != nil {
		return c
	}
	for _, name := range sourceFlags {
		switch {
		case sub.Flag(name) == nil:
		case name == "example" && s.given[name] != "": // its value is optional, so that it takes an equals sign
			c = c.With("--example=" + s.given[name])
		case name == "filename" && s.given[name] == "-": // what was read from a pipe is gone
			c = c.With("--filename").WithPlaceholder("FILE")
		default:
			c = withOption(c, name, s.given[name])
		}
	}
	return c
}

// live returns the scope without the saved facts that were judged: for commands that ask
// the cluster itself.
func (s scope) live() scope {
	s.given = maps.Clone(s.given)
	delete(s.given, "filename")
	delete(s.given, "example")
	return s
}

// with returns the scope with a flag, as if it had been given.
func (s scope) with(name, value string) scope {
	s.given = maps.Clone(s.given)
	s.given[name] = value
	return s
}

func withOption(c command.Command, name, value string) command.Command {
	if value == "" || c.Has(name) {
		return c
	}
	return c.With(command.Option(name, value)...)
}

// sourceFlags say which cluster or which saved facts a command is about.
var sourceFlags = []string{"kubeconfig", "context", "cluster-name", "region", "profile", "filename", "example"}

// newScope reads from the command line where the facts come from.
func newScope(cmd *cobra.Command) scope {
	s := scope{root: cmd.Root(), given: map[string]string{}}
	for _, name := range sourceFlags {
		if f := cmd.Flag(name); f != nil && f.Changed {
			s.given[name] = f.Value.String()
		}
	}
	return s
}
