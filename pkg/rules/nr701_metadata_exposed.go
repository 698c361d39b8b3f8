package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var metadataExposed = Rule{
	ID: "NR701", Name: "metadata-exposed", Severity: finding.Warning, Concern: finding.ConcernNode, Security: true, NotOfRole: true,
	NoRepair: "pods may rely on the instance metadata: first find out which of them do",
	Title:    "Pods cannot get the node role's credentials from the instance metadata",
	Why: `Every pod on these nodes has all permissions of the node role. It can get the role's credentials from the instance
metadata. Pods that use the host's network, as aws-node does, work with a hop limit of 1.`,
	Fix: `Set HttpTokens to required and the hop limit to 1 in the launch template or node class, and replace the nodes. First
make sure that no pod relies on the node role; NR702 names the known add-ons that do.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
		"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
		"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/al2023.html",
	},
	Needs: []snapshot.Fact{snapshot.FactInstances, snapshot.FactMetadata},
	Bad:   `instances: {i-0aaaaaaaaaaaaaaaa: {state: running, nodeGroup: apps, httpTokens: required, httpEndpoint: enabled, hopLimit: 2}}`,
	Good:  `instances: {i-0aaaaaaaaaaaaaaaa: {state: running, nodeGroup: apps, httpTokens: required, httpEndpoint: enabled, hopLimit: 1}}`,
	Check: func(v *view.View, report Reporter) {
		exposed, seen := v.ExposedInstances()
		for _, r := range v.NodeRoles() {
			sources, others := v.MetadataSources(r)
			unread := slices.Concat(v.Unread(snapshot.FactInstances), v.Snapshot.MissingOf(snapshot.FactMetadata, r.ARN))
			report(metadataResult(r, instancesMetadata{exposed[r.ARN], seen[r.ARN]}, sourcesMetadata{sources, others}, unread))
		}
	},
}

// instancesMetadata are the instances of a node role: those on which pods can get its
// credentials, and how many there are.
type instancesMetadata struct {
	exposed []view.Exposed
	seen    int
}

// sourcesMetadata are the sources of new instances of a node role whose settings of the
// instance metadata service are known, and how many others there are.
type sourcesMetadata struct {
	known  []view.MetadataSource
	others int
}

func metadataResult(r *view.NodeRole, now instancesMetadata, later sourcesMetadata, unread []snapshot.Missing) finding.Result {
	subject := roleSubject(r)
	var evidence, names, open []string
	for _, s := range later.known {
		name := string(s.Kind) + " " + s.Name
		switch {
		case s.Why != "":
			names = append(names, name)
			evidence = append(evidence, name+": "+s.Why)
		case s.Decided:
			evidence = append(evidence, name+": tokens required and hop limit 1, or no endpoint")
		case s.Instances == 0: // else they show what the account and the AMI decide
			open = append(open, name)
			evidence = append(evidence, name+": "+strings.Join(s.Unset, " and ")+" not set, so that the account's default or else the AMI decides")
		}
	}
	switch {
	case len(now.exposed)+len(names) > 0:
		return metadataFailure(r, now, names, evidence)
	case len(unread) > 0:
		return unknown(subject, "whether pods can get "+r.Name+"'s credentials is unknown", unread)
	case len(open) > 0:
		return finding.Result{
			Status: finding.Depends, Subject: subject, Evidence: evidence,
			Message: fmt.Sprintf("the account or the AMI decides whether pods can get %s's credentials on new nodes of %s", r.Name, strings.Join(open, ", ")),
			Next:    []finding.Next{finding.Advise("set HttpTokens to required and the hop limit to 1 in " + open[0])},
		}
	case now.seen > 0:
		evidence = append([]string{fmt.Sprintf("ec2:DescribeInstances: tokens required and hop limit 1 on all %d instances", now.seen)}, evidence...)
	case len(later.known) == 0:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "no running instance holds " + r.Name}
	case later.others > 0:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "no running instance holds " + r.Name + ", and not every source of its nodes sets the options"}
	}
	return finding.Result{Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("pods cannot get %s's credentials", r.Name), Evidence: evidence}
}

// metadataFailure is the result where pods can get the credentials, on instances that run or
// on new ones of these sources.
func metadataFailure(r *view.NodeRole, now instancesMetadata, sources, evidence []string) finding.Result {
	result := finding.Result{Status: finding.Fail, Subject: roleSubject(r)}
	if len(now.exposed) > 0 {
		result.Message = fmt.Sprintf("pods can get %s's credentials on %d of %d instances", r.Name, len(now.exposed), now.seen)
		result.Next = []finding.Next{finding.Run(command.AWS("ec2", "modify-instance-metadata-options", "--instance-id", now.exposed[0].ID, "--http-tokens", "required", "--http-put-response-hop-limit", "1"))}
	} else {
		result.Message = fmt.Sprintf("pods can get %s's credentials on new nodes of %s", r.Name, strings.Join(sources, ", "))
		result.Next = []finding.Next{finding.Advise("set HttpTokens to required and the hop limit to 1 in " + sources[0])}
	}
	for _, e := range now.exposed {
		result.Evidence = append(result.Evidence, "instance "+e.ID+": "+e.Why)
	}
	result.Evidence = append(append(result.Evidence, evidence...), worth(r))
	return result
}

// worth returns what the role's credentials allow besides what every node needs.
func worth(r *view.NodeRole) string {
	dangerous := askAll(r.Role, append(need.Indicative(), need.Excessive...))
	if len(dangerous.allowed) == 0 {
		return "the role allows what nodes call, and none of the dangerous actions that were evaluated"
	}
	return "with the role: " + reasons(dangerous.allowed)
}
