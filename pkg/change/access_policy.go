package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// accessPolicyKind is an access policy of an access entry.
var accessPolicyKind = kind{
	api:      AWS,
	describe: func(c Change) string { return fmt.Sprintf("access policy %s of %s", c.Part, c.Name) },
	commands: func(c Change) ([]command.Command, error) {
		a := eks(c.verb("", "dis")+"associate-access-policy", c).arn("principal-arn", c.Name).set("policy-arn", c.Part)
		switch {
		case c.After == nil:
		case len(c.After.Namespaces) == 0:
			a.fields("access-scope", nil, field{"type", "cluster"})
		case slices.ContainsFunc(c.After.Namespaces, func(n string) bool { return !plainItem().MatchString(n) }):
			a.json("access-scope", map[string]any{"type": "namespace", "namespaces": c.After.Namespaces})
		default:
			a.plain("access-scope", "type=namespace,namespaces="+strings.Join(c.After.Namespaces, ","))
		}
		return a.commands()
	},
}
