package planner

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// fillInstanceProfile adds the node role to an instance profile that is empty, or creates
// the profile that is configured and does not exist. Which profile an instance or a launch
// template should use is not decided here.
func (p *planner) fillInstanceProfile(r finding.Result) ([]Step, error) {
	if p.v.NodesWithoutMetadata()[r.Subject.Name] != "" {
		return nil, manual("fix does not change the options of instances").next(r.Next...)
	}
	arn, role := p.namedProfile(r)
	if arn == "" {
		return nil, manual("which instance profile it should use is your decision").next(r.Next...)
	}
	a, ok := snapshot.ParseARN(arn)
	profile, read := p.v.Snapshot.InstanceProfiles[arn]
	if !ok || !read || len(profile.Roles) > 0 {
		return nil, manual(whyNoStep).next(r.Next...)
	}
	note := ""
	if role == "" {
		// Nothing says which role it should contain, unless the cluster has only one.
		roles := p.v.NodeRoles()
		if len(roles) != 1 {
			return nil, manual("which role its instance profile %s should contain is your decision", a.Name()).
				next(finding.Run(command.AWS("iam", "add-role-to-instance-profile", "--instance-profile-name", a.Name(), "--role-name").WithPlaceholder("ROLE_NAME")))
		}
		role = roles[0].ARN
		note = "it is the only node role of the cluster"
	}
	if owners := p.v.Owners(role); len(owners) > 0 {
		return nil, manual("%s: its nodes need a role of their own", ownersWords(snapshot.NameOf(role), owners))
	}
	changes := []change.Change{{Kind: change.ProfileRole, Name: a.Name(), After: &change.State{Role: snapshot.NameOf(role)}}}
	title := "add " + snapshot.NameOf(role) + " to instance profile " + a.Name()
	if profile.NotFound {
		path := strings.TrimSuffix(strings.TrimPrefix(a.Resource, "instance-profile"), a.Name())
		changes = append([]change.Change{{Kind: change.InstanceProfile, Name: a.Name(), After: &change.State{Path: path}}}, changes...)
		title = fmt.Sprintf("create instance profile %s with %s", a.Name(), snapshot.NameOf(role))
	}
	return []Step{{
		Title: title, rank: rankProfile, provesOwn: true, Changes: changes, Note: note,
		Proof: "the instance profile contains " + snapshot.NameOf(role),
	}}, nil
}

// namedProfile is the ARN of the instance profile that the failed subject uses, and the
// role that it should contain, where that is known.
func (p *planner) namedProfile(r finding.Result) (profile, role string) {
	s := p.v.Snapshot
	for _, n := range p.v.RolelessNodes() {
		if n.Node == r.Subject.Name {
			return s.Instances[n.Instance].InstanceProfile, ""
		}
	}
	for _, l := range p.v.NodeSources() {
		if string(l.Kind)+" "+l.Name != r.Subject.Name {
			continue
		}
		switch l.Kind {
		case view.KarpenterClass, view.AutoModeClass:
			class := s.KarpenterNodeClasses[l.Name]
			if l.Kind == view.AutoModeClass {
				class = s.AutoModeNodeClasses[l.Name]
			}
			if class.InstanceProfile == "" || strings.HasPrefix(class.InstanceProfile, "arn:") || strings.HasPrefix(class.Role, "arn:") {
				return "", "" // the profile is the controller's, or the class has to be corrected
			}
			return class.ProfileARN, class.RoleARN
		case view.AutoScaling:
			return s.AutoScalingGroups[l.Name].InstanceProfile, ""
		default:
			return s.Instances[l.Name].InstanceProfile, ""
		}
	}
	return "", ""
}
