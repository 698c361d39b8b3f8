package print_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// sampleDiff has a verdict of each movement and changes of several kinds.
func sampleDiff() *diff.Diff {
	const role = "arn:aws:iam::111122223333:role/eksNodeRole"
	subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: "eksNodeRole", ARN: role}
	pass := func(message string) *diff.State {
		return &diff.State{Status: finding.Pass, Severity: finding.Error, Message: message}
	}
	fail := func(severity finding.Severity, message string) *diff.State {
		return &diff.State{Status: finding.Fail, Severity: severity, Message: message}
	}
	return &diff.Diff{
		Cluster: finding.ClusterInfo{Name: "prod", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/prod", Region: "eu-west-1", Account: "111122223333", Version: "1.33"},
		Old:     diff.Source{Name: "monday.yaml", Kind: "Snapshot", CollectedAt: "2026-06-01T08:00:00Z"},
		New:     diff.Source{Name: "live cluster", Kind: "Snapshot", CollectedAt: "2026-06-02T08:00:00Z"},
		Summary: diff.Summary{Changes: 5, New: 2, Resolved: 1, Changed: 2, Worse: 2, Unread: 1},
		Verdicts: []diff.Verdict{
			{Movement: diff.New, Worse: true, ID: "NR201", Subject: subject, Old: pass("eksNodeRole has the permissions that a node needs to join"), New: fail(finding.Error, "eksNodeRole is missing permissions that a node needs to join"), Causes: []int{2, 3}},
			{Movement: diff.New, Worse: true, ID: "NR203", Subject: subject, New: fail(finding.Warning, "eksNodeRole allows less than AmazonEKSWorkerNodePolicy grants"), Explained: true},
			{Movement: diff.Moved, ID: "NR202", Subject: subject, Old: pass("eksNodeRole can pull images from ECR"), New: &diff.State{Status: finding.Unknown, Severity: finding.Error, Message: "whether eksNodeRole can pull images from ECR is unknown"}, Causes: []int{5}},
			{Movement: diff.Moved, ID: "NR208", Subject: subject, Old: pass("eksNodeRole has no more permissions for repositories than a pull needs"), New: &diff.State{Status: finding.Unknown, Severity: finding.Info, Message: "unknown"}, Causes: []int{5}},
			{Movement: diff.Moved, ID: "NR303", Subject: subject, Old: fail(finding.Warning, "eksNodeRole can also be assumed by ci"), New: &diff.State{Status: finding.Fail, Severity: finding.Warning, Excepted: true, Message: "eksNodeRole can also be assumed by ci"}},
			{Movement: diff.Resolved, ID: "NR105", Subject: finding.Subject{Kind: finding.SubjectNode, Name: "ip-10-0-3-9"}, Old: fail(finding.Error, "ip-10-0-3-9 has no role")},
		},
		Changes: []diff.Change{
			{Number: 1, Action: diff.Changed, Kind: diff.KindNodeGroup, Names: []string{"apps"}, Field: "role", Old: "arn:aws:iam::111122223333:role/oldRole", New: role},
			{Number: 2, Action: diff.Removed, Kind: diff.KindRole, Names: []string{"eksNodeRole"}, ARN: role, Field: "attached policy", Old: "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"},
			{Number: 3, Action: diff.Changed, Kind: diff.KindRole, Names: []string{"eksNodeRole"}, ARN: role, Field: "inline policy extra", PolicyDiff: "@@ -1,3 +1,3 @@\n {\n-  \"Action\": \"ec2:*\"\n+  \"Action\": \"s3:*\"\n }\n"},
			{Number: 4, Action: diff.Removed, Kind: diff.KindNode, Names: []string{"ip-10-0-3-1", "ip-10-0-3-2", "ip-10-0-3-3", "ip-10-0-3-9"}},
			{Number: 5, Action: diff.Unread, Kind: diff.KindFact, Names: []string{"eksNodeRole"}, ARN: role, Field: "attachedPolicies", New: "iam:ListAttachedRolePolicies: AccessDenied"},
		},
		NotCompared: []string{"events, which could not be read either time"},
	}
}

// TestDiff: the screen at 80 columns, and the comment of a pull request.
func TestDiff(t *testing.T) {
	var table, markdown bytes.Buffer
	if err := print.Diff(&table, sampleDiff(), print.TableOptions{Footer: "21 AWS calls, 1.2 s"}); err != nil {
		t.Fatal(err)
	}
	golden(t, "diff/screen.txt", table.String())
	for _, line := range strings.Split(table.String(), "\n") {
		if len(line) > print.DefaultWidth {
			t.Errorf("a line has %d columns: %s", len(line), line)
		}
	}
	if err := print.DiffMarkdown(&markdown, sampleDiff()); err != nil {
		t.Fatal(err)
	}
	golden(t, "diff/comment.md", markdown.String())
}

// TestDiffColors: colors are of words, and the words are all there without them.
func TestDiffColors(t *testing.T) {
	var plain, painted bytes.Buffer
	for out, color := range map[*bytes.Buffer]bool{&plain: false, &painted: true} {
		if err := print.Diff(out, sampleDiff(), print.TableOptions{Color: color}); err != nil {
			t.Fatal(err)
		}
	}
	if got := styles.ReplaceAllString(painted.String(), ""); got != plain.String() || painted.Len() == plain.Len() {
		t.Errorf("with colors:\n%s\nwithout:\n%s", got, plain.String())
	}
}

// fleetDiff is a fleet with a cluster of each presence, and many that changed alike.
func fleetDiff(name string) *diff.FleetDiff {
	d := &diff.FleetDiff{Old: diff.FleetSource{Directory: name, Selection: name, PlannedAt: "2026-06-01T08:00:00Z"}, New: diff.FleetSource{Directory: "new/"}}
	one := sampleDiff()
	for i := range 12 {
		info := one.Cluster
		info.Name = fmt.Sprintf("c-%02d%s", i, name)
		c := diff.ClusterDiff{Cluster: info, Presence: diff.InBoth, OldFile: "old/" + name, NewFile: "new/" + name, Summary: one.Summary, Verdicts: one.Verdicts, Changes: one.Changes}
		d.Add(c)
	}
	for _, presence := range []diff.Presence{diff.OnlyInNew, diff.OnlyInOld, diff.NotReadNow, diff.ReadNow, diff.NeverRead} {
		d.Add(diff.ClusterDiff{Cluster: finding.ClusterInfo{Name: string(presence) + name, ARN: name}, Presence: presence, Reason: "no answer: " + name})
	}
	d.AddUnread(name, false)
	state := &diff.State{Status: finding.Fail, Severity: finding.Info, Message: "the clusters of group " + name + " differ"}
	d.Verdicts = []diff.Verdict{{Movement: diff.New, Worse: true, ID: "NR905", New: state}}
	return d
}

// TestFleetDiff: clusters that were added, are gone or were not read are named; verdicts that
// moved alike are one line, and the changes of a few clusters follow.
func TestFleetDiff(t *testing.T) {
	var table, markdown bytes.Buffer
	if err := print.FleetDiff(&table, fleetDiff(""), print.TableOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if err := print.FleetDiffMarkdown(&markdown, fleetDiff("")); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(table.String()), " ")
	for _, want := range []string{
		"17 clusters old , planned at", "added added : no findings", "gone gone : no findings", "not read notRead : no answer:", "read now readNow : 0 findings; before: no answer:",
		"new info NR905 the clusters of group differ", "new FAIL NR201 12 clusters, such as eksNodeRole is missing permissions that a node needs to join: c-00, c-01, c-02, c-03, c-04, c-05, c-06, c-07, and 4 more",
		"resolved FAIL -> gone NR105 12 clusters", "-- c-09 111122223333 eu-west-1: 2 verdicts got worse", "and the changes of 2 more clusters; -o json has all", "kubectl noderole diff old/ new/",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if strings.Contains(words, "-- c-10") || strings.Contains(words, "NR203 12 clusters") {
		t.Errorf("too much in\n%s", table.String())
	}
	for _, want := range []string{"- **added** added", "- **new** FAIL [NR201](", "<details><summary>c-11 111122223333 eu-west-1: 5 changes</summary>"} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("no %q in\n%s", want, markdown.String())
		}
	}
}

// TestFleetDiffIsSafe: no name steers a terminal, or is read as HTML.
func TestFleetDiffIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := fleetDiff(hostile().Draw(t, "word"))
		var table, markdown bytes.Buffer
		if err := print.FleetDiff(&table, d, print.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := print.FleetDiffMarkdown(&markdown, d); err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{table.String(), markdown.String()} {
			if i := unsafe(out); i >= 0 {
				t.Errorf("an unsafe character at byte %d: %q", i, out)
			}
		}
		if tags := strings.NewReplacer("<details>", "", "</details>", "", "<summary>", "", "</summary>", "").Replace(markdown.String()); strings.Contains(tags, "<") {
			t.Errorf("a name is read as HTML: %s", markdown.String())
		}
	})
}

// styles are what paints words.
var styles = regexp.MustCompile("\x1b\\[[0-9]+m")

// TestDiffIsSafe: no name, value or policy steers a terminal, or ends a block of Markdown.
func TestDiffIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, word := sampleDiff(), hostile().Draw(t, "word")
		d.Cluster.Name, d.Old.Name, d.NotCompared = word, word, []string{word}
		for i := range d.Changes {
			c := &d.Changes[i]
			c.Names[0] = word
			if c.PolicyDiff != "" {
				c.PolicyDiff = "+" + word + "\n+```\n+<details>\n"
			} else {
				c.Field, c.Old, c.New = word, word, word
			}
		}
		for i := range d.Verdicts {
			if d.Verdicts[i].New != nil {
				d.Verdicts[i].New.Message = word
			}
		}
		var table, markdown bytes.Buffer
		if err := print.Diff(&table, d, print.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := print.DiffMarkdown(&markdown, d); err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{table.String(), markdown.String()} {
			if i := unsafe(out); i >= 0 {
				t.Errorf("an unsafe character at byte %d: %q", i, out)
			}
		}
		for i := range d.Changes {
			d.Changes[i].PolicyDiff = ""
		}
		markdown.Reset()
		if err := print.DiffMarkdown(&markdown, d); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(markdown.String(), "<") {
			t.Errorf("a name is read as HTML: %s", markdown.String())
		}
	})
}
