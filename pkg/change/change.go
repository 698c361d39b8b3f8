// Package change is one write to AWS: what it turns into what, the AWS CLI
// command that does the same, and what takes it back. It writes nothing itself;
// a Store does, and Run writes only where what is there is what was expected.
package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Kind says what a change is made to.
type Kind string

// The kinds. Name and Part of a Change are what stands behind each.
const (
	Role            Kind = "iam.Role"                 // role name
	Attachment      Kind = "iam.RolePolicyAttachment" // role name, policy ARN
	InlinePolicy    Kind = "iam.RolePolicy"           // role name, policy name
	Policy          Kind = "iam.Policy"               // ARN of a customer managed policy
	InstanceProfile Kind = "iam.InstanceProfile"      // instance profile name
	ProfileRole     Kind = "iam.InstanceProfileRole"  // instance profile name
	AccessEntry     Kind = "eks.AccessEntry"          // principal ARN
	AccessPolicy    Kind = "eks.AccessPolicy"         // principal ARN, access policy ARN
)

// Change turns one thing from a state into another.
type Change struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	// Part is the part of it that changes; see the kinds.
	Part string `json:"part,omitempty"`
	// Cluster is the EKS cluster's name, for kinds of EKS.
	Cluster string `json:"cluster,omitempty"`
	// Before and After are the states; nil is absent.
	Before *State `json:"before"`
	After  *State `json:"after"`
}

// State is what is kept of a thing of any kind; each kind uses some fields.
type State struct {
	// Document is a policy document: a role's trust policy, or a policy's text.
	Document    string            `json:"document,omitempty"`
	Path        string            `json:"path,omitempty"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	// Boundary is the ARN of a role's permissions boundary.
	Boundary string `json:"boundary,omitempty"`
	// Role is the name of the role in an instance profile.
	Role string `json:"role,omitempty"`
	// Type is an access entry's.
	Type string `json:"type,omitempty"`
	// Namespaces limit an access policy; none is the whole cluster.
	Namespaces []string `json:"namespaces,omitempty"`
}

// Same reports whether what was found is as wanted; see Differences.
func Same(want, found *State) bool { return len(Differences(want, found)) == 0 }

// Differences says, a line each, in what that which was found is not as wanted.
// Policy documents are compared as JSON values, not as text; tags that were not
// asked for do not count.
func Differences(want, found *State) []string {
	switch {
	case want == nil && found == nil:
		return nil
	case want == nil:
		return []string{"it exists already"}
	case found == nil:
		return []string{"it does not exist"}
	}
	var lines []string
	say := func(what, wanted, have string) {
		if wanted != have {
			lines = append(lines, fmt.Sprintf("%s is %s, not %s", what, orNone(have), orNone(wanted)))
		}
	}
	say("document", canonical(want.Document), canonical(found.Document))
	say("path", otherThanRoot(want.Path), otherThanRoot(found.Path))
	say("description", want.Description, found.Description)
	for _, k := range keys(want.Tags) {
		say("tag "+k, want.Tags[k], found.Tags[k])
	}
	say("permissions boundary", want.Boundary, found.Boundary)
	say("role", want.Role, found.Role)
	say("type", want.Type, found.Type)
	say("namespaces", fmt.Sprint(sorted(want.Namespaces)), fmt.Sprint(sorted(found.Namespaces)))
	return lines
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func sorted(list []string) []string {
	return slices.Sorted(slices.Values(list))
}

// canonical is a document with sorted keys and without white space.
func canonical(document string) string {
	var value any
	if json.Unmarshal([]byte(document), &value) != nil {
		return document
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return document
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// Invert returns the change that takes c back.
func (c Change) Invert() Change {
	c.Before, c.After = c.After, c.Before
	return c
}

// String names what is changed, as people do.
func (c Change) String() string {
	switch c.Kind {
	case Role:
		return "role " + c.Name
	case Attachment:
		return fmt.Sprintf("policy %s of role %s", c.Part, c.Name)
	case InlinePolicy:
		return fmt.Sprintf("inline policy %s of role %s", c.Part, c.Name)
	case Policy:
		return "policy " + c.Name
	case InstanceProfile:
		return "instance profile " + c.Name
	case ProfileRole:
		return "role of instance profile " + c.Name
	case AccessEntry:
		return "access entry of " + c.Name
	case AccessPolicy:
		return fmt.Sprintf("access policy %s of %s", c.Part, c.Name)
	default:
		return string(c.Kind) + " " + c.Name
	}
}
