package change

import (
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// kubectlIn begins a kubectl command in the namespace of a change. The error says that
// the object's name cannot be passed as an argument.
func kubectlIn(c Change) (k command.Command, name string, err error) {
	namespace, name := c.Namespaced()
	switch {
	case namespace == "" || name == "":
		return k, "", noCommandError(`its name is not of the form "NAMESPACE/NAME"`)
	case !passable(c.Name) || strings.HasPrefix(name, "-"):
		return k, "", noCommandError("kubectl would not read its name as a name")
	}
	return command.Kubectl("-n", namespace), name, nil
}
