package collect_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// fakeUsage answers by the name of the role.
type fakeUsage struct{ failure error }

func (f fakeUsage) Usage(_ context.Context, arn string) (snapshot.Usage, error) {
	switch snapshot.NameOf(arn) {
	case "refused":
		return snapshot.Usage{}, &collect.CallError{Operation: "iam:GenerateServiceLastAccessedDetails", Permission: "iam:GenerateServiceLastAccessedDetails", Message: "not you"}
	case "down":
		return snapshot.Usage{}, f.failure
	}
	return snapshot.Usage{ReportedAt: time.Unix(int64(len(arn)), 0)}, nil
}

// TestReadUsage: what is refused of one role is missing, of the others nothing is; another
// error ends the run.
func TestReadUsage(t *testing.T) {
	const path = "arn:aws:iam::111122223333:role/"
	var mu sync.Mutex
	var events []int
	used, missing, err := collect.ReadUsage(t.Context(), fakeUsage{}, []string{path + "a", path + "refused", path + "b"}, func(e collect.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e.Done*10+e.Total)
	})
	if err != nil || len(used) != 2 || used[path+"a"].ReportedAt.IsZero() {
		t.Errorf("%v %v", used, err)
	}
	want := []snapshot.Missing{{
		Fact: snapshot.FactUsage, Subject: path + "refused", Operation: "iam:GenerateServiceLastAccessedDetails", Permission: "iam:GenerateServiceLastAccessedDetails", Error: "not you",
	}}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Error(diff)
	}
	if slices.Sort(events); !slices.Equal(events, []int{13, 23, 33}) {
		t.Errorf("progress %v", events)
	}
	failure := errors.New("no connection")
	if _, _, err := collect.ReadUsage(t.Context(), fakeUsage{failure}, []string{path + "a", path + "down"}, nil); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
}
