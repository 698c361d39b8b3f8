package planner

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// nodeRoleLike is a role with what the nodes of another one need: by what makes them,
// and with the CNI permissions where aws-node has no role of its own.
func (p *planner) nodeRoleLike(role *view.NodeRole, name, path string) newrole.Role {
	n := newrole.Role{
		Name: name, Path: path, Description: "Amazon EKS node role", Partition: p.v.Place.Partition, Account: p.v.Place.Account,
		AutoMode: role.OnlyAutoMode(), Cluster: p.v.Place.Cluster,
	}
	if identity := p.v.ConfiguredIdentity(); identity.Kind == view.FromNodeRole && !n.AutoMode {
		n.CNI = newrole.IPv4CNI
		if p.v.CNI().IPFamily == "ipv6" {
			n.CNI = newrole.IPv6CNI
		}
	}
	return n
}

// separate makes a role of their own for the nodes of a role that is also somebody
// else's, and leaves the move to people: it replaces nodes.
func (p *planner) separate(r finding.Result) string {
	role := p.nodeRole(r)
	if role == nil {
		return whyShared
	}
	n := p.nodeRoleLike(role, cutName(role.Name, "-nodes"), "")
	if !p.moved[role.ARN] {
		p.moved[role.ARN] = true
		if slices.ContainsFunc(role.Sources, func(s view.Source) bool { return s.Kind == view.SelfManaged || s.Kind == view.AutoScaling }) {
			n.InstanceProfile = n.Name
		}
		if p.v.Access(role.ARN).ByEntries {
			n.EntryType = p.v.EntryType(role)
		}
		note := "moving the nodes to it is left to you, below"
		if boundary := role.Facts.PermissionsBoundary; boundary != "" {
			note += "; " + role.Name + " has permissions boundary " + snapshot.NameOf(boundary) + ", and the new role has none: where your account demands one, make the role with kubectl noderole create"
		}
		p.add(r, Step{
			Title: "make " + n.Name + ", a role for the nodes of " + role.Name + " alone", rank: rankRole, Changes: n.Changes(),
			Proof: "the role is there, and nothing uses it yet", Note: note,
		})
		r.Next = p.migration(role, n)
	} else {
		r.Next = []finding.Next{finding.Advise("as above")}
	}
	p.plan.Manual = append(p.plan.Manual, manual(r, whyShared))
	return ""
}

// migration is how nodes come to another role: whatever gives nodes their role is
// replaced or changed, and then the nodes are.
func (p *planner) migration(role *view.NodeRole, n newrole.Role) []finding.Next {
	cluster := p.v.Place.Cluster
	patch := func(resource, name string) command.Command {
		return command.Kubectl("patch", resource, name, "--type", "merge", "--patch", `{"spec":{"role":`+strconv.Quote(n.Name)+`}}`)
	}
	var next []finding.Next
	for _, s := range role.Sources {
		switch s.Kind {
		case view.NodeGroup:
			next = append(
				next,
				finding.Run(command.AWS("eks", "describe-nodegroup", "--cluster-name", cluster, "--nodegroup-name", s.Name)).
					With("shows the settings of node group "+s.Name+": create a node group like it with role "+n.ARN()),
				finding.Run(command.Kubectl("drain", "-l", "eks.amazonaws.com/nodegroup="+s.Name, "--ignore-daemonsets", "--delete-emptydir-data")).
					With("when the nodes of the new node group are Ready"),
				finding.Run(command.AWS("eks", "delete-nodegroup", "--cluster-name", cluster, "--nodegroup-name", s.Name)),
			)
		case view.KarpenterClass:
			next = append(next, finding.Run(patch("ec2nodeclasses.karpenter.k8s.aws", s.Name)).With("Karpenter then replaces its nodes"))
		case view.AutoModeClass:
			next = append(next, finding.Run(patch("nodeclasses.eks.amazonaws.com", s.Name)).With("EKS then replaces its nodes"))
		case view.AutoScaling:
			next = append(
				next,
				finding.Advise("create a version of the launch template of Auto Scaling group "+s.Name+" with instance profile "+n.Name),
				finding.Run(command.AWS("autoscaling", "start-instance-refresh", "--auto-scaling-group-name", s.Name)).With("then replace its instances"),
			)
		case view.AutoMode:
			next = append(next, finding.Run(command.AWS("eks", "update-cluster-config", "--name", cluster, "--compute-config", "enabled=true,nodeRoleArn="+n.ARN())).
				With("add its node pools"))
		case view.SelfManaged, view.Karpenter, view.Unjoined:
			next = append(next, finding.Advise(fmt.Sprintf("replace %s %s with a node that has role %s", s.Kind, s.Name, n.Name)))
		}
	}
	return next
}

// roleAgain makes a node role that is gone again, and its access entry, which does not
// know the new one.
func (p *planner) roleAgain(r finding.Result) string {
	role := p.nodeRole(r)
	a, ok := snapshot.ParseARN(r.Subject.ARN)
	switch {
	case role == nil || !ok || a.Account != p.v.Place.Account:
		return whyNoRepair
	case len(p.v.Snapshot.MissingOf(snapshot.FactAccessPolicies, role.ARN)) > 0:
		return whyPoliciesUnread
	}
	changes := p.nodeRoleLike(role, a.Name(), pathOf(a)).Changes()
	note := "what else it was allowed is not known any more"
	if access := p.v.Access(role.ARN); access.Entry != nil {
		again, why := p.entryAgain(role, access.Entry, access.Entry.Type)
		changes, note = append(changes, again...), note+"; "+why
	}
	return p.step(r, Step{
		Title: "make " + role.Name + " again", rank: rankRole, provesOwn: true, Changes: changes,
		Proof: "the role is there, and its access entry is younger", Note: note,
	})
}

// Undo is the plan that takes steps back, the last one first. Pods are replaced after
// what gives them their identity, whichever way.
func Undo(cluster string, steps []Step) *Plan {
	p := &Plan{APIVersion: finding.APIVersion, Kind: PlanKind, Cluster: cluster, Steps: []Step{}}
	var restart *Step
	release := func() {
		if restart != nil {
			p.Steps = append(p.Steps, *restart)
			restart = nil
		}
	}
	for _, s := range slices.Backward(steps) {
		back := Step{Title: "take back: " + s.Title, Rules: s.Rules, Subject: s.Subject, Proof: "it is as it was before"}
		points := false
		for i, c := range slices.Backward(s.Changes) {
			if remade(s.Changes, i) {
				continue
			}
			switch c.Kind {
			case change.Rollout:
				if c.Before == nil {
					continue // it led to what is configured anyway
				}
				restart = &Step{
					Title: "restart aws-node, so that every pod uses what it used before", Rules: s.Rules, Subject: s.Subject,
					Changes: []change.Change{c.Invert()}, Proof: "the environment of every pod selects it", Note: restartNote,
				}
				continue
			case change.AddonRole, change.Association, change.ServiceAccountRole:
				points = true
			default:
			}
			back.Changes = append(back.Changes, c.Invert())
		}
		if len(back.Changes) > 0 {
			p.Steps = append(p.Steps, back)
		}
		if points {
			release()
		}
	}
	release()
	return p
}

// remade tells whether a change makes again what another one of them takes away: an
// access entry that is the same but for its time of creation, which cannot be taken back,
// or an access policy of such an entry. Where it was not made after all, that which was
// taken away is given back.
func remade(changes []change.Change, i int) bool {
	c := changes[i]
	if c.Before != nil || c.Kind != change.AccessEntry && c.Kind != change.AccessPolicy {
		return false
	}
	entry := change.Change{Kind: change.AccessEntry, Cluster: c.Cluster, Name: c.Name}
	return again(changes, c.Target()) && again(changes, entry.Target())
}

// again tells whether changes take a thing away and make it as it was.
func again(changes []change.Change, target string) bool {
	var chain []change.Change
	for _, c := range changes {
		if c.Target() == target {
			chain = append(chain, c)
		}
	}
	return len(chain) == 2 && chain[0].After == nil && chain[1].Before == nil && change.Same(chain[0].Invert().After, chain[1].After)
}
