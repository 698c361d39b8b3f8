package export

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Terraform returns the role as a Terraform configuration for the AWS provider,
// formatted as terraform fmt does.
func Terraform(n newrole.Role) string {
	var w terraform
	w.block("aws_iam_role", "node", func(b *terraformBlock) {
		b.text("name", n.Name)
		b.optional("path", n.Path)
		b.optional("description", n.Description)
		b.optional("permissions_boundary", n.Boundary)
		b.document("assume_role_policy", n.Changes()[0].After.Document)
		b.tags(n.Tags)
	})
	for _, arn := range n.ManagedPolicies() {
		w.attachment(snapshot.NameOf(arn), hclString(arn))
	}
	if d, ok := n.CNIDocument(); ok {
		w.block("aws_iam_policy", "cni", func(b *terraformBlock) {
			b.text("name", newrole.IPv6PolicyName)
			b.document("policy", d.Compact())
			b.tags(n.Tags)
		})
		w.attachment("cni", "aws_iam_policy.cni.arn")
	}
	for name, d := range n.InlinePolicies() {
		w.block("aws_iam_role_policy", "minimum", func(b *terraformBlock) {
			b.text("name", name)
			b.raw("role", "aws_iam_role.node.name")
			b.document("policy", d.Compact())
		})
	}
	if n.InstanceProfile != "" {
		w.block("aws_iam_instance_profile", "node", func(b *terraformBlock) {
			b.text("name", n.InstanceProfile)
			b.optional("path", n.Path)
			b.raw("role", "aws_iam_role.node.name")
			b.tags(n.Tags)
		})
	}
	if n.EntryType != "" {
		w.block("aws_eks_access_entry", "node", func(b *terraformBlock) {
			b.text("cluster_name", n.Cluster)
			b.raw("principal_arn", "aws_iam_role.node.arn")
			b.text("type", n.EntryType)
			b.tags(n.Tags)
		})
		if policy, ok := n.AccessPolicy(); ok {
			w.block("aws_eks_access_policy_association", "node", func(b *terraformBlock) {
				b.text("cluster_name", n.Cluster)
				b.raw("principal_arn", "aws_eks_access_entry.node.principal_arn")
				b.text("policy_arn", policy)
				b.nested("access_scope", "type", "cluster")
			})
		}
	}
	return w.String()
}

// terraform writes resource blocks.
type terraform struct{ strings.Builder }

// terraformBlock is one block's body. Runs of attributes on one line each are
// aligned, as terraform fmt wants it.
type terraformBlock struct {
	w      *strings.Builder
	indent string
	run    [][2]string
}

func (w *terraform) block(kind, name string, body func(*terraformBlock)) {
	if w.Len() > 0 {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "resource %q %q {\n", kind, name)
	b := &terraformBlock{w: &w.Builder, indent: "  "}
	body(b)
	b.flush()
	w.WriteString("}\n")
}

func (w *terraform) attachment(name, policy string) {
	w.block("aws_iam_role_policy_attachment", name, func(b *terraformBlock) {
		b.raw("role", "aws_iam_role.node.name")
		b.raw("policy_arn", policy)
	})
}

func (b *terraformBlock) raw(name, value string)  { b.run = append(b.run, [2]string{name, value}) }
func (b *terraformBlock) text(name, value string) { b.raw(name, hclString(value)) }

func (b *terraformBlock) optional(name, value string) {
	if value != "" {
		b.text(name, value)
	}
}

// flush writes the attributes so far, aligned.
func (b *terraformBlock) flush() {
	width := 0
	for _, a := range b.run {
		width = max(width, len(a[0]))
	}
	for _, a := range b.run {
		fmt.Fprintf(b.w, "%s%-*s = %s\n", b.indent, width, a[0], a[1])
	}
	b.run = nil
}

// document writes a policy document: as a heredoc where it is JSON, which no line of it
// can end, else as a string.
func (b *terraformBlock) document(name, document string) {
	out, ok := indented(document)
	if !ok {
		b.text(name, document)
		return
	}
	b.raw(name, "<<-EOT")
	b.flush()
	for line := range strings.Lines(hclTemplate(out)) {
		b.w.WriteString(b.indent + "  " + line)
	}
	b.w.WriteString(b.indent + "EOT\n")
}

func (b *terraformBlock) tags(tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	b.flush()
	b.w.WriteString(b.indent + "tags = {\n")
	inner := &terraformBlock{w: b.w, indent: b.indent + "  "}
	for _, k := range text.SortedKeys(tags) {
		inner.text(hclString(k), tags[k])
	}
	inner.flush()
	b.w.WriteString(b.indent + "}\n")
}

// nested writes a block with one attribute.
func (b *terraformBlock) nested(block, name, value string) {
	b.flush()
	fmt.Fprintf(b.w, "\n%s%s {\n%s  %s = %s\n%s}\n", b.indent, block, b.indent, name, hclString(value), b.indent)
}

// hclTemplate keeps Terraform from taking text for a template.
func hclTemplate(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}

// hclString is a string of HCL, in one line of characters that are safe to show.
// Source: https://developer.hashicorp.com/terraform/language/expressions/strings
func hclString(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\', r == '"':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case text.Safe(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return `"` + hclTemplate(b.String()) + `"`
}
