package script_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// largeSnapshot is the broken example with its node roles and node groups many times over.
func largeSnapshot(t testing.TB, roles int) []byte {
	t.Helper()
	text, _ := examples.Read("broken")
	facts, err := snapshot.Decode("broken", text)
	if err != nil {
		t.Fatal(err)
	}
	groups := slices.Sorted(maps.Keys(facts.NodeGroups))
	for i := 0; len(facts.Roles) < roles; i++ {
		group := facts.NodeGroups[groups[i%len(groups)]]
		role, ok := facts.Roles[group.NodeRoleARN]
		if !ok {
			continue
		}
		group.NodeRoleARN = fmt.Sprintf("%s-%03d", group.NodeRoleARN, i)
		facts.Roles[group.NodeRoleARN] = role
		facts.NodeGroups[fmt.Sprintf("large-%03d", i)] = group
	}
	large, err := facts.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return large
}

// BenchmarkLargeReport runs check on 300 roles and as many node groups, in every format.
func BenchmarkLargeReport(b *testing.B) {
	c := newLiveCluster(b, forbidden)
	c.put(b, "large.yaml", string(largeSnapshot(b, 300)))
	for _, format := range []string{"table", "wide", "json", "yaml", "html", "junit", "markdown", "openreports", "sarif"} {
		b.Run(format, func(b *testing.B) {
			var size int
			var memory int64
			for b.Loop() {
				args := []string{"check", "-f", "large.yaml", "-o", format}
				if format == "table" {
					args = args[:3]
				}
				out := c.run(b, nil, args...)
				if out.code != 1 || !strings.Contains(out.stdout, "NodeRole-2") {
					b.Fatalf("exit %d: %s", out.code, out.stderr)
				}
				size, memory = len(out.stdout), max(memory, out.memory)
			}
			b.ReportMetric(float64(size)/1e6, "MB-printed")
			b.ReportMetric(float64(memory)/(1<<20), "MiB-peak")
		})
	}
}
