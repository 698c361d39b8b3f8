package export

import "github.com/kubectl-noderole/kubectl-noderole/pkg/change"

// terraformKubectl writes a change in the cluster, which the AWS provider does not make.
func terraformKubectl(w *planTerraform, c change.Change, _ bool) {
	for _, command := range c.Commands() {
		w.comment("not in Terraform: " + command.Map(w.complete).String())
	}
	if why := c.NoCommand(); why != "" {
		w.comment("not in Terraform: " + c.String() + ": " + why)
	}
}
