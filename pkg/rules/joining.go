package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// joining are the rules whose failure keeps nodes from joining or from becoming
// Ready, in the order in which a starting node meets them: it needs a role, the
// role EC2, the node its name, the cluster's leave, then images, and at last
// addresses.
var joining = []string{
	"NR104", "NR106", "NR105", "NR301", "NR302", "NR305",
	"NR201", "NR212",
	"NR501", "NR505", "NR504", "NR502", "NR503", "NR507", "NR101", "NR103",
	"NR202",
	"NR604", "NR603", "NR204", "NR206",
	"NR801", "NR802", "NR108",
}

// whyNotJoining keeps what may keep nodes from joining, in the order of joining.
func whyNotJoining(results []finding.Result) []finding.Result {
	var kept []finding.Result
	for _, r := range results {
		if slices.Contains(joining, r.ID) && r.Status != finding.Pass && r.Status != finding.NotApplicable {
			kept = append(kept, r)
		}
	}
	certain := func(r finding.Result) int {
		return slices.Index([]finding.Status{finding.Fail, finding.Depends, finding.Unknown}, r.Status)
	}
	slices.SortStableFunc(kept, func(a, b finding.Result) int {
		return cmp.Or(cmp.Compare(certain(a), certain(b)), cmp.Compare(slices.Index(joining, a.ID), slices.Index(joining, b.ID)))
	})
	return kept
}

// link names, in what EKS and the cluster report, the findings that explain it.
func link(v *view.View, results []finding.Result) {
	failed := func(ids ...string) func(arn string) []string {
		return func(arn string) (names []string) {
			for _, r := range results {
				if r.Status == finding.Fail && slices.Contains(ids, r.ID) && (arn == "" || r.Subject.ARN == arn) {
					names = append(names, r.ID+" "+r.Message)
				}
			}
			return names
		}
	}
	causes := failed(joining[:slices.Index(joining, "NR801")]...)
	for i := range results {
		r := &results[i]
		if r.Status != finding.Fail {
			continue
		}
		var names []string
		switch r.ID {
		case "NR801":
			if role := v.Snapshot.NodeGroups[strings.TrimPrefix(r.Subject.Name, "node group ")].NodeRoleARN; role != "" {
				names = causes(role)
			}
			if strings.Contains(strings.Join(r.Evidence, " "), "NodeCreationFailure") {
				names = append(names, failed("NR206", "NR603", "NR604")("")...) // nodes that never became Ready
			}
		case "NR108":
			if role := v.RoleOfInstance(strings.TrimPrefix(r.Subject.Name, string(view.Unjoined)+" ")); role != "" {
				names = causes(role)
			}
		case "NR802":
			if strings.HasPrefix(r.Subject.Name, "MissingIAMPermissions") || strings.HasPrefix(r.Subject.Name, "FailedCreatePodSandBox") {
				names = failed("NR206", "NR603", "NR604", "NR602")("")
			} else {
				names = failed("NR202")("")
			}
		}
		for _, name := range names {
			r.Evidence = append(r.Evidence, fmt.Sprintf("explained by %s", name))
		}
	}
}
