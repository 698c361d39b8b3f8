package change

import (
	"bytes"
	"encoding/json"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// trustPolicyKind is the trust policy of a role that exists before and after.
var trustPolicyKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "trust policy of role " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, noCommandError("a role always has a trust policy")
		}
		return iam("update-assume-role-policy").set("role-name", c.Name).set("policy-document", compact(c.After.Document)).commands()
	},
	texts: func(c Change) (before, after string, ok bool) {
		if c.Before == nil || c.After == nil {
			return "", "", false
		}
		return indented(c.Before.Document), indented(c.After.Document), true
	},
}

// indented is a JSON document with a member a line.
func indented(document string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(document), "", "  ") != nil {
		return document
	}
	return b.String() + "\n"
}
