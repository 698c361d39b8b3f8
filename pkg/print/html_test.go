package print_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// pageOf is a report as a page.
func pageOf(t *testing.T, r *finding.Report) string {
	t.Helper()
	var b strings.Builder
	if err := print.Write(&b, "html", r, optionsFor(t)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHTMLGolden keeps the broken example's page, but for its style.
func TestHTMLGolden(t *testing.T) {
	got := pageOf(t, frozen(t, "broken"))
	got = regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAllString(got, "<style></style>")
	got = regexp.MustCompile(`sha256-.*?=&#39;`).ReplaceAllString(got, "sha256-STYLE&#39;")
	file := filepath.Join("testdata", "broken.html")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (go test ./pkg/print -update writes it anew; look at it then):\n%s", file, diff)
	}
}

// TestHTMLIsTheSame: the same facts give the same bytes.
func TestHTMLIsTheSame(t *testing.T) {
	for _, name := range frozenNames {
		want := pageOf(t, frozen(t, name))
		for range 5 {
			if pageOf(t, frozen(t, name)) != want {
				t.Fatalf("%s: two pages of the same facts differ", name)
			}
		}
	}
}

// TestHTMLIsWellFormed: what is opened is closed, in order; ids are unique, and
// what refers to one finds it; nothing is a script, and no address is elsewhere.
func TestHTMLIsWellFormed(t *testing.T) {
	for _, name := range frozenNames {
		wellFormed(t, name, pageOf(t, frozen(t, name)))
	}
	wellFormed(t, "everything", pageOf(t, everyKind()))
	wellFormed(t, "empty", pageOf(t, &finding.Report{}))
}

// void elements have no end tag. Source:
// https://html.spec.whatwg.org/multipage/syntax.html#void-elements
var void = []string{"meta", "link", "img", "br", "hr"}

func wellFormed(t *testing.T, name, page string) {
	t.Helper()
	var opened []string
	ids, refs := map[string]bool{}, map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(opened) > 0 {
				t.Errorf("%s: not closed: %v", name, opened)
			}
			for ref := range refs {
				if !ids[ref] {
					t.Errorf("%s: nothing has the id %q", name, ref)
				}
			}
			return
		case html.StartTagToken:
			tag := z.Token()
			checkTag(t, name, tag, ids, refs)
			if !slices.Contains(void, tag.Data) {
				opened = append(opened, tag.Data)
			}
		case html.SelfClosingTagToken:
			checkTag(t, name, z.Token(), ids, refs)
		case html.EndTagToken:
			tag := z.Token().Data
			if len(opened) == 0 || opened[len(opened)-1] != tag {
				t.Fatalf("%s: </%s> closes %v", name, tag, opened)
			}
			opened = opened[:len(opened)-1]
		default:
		}
	}
}

func checkTag(t *testing.T, name string, tag html.Token, ids, refs map[string]bool) {
	t.Helper()
	if slices.Contains([]string{"script", "iframe", "object", "embed", "link", "base", "form", "img"}, tag.Data) {
		t.Errorf("%s: there is a <%s>", name, tag.Data)
	}
	for _, a := range tag.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src":
			t.Errorf("%s: <%s> has %s=%q", name, tag.Data, a.Key, a.Val)
		case a.Key == "id" && ids[a.Val]:
			t.Errorf("%s: two elements have the id %q", name, a.Val)
		case a.Key == "id":
			ids[a.Val] = true
		case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
			refs[a.Val[1:]] = true
		case a.Key == "href" && (tag.Data != "a" || !strings.HasPrefix(a.Val, "https://")):
			t.Errorf("%s: <%s> leads to %q", name, tag.Data, a.Val)
		case a.Key == "aria-labelledby":
			for _, id := range strings.Fields(a.Val) {
				refs[id] = true
			}
		}
	}
}

// TestHTMLPolicy: the page allows itself its own style, by its hash, and nothing
// else.
func TestHTMLPolicy(t *testing.T) {
	page := pageOf(t, frozen(t, "healthy"))
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
	if len(style) != 1 {
		t.Fatalf("there are %d styles", len(style))
	}
	sum := sha256.Sum256([]byte(style[0][1]))
	want := fmt.Sprintf(`content="default-src &#39;none&#39;; style-src &#39;sha256-%s&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`, strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;"))
	if !strings.Contains(page, want) {
		t.Errorf("the page has no %s", want)
	}
	for _, outside := range []string{"@import", "url("} {
		if strings.Contains(style[0][1], outside) {
			t.Errorf("the style has %s", outside)
		}
	}
}

const nastyName = `</title></style></pre><script>alert(1)</script>"'&lt; javascript:alert(2) {{.}}`

// everyKind is a report with a result of every kind, whose names are all nasty.
func everyKind() *finding.Report {
	arn := "arn:aws:iam::111122223333:role/" + nastyName
	result := func(status finding.Status, severity finding.Severity) finding.Result {
		return finding.Result{
			ID: "NR202", Rule: nastyName, Status: status, Severity: severity, Concern: finding.ConcernPull,
			Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: nastyName, ARN: arn}, Message: nastyName + string(status) + string(severity),
			Evidence: []string{nastyName, strings.Repeat("x", 4000)}, Impact: nastyName, Next: []finding.Next{finding.Run(command.AWS(nastyName)).With(nastyName), finding.Advise(nastyName)},
		}
	}
	excepted, expired, known := result(finding.Fail, finding.Error), result(finding.Fail, finding.Warning), result(finding.Fail, finding.Info)
	excepted.Exception = &finding.Exception{Reason: "excepted " + nastyName, Expires: "2027-01-31", Source: nastyName}
	expired.Exception = &finding.Exception{Reason: "expired " + nastyName, Expires: "2026-01-31", Source: nastyName, Expired: true}
	known.Known = true
	unknown := result(finding.Unknown, finding.Error)
	unknown.Next = []finding.Next{finding.Advise("grant yourself iam:GetRole and run check again")}
	symptom := result(finding.Fail, finding.Error)
	symptom.ID, symptom.Next, symptom.Causes = "NR801", nil, []finding.Ref{result(finding.Fail, finding.Error).Ref()}
	alone := result(finding.Fail, finding.Warning)
	alone.ID, alone.Causes = "NR802", []finding.Ref{{ID: "NR202", Subject: finding.Subject{Name: "gone"}}}
	ref := finding.StatementRef{Policy: nastyName, Statement: 1, Effect: "Allow", Sid: nastyName}
	r := &finding.Report{
		Cluster:   finding.ClusterInfo{Name: nastyName, Region: nastyName, Account: nastyName, RoleARN: arn + "-cluster"},
		NodeRoles: []finding.RoleRow{{Name: nastyName, ARN: arn, Sources: []finding.Source{{Kind: "node group", Name: nastyName}}, Verdicts: map[finding.Concern]finding.Verdict{finding.ConcernPull: {Status: finding.Fail, Severity: finding.Error}}}},
		AWSNode:   finding.AWSNodeInfo{Identity: "NodeRole", Text: nastyName},
		IAM: finding.IAM{
			Roles: []finding.IAMRole{{
				Name: nastyName, ARN: arn, Uses: []finding.RoleUse{finding.UsedByNodes}, SharedWith: []finding.Sharer{{Kind: "Fargate profile", Name: nastyName}},
				InstanceProfiles: []string{nastyName}, Unread: []string{nastyName},
				Policies: []finding.RolePolicy{
					{Kind: finding.Trust, Name: "trust policy", Document: "no document " + nastyName, Unread: []string{nastyName}},
					{Kind: finding.Inline, Name: nastyName, Document: `{"Statement":{"Sid":"</pre><script>alert(3)</script>","Effect":"Allow","Action":"*","Resource":"*"}}`},
					{Kind: finding.CustomerManaged, Name: "gone", ARN: "arn:aws:iam::111122223333:policy/gone", Unread: []string{"iam:GetPolicyVersion: refused"}},
				},
				Needs: []finding.RoleNeed{{Need: "pull", Wanted: finding.WantedYes, Status: finding.Fail, Decisions: []finding.Decision{
					{Actions: []string{nastyName}, Principal: nastyName, Verdict: "allowed", Why: nastyName, Statements: []finding.StatementRef{ref}},
					{Actions: []string{"ecr:BatchGetImage"}, Verdict: "denied", Why: "no statement allows it", Nearest: []finding.StatementRef{ref}},
				}}},
			}},
			Policies:    map[string]finding.ManagedPolicy{"arn:aws:iam::111122223333:policy/gone": {}},
			WithoutRole: []finding.RolelessSource{{Kind: "node", Name: nastyName, Reason: nastyName}},
		},
		Results: []finding.Result{
			result(finding.Fail, finding.Error), symptom, excepted, expired, known, result(finding.Fail, finding.Warning), alone, result(finding.Fail, finding.Info),
			result(finding.Depends, finding.Error), unknown, result(finding.Pass, finding.Error), result(finding.NotApplicable, finding.Error),
		},
		NotEvaluated: []string{"not judged " + nastyName},
		Missing:      []finding.Missing{{Fact: "roles", Subject: nastyName, Operation: "iam:GetRole", Permission: "iam:GetRole", Error: nastyName}},
	}
	r.Summary = finding.Summarize(r.Results)
	return r
}

// TestHTMLEscapes: a name is text wherever it stands, and is all there.
func TestHTMLEscapes(t *testing.T) {
	page := pageOf(t, everyKind())
	for _, raw := range []string{"<script", "href=\"javascript", "</pre><script"} {
		if strings.Contains(page, raw) {
			t.Errorf("the page has %s", raw)
		}
	}
	text := textOf(t, page)
	for _, r := range everyKind().Results {
		if r.Status != finding.Unknown && !strings.Contains(text, r.Message) {
			t.Errorf("the page lacks %s", r.Message)
		}
	}
}

// TestHTMLShowsEverything: what is excepted, not checked, not judged and passed has
// its place.
func TestHTMLShowsEverything(t *testing.T) {
	text := textOf(t, pageOf(t, everyKind()))
	for _, want := range []string{
		"2 errors: ", // the expired exception counts as one
		"excepted until 2027-01-31: excepted ", "the exception ended on 2026-01-31", "known: the baseline has it",
		"Excepted 2", "Unknown 1", "grant yourself iam:GetRole", "What could not be read", "not judged ",
		"Passed, by rule 1 rule", "Does not apply 1 rule", "Also explains 1 result", "explained by NR202 gone",
		"iam:GetPolicyVersion: refused", "no document ", "is closest to image pulls: ecr:BatchGetImage", "allows part of image pulls: ", "v1.2.3",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestHTMLFolds: many sources and roles are counted, not drawn one by one, and
// listed in full.
func TestHTMLFolds(t *testing.T) {
	r := frozen(t, "healthy")
	node := r.NodeRoles[0]
	r.NodeRoles[0].Sources = nil
	for i := range 50 {
		r.NodeRoles[0].Sources = append(r.NodeRoles[0].Sources, finding.Source{Kind: "node group", Name: fmt.Sprintf("group-%02d", i)})
		addRole(r, node, fmt.Sprintf("%s-%02d", node.Name, i), finding.Source{Kind: "node group", Name: fmt.Sprintf("own-%02d", i)}, false)
	}
	page := pageOf(t, r)
	text := textOf(t, page)
	for i := range 50 {
		for _, name := range []string{fmt.Sprintf("group-%02d (0 nodes)", i), fmt.Sprintf("node group own-%02d", i)} {
			if !strings.Contains(text, name) {
				t.Errorf("the page lacks %s", name)
			}
		}
	}
	picture := page[strings.Index(page, `<svg class="picture"`):]
	picture = textOf(t, picture[:strings.Index(picture, "</svg>")])
	if !strings.Contains(picture, "50 node groups") || !strings.Contains(picture, "39 more node roles") {
		t.Errorf("the picture counts nothing: %s", picture)
	}
	if n := strings.Count(picture, "own-"); n > 30 {
		t.Errorf("the picture names %d node groups", n)
	}
}

// textOf is what a page says, white space as one space.
func textOf(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(strings.Fields(b.String()), " ")
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken:
			if tag, _ := z.TagName(); slices.Contains([]string{"p", "li", "td", "h3", "text", "title", "summary", "div"}, string(tag)) {
				b.WriteByte(' ')
			}
		default:
		}
	}
}
