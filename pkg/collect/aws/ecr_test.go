package aws

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestRegistry: a registry is read in its own region, and its permissions only where it has
// pull-through cache rules.
func TestRegistry(t *testing.T) {
	for rules, want := range map[string]snapshot.Registry{
		`{"pullThroughCacheRules":[]}`: {},
		`{"pullThroughCacheRules":[{"ecrRepositoryPrefix":"hub","upstreamRegistryUrl":"registry-1.docker.io"}]}`: {
			Policy: "{}", PullThroughCache: map[string]string{"hub": "registry-1.docker.io"},
		},
	} {
		var policies atomic.Int64
		c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/ecr/") {
				t.Errorf("the request is of another region: %s", r.Header.Get("Authorization"))
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRegistryPolicy") {
				policies.Add(1)
				_, _ = io.WriteString(w, `{"policyText":"{}"}`)
				return
			}
			_, _ = io.WriteString(w, rules)
		}))
		got, err := c.Registry(t.Context(), "us-east-1", "111122223333")
		if diff := cmp.Diff(want, got); diff != "" || err != nil || (policies.Load() == 1) != (want.Policy != "") {
			t.Errorf("%v, %d calls for permissions (-want +got):\n%s", err, policies.Load(), diff)
		}
	}
}

// TestInstanceProfileQuota: a summary without the numbers is no answer.
func TestInstanceProfileQuota(t *testing.T) {
	entry := func(key, value string) string {
		return "<entry><key>" + key + "</key><value>" + value + "</value></entry>"
	}
	for entries, want := range map[string]string{
		entry("InstanceProfiles", "7") + entry("InstanceProfilesQuota", "1000"): "",
		entry("InstanceProfiles", "7"):                                          "the response has no InstanceProfilesQuota",
		entry("InstanceProfilesQuota", "1000"):                                  "the response has no InstanceProfiles",
		entry("Roles", "1") + entry("Users", "2"):                               "the response has no InstanceProfiles",
	} {
		c, s, _ := answered(t)
		s.answer("text/xml", "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap>"+entries+"</SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>")
		quota, err := c.InstanceProfileQuota(t.Context())
		var failed *collect.CallError
		switch {
		case want == "" && (err != nil || quota != snapshot.Quota{Used: 7, Max: 1000}):
			t.Errorf("%+v, %v", quota, err)
		case want != "" && (!errors.As(err, &failed) || failed.Message != want):
			t.Errorf("%s: %v, want %s", entries, err, want)
		}
	}
}
