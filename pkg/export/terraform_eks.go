package export

import "github.com/kubectl-noderole/kubectl-noderole/pkg/change"

func terraformAccessEntry(w *planTerraform, c change.Change, replaced bool) {
	if replaced {
		w.comment("replace the existing entry: terraform apply -replace=aws_eks_access_entry." + resourceName(c))
	}
	w.resource("aws_eks_access_entry", c, func(b *terraformBlock) {
		b.text("cluster_name", c.Cluster)
		b.raw("principal_arn", w.roleARN(c.Name))
		b.text("type", c.After.Type)
		b.optional("user_name", c.After.Username)
		if len(c.After.Groups) > 0 {
			b.list("kubernetes_groups", c.After.Groups)
		}
		b.tags(c.After.Tags)
	})
}

func terraformAccessPolicy(w *planTerraform, c change.Change, _ bool) {
	w.resource("aws_eks_access_policy_association", c, func(b *terraformBlock) {
		b.text("cluster_name", c.Cluster)
		b.raw("principal_arn", w.of(change.Change{Kind: change.AccessEntry, Cluster: c.Cluster, Name: c.Name}, "principal_arn", c.Name))
		b.text("policy_arn", c.Part)
		if len(c.After.Namespaces) == 0 {
			b.nested("access_scope", "type", "cluster")
			return
		}
		b.flush()
		b.w.WriteString("\n" + b.indent + "access_scope {\n")
		inner := &terraformBlock{w: b.w, indent: b.indent + "  "}
		inner.text("type", "namespace")
		inner.list("namespaces", c.After.Namespaces)
		inner.flush()
		b.w.WriteString(b.indent + "}\n")
	})
}

func terraformAssociation(w *planTerraform, c change.Change, _ bool) {
	namespace, account := c.Namespaced()
	w.resource("aws_eks_pod_identity_association", c, func(b *terraformBlock) {
		b.text("cluster_name", c.Cluster)
		b.text("namespace", namespace)
		b.text("service_account", account)
		b.raw("role_arn", w.roleARN(c.After.Role))
	})
}

func terraformAddon(w *planTerraform, c change.Change, _ bool) {
	w.resource("aws_eks_addon", c, func(b *terraformBlock) {
		b.text("cluster_name", c.Cluster)
		b.text("addon_name", c.Name)
	})
}

func terraformAddonRole(w *planTerraform, c change.Change, _ bool) {
	if c.After.Type == change.IRSA {
		w.comment("in the aws_eks_addon of " + c.Name + ": service_account_role_arn = " + hclString(c.After.Role))
		return
	}
	w.comment(
		"in the aws_eks_addon of "+c.Name+":",
		"  pod_identity_association {",
		"    role_arn        = "+hclString(c.After.Role),
		"    service_account = "+hclString(c.Part),
		"  }",
	)
}
