package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/candidate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

func exampleList() *candidate.List {
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &candidate.List{
		Header: finding.Header{APIVersion: finding.APIVersion, Kind: candidate.Kind}, Account: "111122223333", Region: "eu-west-1", Cluster: "prod", IPFamily: "ipv4",
		Items: []candidate.Role{
			{
				Name: "eksNodeRole", CreatedAt: day, LastUsedAt: day.AddDate(0, 3, 0), Reasons: []string{"its name contains eksNodeRole", "node group prod/apps uses it"},
				Trust: candidate.Allowed, Worker: candidate.Allowed, ECR: candidate.Allowed, CNI: candidate.Allowed, PodIdentity: candidate.Denied,
				UsedBy:  []candidate.Use{{Kind: candidate.UseAutoMode, Cluster: "prod"}, {Kind: candidate.UseNodeGroup, Cluster: "prod", Name: "apps"}},
				Verdict: candidate.Verdict{Status: candidate.Fit, Text: "could serve as it is"},
			},
			{
				Name: "old-NodeInstanceRole", LastUsedUnknown: true, Reasons: []string{"its name contains NodeInstanceRole"},
				Trust: candidate.Denied, Worker: candidate.Unknown, ECR: candidate.Depends, CNI: candidate.Denied, PodIdentity: candidate.Unknown,
				UsedBy: []candidate.Use{}, UsedByUnknown: true, Verdict: candidate.Verdict{Status: candidate.Lacks, Text: "lacks: trust"},
			},
			{
				Name: "spare", CreatedAt: day, Reasons: []string{"EC2 may assume it"},
				Trust: candidate.Allowed, Worker: candidate.Denied, ECR: candidate.Allowed, CNI: candidate.Unknown, PodIdentity: candidate.Allowed,
				UsedBy: []candidate.Use{}, Verdict: candidate.Verdict{Status: candidate.FitAutoMode, Text: "could serve EKS Auto Mode"},
			},
		},
		Missing: []snapshot.Missing{
			{Fact: snapshot.FactRoles, Subject: "arn:aws:iam::111122223333:role/a", Operation: "iam:GetRole", Permission: "iam:GetRole", Error: "AccessDenied: a"},
			{Fact: snapshot.FactRoles, Subject: "arn:aws:iam::111122223333:role/b", Operation: "iam:GetRole", Permission: "iam:GetRole", Error: "AccessDenied: b"},
			{Fact: snapshot.FactOtherClusters, Operation: "eks:ListClusters", Error: "no answer in time"},
		},
	}
}

const (
	listTable = `NAME                  TRUST  WORKER   ECR      CNI      VERDICT
eksNodeRole           ok     ok       ok       yes      could serve as it is
old-NodeInstanceRole  FAIL   unknown  depends  no       lacks: trust
spare                 ok     FAIL     ok       unknown  could serve EKS Auto
                                                        Mode
`
	listWide = `NAME                  CREATED     LAST USED   TRUST  WORKER   ECR      CNI      POD IDENTITY  USED BY                                  VERDICT                    WHY LISTED
eksNodeRole           2026-01-02  2026-04-02  ok     ok       ok       yes      FAIL          Auto Mode of prod, node group prod/apps  could serve as it is       its name contains eksNodeRole; node group prod/apps uses it
old-NodeInstanceRole  unknown     unknown     FAIL   unknown  depends  no       unknown       unknown                                  lacks: trust               its name contains NodeInstanceRole
spare                 2026-01-02  -           ok     FAIL     ok       unknown  ok            -                                        could serve EKS Auto Mode  EC2 may assume it
`
	listNotRead = `not read: iam:GetRole of a, b: refused; grant yourself iam:GetRole
not read: eks:ListClusters: no answer in time
`
)

func TestListOutput(t *testing.T) {
	empty := exampleList()
	empty.Items, empty.Missing = []candidate.Role{}, nil
	region := exampleList()
	region.Cluster, region.IPFamily, region.Items, region.Missing = "", "", region.Items[:1], nil
	for _, test := range []struct {
		name, output string
		list         *candidate.List
		out, errOut  string
	}{
		{"table", "", exampleList(), listTable, "checked for cluster prod in eu-west-1, ipv4\n" + listNotRead},
		{"wide", "wide", exampleList(), listWide, "checked for cluster prod in eu-west-1, ipv4\n" + listNotRead},
		{"names", "name", exampleList(), "eksNodeRole\nold-NodeInstanceRole\nspare\n", listNotRead},
		{"none", "", empty, "", "No candidate roles found\n"},
		{"no names", "name", empty, "", "No candidate roles found\n"},
		{"region", "", region, "NAME         TRUST  WORKER  ECR  CNI  VERDICT\neksNodeRole  ok     ok      ok   yes  could serve as it is\n", "checked for any cluster in eu-west-1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, errOut := printList(t, test.output, test.list)
			if diff := cmp.Diff(test.out, out); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.errOut, errOut); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// JSON and YAML hold the whole list, unread facts included, and nothing else is
// written.
func TestListObject(t *testing.T) {
	for format, decode := range map[string]func([]byte, any) error{
		"json": json.Unmarshal,
		"yaml": func(text []byte, into any) error { return yaml.UnmarshalStrict(text, into) },
	} {
		for _, want := range []*candidate.List{exampleList(), {Header: finding.Header{APIVersion: finding.APIVersion, Kind: candidate.Kind}, Items: []candidate.Role{}}} {
			out, errOut := printList(t, format, want)
			var got candidate.List
			if err := decode([]byte(out), &got); err != nil {
				t.Fatalf("%s: %v\n%s", format, err, out)
			}
			if diff := cmp.Diff(want, &got); diff != "" || errOut != "" {
				t.Errorf("%s (-want +got):\n%s%s", format, diff, errOut)
			}
			if !strings.Contains(out, "noderole.dev/v1alpha1") || !strings.Contains(out, "items") {
				t.Errorf("%s:\n%s", format, out)
			}
		}
	}
}

// A line names a few subjects and counts the rest; policies stand with their role.
func TestMissingLines(t *testing.T) {
	var missing []snapshot.Missing
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		missing = append(missing, snapshot.Missing{
			Subject: "arn:aws:iam::111122223333:role/" + name + "#p", Operation: "iam:GetRolePolicy", Permission: "iam:GetRolePolicy", Error: "AccessDenied",
		})
	}
	want := []string{"not read: iam:GetRolePolicy of a p, b p, c p and 2 more: refused; grant yourself iam:GetRolePolicy"}
	if diff := cmp.Diff(want, missingLines(missing)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func printList(t *testing.T, format string, l *candidate.List) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	o := &listOptions{
		streams: genericiooptions.IOStreams{Out: &out, ErrOut: &errOut}, output: format, jsonYAML: jsonYAML{},
	}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	if err := o.print(l); err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String()
}

// TestListFolds holds that a long name leaves the table within its columns, and
// that the wide table stays a line for each role.
func TestListFolds(t *testing.T) {
	roles := exampleList().Items[:2]
	roles[1].Name = "prod-eu-west-1-eks-managed-node-group-20260102030405000000000001"
	roles[1].Verdict.Text = "lacks: trust, what a node needs to join"
	want := `NAME         TRUST  WORKER   ECR      CNI  VERDICT
eksNodeRole  ok     ok       ok       yes  could serve as it is
prod-eu-west-1-eks-managed-node-group-20260102030405000000000001
             FAIL   unknown  depends  no   lacks: trust, what a node needs to
                                           join
`
	var narrow, wide bytes.Buffer
	if err := candidateTable(&narrow, roles, false, 80); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, narrow.String()); diff != "" {
		t.Error(diff)
	}
	if err := candidateTable(&wide, roles, true, 80); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(wide.String(), "\n"); lines != 3 {
		t.Errorf("%d lines:\n%s", lines, wide.String())
	}
}
