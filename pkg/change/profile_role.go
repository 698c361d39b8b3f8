package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// profileRoleKind is the role in an instance profile.
var profileRoleKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "role of instance profile " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		operation, role := "add-role-to-instance-profile", c.After
		if role == nil {
			operation, role = "remove-role-from-instance-profile", c.Before
		}
		return iam(operation).set("instance-profile-name", c.Name).set("role-name", role.Role).commands()
	},
}
