// pkg/iampolicy beside another policy engine, and a module of its own, so that what it needs
// stays out of the plugin's go.mod.
module github.com/kubectl-noderole/kubectl-noderole/tools/compare

go 1.26.0

require (
	github.com/cedar-policy/cedar-go v1.9.2
	github.com/kubectl-noderole/kubectl-noderole v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	golang.org/x/exp v0.0.0-20220921023135-46d9e7742f1e // indirect
)

replace github.com/kubectl-noderole/kubectl-noderole => ../..
