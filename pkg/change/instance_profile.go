package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// instanceProfileKind is an instance profile, without the role in it.
var instanceProfileKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "instance profile " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		a := iam(c.verb("create", "delete")+"-instance-profile").set("instance-profile-name", c.Name)
		if c.After != nil {
			a.path(c.After.Path).iamTags(c.After.Tags)
		}
		return a.commands()
	},
	wait: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, nil
		}
		return iam("wait").operation("instance-profile-exists").set("instance-profile-name", c.Name).commands()
	},
}
