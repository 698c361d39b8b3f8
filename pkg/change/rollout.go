package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// rolloutKind is the pods of a DaemonSet, which a restart replaces. They are replaced
// whatever identity they have.
var rolloutKind = kind{
	api:      Kubernetes,
	describe: func(c Change) string { return "pods of DaemonSet " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		kubectl, name, err := kubectlIn(c)
		if err != nil {
			return nil, err
		}
		return []command.Command{
			kubectl.With("rollout", "restart", "daemonset", name),
			kubectl.With("rollout", "status", "daemonset", name),
		}, nil
	},
	applies: func(Change, *State) bool { return true },
}
