// Package managed has copies of AWS's managed policies that are attached to node roles,
// for facts that are read where IAM cannot be asked. hack/managed-policies.sh writes them.
package managed

import (
	_ "embed" // for the copies
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

//go:embed policies.json
var file []byte

// copies is the content of policies.json.
type copies struct {
	// Source is where the copies are from, AsOf the day as of which they are current.
	Source string `json:"source"`
	AsOf   string `json:"asOf"`
	// Policies are by name, with the path.
	Policies map[string]struct {
		Version  string          `json:"version"`
		Document json.RawMessage `json:"document"`
	} `json:"policies"`
}

var read = sync.OnceValue(func() copies {
	var c copies
	if err := json.Unmarshal(file, &c); err != nil {
		panic(fmt.Sprintf("policies.json: %s", err)) // it is part of the program
	}
	return c
})

// AsOf is the day as of which the copies are current, as YYYY-MM-DD.
func AsOf() string { return read().AsOf }

// ARNs are the ARNs of the copies in a partition, in no order.
func ARNs(partition string) []string {
	arns := make([]string, 0, len(read().Policies))
	for name := range read().Policies {
		arns = append(arns, prefix(partition)+name)
	}
	return arns
}

// Is reports whether an ARN is that of a managed policy of AWS.
func Is(arn string) bool {
	a, ok := snapshot.ParseARN(arn)
	return ok && a.Service == "iam" && a.Account == "aws" && strings.HasPrefix(a.Resource, "policy/")
}

// Policy returns the copy of the managed policy with this ARN; ok is false where there is
// none. The copy's version says as of when it is current. ARNs in a document have the
// policy's own partition.
func Policy(arn string) (policy snapshot.Policy, ok bool) {
	a, _ := snapshot.ParseARN(arn)
	name, ok := strings.CutPrefix(arn, prefix(a.Partition))
	if !ok {
		return snapshot.Policy{}, false
	}
	c, ok := read().Policies[name]
	if !ok {
		return snapshot.Policy{}, false
	}
	return snapshot.Policy{
		Version:  fmt.Sprintf("%s as of %s", c.Version, AsOf()),
		Document: strings.ReplaceAll(string(c.Document), `"arn:aws:`, `"arn:`+a.Partition+":"),
	}, true
}

func prefix(partition string) string { return "arn:" + partition + ":iam::aws:policy/" }
