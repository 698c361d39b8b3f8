package collect_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestOtherRegions: the clusters of other regions are read with their roles. A region
// that refuses, a cluster that is not told, and a region that is turned off are missing
// and end nothing.
func TestOtherRegions(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	f := w.aws
	in := func(other, name string) string {
		return strings.Replace(clusterARN(name), ":"+region+":", ":"+other+":", 1)
	}
	f.fault = func(op string, rw http.ResponseWriter, r *http.Request) bool {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
		if !strings.HasPrefix(op, "eks:") || strings.Contains(scope, "/"+region+"/") {
			return false
		}
		switch {
		case strings.Contains(scope, "/us-west-2/"):
			fail(rw, op, http.StatusForbidden, "AccessDeniedException", "not authorized")
		case strings.Contains(scope, "/me-south-1/"):
			fail(rw, op, http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")
		case op == "eks:ListClusters":
			writeJSON(rw, map[string]any{"clusters": []string{"prod", "gone", "shut"}})
		case strings.HasSuffix(r.URL.Path, "/gone"):
			fail(rw, op, http.StatusNotFound, "ResourceNotFoundException", "No cluster found for name: gone.")
		case strings.HasSuffix(r.URL.Path, "/shut"):
			fail(rw, op, http.StatusForbidden, "AccessDeniedException", "not authorized")
		default:
			writeJSON(rw, map[string]any{"cluster": map[string]any{"name": "prod", "arn": in("us-east-1", "prod"), "roleArn": f.roleARN("node-a")}})
		}
		return true
	}
	o := w.options(t)
	o.Regions = []string{"us-west-2", region, "us-east-1", "me-south-1", "us-east-1"}
	got, stats, err := collect.Collect(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]snapshot.OtherCluster{
		clusterARN("dev"): {RoleARN: f.roleARN("dev-cluster")}, clusterARN("staging"): {RoleARN: f.roleARN("staging-cluster")},
		in("us-east-1", "prod"): {RoleARN: f.roleARN("node-a")},
	}
	if diff := cmp.Diff(want, got.OtherClusters); diff != "" {
		t.Errorf("other clusters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"me-south-1", "us-east-1", "us-west-2"}, got.OtherRegions); diff != "" {
		t.Errorf("other regions (-want +got):\n%s", diff)
	}
	var lines []string
	for _, m := range got.Missing {
		if m.Fact == snapshot.FactOtherClusters {
			lines = append(lines, m.Subject+" "+m.Operation+" "+m.Permission)
		}
	}
	wantLines := []string{
		in("us-east-1", "shut") + " eks:DescribeCluster in us-east-1 eks:DescribeCluster",
		"me-south-1 eks:ListClusters ",
		"us-west-2 eks:ListClusters eks:ListClusters",
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	// Two pages of the own region, and one request to each other region.
	if n := stats.PerOperation["eks:ListClusters"]; n != 2+3 {
		t.Errorf("eks:ListClusters was counted %d times", n)
	}
	text, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := snapshot.Decode("collected", text); err != nil || !slices.Equal(again.OtherRegions, got.OtherRegions) {
		t.Errorf("saved and loaded: %v", err)
	}
}
