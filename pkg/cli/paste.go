package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// paster completes commands so that they act on the cluster that was judged.
type paster struct {
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

// complete adds the flags that a command lacks.
func (p paster) complete(command string) string {
	words := strings.Fields(command)
	switch {
	case len(words) < 2:
		return command
	case words[0] == "aws":
		if p.region != "" && (p.everywhere || slices.Contains(regional, words[1])) {
			command = withFlag(command, "region", p.region)
		}
		return withFlag(command, "profile", p.profile)
	case words[0] != "kubectl":
		return command
	case words[1] != "noderole":
		for _, name := range []string{"kubeconfig", "context"} {
			if value := p.given[name]; value != "" && !strings.Contains(command, " --"+name+" ") {
				command = "kubectl --" + name + " " + shellWord(value) + strings.TrimPrefix(command, "kubectl")
			}
		}
		return command
	}
	sub, _, err := p.root.Find(words[2:])
	if err != nil {
		return command
	}
	for _, name := range sourceFlags {
		if sub.Flag(name) == nil {
			continue
		}
		if name == "example" && p.given[name] != "" { // its value is optional, so that it takes an equals sign
			command += " --example=" + shellWord(p.given[name])
			continue
		}
		command = withFlag(command, name, p.given[name])
	}
	return command
}

func withFlag(command, name, value string) string {
	if value == "" || strings.Contains(command, " --"+name+" ") || strings.Contains(command, " --"+name+"=") {
		return command
	}
	return command + " --" + name + " " + shellWord(value)
}

// sourceFlags say which cluster or which saved facts a command is about.
var sourceFlags = []string{"kubeconfig", "context", "cluster-name", "region", "profile", "filename", "example"}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord quotes a word for a POSIX shell where it has to be.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// newPaster reads from the command line where the facts come from.
func newPaster(cmd *cobra.Command) paster {
	p := paster{root: cmd.Root(), given: map[string]string{}}
	for _, name := range sourceFlags {
		if f := cmd.Flag(name); f != nil && f.Changed {
			p.given[name] = f.Value.String()
		}
	}
	if p.given["filename"] == "-" {
		p.given["filename"] = "FILE" // what was read from a pipe is gone
	}
	return p
}
