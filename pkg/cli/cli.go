// Package cli is the command line, with one file per command. It is the only package that
// turns an error into an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/apply"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Exit codes of every command.
const (
	ExitOK          = 0   // nothing at or above --fail-on
	ExitFindings    = 1   // findings at or above --fail-on
	ExitUsage       = 2   // wrong usage: a flag, a file, a context
	ExitIncomplete  = 3   // the facts could not be read, or not in full
	ExitInterrupted = 130 // interrupted from the keyboard
)

// Main runs the command line and returns the exit code. Errors go to ErrOut as
// one line that says what is wrong and one that says what to do. What is written to
// ErrOut and would steer a terminal arrives as an escape.
func Main(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	streams.ErrOut = &text.Writer{W: streams.ErrOut, Lead: clearLine}
	out := &output{w: streams.Out}
	streams.Out = out
	root := NewCommand(streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code codeError
	if out.err != nil && (err == nil || errors.As(err, &code) && code.err == nil) {
		err = fmt.Errorf("write the output: %w", out.err)
	}
	return exitCode(streams.ErrOut, err, ctx)
}

// output is standard output. It keeps the first error of a write, so that no command ends as
// if what it printed had arrived.
type output struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// fileOf returns the file that a stream is, if it is one.
func fileOf(stream any) (*os.File, bool) {
	if o, ok := stream.(*output); ok {
		stream = o.w
	}
	f, ok := stream.(*os.File)
	return f, ok
}

// exitCode prints an error and says what the process ends with.
func exitCode(w io.Writer, err error, ctx context.Context) int {
	var code codeError
	switch {
	case err == nil:
		return ExitOK
	case ctx.Err() != nil:
		var stopped *apply.Error
		if !errors.As(err, &stopped) { // which says itself where it was
			err = errors.New("interrupted, the facts were not read in full")
		}
		code = codeError{code: ExitInterrupted, err: err}
	case errors.As(err, &code):
	default:
		code = codeError{code: ExitUsage, err: err}
	}
	if code.err != nil {
		say(w, "error", code.err.Error())
		var p *problem.Error
		if errors.As(code.err, &p) && p.Next != "" {
			fmt.Fprintln(w, "  "+indent(text.WithoutSecrets(p.Next)))
		}
	}
	return code.code
}

// printLine writes one line, with names as they are safe to show.
func printLine(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, text.Visible(fmt.Sprintf(format, args...)))
}

// warn writes a warning to standard error.
func warn(w io.Writer, format string, args ...any) { say(w, "warning", fmt.Sprintf(format, args...)) }

// say writes an error or a warning, without what may be secret in URLs. Further lines are
// indented, so that no name in the message can look like another message.
func say(w io.Writer, kind, message string) {
	fmt.Fprintln(w, kind+": "+indent(text.WithoutSecrets(message)))
}

// indent indents all lines of a message but the first, and leaves out what is longer than
// maxMessage.
func indent(message string) string {
	message = strings.TrimSpace(message)
	more := ""
	if n := len(message) - maxMessage; n > 0 {
		message, more = message[:maxMessage], fmt.Sprintf("... and %d more bytes", n)
	}
	return strings.ReplaceAll(strings.TrimSpace(text.VisibleLines(message)), "\n", "\n  ") + more
}

// maxMessage is how many bytes of a message are shown. A message quotes names and values of
// files, which may have megabytes. The longest that is wanted in full is a refusal of AWS
// with an encoded authorization message of some kilobytes.
const maxMessage = 16 << 10

// codeError is an error with an exit code. Without an inner error the process ends silently,
// as everything has been printed.
type codeError struct {
	code int
	err  error
}

func (e codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e codeError) Unwrap() error { return e.err }

// usage is an error of the command line itself.
func usage(next, format string, args ...any) error {
	return codeError{code: ExitUsage, err: &problem.Error{Problem: fmt.Sprintf(format, args...), Next: next}}
}

// unread is the error of facts that could not be read.
func unread(err error) error { return codeError{code: ExitIncomplete, err: err} }

// NewCommand returns the root command with everything under it.
func NewCommand(streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-noderole",
		Short: "Check the IAM roles of an EKS cluster's nodes",
		Long: `Check the IAM roles of an EKS cluster's nodes. It finds the EKS cluster of the
current kube context and every node role of the cluster, and reports a verdict with
evidence for each role and for the identity that aws-node really uses.

Only create and fix --apply change anything, after they have shown a plan and
asked.`,
		Example: `  # Check the cluster of the current context
  kubectl noderole check

  # Find out why nodes do not join
  kubectl noderole check --why-not-joining

  # Ask whether a role is allowed an action
  kubectl noderole can eksNodeRole ecr:BatchGetImage --explain

  # Show the plan of a repair
  kubectl noderole fix

  # See a report without a cluster
  kubectl noderole check --example`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl noderole"},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var p *problem.Error
		if errors.As(err, &p) { // of an enum, without the words of pflag around it
			return codeError{code: ExitUsage, err: p}
		}
		return usage(cmd.CommandPath()+" --help lists the flags", "%s", err)
	})

	root.SetHelpFunc(showHelp)
	root.SetUsageFunc(showUsage)

	config := newKubeFlags()
	inSection(root.PersistentFlags(), sectionConnection, func() { config.addFlags(root.PersistentFlags()) })

	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		c := command.Noderole(append([]string{cmd.Name()}, args...)...)
		config.command = withOption(withOption(c, "kubeconfig", config.kubeconfig), "context", *config.Context).String()
		return noEmptyValue(cmd, root.PersistentFlags(), args)
	}
	root.AddGroup(commandGroups...)
	root.SetHelpCommand(newHelpCommand())
	for group, commands := range map[string][]*cobra.Command{
		"cluster": {newCheckCommand(streams, config), newDiffCommand(streams, config), newExplainCommand(streams), newFixCommand(streams, config), newSnapshotCommand(streams, config)},
		"roles":   {newCanCommand(streams, config), newCreateCommand(streams, config), newListCommand(streams, config), newPolicyCommand(streams, config), newUsageCommand(streams, config)},
		"other":   {newCompletionCommand(streams), newVersionCommand(streams)},
	} {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	completeValues(root, config)
	return root
}

// noEmptyValue refuses an argument and the value of a flag that are empty, as those of an unset
// variable of a script are: without the value of --only or --plan, fix would repair something
// else. An empty value is the default of kubectl's own flags and of an enum.
func noEmptyValue(cmd *cobra.Command, kubectls *pflag.FlagSet, args []string) error {
	if cmd.Name() == cobra.ShellCompRequestCmd {
		return nil // its arguments are what is typed so far
	}
	if i := slices.Index(args, ""); i >= 0 {
		return usage("give it a value, or leave it out", "argument %d of %s is empty", i+1, cmd.Name())
	}
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, ok := f.Value.(*enum); ok || kubectls.Lookup(f.Name) != nil || f.Name == "description" {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			err = usage("give it a value, or leave it out", "--%s is empty", f.Name)
		}
	})
	return err
}

func unknownCommand(cmd *cobra.Command, name string) error {
	next := cmd.CommandPath() + " --help lists the commands"
	cmd.SuggestionsMinimumDistance = max(1, min(2, len(name)/2)) // of two short names, any two are alike
	if s := cmd.SuggestionsFor(name); len(s) > 0 {
		next = "did you mean: " + cmd.CommandPath() + " " + s[0]
	}
	return usage(next, "unknown command %q", name)
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(nextForArg(cmd, args, cmd.CommandPath()+" --help lists the flags"), "%s takes no arguments, got %q", cmd.Name(), args[0])
}

// oneArg refuses anything but one argument, which is called what; next says what to type
// instead.
func oneArg(cmd *cobra.Command, args []string, what, next string) error {
	switch len(args) {
	case 0:
		return usage(next, "%s needs %s", cmd.Name(), what)
	case 1:
		return nil
	default:
		return usage(nextForArg(cmd, args, next), "%s takes %s, got also %q", cmd.Name(), what, args[1])
	}
}

// nextForArg returns what to do about arguments that a command does not take: a flag whose
// value may be left out takes it behind an equals sign only.
func nextForArg(cmd *cobra.Command, args []string, otherwise string) string {
	next := otherwise
	cmd.Flags().Visit(func(f *pflag.Flag) {
		e, ok := f.Value.(*enum)
		if !ok || f.NoOptDefVal == "" || f.Value.String() != f.NoOptDefVal {
			return
		}
		for _, arg := range args {
			if slices.Contains(e.words, arg) {
				next = fmt.Sprintf("a value of --%s needs an equals sign: --%s=%s", f.Name, f.Name, arg)
			}
		}
	})
	return next
}
