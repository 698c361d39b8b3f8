package aws_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// listServer answers as IAM: two pages of roles and profiles, and GetRole. From
// the page that refuse names on it refuses lists, and GetRole for "1".
func listServer(t *testing.T, refuse string) *aws.Client {
	t.Helper()
	emptyHome(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		action, page := r.Form.Get("Action"), r.Form.Get("Marker")
		if page == "" {
			page = "1"
		}
		w.Header().Set("Content-Type", "text/xml")
		if page == refuse {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error><RequestId>r-1</RequestId></ErrorResponse>")
			return
		}
		next := "<IsTruncated>true</IsTruncated><Marker>2</Marker>"
		if page == "2" {
			next = "<IsTruncated>false</IsTruncated>"
		}
		role := func(name, more string) string {
			return "<RoleName>" + name + "</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::111122223333:role/" + name + "</Arn><CreateDate>2026-01-02T03:04:05Z</CreateDate>" +
				"<AssumeRolePolicyDocument>" + url.PathEscape(`{"Version":"2012-10-17"}`) + "</AssumeRolePolicyDocument>" + more
		}
		var body string
		switch action {
		case "ListRoles":
			if size := r.Form.Get("MaxItems"); size != "1000" {
				t.Errorf("pages of %s roles", size)
			}
			body = "<Roles><member>" + role("r"+page, "") + "</member></Roles>" + next
		case "ListInstanceProfiles":
			body = "<InstanceProfiles><member><Arn>arn:aws:iam::111122223333:instance-profile/p" + page + "</Arn><Roles><member>" + role("r"+page, "") + "</member></Roles></member></InstanceProfiles>" + next
		case "ListEntitiesForPolicy":
			for parameter, want := range map[string]string{"PolicyArn": "arn:aws:iam::aws:policy/node", "EntityFilter": "Role", "PolicyUsageFilter": "PermissionsPolicy", "MaxItems": "1000"} {
				if got := r.Form.Get(parameter); got != want {
					t.Errorf("%s is %q, want %q", parameter, got, want)
				}
			}
			body = "<PolicyGroups/><PolicyUsers/><PolicyRoles><member><RoleName>r" + page + "</RoleName><RoleId>AROA</RoleId></member></PolicyRoles>" + next
		case "GetRole":
			more := "<PermissionsBoundary><PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/b</PermissionsBoundaryArn></PermissionsBoundary>" +
				"<Tags><member><Key>team</Key><Value>core</Value></member></Tags>"
			switch r.Form.Get("RoleName") {
			case "used":
				more += "<RoleLastUsed><LastUsedDate>2026-05-06T07:08:09Z</LastUsedDate><Region>eu-west-1</Region></RoleLastUsed>"
			case "unused":
				more += "<RoleLastUsed/>"
			case "empty":
				fmt.Fprint(w, "<GetRoleResponse><GetRoleResult/></GetRoleResponse>")
				return
			}
			body = "<Role>" + role(r.Form.Get("RoleName"), more) + "</Role>"
		}
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, body)
	}))
	t.Cleanup(server.Close)
	client, err := aws.New(t.Context(), keys(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Lists are read to their end; one that breaks off keeps what was read.
func TestListPages(t *testing.T) {
	for _, test := range []struct {
		refuse         string
		roles, profile []string
	}{
		{"", []string{"r1", "r2"}, []string{"p1", "p2"}},
		{"2", []string{"r1"}, []string{"p1"}},
		{"1", nil, nil},
	} {
		t.Run("refused from page "+test.refuse, func(t *testing.T) {
			client := listServer(t, test.refuse)
			names := func(arns []string) []string {
				var names []string
				for _, arn := range slices.Sorted(slices.Values(arns)) {
					names = append(names, snapshot.NameOf(arn))
				}
				return names
			}
			roles, err := client.Roles(t.Context())
			wantRefused(t, err, test.refuse != "", "iam:ListRoles")
			if diff := cmp.Diff(test.roles, names(slices.Collect(maps.Keys(roles)))); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
			profiles, err := client.InstanceProfiles(t.Context())
			wantRefused(t, err, test.refuse != "", "iam:ListInstanceProfiles")
			if diff := cmp.Diff(test.profile, names(slices.Collect(maps.Keys(profiles)))); diff != "" {
				t.Errorf("profiles (-want +got):\n%s", diff)
			}
			attached, err := client.PolicyRoles(t.Context(), "arn:aws:iam::aws:policy/node")
			wantRefused(t, err, test.refuse != "", "iam:ListEntitiesForPolicy")
			if diff := cmp.Diff(test.roles, attached); diff != "" {
				t.Errorf("roles of the policy (-want +got):\n%s", diff)
			}
			if test.refuse != "" {
				return
			}
			role := snapshot.Role{ID: "AROA", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), TrustPolicy: "{\n  \"Version\": \"2012-10-17\"\n}"}
			if diff := cmp.Diff(role, roles["arn:aws:iam::111122223333:role/r1"]); diff != "" {
				t.Errorf("role (-want +got):\n%s", diff)
			}
			profile := snapshot.InstanceProfile{Roles: []string{"arn:aws:iam::111122223333:role/r2"}}
			if diff := cmp.Diff(profile, profiles["arn:aws:iam::111122223333:instance-profile/p2"]); diff != "" {
				t.Errorf("profile (-want +got):\n%s", diff)
			}
		})
	}
}

func wantRefused(t *testing.T, err error, refused bool, operation string) {
	t.Helper()
	if !refused {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var call *collect.CallError
	if !errors.As(err, &call) || call.Operation != operation || call.Permission != operation || call.Message != "AccessDenied: not you" {
		t.Errorf("error %v, want %s refused", err, operation)
	}
}

func TestRoleUse(t *testing.T) {
	client := listServer(t, "")
	want := snapshot.Role{
		ID: "AROA", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), TrustPolicy: "{\n  \"Version\": \"2012-10-17\"\n}",
		PermissionsBoundary: "arn:aws:iam::111122223333:policy/b", Tags: map[string]string{"team": "core"},
	}
	for name, used := range map[string]time.Time{"used": time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), "unused": {}, "unsaid": {}} {
		arn, role, lastUsed, err := client.RoleUse(t.Context(), name)
		if err != nil || arn != "arn:aws:iam::111122223333:role/"+name || !lastUsed.Equal(used) {
			t.Errorf("%s: %s, used %v, %v", name, arn, lastUsed, err)
		}
		if diff := cmp.Diff(want, role); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		// What Role says of it is the same.
		_, same, err := client.Role(t.Context(), name)
		if diff := cmp.Diff(same, role); diff != "" || err != nil {
			t.Errorf("%s: Role differs: %v\n%s", name, err, diff)
		}
	}
	var call *collect.CallError
	if _, _, _, err := client.RoleUse(t.Context(), "empty"); !errors.As(err, &call) || !strings.Contains(call.Message, "not an IAM answer (the body has no GetRoleResult.Role.Arn)") {
		t.Errorf("an empty answer: %v", err)
	}
	refused := listServer(t, "1")
	_, _, _, err := refused.RoleUse(t.Context(), "used")
	wantRefused(t, err, true, "iam:GetRole")
}
