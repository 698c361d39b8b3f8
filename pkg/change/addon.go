package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// addonKind is an EKS add-on of a cluster.
var addonKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "add-on " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		return eks(c.verb("create", "delete")+"-addon", c).set("addon-name", c.Name).commands()
	},
	wait: func(c Change) ([]command.Command, error) {
		return addonIs(c.verb("addon-active", "addon-deleted"), c)
	},
}

// addonIs waits until an add-on is in a state, at most 10 minutes.
// Source: https://docs.aws.amazon.com/cli/latest/reference/eks/wait/addon-active.html
func addonIs(state string, c Change) ([]command.Command, error) {
	return newAWSCLI("eks", "wait").operation(state).set("cluster-name", c.Cluster).set("addon-name", c.Name).commands()
}
