package change

import "github.com/kubectl-noderole/kubectl-noderole/pkg/command"

// authRoleKind is a role's entry in the ConfigMap aws-auth. Its command writes all
// entries, because mapRoles is one text, and only if that text was not changed.
var authRoleKind = kind{
	api:      Kubernetes,
	describe: func(c Change) string { return "entry of " + c.Name + " in aws-auth" },
	commands: func(c Change) ([]command.Command, error) {
		kubectl := command.Kubectl("-n", "kube-system")
		switch {
		case c.Whole == nil:
			return nil, noCommandError("the other entries of aws-auth are not known: edit the ConfigMap, kubectl -n kube-system edit configmap aws-auth")
		case c.Whole.After == nil:
			return []command.Command{kubectl.With("delete", "configmap", "aws-auth")}, nil
		case !passable(*c.Whole.After), c.Whole.Before != nil && !passable(*c.Whole.Before):
			return nil, noCommandError("its mapRoles contains bytes that no command line can pass")
		}
		data := map[string]string{"mapRoles": *c.Whole.After}
		if c.Whole.Before == nil {
			configMap := map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": "aws-auth", "namespace": "kube-system"}, "data": data,
			}
			return []command.Command{kubectl.With("create", "-f", "-").WithStdin(asJSON(configMap))}, nil
		}
		patch := kubectl.With("patch", "configmap", "aws-auth", "--type")
		if *c.Whole.Before == "" { // the key may be missing, which a test refuses
			return []command.Command{patch.With("merge", "--patch", asJSON(map[string]any{"data": data}))}, nil
		}
		// The API server refuses the patch where mapRoles was changed since it was read.
		const path = "/data/mapRoles"
		return []command.Command{patch.With("json", "--patch", asJSON([]map[string]string{
			{"op": "test", "path": path, "value": *c.Whole.Before}, {"op": "replace", "path": path, "value": *c.Whole.After},
		}))}, nil
	},
	texts: func(c Change) (before, after string, ok bool) {
		if c.Whole == nil || c.Whole.Before == nil || c.Whole.After == nil {
			return "", "", false
		}
		return *c.Whole.Before, *c.Whole.After, true
	},
}
