package change

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// attachmentKind is a managed policy on a role.
var attachmentKind = kind{
	api:      AWS,
	describe: func(c Change) string { return fmt.Sprintf("policy %s of role %s", c.Part, c.Name) },
	commands: func(c Change) ([]command.Command, error) {
		return iam(c.verb("attach", "detach")+"-role-policy").set("role-name", c.Name).arn("policy-arn", c.Part).commands()
	},
}
