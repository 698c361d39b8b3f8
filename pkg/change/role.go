package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// roleKind is a role with its trust policy, without its permissions.
var roleKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "role " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return iam("delete-role").set("role-name", c.Name).commands()
		}
		return iam("create-role").set("role-name", c.Name).path(c.After.Path).
			set("assume-role-policy-document", compact(c.After.Document)).
			optional("description", c.After.Description).
			optional("permissions-boundary", c.After.Boundary).
			iamTags(c.After.Tags).commands()
	},
	wait: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, nil
		}
		return iam("wait").operation("role-exists").set("role-name", c.Name).commands()
	},
}
