package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra/doc"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
)

// commands writes docs/reference: a page for each command, from its help.
func commands() error {
	dir := filepath.Join("docs", "reference")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := cli.NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	root.DisableAutoGenTag = true // the date of the run, which no check of drift could hold
	for _, cmd := range root.Commands() {
		cmd.Long = fenceLists(cmd.Long)
	}
	return doc.GenMarkdownTree(root, dir)
}

// fenceLists keeps the lines of a help's indented paragraphs apart in Markdown.
func fenceLists(help string) string {
	paragraphs := strings.Split(help, "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, "  ") {
			paragraphs[i] = "```\n" + p + "\n```"
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
