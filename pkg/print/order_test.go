package print_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// ordered is a report with results of every kind on several subjects, each with a
// message that is its id and subject, so that every format can be searched for it.
func ordered() *finding.Report {
	r := &finding.Report{Cluster: finding.ClusterInfo{Name: "shop", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/shop"}}
	add := func(id, name string, status finding.Status, severity finding.Severity, change func(*finding.Result)) {
		res := finding.Result{
			ID: id, Rule: "rule", Status: status, Severity: severity, Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: name},
			Message: "message." + id + "." + name, Evidence: []string{"evidence of " + id + " " + name},
		}
		if change != nil {
			change(&res)
		}
		r.Results = append(r.Results, res)
	}
	caused := func(id, name string) func(*finding.Result) {
		return func(r *finding.Result) {
			r.Causes = []finding.Ref{{ID: id, Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: name}}}
		}
	}
	except := func(r *finding.Result) { r.Exception = &finding.Exception{Reason: "agreed", Source: "f:1"} }
	for _, name := range []string{"b", "a"} {
		add("NR302", name, finding.NotApplicable, finding.Error, nil)
		add("NR204", name, finding.Pass, finding.Error, nil)
		add("NR207", name, finding.Fail, finding.Warning, except)
		add("NR206", name, finding.Unknown, finding.Error, nil)
		add("NR801", name, finding.Fail, finding.Error, caused("NR201", name))
		add("NR208", name, finding.Fail, finding.Info, nil)
		add("NR301", name, finding.Depends, finding.Error, nil)
		add("NR203", name, finding.Fail, finding.Warning, nil)
		add("NR201", name, finding.Fail, finding.Error, nil)
		add("NR802", name, finding.Fail, finding.Error, caused("NR203", name)) // its cause counts less
		add("NR205", name, finding.Fail, finding.Info, func(r *finding.Result) {
			r.Exception = &finding.Exception{Reason: "was agreed", Source: "f:2", Expires: "2020-01-01", Expired: true}
		})
		add("NR303", name, finding.Fail, finding.Error, func(r *finding.Result) { r.Known = true })
	}
	r.Recount()
	return r
}

// TestOneOrder: every format lists the same results in the order of the report, and
// what only follows from a result right behind it.
func TestOneOrder(t *testing.T) {
	r := ordered()
	var want, withoutPassed []string
	for _, res := range r.Results {
		want = append(want, res.Message)
		if res.Status != finding.Pass && res.Status != finding.NotApplicable {
			withoutPassed = append(withoutPassed, res.Message)
		}
	}
	if got := want[:3]; !cmp.Equal(got, []string{"message.NR201.a", "message.NR801.a", "message.NR205.a"}) {
		t.Fatalf("the report begins with %q", got)
	}
	named := regexp.MustCompile(`message\.NR\d+\.[ab]`)
	for format, out := range outputs(t, r) {
		expect := want
		switch format {
		case "sarif", "markdown", "table", "github": // what passed is not listed
			expect = withoutPassed
		}
		var got []string
		seen := map[string]bool{}
		switch format {
		case "json", "yaml", "kyaml":
			var parsed finding.Report
			if err := yaml.Unmarshal([]byte(out), &parsed); err != nil {
				t.Fatal(err)
			}
			for _, res := range parsed.Results {
				got = append(got, res.Message)
			}
		default:
			for _, message := range named.FindAllString(out, -1) {
				if !seen[message] { // some say it twice
					got = append(got, message)
				}
				seen[message] = true
			}
		}
		if diff := cmp.Diff(expect, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", format, diff)
		}
	}
}

// TestCauses: what only follows from another finding is under it, in the words of the
// format, and does not count again; what explains an excepted or lesser cause stays.
func TestCauses(t *testing.T) {
	r := ordered()
	if got, want := r.Summary, (finding.Summary{Errors: 6, Warnings: 2, Infos: 2, Depends: 2, Unknown: 2, Passed: 2, NotApplicable: 2, Explained: 2, Excepted: 2, Known: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for format, wants := range map[string][]string{
		"table":       {"      also explains NR801 (error): message.NR801.a\n", "FAIL  NR802  message.NR802.a\n      explained by NR203 a\n"},
		"html":        {"Also explains", "message.NR801.a", `<p class="cause">explained by NR203 a</p>`},
		"markdown":    {"<details><summary>Also explains</summary>\n\n- NR801 (error): message.NR801.a; evidence of NR801 a\n", "explained by NR203 a\n"},
		"junit":       {"<skipped>error, explained by NR201 a: message.NR801.a", "also explains NR801 (error): message.NR801.a", "explained by NR203 a"},
		"openreports": {"explains: \"NR801 (error): message.NR801.a\"", "causes: NR201 a\n", "causes: NR203 a\n"},
		"sarif":       {`also explains NR801 (error): message.NR801.a\n  evidence of NR801 a`, `"explains": [`, "explained by NR203 a"},
	} {
		out := outputs(t, r)[format]
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", format, want, out)
			}
		}
	}
	// With no cause shown the symptom stands on its own, also where the team excepts it.
	for i := range r.Results {
		if r.Results[i].ID == "NR201" {
			r.Results[i].Exception = &finding.Exception{Reason: "agreed", Source: "f:1"}
		}
	}
	r.Recount()
	if text := render(t, r, print.TableOptions{}); !strings.Contains(text, "FAIL  NR801  message.NR801.a\n      explained by NR201 a\n") {
		t.Errorf("NR801 is hidden:\n%s", text)
	}
	var b strings.Builder
	if err := print.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var parsed finding.Report
	if err := json.Unmarshal([]byte(b.String()), &parsed); err != nil {
		t.Fatal(err)
	}
	for i, res := range parsed.Results {
		if diff := cmp.Diff(r.Results[i].Causes, res.Causes); diff != "" {
			t.Errorf("causes of %s in json: %s", res.ID, diff)
		}
	}
}
