package change

import (
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// policyKind is a customer managed policy.
var policyKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "policy " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return iam("delete-policy").arn("policy-arn", c.Name).commands()
		}
		return iam("create-policy").set("policy-name", c.Name[strings.LastIndex(c.Name, "/")+1:]).path(c.After.Path).
			set("policy-document", compact(c.After.Document)).
			optional("description", c.After.Description).
			iamTags(c.After.Tags).commands()
	},
	wait: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, nil
		}
		return iam("wait").operation("policy-exists").arn("policy-arn", c.Name).commands()
	},
}
