package rules_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// BenchmarkExample is a snapshot of five node roles on its way to a report: decoded from
// YAML, and judged.
func BenchmarkExample(b *testing.B) {
	text, _ := examples.Read("broken")
	facts, err := snapshot.Decode("broken", text)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := snapshot.Decode("broken", text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Judge", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rules.Judge(view.New(facts), rules.Options{})
		}
	})
}
