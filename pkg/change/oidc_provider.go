package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// oidcProviderKind is an OIDC provider of the account. A change of one that exists adds
// and removes client ids, a command each.
var oidcProviderKind = kind{
	api:      AWS,
	describe: func(c Change) string { return "OIDC provider " + c.Name },
	commands: func(c Change) ([]command.Command, error) {
		switch {
		case c.After == nil:
			return provider("delete-open-id-connect-provider", c).commands()
		case c.Before == nil:
			// The AWS CLI never reads a file or an address in place of this URL.
			return iam("create-open-id-connect-provider").plain("url", c.ProviderURL()).
				list("client-id-list", c.After.ClientIDs).iamTags(c.After.Tags).commands()
		}
		var list []*awsCLI
		added, removed := c.ClientIDs()
		for _, id := range added {
			list = append(list, provider("add-client-id-to-open-id-connect-provider", c).set("client-id", id))
		}
		for _, id := range removed {
			list = append(list, provider("remove-client-id-from-open-id-connect-provider", c).set("client-id", id))
		}
		return commandsOf(list...)
	},
	wait: func(c Change) ([]command.Command, error) {
		if c.After == nil {
			return nil, nil
		}
		return provider("get-open-id-connect-provider", c).commands()
	},
	applied: func(c Change, found *State) bool {
		_, removed := c.ClientIDs()
		return found == nil || len(without(removed, found.ClientIDs)) == len(removed)
	},
}

func provider(operation string, c Change) *awsCLI {
	return iam(operation).arn("open-id-connect-provider-arn", c.Name)
}
