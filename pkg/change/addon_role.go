package change

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// addonRoleKind is the role that an add-on gives a service account. An update of an
// add-on that leaves its IRSA role out removes that.
var addonRoleKind = kind{
	api: AWS,
	describe: func(c Change) string {
		return fmt.Sprintf("role of service account %s in add-on %s", c.Part, c.Name)
	},
	commands: func(c Change) ([]command.Command, error) {
		a := eks("update-addon", c).set("addon-name", c.Name)
		switch {
		case c.After.is(IRSA):
			a.arn("service-account-role-arn", c.After.Role)
		case c.After.is(PodIdentity) && c.Before.is(IRSA):
			a.arn("service-account-role-arn", c.Before.Role)
		}
		switch {
		case c.After.is(PodIdentity):
			a.fields(
				"pod-identity-associations", []map[string]string{{"serviceAccount": c.Part, "roleArn": c.After.Role}},
				field{"serviceAccount", c.Part}, field{"roleArn", c.After.Role},
			)
		case c.Before.is(PodIdentity):
			a.plain("pod-identity-associations", "[]")
		}
		return a.set("resolve-conflicts", "PRESERVE").commands()
	},
	role: func(c Change) string { return c.After.Role },
	wait: func(c Change) ([]command.Command, error) { return addonIs("addon-active", c) },
}

// is reports whether a state exists and is of the type.
func (s *State) is(kind string) bool { return s != nil && s.Type == kind }
