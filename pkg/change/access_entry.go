package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// accessEntryKind is an access entry of a cluster. What EKS sets itself is not asked for:
// the username and groups of the types that are not STANDARD.
var accessEntryKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "access entry of " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		a := eks(c.verb("create", "delete")+"-access-entry", c).arn("principal-arn", c.Name)
		if c.After == nil {
			return a.commands()
		}
		a.set("type", c.After.Type)
		if c.After.Type == Standard {
			a.optional("username", c.After.Username).list("kubernetes-groups", c.After.Groups)
		}
		return a.eksTags(c.After.Tags).commands()
	},
	role: func(c Change) string { return c.Name },
	wait: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, nil
		}
		return eks("describe-access-entry", c).arn("principal-arn", c.Name).commands()
	},
}
