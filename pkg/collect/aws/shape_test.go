package aws

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// callsInUse are the interfaces that list the calls in use, by service.
var callsInUse = map[string][]reflect.Type{
	"eks":         {reflect.TypeFor[EKS](), reflect.TypeFor[EKSWrites]()},
	"iam":         {reflect.TypeFor[IAM](), reflect.TypeFor[IAMWrites]()},
	"ec2":         {reflect.TypeFor[EC2]()},
	"autoscaling": {reflect.TypeFor[AutoScaling]()},

	"ecr": {reflect.TypeFor[ECR]()}, "organizations": {reflect.TypeFor[Organizations]()},
	"sts": {reflect.TypeFor[STS]()},
}

// forCredentials are the calls that the SDK makes by itself.
var forCredentials = []string{"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sso:GetRoleCredentials", "ssooidc:CreateToken", "signin:CreateOAuth2Token"}

// operationsInUse are the operations of callsInUse, sorted.
func operationsInUse() []string {
	var operations []string
	for service, types := range callsInUse {
		for _, t := range types {
			for i := range t.NumMethod() {
				operations = append(operations, service+":"+t.Method(i).Name)
			}
		}
	}
	slices.Sort(operations)
	return operations
}

// Every call in use has its required members, and nothing else has.
func TestEveryOperationHasAShape(t *testing.T) {
	want := slices.Sorted(slices.Values(slices.Concat(operationsInUse(), forCredentials)))
	got := slices.Sorted(maps.Keys(required))
	for _, operation := range want {
		if !slices.Contains(got, operation) {
			t.Errorf("%s has no entry in required", operation)
		}
	}
	for _, operation := range got {
		if !slices.Contains(want, operation) {
			t.Errorf("required has %s, which is not called", operation)
		}
	}
}

// send makes a call of an operation with an input that the SDK accepts.
func send(ctx context.Context, c *Client, operation string) (any, error) {
	service, name, _ := strings.Cut(operation, ":")
	client := map[string]any{"eks": c.eks, "iam": c.iam, "ec2": c.ec2, "autoscaling": c.autoscaling, "ecr": c.ecr, "organizations": c.organizations, "sts": c.sts}[service]
	method := reflect.ValueOf(client).MethodByName(name)
	in := reflect.New(method.Type().In(1).Elem())
	fill(in.Elem())
	return call(ctx, c, operation, func(ctx context.Context) (any, error) {
		out := method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
		err, _ := out[1].Interface().(error)
		return out[0].Interface(), err
	})
}

// fill gives every text, list of texts and structure of an input a value.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		switch {
		case !field.CanSet():
		case field.Type() == reflect.TypeFor[*string]():
			text := "text"
			field.Set(reflect.ValueOf(&text))
		case field.Kind() == reflect.String:
			field.SetString("text")
		case field.Type() == reflect.TypeFor[[]string]():
			field.Set(reflect.ValueOf([]string{"text"}))
		case field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct:
			field.Set(reflect.New(field.Type().Elem()))
			fill(field.Elem())
		}
	}
}

// smallest is the smallest answer to an operation that AWS might give: texts that are
// their own paths, and empty lists.
func smallest(operation string) string {
	service, action, _ := strings.Cut(operation, ":")
	members := required[operation]
	switch service {
	case "ec2", "iam", "sts", "autoscaling":
		text := ""
		for _, group := range grouped(members) {
			text += xmlOf(group)
		}
		if service != "ec2" && len(members) > 0 {
			text = "<" + action + "Result>" + text + "</" + action + "Result>"
		}
		return `<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + action + `Response xmlns="https://example.amazonaws.com/doc/2010-05-08/">` + text +
			"<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></" + action + "Response>\n"
	}
	object := map[string]any{}
	for _, member := range members {
		in := object
		path := strings.Split(member, ".")
		for _, name := range path[:len(path)-1] {
			inner := map[string]any{}
			in[name], in = inner, inner
		}
		if list, isList := strings.CutSuffix(path[len(path)-1], "[]"); isList {
			in[list] = []string{}
		} else {
			in[path[len(path)-1]] = member
		}
	}
	text, _ := json.Marshal(object)
	return string(text)
}

// grouped puts the members of one structure together.
func grouped(members []string) [][]string {
	var groups [][]string
	for _, member := range members {
		outer, _, inner := strings.Cut(member, ".")
		last := len(groups) - 1
		if inner && last >= 0 && strings.HasPrefix(groups[last][0], outer+".") {
			groups[last] = append(groups[last], member)
			continue
		}
		groups = append(groups, []string{member})
	}
	return groups
}

// xmlOf is the members of one structure, or one member, as XML.
func xmlOf(group []string) string {
	outer, _, inner := strings.Cut(group[0], ".")
	if !inner {
		if list, isList := strings.CutSuffix(outer, "[]"); isList {
			return "<" + list + "/>"
		}
		return "<" + outer + ">" + group[0] + "</" + outer + ">"
	}
	text := ""
	for _, member := range group {
		_, name, _ := strings.Cut(member, ".")
		text += "<" + name + ">" + member + "</" + name + ">"
	}
	return "<" + outer + ">" + text + "</" + outer + ">"
}

// server answers every request with what body holds.
type server struct {
	contentType atomic.Value
	body        atomic.Value
	// declared is the Content-Length where it is longer than the body.
	declared atomic.Int64
	requests atomic.Int64
}

func (s *server) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.requests.Add(1)
	w.Header().Set("Content-Type", s.contentType.Load().(string))
	if n := s.declared.Load(); n > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(n))
	}
	_, _ = io.WriteString(w, s.body.Load().(string))
	if s.declared.Load() > 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (s *server) answer(contentType, body string) {
	s.contentType.Store(contentType)
	s.body.Store(body)
}

// answered returns a client of a server that a test gives its answer.
func answered(t *testing.T) (*Client, *server, string) {
	t.Helper()
	s := &server{}
	c, at := clientOf(t, s)
	return c, s, at
}

// clientOf returns a client of a server, and the server's address.
func clientOf(t *testing.T, handler http.Handler) (*Client, string) {
	t.Helper()
	at := httptest.NewServer(handler)
	t.Cleanup(at.Close)
	emptyAWSHome(t)
	c, err := New(t.Context(), Config{Region: "eu-west-1", Env: map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr", "AWS_ENDPOINT_URL": at.URL, "AWS_MAX_ATTEMPTS": "1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c, at.URL
}

// emptyAWSHome keeps the machine's own AWS configuration out of a test.
func emptyAWSHome(t *testing.T) string {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws", "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, ".aws", "credentials"))
	return home
}

// The smallest answer to every operation is accepted, and the SDK finds the required
// members in it: their names are those of the wire.
func TestSmallestAnswers(t *testing.T) {
	for _, operation := range operationsInUse() {
		t.Run(operation, func(t *testing.T) {
			c, s, _ := answered(t)
			contentType := "text/xml"
			if strings.HasPrefix(operation, "eks:") {
				contentType = "application/json"
			}
			s.answer(contentType, smallest(operation))
			out, err := send(t.Context(), c, operation)
			if err != nil {
				t.Fatalf("%v\n%s", err, smallest(operation))
			}
			text, err := json.Marshal(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, member := range required[operation] {
				want := `"` + member + `"` // a text
				if strings.HasSuffix(member, "[]") {
					want = ":[]" // null where the SDK did not find it
				}
				if operation == "iam:GetAccountSummary" {
					want = ":{}" // a map
				}
				if !strings.Contains(string(text), want) {
					t.Errorf("the SDK did not read %s from\n%s\nbut\n%s", member, smallest(operation), text)
				}
			}
		})
	}
}

// EKS may answer an operation without an output with nothing or with an empty object,
// IAM with an empty element.
func TestNoOutput(t *testing.T) {
	for operation, body := range map[string]string{
		"eks:DeleteAccessEntry": "", "eks:DisassociateAccessPolicy": "{}", "iam:AttachRolePolicy": "<AttachRolePolicyResponse/>",
		"iam:DeleteRole": "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\" />\n",
	} {
		c, s, _ := answered(t)
		s.answer("text/xml", body)
		if _, err := send(t.Context(), c, operation); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

// An answer that is not one is an error that names the operation, for every operation.
func TestMisshapenAnswers(t *testing.T) {
	const page = "<!doctype html>\n<html lang=en>\n<title>Welcome</title>\n<p>Sign in to the network."
	for _, operation := range operationsInUse() {
		whole := smallest(operation)
		noOutput := len(required[operation]) == 0
		for name, test := range map[string]struct {
			contentType, body string
			declared          int64
			skip              bool
			want              string
		}{
			"HTML":                  {"text/html; charset=utf-8", page, 0, false, "answered 200 with text/html, not an "},
			"HTML as another type":  {"application/json", page, 0, false, "answered 200 with application/json, not an "},
			"empty":                 {"text/xml", "", 0, noOutput && strings.HasPrefix(operation, "eks:"), "(the body is empty)"},
			"an empty object":       {"application/json", "{}", 0, noOutput && strings.HasPrefix(operation, "eks:"), ", not an "},
			"null":                  {"application/json", "null", 0, false, ", not an "},
			"a list":                {"application/json", "[]", 0, false, ", not an "},
			"another element":       {"text/xml", "<x/>", 0, false, ", not an "},
			"another element, open": {"text/xml", "<x><y/></x>", 0, false, ", not an "},
			"half, re-sent":         {"text/xml", whole[:len(whole)/2], 0, false, ", not an "},
			"all but its end":       {"text/xml", strings.TrimSpace(whole)[:len(strings.TrimSpace(whole))-1], 0, false, ", not an "},
			"half, cut off":         {"text/xml", whole[:len(whole)/2], int64(len(whole) + 1), false, "the response ended early"},
		} {
			if test.skip {
				continue // an answer that AWS may give
			}
			t.Run(operation+"/"+name, func(t *testing.T) {
				c, s, url := answered(t)
				s.answer(test.contentType, test.body)
				s.declared.Store(test.declared)
				out, err := send(t.Context(), c, operation)
				var failed *collect.CallError
				if !errors.As(err, &failed) {
					t.Fatalf("%v, %v", out, err)
				}
				if failed.Operation != operation || failed.Permission != "" || errors.Is(err, collect.ErrNotFound) {
					t.Errorf("%+v", failed)
				}
				if !strings.Contains(failed.Message, test.want) || strings.Contains(failed.Message, "\n") {
					t.Errorf("message %q, want %q in it", failed.Message, test.want)
				}
				if test.declared == 0 && !strings.HasPrefix(failed.Message, url+" answered 200 with ") {
					t.Errorf("message %q does not say who answered", failed.Message)
				}
				if n := s.requests.Load(); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// A member that is there without what it must hold is not an answer either.
func TestMembersWithoutContent(t *testing.T) {
	for _, test := range []struct{ operation, body, want string }{
		{"eks:ListNodegroups", `{"nodegroups":null}`, "(the body has no nodegroups)"},
		{"eks:ListNodegroups", `{"nodegroups":"a"}`, "(the body has no nodegroups)"},
		{"eks:ListNodegroups", `{"nodegroups":[]} {}`, "(the body is not valid JSON, or is cut off)"},
		{"eks:DescribeCluster", `{"cluster":{}}`, "(the body has no cluster.arn)"},
		{"eks:DescribeCluster", `{"cluster":"prod"}`, "(the body has no cluster.arn)"},
		{"eks:DescribeCluster", `{"cluster":{"arn":""}}`, "(the body has no cluster.arn)"},
		{"eks:DescribeCluster", `{"cluster":{"arn":1}}`, "(the body has no cluster.arn)"},
		{"iam:GetRole", "<GetRoleResponse><GetRoleResult><Role><Arn>a</Arn></Role></GetRoleResult></GetRoleResponse>", "(the body has no GetRoleResult.Role.AssumeRolePolicyDocument)"},
		{"iam:GetRole", "<GetRoleResponse><GetRoleResult><Role/></GetRoleResult></GetRoleResponse>", "(the body has no GetRoleResult.Role.Arn)"},
		{"iam:GetRole", "<GetRoleResponse><Role><Arn>a</Arn><AssumeRolePolicyDocument>d</AssumeRolePolicyDocument></Role></GetRoleResponse>", "(the body has no GetRoleResult.Role.Arn)"},
		{"iam:ListRoles", "<ListRolesResponse><ListRolesResult><IsTruncated>false</IsTruncated></ListRolesResult></ListRolesResponse>", "(the body has no ListRolesResult.Roles)"},
		{"iam:ListRoles", "<ListRolesResponse><ListRolesResult><x><Roles/></x></ListRolesResult></ListRolesResponse>", "(the body has no ListRolesResult.Roles)"},
		{"iam:ListRoles", "<ListRolesResponse><ListRolesResult><x></y></ListRolesResult></ListRolesResponse>", "(the body is not valid XML)"},
		{"sts:GetCallerIdentity", "<GetCallerIdentityResponse><GetCallerIdentityResult><Account/><Arn>a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>", "(the body has no GetCallerIdentityResult.Account)"},
		{"iam:AttachRolePolicy", "<AttachRolePolicyResponse><ResponseMetadata>", "(the body is cut off: it does not end with </AttachRolePolicyResponse>)"},
	} {
		c, s, _ := answered(t)
		s.answer("", test.body)
		_, err := send(t.Context(), c, test.operation)
		var failed *collect.CallError
		if !errors.As(err, &failed) || failed.Operation != test.operation || !strings.HasSuffix(failed.Message, test.want) {
			t.Errorf("%s: %v, want %s", test.body, err, test.want)
		}
	}
}

// A body is read up to a limit, also that of an error.
func TestAnswerTooLarge(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusForbidden} {
		c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			for chunk := []byte(strings.Repeat(" ", 1<<20)); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}))
		if _, err := c.ListClusters(t.Context()); err == nil || err.Error() != "eks:ListClusters: the response is larger than 64 MiB" {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A list whose token comes again ends with an error, and so does one that says there is
// more and not where. What was read stays.
func TestRepeatedTokens(t *testing.T) {
	lists := map[string]func(*Client) error{
		"organizations:ListAccounts": func(c *Client) error { _, err := c.OrganizationAccounts(t.Context(), nil); return err },
		"organizations:ListAccountsForParent": func(c *Client) error {
			_, err := c.OrganizationAccounts(t.Context(), []string{"ou-1"})
			return err
		},
		"organizations:ListOrganizationalUnitsForParent": func(c *Client) error { _, err := c.unitsBelow(t.Context(), "ou-1"); return err },

		"eks:ListClusters":                 func(c *Client) error { _, err := c.ListClusters(t.Context()); return err },
		"eks:ListNodegroups":               func(c *Client) error { _, err := c.NodeGroups(t.Context(), "c"); return err },
		"eks:ListFargateProfiles":          func(c *Client) error { _, err := c.FargateProfiles(t.Context(), "c"); return err },
		"eks:ListPodIdentityAssociations":  func(c *Client) error { _, err := c.PodIdentityAssociations(t.Context(), "c", "n", "s"); return err },
		"eks:ListAccessEntries":            func(c *Client) error { _, err := c.AccessEntries(t.Context(), "c"); return err },
		"eks:ListAssociatedAccessPolicies": func(c *Client) error { _, err := c.AccessPolicies(t.Context(), "c", "p"); return err },
		"iam:ListAttachedRolePolicies":     func(c *Client) error { _, err := c.AttachedPolicies(t.Context(), "r"); return err },
		"iam:ListRolePolicies":             func(c *Client) error { _, err := c.InlinePolicies(t.Context(), "r"); return err },
		"iam:ListInstanceProfilesForRole":  func(c *Client) error { _, err := c.RoleProfiles(t.Context(), "r"); return err },
		"iam:SimulatePrincipalPolicy": func(c *Client) error {
			_, err := c.Simulate(t.Context(), "r", []string{"a"}, []string{"*"})
			return err
		},
		"iam:GetAccountAuthorizationDetails": func(c *Client) error { _, err := c.Details(t.Context()); return err },
		"iam:ListPolicies":                   func(c *Client) error { _, err := c.BoundaryPolicies(t.Context()); return err },
		"iam:ListRoles":                      func(c *Client) error { _, err := c.Roles(t.Context()); return err },
		"iam:ListEntitiesForPolicy":          func(c *Client) error { _, err := c.PolicyRoles(t.Context(), "p"); return err },
		"iam:ListInstanceProfiles":           func(c *Client) error { _, err := c.InstanceProfiles(t.Context()); return err },
		"ec2:DescribeVpcEndpoints":           func(c *Client) error { _, _, err := c.VPCEndpoints(t.Context(), "v"); return err },
		"ec2:DescribeRouteTables":            func(c *Client) error { _, err := c.RouteTables(t.Context(), "v"); return err },
		"organizations:ListParents":          func(c *Client) error { _, err := c.Parent(t.Context(), "c"); return err },
		"organizations:ListPoliciesForTarget": func(c *Client) error {
			_, err := c.TargetPolicies(t.Context(), "t", "SERVICE_CONTROL_POLICY")
			return err
		},
		"ecr:DescribePullThroughCacheRules":     func(c *Client) error { _, err := c.Registry(t.Context(), "r", "a"); return err },
		"ec2:DescribeInstances":                 func(c *Client) error { _, err := c.Instances(t.Context(), []string{"i"}); return err },
		"autoscaling:DescribeAutoScalingGroups": func(c *Client) error { return c.AutoScalingGroups(t.Context(), "c", nil) },
	}
	for _, operation := range operationsInUse() {
		members := required[operation]
		isList := len(members) == 1 && strings.HasSuffix(members[0], "[]") &&
			operation != "ec2:DescribeLaunchTemplateVersions" && operation != "autoscaling:DescribeLaunchConfigurations" && // of one thing
			!slices.Contains([]string{"ec2:DescribeRegions", "iam:ListOpenIDConnectProviders", "iam:GetAccountSummary"}, operation) // which have no pages
		read := lists[operation]
		if isList != (read != nil) {
			t.Errorf("%s is a list: %t, is tested: %t", operation, isList, read != nil)
		}
		if read == nil {
			continue
		}
		for name, test := range map[string]struct {
			tokens   []string // of the pages; the last one comes again and again
			requests int64
			want     string
		}{
			"the one just sent": {[]string{"a"}, 2, "the response repeats the token of an earlier page, so that the list would never end"},
			"an earlier one":    {[]string{"a", "b", "a"}, 3, "the response repeats the token of an earlier page, so that the list would never end"},
		} {
			t.Run(operation+"/"+name, func(t *testing.T) {
				s := &pageServer{operation: operation, tokens: test.tokens}
				c, _ := clientOf(t, s)
				err := read(c)
				var failed *collect.CallError
				if !errors.As(err, &failed) || failed.Operation != operation || failed.Message != test.want {
					t.Errorf("%v", err)
				}
				if n := s.requests.Load(); n != test.requests {
					t.Errorf("%d requests, want %d", n, test.requests)
				}
			})
		}
	}
	t.Run("more, without a marker", func(t *testing.T) {
		c, s, _ := answered(t)
		s.answer("text/xml", strings.Replace(smallest("iam:ListRoles"), "<Roles/>", "<Roles/><IsTruncated>true</IsTruncated>", 1))
		_, err := c.Roles(t.Context())
		if err == nil || err.Error() != "iam:ListRoles: the response has no token for the next page, although there are more pages" {
			t.Errorf("%v", err)
		}
	})
}

// pageServer answers an operation with empty pages that have tokens.
type pageServer struct {
	operation string
	tokens    []string
	requests  atomic.Int64
}

func (s *pageServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	token := s.tokens[min(int(s.requests.Add(1)), len(s.tokens))-1]
	body := smallest(s.operation)
	switch service, _, _ := strings.Cut(s.operation, ":"); service {
	case "eks", "ecr":
		body = body[:len(body)-1] + `,"nextToken":"` + token + `"}`
	case "iam":
		body = strings.Replace(body, "Result>", "Result><IsTruncated>true</IsTruncated><Marker>"+token+"</Marker>", 1)
	case "ec2":
		body = strings.Replace(body, "<ResponseMetadata>", "<nextToken>"+token+"</nextToken><ResponseMetadata>", 1)
	case "organizations":
		body = body[:len(body)-1] + `,"NextToken":"` + token + `"}`
	default:
		body = strings.Replace(body, "Result>", "Result><NextToken>"+token+"</NextToken>", 1)
	}
	_, _ = io.WriteString(w, body)
}

// What the SDK's own calls for credentials are answered with is checked too.
func TestMisshapenCredentials(t *testing.T) {
	for name, body := range map[string]string{"HTML": "<html><p>Sign in", "empty": "", "an empty object": "{}", "another element": "<x/>"} {
		for operation, configure := range map[string]func(t *testing.T, home, url string) Config{
			"sts:AssumeRole": func(*testing.T, string, string) Config {
				return Config{RoleARN: "arn:aws:iam::111122223333:role/r"}
			},
			"sts:AssumeRoleWithWebIdentity": func(t *testing.T, home, _ string) Config {
				t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r")
				t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(home, "token"))
				put(t, filepath.Join(home, "token"), "jwt")
				return Config{}
			},
			"sso:GetRoleCredentials": func(t *testing.T, home, _ string) Config {
				const start = "https://example.awsapps.com/start"
				put(t, filepath.Join(home, ".aws", "config"), "[profile sso]\nsso_start_url = "+start+"\nsso_region = eu-west-1\nsso_account_id = 111122223333\nsso_role_name = r\n")
				sum := sha1.Sum([]byte(start)) // the SDK names the files of its cache so
				put(t, filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), `{"accessToken":"t","expiresAt":"2099-01-01T00:00:00Z"}`)
				return Config{Profile: "sso"}
			},
		} {
			t.Run(operation+"/"+name, func(t *testing.T) {
				s := &server{}
				s.answer("text/plain", body)
				at := httptest.NewServer(s)
				defer at.Close()
				home := emptyAWSHome(t)
				t.Setenv("AWS_ENDPOINT_URL", at.URL)
				t.Setenv("AWS_ENDPOINT_URL_SSO", at.URL) // the SDK heeds no other variable for this
				t.Setenv("AWS_MAX_ATTEMPTS", "1")
				cfg := configure(t, home, at.URL)
				cfg.Region = "eu-west-1"
				if cfg.RoleARN != "" {
					t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
					t.Setenv("AWS_SECRET_ACCESS_KEY", "wJalr")
				}
				c, err := New(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.CallerAccount(t.Context())
				var p *problem.Error
				service, _, _ := strings.Cut(operation, ":")
				if !errors.As(err, &p) || !strings.Contains(p.Problem, at.URL+" answered 200 with text/plain, not an "+strings.ToUpper(service)+" answer (the ") {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
