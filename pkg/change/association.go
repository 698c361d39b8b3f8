package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// associationKind is the Pod Identity association of a service account. Its id is asked
// for when the command runs.
var associationKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "Pod Identity association of " + c.Name },
	role:     func(c Change) string { return c.After.Role },
	commands: func(c Change) ([]command.Command, error) {
		switch {
		case c.After == nil:
			return eks("delete-pod-identity-association", c).output("association-id", associationID(c)).commands()
		case c.Before == nil:
			return ofServiceAccount("create-pod-identity-association", c).arn("role-arn", c.After.Role).commands()
		default:
			return eks("update-pod-identity-association", c).output("association-id", associationID(c)).arn("role-arn", c.After.Role).commands()
		}
	},
}

func ofServiceAccount(operation string, c Change) *awsCLI {
	namespace, name := c.Namespaced()
	return eks(operation, c).set("namespace", namespace).set("service-account", name)
}

func associationID(c Change) *awsCLI {
	return ofServiceAccount("list-pod-identity-associations", c).plain("query", "associations[0].associationId").plain("output", "text")
}
