package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
)

// release writes what the archives and packages have besides the binary: man/man1, with a
// page for each command, and completions, with a script for each shell and the program that
// kubectl asks. The pages have the date of SOURCE_DATE_EPOCH.
func release(dir string) error {
	man, completions := filepath.Join(dir, "man", "man1"), filepath.Join(dir, "completions")
	for _, folder := range []string{man, completions} {
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := manPages(man); err != nil {
		return err
	}
	for shell, name := range map[string]string{"bash": "kubectl-noderole.bash", "zsh": "_kubectl-noderole", "fish": "kubectl-noderole.fish"} {
		script, err := printed("completion", shell)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(completions, name), script, 0o644); err != nil {
			return err
		}
	}
	_, err := printed("completion", "--install", "--dir", completions)
	return err
}

// manPages writes the pages, compressed as Debian's policy asks for.
func manPages(dir string) error {
	root := cli.NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "kubectl-noderole", Manual: "kubectl noderole"}
	return eachCommand(root, func(cmd *cobra.Command) error {
		var page, compressed bytes.Buffer
		if err := doc.GenMan(cmd, header, &page); err != nil {
			return err
		}
		gz, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := gz.Write(page.Bytes()); err != nil {
			return err
		}
		if err := gz.Close(); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, manName(cmd)), compressed.Bytes(), 0o644)
	})
}

func eachCommand(cmd *cobra.Command, do func(*cobra.Command) error) error {
	if !cmd.IsAvailableCommand() && cmd.HasParent() {
		return nil
	}
	if err := do(cmd); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if err := eachCommand(c, do); err != nil {
			return err
		}
	}
	return nil
}

// manName is the file of a command's page, such as kubectl-noderole-check.1.gz.
func manName(cmd *cobra.Command) string {
	name := cmd.Name()
	for p := cmd.Parent(); p != nil; p = p.Parent() {
		name = p.Name() + "-" + name
	}
	return name + ".1.gz"
}

// printed runs a command of the program and returns what it prints.
func printed(args ...string) ([]byte, error) {
	var out, errOut bytes.Buffer
	root := cli.NewCommand(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errOut})
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return nil, fmt.Errorf("%v: %w: %s", args, err, errOut.String())
	}
	return out.Bytes(), nil
}
