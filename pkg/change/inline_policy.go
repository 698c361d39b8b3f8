package change

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// inlinePolicyKind is an inline policy of a role.
var inlinePolicyKind = kind{
	api:      AWS,
	describe: func(c Change) string { return fmt.Sprintf("inline policy %s of role %s", c.Part, c.Name) },
	commands: func(c Change) ([]command.Command, error) {
		a := iam(c.verb("put", "delete")+"-role-policy").set("role-name", c.Name).set("policy-name", c.Part)
		if c.After != nil {
			a.set("policy-document", compact(c.After.Document))
		}
		return a.commands()
	},
	wait: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, nil
		}
		return iam("get-role-policy").set("role-name", c.Name).set("policy-name", c.Part).commands()
	},
}
