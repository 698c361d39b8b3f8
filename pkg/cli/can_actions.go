package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// knownAction returns an action with the resources that it acts on. known is false
// for an action whose resource types are not in this program.
func knownAction(name string) (action need.Action, known bool) {
	if slices.ContainsFunc(need.Names(), func(n string) bool { return strings.EqualFold(n, name) }) {
		return need.Named(name), true
	}
	for _, a := range slices.Concat(need.PodIdentityAgent, need.Hybrid, need.PullThroughCache, need.ExcessivePull, need.Excessive) {
		if strings.EqualFold(a.Name, name) {
			// Nothing is assumed here of the policies of those resources.
			return need.Action{Name: a.Name, Resources: a.Resources, For: a.For}, true
		}
	}
	return need.Action{Name: name}, false
}

// actionNames are the names of all actions that appear in this program.
func actionNames() []string {
	names := slices.Concat(need.Names(), need.Reads, need.ListReads, need.BulkReads, need.UsageReads, need.FleetReads, need.Writes, need.FixWrites, need.UndoWrites)
	for _, a := range slices.Concat(need.PodIdentityAgent, need.Hybrid, need.PullThroughCache, need.ExcessivePull, need.Excessive) {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// doubtful returns why an action may not exist in AWS, or nothing. AWS has many
// thousands of actions, and no list of them is part of this program: an action does
// not exist if it has characters that no action has, and is doubtful if it does not
// appear in this program, most of all if it is one typing error away from one that does.
func doubtful(action string) string {
	service, name, _ := strings.Cut(action, ":")
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	if strings.ContainsFunc(name, other) || strings.ContainsFunc(strings.ReplaceAll(service, "-", ""), other) {
		return fmt.Sprintf("no AWS service has an action %q: actions are letters and digits after a service prefix and a colon", action)
	}
	for _, known := range actionNames() {
		if strings.EqualFold(known, action) {
			return ""
		}
	}
	for _, known := range actionNames() {
		if oneEdit(strings.ToLower(known), strings.ToLower(action)) {
			return fmt.Sprintf("action %s may not exist; did you mean %s?", action, known)
		}
	}
	return fmt.Sprintf("action %s may not exist: check its spelling", action)
}

// oneEdit reports whether one insertion, deletion, replacement, or swap of
// neighbours turns a into b.
func oneEdit(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}
