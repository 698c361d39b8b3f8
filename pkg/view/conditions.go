package view

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// ConditionLines are the status conditions of a node class that are not met, a line
// each. They are evidence of what its controller could not do.
func ConditionLines(name string, class snapshot.NodeClass) []string {
	var lines []string
	for _, c := range class.Conditions {
		line := fmt.Sprintf("%s: condition %s is %s", name, c.Type, c.Status)
		if reason := strings.TrimSpace(c.Reason + " " + c.Message); reason != "" {
			line += ": " + reason
		}
		lines = append(lines, line)
	}
	return lines
}
