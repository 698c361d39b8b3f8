package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// helpOf is what COMMAND --help prints.
func helpOf(t *testing.T, name string) string {
	t.Helper()
	var out bytes.Buffer
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &out}
	if code := Main(context.Background(), streams, append(strings.Fields(name), "--help")); code != ExitOK {
		t.Fatalf("%s --help exits with %d: %s", name, code, out.String())
	}
	return out.String()
}

// TestHelpWidth: a terminal of 80 columns breaks no line of help.
func TestHelpWidth(t *testing.T) {
	for _, cmd := range append(newRoot().Commands(), newRoot()) {
		name := strings.TrimPrefix(cmd.CommandPath(), "kubectl noderole")
		for line := range strings.Lines(helpOf(t, name)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s --help has a line of %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
	}
}

// TestHelpSections: the commands are in groups, and the flags of the long commands in
// sections, each flag once.
func TestHelpSections(t *testing.T) {
	for name, want := range map[string][]string{
		"":      {"Usage", "Examples", "Check and repair a cluster", "Roles and policies", "Other", "Connection"},
		"check": {"Usage", "Examples", "Results", "Output", "Exit code", "Team", "Cluster", "Fleet", "Connection"},
		"fix":   {"Usage", "Examples", "Plan", "Apply", "Output", "Team", "Cluster", "Connection"},
		"can":   {"Usage", "Examples", "Request", "Documents on disk", "Cluster", "Connection"},
	} {
		help := helpOf(t, name)
		help = help[strings.Index(help, "\nUsage:\n"):]
		var got []string
		for line := range strings.Lines(help) {
			if title, ok := strings.CutSuffix(line, ":\n"); ok && !strings.HasPrefix(line, " ") {
				got = append(got, title)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the sections of %s (-want +got):\n%s", name, diff)
		}
	}
	for _, cmd := range newRoot().Commands() {
		help := helpOf(t, cmd.Name())
		if cmd.GroupID == "" {
			t.Errorf("%s is in no group", cmd.Name())
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if n := strings.Count(help, " --"+f.Name+" ") + strings.Count(help, " --"+f.Name+"["); n == 0 && !f.Hidden && f.Name != "help" {
				t.Errorf("%s --help does not have --%s", cmd.Name(), f.Name)
			}
			if section := f.Annotations[sectionKey]; section != nil && !slices.Contains(flagSections, section[0]) {
				t.Errorf("--%s is in section %q, which help does not have", f.Name, section[0])
			}
		})
	}
}
