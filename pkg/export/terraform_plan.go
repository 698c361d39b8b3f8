package export

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// PlanTerraform returns the plan as a Terraform configuration for the AWS provider. What
// is created becomes resources, formatted as terraform fmt does. What is changed in a
// resource that is configured elsewhere, what is removed, and what is not an object of
// AWS become comments.
func PlanTerraform(p *planner.Plan, complete Complete) string {
	w := planTerraform{made: map[string]string{}, complete: complete}
	w.comment("Repairs " + p.Cluster + ". Change the resources that you already have, instead of adding them.")
	for i, s := range p.Steps {
		w.WriteString("\n")
		w.comment(fmt.Sprintf("%d. %s (%s)", i+1, s.Title, strings.Join(s.Rules, ", ")))
		if s.Note != "" {
			w.comment(s.Note)
		}
		var profile *change.Change // that this step makes, which is written with its role
		for at, c := range s.Changes {
			switch {
			case c.Before == nil && w.made[c.Target()] != "": // an earlier step has it
			case c.Kind == change.InstanceProfile && c.After != nil && holdsRole(s.Changes[at:], c.Name):
				profile = &c
			case c.Kind == change.ProfileRole && profile != nil && c.Name == profile.Name && c.After != nil:
				w.profile(*profile, c.After.Role)
			default:
				w.change(c, replaced(s.Changes, at))
			}
		}
		w.comment("proof: " + s.Proof)
	}
	for _, m := range p.Manual {
		w.WriteString("\n")
		w.comment("do this manually: "+m.Rule+" "+m.Message, "  "+m.Why)
	}
	return w.String()
}

// planTerraform writes a plan's resources.
type planTerraform struct {
	terraform
	complete Complete
	// made has the addresses of the resources so far, by the target of the change.
	made map[string]string
}

// resource writes what a change makes.
func (w *planTerraform) resource(kind string, c change.Change, body func(*terraformBlock)) {
	name := resourceName(c)
	for n := 2; slices.Contains(slices.Collect(maps.Values(w.made)), kind+"."+name); n++ {
		name = fmt.Sprintf("%s_%d", resourceName(c), n)
	}
	w.made[c.Target()] = kind + "." + name
	w.block(kind, name, body)
}

// of is an attribute of a resource that is written above, so that Terraform makes that
// one first, or else the value.
func (w *planTerraform) of(c change.Change, attribute, value string) string {
	if address := w.made[c.Target()]; address != "" {
		return address + "." + attribute
	}
	return hclString(value)
}

// role is the name of a role, roleARN the ARN of one.
func (w *planTerraform) role(name string) string {
	return w.of(change.Change{Kind: change.Role, Name: name}, "name", name)
}

func (w *planTerraform) roleARN(arn string) string {
	return w.of(change.Change{Kind: change.Role, Name: snapshot.NameOf(arn)}, "arn", arn)
}

// holdsRole reports whether changes add a role to an instance profile.
func holdsRole(changes []change.Change, profile string) bool {
	return slices.ContainsFunc(changes, func(c change.Change) bool {
		return c.Kind == change.ProfileRole && c.Name == profile && c.After != nil
	})
}

// replaced reports whether what a change removes is recreated by a later one, or was
// removed by an earlier one.
func replaced(changes []change.Change, at int) bool {
	c, others := changes[at], changes[:at]
	if c.After == nil {
		others = changes[at+1:]
	}
	return slices.ContainsFunc(others, func(o change.Change) bool { return o.Target() == c.Target() && (o.After == nil) != (c.After == nil) })
}

// comment writes comments, a line for each text.
func (w *planTerraform) comment(lines ...string) { w.WriteString(comment(lines...)) }

// profile writes an instance profile that is made, with the role that is put into it.
func (w *planTerraform) profile(c change.Change, role string) {
	w.resource("aws_iam_instance_profile", c, func(b *terraformBlock) {
		b.text("name", c.Name)
		b.optional("path", c.After.Path)
		if role != "" {
			b.raw("role", w.role(role))
		}
		b.tags(c.After.Tags)
	})
}

var notInNames = text.Pattern(`[^A-Za-z0-9_-]+`)

// resourceName names a resource after what it is of.
func resourceName(c change.Change) string {
	name := snapshot.NameOf(c.Name)
	if c.Part != "" {
		name += "_" + snapshot.NameOf(c.Part)
	}
	name = strings.Trim(notInNames().ReplaceAllString(name, "_"), "_-")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

func (b *terraformBlock) list(name string, values []string) { b.raw(name, hclList(values)) }

func hclList(values []string) string {
	quoted := make([]string, 0, len(values))
	for _, v := range values {
		quoted = append(quoted, hclString(v))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// change writes one change. replaced says that it is one of two that replace something.
func (w *planTerraform) change(c change.Change, replaced bool) {
	write, ok := terraformKinds[c.Kind]
	switch {
	case !ok:
		w.comment("no Terraform resource: " + c.String())
	case c.After == nil && replaced:
	case c.After == nil && c.Kind.API() == change.AWS:
		w.comment("remove from your configuration: " + c.String())
	default:
		write(w, c, replaced)
	}
}

// terraformKinds write what a change creates or edits, by kind. replaced says that an
// earlier change of the step removes what the change creates.
var terraformKinds = map[change.Kind]func(w *planTerraform, c change.Change, replaced bool){
	change.Role:               terraformRole,
	change.Attachment:         terraformAttachment,
	change.InlinePolicy:       terraformInlinePolicy,
	change.Policy:             terraformPolicy,
	change.InstanceProfile:    terraformInstanceProfile,
	change.ProfileRole:        terraformProfileRole,
	change.AccessEntry:        terraformAccessEntry,
	change.AccessPolicy:       terraformAccessPolicy,
	change.TrustPolicy:        terraformTrustPolicy,
	change.OIDCProvider:       terraformOIDCProvider,
	change.Association:        terraformAssociation,
	change.Addon:              terraformAddon,
	change.AddonRole:          terraformAddonRole,
	change.AuthRole:           terraformKubectl,
	change.ServiceAccountRole: terraformKubectl,
	change.Rollout:            terraformKubectl,
}
