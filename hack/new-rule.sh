#!/usr/bin/env bash
# Writes the file of a new rule with the next free id of its group.
#   hack/new-rule.sh NAME GROUP
set -euo pipefail
cd "$(dirname "$0")/../pkg/rules"
name=${1:-} group=${2:-}
fail() { printf '%s\n' "$*" >&2; exit 2; }
usage='make rule NAME=my-rule GROUP=2 (groups: 1 roles, 2 permissions, 3 trust, 5 joining, 6 aws-node, 7 instance metadata, 8 reports)'
[[ $name =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ ]] || fail "the name \"$name\" is not lower-case words with hyphens: $usage"
[[ $group != 9 ]] || fail "rules about several clusters have no template: see CONTRIBUTING.md"
[[ $group =~ ^[1-8]$ ]] || fail "the group \"$group\" is not a digit from 1 to 8: $usage"
! grep -qs "Name: \"$name\"" ./*.go || fail "a rule has the name $name already: choose another name"

# An id is never used again: the next one follows the last one of the group. Ids from 90
# are for rules outside the order of the group.
last=$(sed -n "s/.*ID: \"NR${group}\([0-8][0-9]\)\".*/\1/p" ./*.go | sort -n | tail -1)
next=$((10#${last:-00} + 1))
[[ $next -lt 90 ]] || fail "group $group has no free id: choose another group"
id=$(printf '%s%02d' "$group" "$next")

# The variable's name ends in Rule, so that no name is a keyword of Go.
variable=$(sed -E 's/-([a-z0-9])/\U\1/g' <<<"$name")Rule
file=nr${id}_${name//-/_}
# Go builds a file whose name ends in _linux or _test for Linux or for tests alone.
if { go tool dist list | tr / '\n'; echo test; } | grep -qx -- "${name##*-}"; then file+=_rule; fi
file+=.go
cat >"$file" <<EOF
package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var $variable = Rule{
	ID: "NR$id", Name: "$name", Severity: finding.Warning, Concern: finding.ConcernNode,
	NoRepair: "",
	Title:    "",
	Why:      \`\`,
	Fix:      \`\`,
	Refs:     []string{},
	Needs:    []snapshot.Fact{},
	Bad:      \`{}\`,
	Good:     \`{}\`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			report(finding.Result{Status: finding.Pass, Subject: roleSubject(r), Message: r.Name + " …"})
		}
	},
}
EOF
echo "wrote pkg/rules/$file; next: add $variable to All in pkg/rules/rules.go, then go test ./pkg/rules says what is missing"
