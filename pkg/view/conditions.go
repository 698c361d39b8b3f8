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

// NamedNodeClass is a node class with its kind and name, such as "EC2NodeClass default".
type NamedNodeClass struct {
	Name  string
	Class snapshot.NodeClass
}

// NodeClasses are the node classes of Karpenter and EKS Auto Mode, ordered by kind and
// name.
func (v *View) NodeClasses() []NamedNodeClass {
	var all []NamedNodeClass
	for name, class := range sortedPairs(v.Snapshot.KarpenterNodeClasses) {
		all = append(all, NamedNodeClass{string(KarpenterClass) + " " + name, class})
	}
	for name, class := range sortedPairs(v.Snapshot.AutoModeNodeClasses) {
		all = append(all, NamedNodeClass{string(AutoModeClass) + " " + name, class})
	}
	return all
}
