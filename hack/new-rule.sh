#!/usr/bin/env bash
# Writes a new rule's file with the next free id of its group.
#   hack/new-rule.sh NAME GROUP
set -euo pipefail
cd "$(dirname "$0")/../pkg/rules"
name=${1:?name of the rule, such as my-rule} group=${2:?group of the rule, a digit}
[[ $name =~ ^[a-z][a-z0-9-]+$ ]] || { echo "the name is lower-case words with hyphens" >&2; exit 2; }
[[ $group =~ ^[1-9]$ ]] || { echo "the group is a digit from 1 to 9" >&2; exit 2; }

last=$(sed -n "s/.*ID: \"NR\(${group}[0-9][0-9]\)\".*/\1/p" ./*.go | sort -n | tail -1)
id=$((${last:-${group}00} + 1))
file=nr${id}_${name//-/_}.go
variable=$(sed -E 's/-([a-z0-9])/\U\1/g' <<<"$name")
cat >"$file" <<EOF
package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var $variable = Rule{
	ID: "NR$id", Name: "$name", Severity: finding.Error,
	Title: "",
	Why:   \`\`,
	Fix:   \`\`,
	Refs:  nil,
	Needs: nil,
	Bad:   \`{}\`,
	Good:  \`{}\`,
	Check: func(v *view.View, report Reporter) {
	},
}
EOF
echo "pkg/rules/$file: fill it in and add $variable to All in pkg/rules/rules.go"
