package planner

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// planDedicatedRole creates a role for the nodes of a role that something else uses too.
// People move the nodes, as that replaces them.
func (p *planner) planDedicatedRole(r finding.Result) ([]Step, error) {
	role, owners := p.nodeRole(r), p.v.Owners(r.Subject.ARN)
	if role == nil {
		return nil, manual("%s, and fix does not change it", ownersWords(r.Subject.Name, owners)).
			next(finding.Advise("create a role only for these nodes"))
	}
	var steps []Step
	var next []finding.Next
	for ending, part := range p.byEntry(role) {
		n := p.dedicatedRole(part, cutName(role.Name, ending))
		steps = append(steps, Step{
			Title: "create " + n.Name + " for the nodes of " + role.Name, rank: rankRole, Changes: n.Changes(),
			Proof: "the role exists, and nothing uses it yet", Note: p.dedicatedNote(role),
		})
		next = append(next, p.migration(part, n)...)
	}
	if p.dedicated[role.ARN] {
		return steps, nil
	}
	p.dedicated[role.ARN] = true
	return steps, manual("%s: %s", ownersWords(role.Name, owners), whyShared).next(next...)
}

// byEntry splits a node role by the access entries that its nodes need, and yields each
// part with the ending of a name: EKS Auto Mode nodes and others cannot share an entry.
func (p *planner) byEntry(role *view.NodeRole) iter.Seq2[string, *view.NodeRole] {
	_, auto := p.v.Kinds(role)
	if !auto || role.OnlyAutoMode() {
		return func(yield func(string, *view.NodeRole) bool) { yield("-nodes", role) }
	}
	part := func(auto bool) *view.NodeRole {
		half := &view.NodeRole{Role: role.Role}
		for _, s := range role.Sources {
			if (s.Kind == view.AutoMode || s.Kind == view.AutoModeClass) == auto {
				half.Sources = append(half.Sources, s)
			}
		}
		for _, name := range role.Nodes {
			if (p.v.Snapshot.Nodes[name].Provisioner == snapshot.ProvisionedByAutoMode) == auto {
				half.Nodes = append(half.Nodes, name)
			}
		}
		return half
	}
	return func(yield func(string, *view.NodeRole) bool) {
		_ = yield("-nodes", part(false)) && yield("-auto-nodes", part(true))
	}
}

// dedicatedRole is a role only for nodes, with what they need.
func (p *planner) dedicatedRole(role *view.NodeRole, name string) newrole.Role {
	n := p.nodeRoleLike(role, name, "")
	ofProfile := func(s view.Source) bool {
		return s.Kind == view.SelfManaged || s.Kind == view.AutoScaling || s.Kind == view.Unjoined || p.namesProfile(s)
	}
	if slices.ContainsFunc(role.Sources, ofProfile) {
		n.InstanceProfile = n.Name
	}
	if p.v.Access(role.ARN).ByEntries {
		n.EntryType = p.v.EntryType(role)
	}
	return n
}

// dedicatedNote returns what to do with such a role.
func (p *planner) dedicatedNote(role *view.NodeRole) string {
	note := "you move the nodes to it, as listed below"
	if boundary := role.Facts.PermissionsBoundary; boundary != "" {
		note += "; " + role.Name + " has permissions boundary " + snapshot.NameOf(boundary) + ", and the new role has none: where your account requires one, create the role with kubectl noderole create"
	}
	return note
}

func ownersWords(name string, owners []view.Owner) string {
	var words []string
	for _, o := range owners {
		words = append(words, o.String())
	}
	if len(words) == 0 {
		return name + " is not used only by nodes"
	}
	return name + " is also " + strings.Join(words, " and ")
}

// namesProfile reports whether a source is a node class with an instance profile that the
// user created.
func (p *planner) namesProfile(s view.Source) bool {
	switch s.Kind {
	case view.KarpenterClass:
		return p.v.Snapshot.KarpenterNodeClasses[s.Name].InstanceProfile != ""
	case view.AutoModeClass:
		return p.v.Snapshot.AutoModeNodeClasses[s.Name].InstanceProfile != ""
	default:
		return false
	}
}

// migration moves nodes to another role: people replace or change what gives the nodes
// their role, and then replace the nodes.
func (p *planner) migration(role *view.NodeRole, n newrole.Role) []finding.Next {
	cluster := p.v.Place.Cluster
	patch := func(resource string, s view.Source) finding.Next {
		spec := `{"spec":{"role":` + strconv.Quote(n.Name) + `}}`
		if p.namesProfile(s) {
			spec = `{"spec":{"instanceProfile":` + strconv.Quote(n.InstanceProfile) + `}}`
		}
		return finding.Run(command.Kubectl("patch", resource, s.Name, "--type", "merge", "--patch", spec))
	}
	var next []finding.Next
	if n.EntryType == "" && slices.ContainsFunc(role.Sources, func(s view.Source) bool { return s.Kind != view.NodeGroup }) {
		next = append(next, finding.Run(command.Kubectl("-n", "kube-system", "edit", "configmap", "aws-auth")).
			With("add to mapRoles: "+p.v.NodeMapping(role, n.ARN())))
	}
	for _, s := range role.Sources {
		switch s.Kind {
		case view.NodeGroup:
			next = append(
				next,
				finding.Run(command.AWS("eks", "describe-nodegroup", "--cluster-name", cluster, "--nodegroup-name", s.Name)).
					With("shows the settings of node group "+s.Name+": create a node group like it with role "+n.ARN()),
				finding.Advise("when the nodes of the new node group are Ready, drain those of "+s.Name+" and delete it"),
			)
		case view.KarpenterClass:
			next = append(next, patch("ec2nodeclasses.karpenter.k8s.aws", s).With("Karpenter then replaces its nodes"))
		case view.AutoModeClass:
			next = append(next, patch("nodeclasses.eks.amazonaws.com", s).With("EKS then replaces its nodes"))
		case view.AutoScaling:
			next = append(
				next,
				finding.Advise("create a version of the launch template of Auto Scaling group "+s.Name+" with instance profile "+n.Name),
				finding.Run(command.AWS("autoscaling", "start-instance-refresh", "--auto-scaling-group-name", s.Name)).With("then replace its instances"),
			)
		case view.AutoMode:
			next = append(next, finding.Run(command.AWS("eks", "update-cluster-config", "--name", cluster, "--compute-config", "enabled=true,nodeRoleArn="+n.ARN())).
				With("add its node pools"))
		case view.SelfManaged, view.Karpenter, view.Unjoined, view.Provisioner, view.NodeTemplate:
			next = append(next, finding.Advise(fmt.Sprintf("replace %s %s with a node that has role %s", s.Kind, s.Name, n.Name)))
		case view.Mapped: // infrastructure code alone has it, and fix does not repair that
		}
	}
	return next
}
