package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// helpWidth is how wide help is: that of a terminal that nobody has resized.
const helpWidth = 80

// The groups of the commands in help.
var commandGroups = []*cobra.Group{
	{ID: "cluster", Title: "Check and repair a cluster:"},
	{ID: "roles", Title: "Roles and policies:"},
	{ID: "other", Title: "Other:"},
}

// The sections of flags in help, in this order. A flag without a section is under Flags.
const (
	sectionResults    = "Results"
	sectionPlan       = "Plan"
	sectionApply      = "Apply"
	sectionRole       = "Role"
	sectionRequest    = "Request"
	sectionDocuments  = "Documents on disk"
	sectionOutput     = "Output"
	sectionExitCode   = "Exit code"
	sectionTeam       = "Team"
	sectionCluster    = "Cluster"
	sectionFleet      = "Fleet"
	sectionConnection = "Connection"
)

var flagSections = []string{
	"", sectionResults, sectionPlan, sectionRole, sectionApply, sectionRequest, sectionDocuments,
	sectionOutput, sectionExitCode, sectionTeam, sectionCluster, sectionFleet, sectionConnection,
}

// sectionKey is the annotation of a flag that names its section.
const sectionKey = "noderole_section"

// inSection puts the flags that add adds into a section of help.
func inSection(f *pflag.FlagSet, section string, add func()) {
	sorted := f.SortFlags
	f.SortFlags = false // or each visit sorts all flags again
	defer func() { f.SortFlags = sorted }()
	before, at := 0, 0 // the flags are visited in the order in which they were added
	f.VisitAll(func(*pflag.Flag) { before++ })
	add()
	f.VisitAll(func(flag *pflag.Flag) {
		if at++; at <= before || flag.Annotations[sectionKey] != nil {
			return
		}
		if flag.Annotations == nil {
			flag.Annotations = map[string][]string{}
		}
		flag.Annotations[sectionKey] = []string{section}
	})
}

// showHelp writes a command's help. Prose is wrapped; a paragraph that is indented is a
// list, whose lines stay.
func showHelp(cmd *cobra.Command, _ []string) {
	var b strings.Builder
	for _, paragraph := range strings.Split(cmd.Long, "\n\n") {
		if !strings.HasPrefix(paragraph, "  ") {
			paragraph = strings.Join(print.Wrap(paragraph, helpWidth), "\n")
		}
		b.WriteString(paragraph + "\n\n")
	}
	fmt.Fprint(cmd.OutOrStdout(), b.String()+cmd.UsageString())
}

// showUsage writes the part of help below the description: as cobra's own, with the flags
// in sections and wrapped between words. As in kubectl, --help itself is not listed.
func showUsage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, group := range cmd.Groups() {
		fmt.Fprintf(&b, "\n%s\n", group.Title)
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && !sub.Hidden {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	for _, section := range flagSections {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		add := func(flag *pflag.Flag) {
			if flag.Name != "help" && strings.Join(flag.Annotations[sectionKey], "") == section {
				flags.AddFlag(flag)
			}
		}
		cmd.LocalFlags().VisitAll(add)
		cmd.InheritedFlags().VisitAll(add)
		title := section
		if title == "" {
			title = "Flags"
		}
		if flags.HasAvailableFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUse \"%s [command] --help\" for more information about a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}

// newHelpCommand is help COMMAND, which unlike cobra's own refuses what is not a command.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		Long:    "Show the help of a command.",
		Example: "  # The flags of check\n  kubectl noderole help check",
		GroupID: "other",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range cmd.Root().Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return starting(typed, names), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			if len(args) == 0 {
				return root.Help()
			}
			at := slices.IndexFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == args[0] && !c.Hidden })
			switch {
			case at < 0:
				return unknownCommand(root, args[0])
			case len(args) > 1:
				return usage(cmd.CommandPath()+" "+args[0], "help takes one command, got also %q", args[1])
			}
			found := root.Commands()[at]
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}
