package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var instanceNotJoined = Rule{
	ID: "NR108", Name: "instance-not-joined", Severity: finding.Warning, Concern: finding.ConcernJoin,
	Runtime:  true,
	Joining:  240,
	NoRepair: "it is a symptom: it ends when its causes are repaired",
	Title:    "Every running instance of the cluster has joined",
	Why: `The instance belongs to the cluster and costs money, but is not a node. A new instance takes some minutes to join; if
it does not, the cluster refuses it, or something that it needs is missing.`,
	Fix: `Read the findings about its role. On the instance, the logs of kubelet and nodeadm-run (journalctl -u kubelet -u
nodeadm-run) show the call that fails.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html"},
	Needs: []snapshot.Fact{snapshot.FactInstances, snapshot.FactNodes},
	Bad:   `instances: {i-0bbbbbbbbbbbbbbbb: {state: running, owned: true, nodeGroup: apps, launchedAt: "2026-03-01T08:00:00Z"}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		if unread := v.Unread(snapshot.FactInstances, snapshot.FactNodes); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether every instance has joined is unknown", unread))
			return
		}
		ids := v.UnjoinedInstances()
		for _, id := range ids {
			i := v.Snapshot.Instances[id]
			from := "no node group or Auto Scaling group"
			switch {
			case i.NodeGroup != "":
				from = "node group " + i.NodeGroup
			case i.NodePool != "":
				from = "Karpenter node pool " + i.NodePool
			case i.AutoScalingGroup != "":
				from = "Auto Scaling group " + i.AutoScalingGroup
			}
			report(finding.Result{
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectSource, Name: string(view.Unjoined) + " " + id}, Message: fmt.Sprintf("instance %s of %s has not joined", id, from),
				Symptoms: notJoined(v.RoleOfInstance(id)),
				Evidence: []string{fmt.Sprintf("ec2:DescribeInstances: %s, launched %s", i.State, i.LaunchedAt.Format("2006-01-02 15:04")), "no node has it in spec.providerID"},
				Next:     []finding.Next{finding.Run(command.AWS("ec2", "get-console-output", "--latest", "--instance-id", id))},
			})
		}
		if len(ids) == 0 {
			report(finding.Result{
				Status: finding.Pass, Subject: clusterSubject(v), Message: "every running instance of the cluster has joined",
				Evidence: []string{fmt.Sprintf("%d instances and %d nodes were compared", len(v.Snapshot.Instances), len(v.Snapshot.Nodes))},
			})
		}
	},
}

// notJoined is the symptom of nodes with a role that do not join; none where the role
// is not known.
func notJoined(roleARN string) []finding.Symptom {
	if roleARN == "" {
		return nil
	}
	return []finding.Symptom{{Kind: finding.NotJoined, RoleARN: roleARN}}
}
