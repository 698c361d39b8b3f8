package export

import (
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

func terraformRole(w *planTerraform, c change.Change, _ bool) {
	w.resource("aws_iam_role", c, func(b *terraformBlock) {
		b.text("name", c.Name)
		b.optional("path", c.After.Path)
		b.optional("description", c.After.Description)
		b.optional("permissions_boundary", c.After.Boundary)
		b.document("assume_role_policy", c.After.Document)
		b.tags(c.After.Tags)
	})
}

func terraformAttachment(w *planTerraform, c change.Change, _ bool) {
	w.resource("aws_iam_role_policy_attachment", c, func(b *terraformBlock) {
		b.raw("role", w.role(c.Name))
		b.raw("policy_arn", w.of(change.Change{Kind: change.Policy, Name: c.Part}, "arn", c.Part))
	})
}

func terraformInlinePolicy(w *planTerraform, c change.Change, _ bool) {
	w.resource("aws_iam_role_policy", c, func(b *terraformBlock) {
		b.text("name", c.Part)
		b.raw("role", w.role(c.Name))
		b.document("policy", c.After.Document)
	})
}

func terraformPolicy(w *planTerraform, c change.Change, _ bool) {
	w.resource("aws_iam_policy", c, func(b *terraformBlock) {
		b.text("name", snapshot.NameOf(c.Name))
		b.document("policy", c.After.Document)
		b.tags(c.After.Tags)
	})
}

func terraformInstanceProfile(w *planTerraform, c change.Change, _ bool) { w.profile(c, "") }

func terraformProfileRole(w *planTerraform, c change.Change, _ bool) {
	w.comment("in the aws_iam_instance_profile of " + c.Name + ": role = " + hclString(c.After.Role))
}

func terraformTrustPolicy(w *planTerraform, c change.Change, _ bool) {
	w.comment("in the aws_iam_role of " + c.Name + ":")
	document, ok := indented(c.After.Document)
	if !ok {
		w.comment("  assume_role_policy = " + hclString(c.After.Document))
		return
	}
	w.comment("  assume_role_policy = <<-EOT")
	w.comment(strings.Split(strings.TrimRight(hclTemplate(document), "\n"), "\n")...)
	w.comment("  EOT")
}

func terraformOIDCProvider(w *planTerraform, c change.Change, _ bool) {
	if c.Before != nil {
		w.comment("in the aws_iam_openid_connect_provider of " + c.Name + ": client_id_list = " + hclList(c.After.ClientIDs))
		return
	}
	w.resource("aws_iam_openid_connect_provider", c, func(b *terraformBlock) {
		b.text("url", c.ProviderURL())
		b.list("client_id_list", c.After.ClientIDs)
	})
}
