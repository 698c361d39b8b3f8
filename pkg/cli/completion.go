package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

// shells are those that cobra writes completion for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// completionOptions is what the completion command was told.
type completionOptions struct {
	streams genericiooptions.IOStreams

	shell   string
	install bool
	dir     string
}

func newCompletionCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &completionOptions{streams: streams}
	cmd := &cobra.Command{
		Use:   "completion (SHELL | --install)",
		Short: "Complete commands, flags and values in the shell",
		Long: `Complete commands, flags and values in the shell.

For kubectl noderole: kubectl (1.26 and later) runs the program
kubectl_complete-noderole on PATH, and its own completion (kubectl completion
--help) has to be set up. --install writes that program, a script of a few lines,
next to the plugin. Run it again after you have moved the plugin; to undo it, remove
the file.

For kubectl-noderole run by itself: a SHELL (` + strings.Join(shells, ", ") + `) prints the
script that the shell has to load.`,
		Example: `  # For kubectl noderole, in every shell that completes kubectl
  kubectl noderole completion --install

  # In a folder of your own that is on PATH
  kubectl noderole completion --install --dir ~/bin

  # For kubectl-noderole, in this bash
  source <(kubectl-noderole completion bash)`,
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, args); err != nil {
				return err
			}
			if o.install {
				return o.writeShim(cmd.Context())
			}
			return o.writeScript(cmd.Root())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.install, "install", false, "Write the program kubectl_complete-noderole, which kubectl runs")
	f.StringVar(&o.dir, "dir", "", "Folder to write it to (default that of the plugin that kubectl finds)")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

func (o *completionOptions) complete(cmd *cobra.Command, args []string) error {
	form := cmd.CommandPath() + " --install, or one of " + strings.Join(shells, ", ")
	switch {
	case o.install && len(args) > 0:
		return usage(form, "--install is for every shell and takes no argument, got %q", args[0])
	case o.install:
		return nil
	case o.dir != "":
		return usage("give --install too", "--dir needs --install")
	}
	if err := oneArg(cmd, args, "the name of one shell", form); err != nil {
		return err
	}
	if !slices.Contains(shells, args[0]) {
		return usage(form, "completion does not support shell %q", args[0])
	}
	o.shell = args[0]
	return nil
}

// writeScript prints the script that a shell loads for kubectl-noderole.
func (o *completionOptions) writeScript(root *cobra.Command) error {
	switch o.shell {
	case "bash":
		return root.GenBashCompletionV2(o.streams.Out, true)
	case "zsh":
		return root.GenZshCompletion(o.streams.Out)
	case "fish":
		return root.GenFishCompletion(o.streams.Out, true)
	default:
		return root.GenPowerShellCompletionWithDesc(o.streams.Out)
	}
}

// shimMark is a part of every shim, so that the program recognizes it.
const shimMark = "written by: kubectl noderole completion --install"

// shim returns the name and the text of the program that kubectl asks for
// completions. kubectl looks for it as for any program, so that on Windows the
// name has one of PATHEXT's endings. Source:
// https://github.com/kubernetes/kubernetes/blob/v1.32.0/staging/src/k8s.io/kubectl/pkg/cmd/plugin/plugin_completion.go
func shim(goos string) (name, text string) {
	if goos == "windows" {
		return "kubectl_complete-noderole.cmd", "@echo off\r\nrem " + shimMark + "\r\nkubectl-noderole.exe __complete %*\r\n"
	}
	return "kubectl_complete-noderole", "#!/bin/sh\n# " + shimMark + "\nexec kubectl-noderole __complete \"$@\"\n"
}

// writeShim writes the shim and says where, and what kubectl still lacks to find
// it.
func (o *completionOptions) writeShim(ctx context.Context) error {
	dir := o.dir
	if dir == "" {
		plugin, err := exec.LookPath("kubectl-noderole")
		if err != nil {
			return usage("put the folder of kubectl-noderole on PATH, or name a folder that is with --dir", "kubectl finds no kubectl-noderole on PATH")
		}
		dir = filepath.Dir(plugin)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the folder of --dir: %w", err)
	}
	name, text := shim(runtime.GOOS)
	file := filepath.Join(dir, name)
	if err := replaceOwn(ctx, file, text); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.streams.Out, "wrote %s\n", file); err != nil {
		return err
	}
	if !slices.ContainsFunc(filepath.SplitList(os.Getenv("PATH")), func(on string) bool { return files.Same(on, dir) }) {
		warn(o.streams.ErrOut, "%s is not on PATH, so kubectl does not find it there", dir)
	}
	return nil
}

// replaceOwn writes an executable file. A file that is there and is
// no shim of this program's is left alone.
func replaceOwn(ctx context.Context, file, text string) error {
	old, err := files.Read(ctx, file, nil, files.MaxConfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return usage("remove it, or name another folder with --dir", "%s exists and cannot be read: %s", file, err)
	case !bytes.Contains(old, []byte(shimMark)):
		return usage("remove it, or name another folder with --dir", "%s exists and was not written by this program", file)
	}
	if err := files.Write(file, []byte(text), files.Private); err != nil {
		return usage("name a folder that you can write to with --dir", "%s", err)
	}
	if err := os.Chmod(file, 0o755); err != nil {
		return fmt.Errorf("make %s executable: %w", file, err)
	}
	return nil
}
