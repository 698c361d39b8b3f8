package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"
)

// What the release build sets: -X …/pkg/cli.Version=v1.2.3, see .goreleaser.yaml.
// Without them the build information that Go records is used.
var (
	Version string // as a tag, with a v
	Commit  string // the whole hash
	Date    string // of the commit, RFC 3339 in UTC
)

// VersionInfo is what version prints with -o json and -o yaml.
type VersionInfo struct {
	// Version is the release, the module version that go install recorded, or
	// (devel).
	Version string `json:"version"`
	// Commit is the whole hash; empty where the build has none, as that
	// of go install PACKAGE@VERSION.
	Commit string `json:"commit,omitempty"`
	// Date is the commit's, RFC 3339; empty like Commit.
	Date string `json:"date,omitempty"`
	// Modified says that the work tree had changes that are not in the commit.
	Modified  bool   `json:"modified,omitempty"`
	GoVersion string `json:"goVersion"`
	// Platform is OS/ARCH as Go names them.
	Platform string `json:"platform"`
}

func newVersionCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and date",
		Long: `Print the version of this program, the commit that it was built from and the
date of that commit. What the build does not contain is left out.`,
		Example: `  # For a report of an error
  kubectl noderole version

  # For scripts
  kubectl noderole version -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := versionText(buildVersion(), output)
			if err != nil {
				return err
			}
			_, err = streams.Out.Write(text)
			return err
		},
	}
	(&enum{one: &output, words: []string{"json", "yaml"}, unknown: unknownFormat}).addTo(cmd.Flags(), "output", "o", "Output format: %s (default one line)")
	return cmd
}

// versionText is a version in JSON, YAML or, without a format, in one line.
func versionText(v VersionInfo, format string) ([]byte, error) {
	switch format {
	case "json":
		text, err := json.MarshalIndent(v, "", "  ")
		return append(text, '\n'), err
	case "yaml":
		return yaml.Marshal(v)
	default:
		line := "kubectl-noderole " + v.Version
		if v.Commit != "" {
			line += ", commit " + v.Commit
		}
		if v.Modified {
			line += " with changes"
		}
		if v.Date != "" {
			line += ", " + v.Date
		}
		return fmt.Appendf(nil, "%s, %s %s\n", line, v.GoVersion, v.Platform), nil
	}
}

// version is VersionInfo's Version.
func version() string { return buildVersion().Version }

// toolName names the program and its version in snapshots and reports.
func toolName() string { return "kubectl-noderole " + version() }

func buildVersion() VersionInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionFrom(VersionInfo{Version: Version, Commit: Commit, Date: Date}, info)
}

// versionFrom completes what the release build set, all or nothing of it, with
// what Go recorded.
func versionFrom(v VersionInfo, info *debug.BuildInfo) VersionInfo {
	if v.Version == "" {
		v = VersionInfo{Version: "(devel)"}
		if info.Main.Version != "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.time":
				v.Date = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	v.GoVersion = runtime.Version()
	v.Platform = runtime.GOOS + "/" + runtime.GOARCH
	return v
}
