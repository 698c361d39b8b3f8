package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// RoleAnnotation is the annotation of a service account that names its IRSA role.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
const RoleAnnotation = "eks.amazonaws.com/role-arn"

// serviceAccountRoleKind is the annotation that gives a service account an IRSA role.
var serviceAccountRoleKind = kind{
	api:      Kubernetes,
	describe: func(c Change) string { return "role of service account " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		kubectl, name, err := kubectlIn(c)
		switch {
		case err != nil:
			return nil, err
		case c.After == nil:
			return []command.Command{kubectl.With("annotate", "serviceaccount", name, RoleAnnotation+"-")}, nil
		case !passable(c.After.Role):
			return nil, noCommandError("its role contains bytes that no command line can pass")
		}
		return []command.Command{kubectl.With("annotate", "serviceaccount", name, "--overwrite", RoleAnnotation+"="+c.After.Role)}, nil
	},
}
