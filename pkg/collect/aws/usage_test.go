package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// usageServer answers as IAM about one report: it is in progress for some questions, has
// two pages, and ends as status says.
type usageServer struct {
	inProgress int
	status     string
	// refuse is an operation that is refused.
	refuse string
	// marker is that of the second page; a repeated one never ends.
	endless bool

	mu    sync.Mutex
	asked []string
}

func (s *usageServer) client(t *testing.T) *aws.Client {
	t.Helper()
	emptyHome(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "text/xml")
		s.mu.Lock()
		defer s.mu.Unlock()
		action := r.Form.Get("Action")
		s.asked = append(s.asked, strings.TrimSpace(action+" "+r.Form.Get("Granularity")+r.Form.Get("Marker")))
		if action == s.refuse {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error><RequestId>r-1</RequestId></ErrorResponse>")
			return
		}
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, s.body(action, r.Form.Get("Marker")))
	}))
	t.Cleanup(server.Close)
	client, err := aws.New(t.Context(), keys(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s *usageServer) body(action, marker string) string {
	const job = "<JobCreationDate>2026-06-01T12:00:00Z</JobCreationDate>"
	switch {
	case action == "GenerateServiceLastAccessedDetails":
		return "<JobId>11111111-2222-3333-4444-555555555555</JobId>"
	case s.inProgress > 0:
		s.inProgress--
		return "<JobStatus>IN_PROGRESS</JobStatus>" + job
	case s.status == "FAILED":
		return "<JobStatus>FAILED</JobStatus>" + job + "<JobCompletionDate>2026-06-01T12:00:05Z</JobCompletionDate><Error><Message>try again</Message><Code>ServiceFailure</Code></Error>"
	case marker == "":
		return "<JobStatus>COMPLETED</JobStatus><JobType>ACTION_LEVEL</JobType>" + job + "<JobCompletionDate>2026-06-01T12:00:05Z</JobCompletionDate><IsTruncated>true</IsTruncated><Marker>2</Marker>" +
			"<ServicesLastAccessed><member><ServiceName>Amazon EC2</ServiceName><ServiceNamespace>ec2</ServiceNamespace><LastAuthenticated>2026-05-31T08:00:00Z</LastAuthenticated>" +
			"<TrackedActionsLastAccessed><member><ActionName>DescribeInstances</ActionName><LastAccessedTime>2026-05-31T08:00:00Z</LastAccessedTime></member>" +
			"<member><ActionName>StopInstances</ActionName></member></TrackedActionsLastAccessed></member></ServicesLastAccessed>"
	default:
		more := "<IsTruncated>false</IsTruncated>"
		if s.endless {
			more = "<IsTruncated>true</IsTruncated><Marker>2</Marker>"
		}
		return "<JobStatus>COMPLETED</JobStatus>" + job + "<JobCompletionDate>2026-06-01T12:00:05Z</JobCompletionDate>" + more +
			"<ServicesLastAccessed><member><ServiceName>Amazon ECR</ServiceName><ServiceNamespace>ecr</ServiceNamespace></member></ServicesLastAccessed>"
	}
}

const usedRole = "arn:aws:iam::111122223333:role/eksNodeRole"

// TestUsage: IAM is asked until the report is there, and for all of its pages.
func TestUsage(t *testing.T) {
	server := &usageServer{inProgress: 2}
	got, err := server.client(t).Usage(t.Context(), usedRole)
	if err != nil {
		t.Fatal(err)
	}
	want := snapshot.Usage{
		ReportedAt: time.Date(2026, 6, 1, 12, 0, 5, 0, time.UTC),
		Services: map[string]snapshot.ServiceUsage{
			"ec2": {
				LastUsed: time.Date(2026, 5, 31, 8, 0, 0, 0, time.UTC),
				Actions:  map[string]time.Time{"DescribeInstances": time.Date(2026, 5, 31, 8, 0, 0, 0, time.UTC), "StopInstances": {}},
			},
			"ecr": {},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	calls := []string{
		"GenerateServiceLastAccessedDetails ACTION_LEVEL", "GetServiceLastAccessedDetails", "GetServiceLastAccessedDetails", "GetServiceLastAccessedDetails", "GetServiceLastAccessedDetails 2",
	}
	if diff := cmp.Diff(calls, server.asked); diff != "" {
		t.Error(diff)
	}
}

// TestUsageFails: each way in which there is no report names the call.
func TestUsageFails(t *testing.T) {
	for name, test := range map[string]struct {
		server             *usageServer
		operation, message string
		permission         string
	}{
		"no report": {&usageServer{status: "FAILED"}, "iam:GetServiceLastAccessedDetails", "IAM could not make the report: ServiceFailure: try again", ""},
		"generate":  {&usageServer{refuse: "GenerateServiceLastAccessedDetails"}, "iam:GenerateServiceLastAccessedDetails", "not you", "iam:GenerateServiceLastAccessedDetails"},
		"get":       {&usageServer{refuse: "GetServiceLastAccessedDetails"}, "iam:GetServiceLastAccessedDetails", "not you", "iam:GetServiceLastAccessedDetails"},
		"endless":   {&usageServer{endless: true}, "iam:GetServiceLastAccessedDetails", "repeats the token", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.server.client(t).Usage(t.Context(), usedRole)
			var call *collect.CallError
			if !errors.As(err, &call) || call.Operation != test.operation || call.Permission != test.permission || !strings.Contains(call.Message, test.message) {
				t.Errorf("%v", err)
			}
		})
	}
}
