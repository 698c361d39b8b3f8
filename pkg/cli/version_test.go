package cli

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersionFrom(t *testing.T) {
	vcs := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "15e658b2"}, {Key: "vcs.time", Value: "2026-11-24T08:50:00Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for name, c := range map[string]struct {
		set  VersionInfo
		info debug.BuildInfo
		want VersionInfo
		line string
	}{
		"release": {
			set:  VersionInfo{Version: "v1.2.3", Commit: "aaaa", Date: "2026-01-02T03:04:05Z"},
			info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs},
			want: VersionInfo{Version: "v1.2.3", Commit: "aaaa", Date: "2026-01-02T03:04:05Z"},
			line: "kubectl-noderole v1.2.3, commit aaaa, 2026-01-02T03:04:05Z, ",
		},
		"go install of a version": {
			info: debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}},
			want: VersionInfo{Version: "v1.2.3"},
			line: "kubectl-noderole v1.2.3, ",
		},
		"go build in a changed work tree": {
			info: debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261124085000-15e658b2+dirty"}, Settings: vcs},
			want: VersionInfo{Version: "v0.0.0-20261124085000-15e658b2+dirty", Commit: "15e658b2", Date: "2026-11-24T08:50:00Z", Modified: true},
			line: "kubectl-noderole v0.0.0-20261124085000-15e658b2+dirty, commit 15e658b2 with changes, 2026-11-24T08:50:00Z, ",
		},
		"nothing known": {
			want: VersionInfo{Version: "(devel)"},
			line: "kubectl-noderole (devel), ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			c.want.GoVersion, c.want.Platform = runtime.Version(), platform
			got := versionFrom(c.set, &c.info)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			text, err := versionText(got, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.line+runtime.Version()+" "+platform+"\n", string(text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
