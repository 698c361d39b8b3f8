package export

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Terraform returns the plan as a Terraform configuration for the AWS provider: what is
// to be made as resources, formatted as terraform fmt does; what is to be changed in a
// resource that stands elsewhere, to be removed, or not Terraform's to do, as comments.
func PlanTerraform(p *planner.Plan) string {
	w := planTerraform{made: map[string]string{}}
	fmt.Fprintf(&w, "# Repairs %s. Resources that you have already are to be changed, not added.\n", p.Cluster)
	for i, s := range p.Steps {
		fmt.Fprintf(&w, "\n# %d. %s (%s)\n", i+1, s.Title, strings.Join(s.Rules, ", "))
		if s.Note != "" {
			w.comment(s.Note)
		}
		var profile *change.Change // that this step makes, which is written with its role
		for at, c := range s.Changes {
			switch {
			case c.Before == nil && w.made[c.Target()] != "": // an earlier step has it
			case c.Kind == change.InstanceProfile && c.After != nil && holdsRole(s.Changes[at:], c.Name):
				profile = &c
			case c.Kind == change.ProfileRole && profile != nil && c.Name == profile.Name:
				w.profile(*profile, c.After.Role)
			default:
				w.change(c, replaced(s.Changes, at))
			}
		}
		w.comment("proof: " + s.Proof)
	}
	for _, m := range p.Manual {
		fmt.Fprintf(&w, "\n# left to you: %s %s\n#   %s\n", m.Rule, m.Message, m.Why)
	}
	return w.String()
}

// planTerraform writes a plan's resources.
type planTerraform struct {
	terraform
	// made has the addresses of the resources so far, by the target of the change.
	made map[string]string
}

// resource writes what a change makes.
func (w *planTerraform) resource(kind string, c change.Change, body func(*terraformBlock)) {
	w.made[c.Target()] = kind + "." + resourceName(c)
	w.block(kind, resourceName(c), body)
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

// holdsRole tells whether changes put a role into an instance profile.
func holdsRole(changes []change.Change, profile string) bool {
	return slices.ContainsFunc(changes, func(c change.Change) bool {
		return c.Kind == change.ProfileRole && c.Name == profile && c.After != nil
	})
}

// replaced tells whether what a change takes away is made again by a later one, or was
// taken away by one before it.
func replaced(changes []change.Change, at int) bool {
	c, others := changes[at], changes[:at]
	if c.After == nil {
		others = changes[at+1:]
	}
	return slices.ContainsFunc(others, func(o change.Change) bool { return o.Target() == c.Target() && (o.After == nil) != (c.After == nil) })
}

func (w *planTerraform) comment(text string) {
	for line := range strings.Lines(text) {
		w.WriteString("# " + strings.TrimRight(line, "\n") + "\n")
	}
}

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

// change writes one change. again says that it is one of two that replace something.
func (w *planTerraform) change(c change.Change, again bool) {
	if c.After == nil {
		if again {
			return
		}
		w.comment("remove from your configuration: " + c.String())
		return
	}
	s := c.After
	switch c.Kind {
	case change.Role:
		w.resource("aws_iam_role", c, func(b *terraformBlock) {
			b.text("name", c.Name)
			b.optional("path", s.Path)
			b.optional("description", s.Description)
			b.optional("permissions_boundary", s.Boundary)
			b.document("assume_role_policy", s.Document)
			b.tags(s.Tags)
		})
	case change.Attachment:
		w.resource("aws_iam_role_policy_attachment", c, func(b *terraformBlock) {
			b.raw("role", w.role(c.Name))
			b.raw("policy_arn", w.of(change.Change{Kind: change.Policy, Name: c.Part}, "arn", c.Part))
		})
	case change.InlinePolicy:
		w.resource("aws_iam_role_policy", c, func(b *terraformBlock) {
			b.text("name", c.Part)
			b.raw("role", w.role(c.Name))
			b.document("policy", s.Document)
		})
	case change.Policy:
		w.resource("aws_iam_policy", c, func(b *terraformBlock) {
			b.text("name", snapshot.NameOf(c.Name))
			b.document("policy", s.Document)
			b.tags(s.Tags)
		})
	case change.InstanceProfile:
		w.profile(c, "")
	case change.ProfileRole:
		w.comment("in the aws_iam_instance_profile of " + c.Name + ": role = " + hclString(s.Role))
	case change.AccessEntry:
		if again {
			w.comment("the entry that is there is to be replaced: terraform apply -replace=aws_eks_access_entry." + resourceName(c))
		}
		w.resource("aws_eks_access_entry", c, func(b *terraformBlock) {
			b.text("cluster_name", c.Cluster)
			b.raw("principal_arn", w.roleARN(c.Name))
			b.text("type", s.Type)
			b.optional("user_name", s.Username)
			if len(s.Groups) > 0 {
				b.list("kubernetes_groups", s.Groups)
			}
			b.tags(s.Tags)
		})
	case change.AccessPolicy:
		w.resource("aws_eks_access_policy_association", c, func(b *terraformBlock) {
			b.text("cluster_name", c.Cluster)
			b.raw("principal_arn", w.of(change.Change{Kind: change.AccessEntry, Cluster: c.Cluster, Name: c.Name}, "principal_arn", c.Name))
			b.text("policy_arn", c.Part)
			if len(s.Namespaces) == 0 {
				b.nested("access_scope", "type", "cluster")
				return
			}
			b.flush()
			b.w.WriteString("\n" + b.indent + "access_scope {\n")
			inner := &terraformBlock{w: b.w, indent: b.indent + "  "}
			inner.text("type", "namespace")
			inner.list("namespaces", s.Namespaces)
			inner.flush()
			b.w.WriteString(b.indent + "}\n")
		})
	case change.OIDCProvider:
		if c.Before != nil {
			w.comment("in the aws_iam_openid_connect_provider of " + c.Name + ": client_id_list = " + hclList(s.ClientIDs))
			return
		}
		w.resource("aws_iam_openid_connect_provider", c, func(b *terraformBlock) {
			b.text("url", c.ProviderURL())
			b.list("client_id_list", s.ClientIDs)
		})
	case change.Association:
		namespace, account := c.Namespaced()
		w.resource("aws_eks_pod_identity_association", c, func(b *terraformBlock) {
			b.text("cluster_name", c.Cluster)
			b.text("namespace", namespace)
			b.text("service_account", account)
			b.raw("role_arn", w.roleARN(s.Role))
		})
	case change.Addon:
		w.resource("aws_eks_addon", c, func(b *terraformBlock) {
			b.text("cluster_name", c.Cluster)
			b.text("addon_name", c.Name)
		})
	case change.AddonRole:
		if s.Type == change.IRSA {
			w.comment("in the aws_eks_addon of " + c.Name + ": service_account_role_arn = " + hclString(s.Role))
			return
		}
		w.comment(fmt.Sprintf("in the aws_eks_addon of %s:\n  pod_identity_association {\n    role_arn        = %s\n    service_account = %s\n  }", c.Name, hclString(s.Role), hclString(c.Part)))
	case change.TrustPolicy:
		w.comment("in the aws_iam_role of " + c.Name + ":\n  assume_role_policy = <<-EOT\n" + hclTemplate(Indented(s.Document)) + "  EOT")
	case change.AuthRole, change.ServiceAccountRole, change.Rollout:
		w.comment("not Terraform's: " + c.Command())
	}
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// resourceName names a resource after what it is of.
func resourceName(c change.Change) string {
	name := snapshot.NameOf(c.Name)
	if c.Part != "" {
		name += "_" + snapshot.NameOf(c.Part)
	}
	name = strings.Trim(notInNames.ReplaceAllString(name, "_"), "_-")
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
