// Package change describes one write to AWS or to the cluster: the state before and after,
// the commands that do the same, and the change that undoes it. A Store reads and writes
// the states; Apply writes only where the current state is the state before.
package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// The kinds. The comments say what Name and Part of a Change are.
const (
	Role            Kind = "iam.Role"                 // role name
	Attachment      Kind = "iam.RolePolicyAttachment" // role name, policy ARN
	InlinePolicy    Kind = "iam.RolePolicy"           // role name, policy name
	Policy          Kind = "iam.Policy"               // ARN of a customer managed policy
	InstanceProfile Kind = "iam.InstanceProfile"      // instance profile name
	ProfileRole     Kind = "iam.InstanceProfileRole"  // instance profile name
	AccessEntry     Kind = "eks.AccessEntry"          // principal ARN
	AccessPolicy    Kind = "eks.AccessPolicy"         // principal ARN, access policy ARN
	// TrustPolicy is that of a role which exists before and after.
	TrustPolicy  Kind = "iam.TrustPolicy"            // role name
	OIDCProvider Kind = "iam.OIDCProvider"           // provider ARN
	Association  Kind = "eks.PodIdentityAssociation" // namespace/service account
	Addon        Kind = "eks.Addon"                  // add-on name
	// AddonRole is the role that an add-on gives a service account.
	AddonRole Kind = "eks.AddonRole" // add-on name, service account name
	// AuthRole is a role's entry in aws-auth, with or without the role's path.
	AuthRole Kind = "kube.AuthRole" // role ARN without its path
	// ServiceAccountRole is the annotation by which a service account has a role.
	ServiceAccountRole Kind = "kube.ServiceAccountRole" // namespace/service account
	// Rollout replaces the pods of a DaemonSet, so that all of them have an identity.
	Rollout Kind = "kube.Rollout" // namespace/DaemonSet
)

// Types of an AddonRole, and of a Rollout: how pods get a role. NodeRole means that
// they have no role of their own, Mixed that it is not the same for all pods.
const (
	IRSA        = "IRSA"
	PodIdentity = "PodIdentity"
	NodeRole    = "NodeRole"
	Mixed       = "Mixed"
)

// Standard is the only type of access entries whose username and groups are the
// caller's choice: EKS sets and refuses those of the others.
const Standard = "STANDARD"

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
	// Whole is the text that an AuthRole is a part of, for its command.
	Whole *Whole `json:"whole,omitempty"`
}

// Whole is the text of aws-auth's mapRoles before and after the change of one entry;
// nil is a ConfigMap that does not exist.
type Whole struct {
	Before *string `json:"before"`
	After  *string `json:"after"`
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
	// Role is the name of the role in an instance profile, the ARN of the role of a
	// Pod Identity association, of an add-on or of pods, or a role's ARN as aws-auth
	// writes it.
	Role string `json:"role,omitempty"`
	// Type is an access entry's, or how pods are given a role.
	Type string `json:"type,omitempty"`
	// Namespaces limit an access policy; none is the whole cluster.
	Namespaces []string `json:"namespaces,omitempty"`
	// ClientIDs are an OIDC provider's.
	ClientIDs []string `json:"clientIds,omitempty"`
	// Username and Groups are those of an access entry of type STANDARD, or of an entry
	// in aws-auth. Without a username EKS sets one.
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// CreatedAt is when an access entry was created, as RFC 3339 in UTC. It tells an
	// entry from a later one of the same principal, and cannot be written.
	CreatedAt string `json:"createdAt,omitempty"`
}

// Same reports whether the state that was found is the wanted one; see Differences.
func Same(want, found *State) bool { return len(Differences(want, found)) == 0 }

// Differences returns, a line each, what differs between the state that is wanted and the one that was found.
// Policy documents are compared by what they mean. Descriptions and tags do not count,
// which no change changes; nor do client ids that were not asked for, nor a username or
// a time of creation where want has none.
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
			lines = append(lines, fmt.Sprintf("%s is %s, not %s", what, text.OrNone(have), text.OrNone(wanted)))
		}
	}
	if !sameDocument(want.Document, found.Document) {
		say("document", canonical(want.Document), canonical(found.Document))
	}
	say("path", otherThanRoot(want.Path), otherThanRoot(found.Path))
	say("permissions boundary", want.Boundary, found.Boundary)
	say("role", want.Role, found.Role)
	say("type", want.Type, found.Type)
	say("namespaces", fmt.Sprint(sorted(want.Namespaces)), fmt.Sprint(sorted(found.Namespaces)))
	if missing := without(want.ClientIDs, found.ClientIDs); len(missing) > 0 {
		lines = append(lines, fmt.Sprintf("client IDs do not include %s", strings.Join(missing, ", ")))
	}
	if want.Username != "" {
		say("username", want.Username, found.Username)
	}
	say("groups", fmt.Sprint(sorted(want.Groups)), fmt.Sprint(sorted(found.Groups)))
	if want.CreatedAt != "" {
		say("time of creation", want.CreatedAt, found.CreatedAt)
	}
	return lines
}

// Validate says what is wrong with a change that was read from a file.
func (c Change) Validate() error {
	_, known := kinds[c.Kind]
	switch {
	case !known:
		return fmt.Errorf("%q is not a kind of change", c.Kind)
	case c.Name == "":
		return fmt.Errorf("a change of kind %s has no name", c.Kind)
	case c.Before == nil && c.After == nil:
		return fmt.Errorf("the change of %s has neither before nor after", c)
	}
	return nil
}

// Target is what the change is made to, the same for all changes of one thing.
func (c Change) Target() string {
	return strings.Join([]string{string(c.Kind), c.Cluster, c.Name, c.Part}, " ")
}

// ClientIDs returns the client ids that a change of an OIDC provider that stays adds
// and removes.
func (c Change) ClientIDs() (added, removed []string) {
	if c.Before == nil || c.After == nil {
		return nil, nil
	}
	return without(c.After.ClientIDs, c.Before.ClientIDs), without(c.Before.ClientIDs, c.After.ClientIDs)
}

// Namespaced returns the namespace and the name in the Name of a change in the
// cluster, or of a Pod Identity association's service account.
func (c Change) Namespaced() (namespace, name string) {
	namespace, name, _ = strings.Cut(c.Name, "/")
	return namespace, name
}

// ProviderURL returns the URL of an OIDC provider.
func (c Change) ProviderURL() string {
	_, host, _ := strings.Cut(c.Name, ":oidc-provider/")
	return "https://" + host
}

func sorted(list []string) []string {
	return slices.Sorted(slices.Values(list))
}

// Labels returns the differences between the wanted description and tags and those that were
// found; tags that were not asked for do not count.
func Labels(want, found *State) []string {
	if want == nil || found == nil {
		return nil
	}
	var lines []string
	if want.Description != found.Description {
		lines = append(lines, fmt.Sprintf("description is %s, not %s", text.OrNone(found.Description), text.OrNone(want.Description)))
	}
	for _, k := range text.SortedKeys(want.Tags) {
		if want.Tags[k] != found.Tags[k] {
			lines = append(lines, fmt.Sprintf("tag %s is %s, not %s", k, text.OrNone(found.Tags[k]), text.OrNone(want.Tags[k])))
		}
	}
	return lines
}

// sameDocument reports whether two policy documents mean the same, or are the same
// JSON value where one of them is not a policy document that IAM would store.
func sameDocument(a, b string) bool {
	for _, kind := range []iampolicy.Kind{iampolicy.Trust, iampolicy.Identity} {
		parsedA, errA := iampolicy.Parse(kind, []byte(a))
		parsedB, errB := iampolicy.Parse(kind, []byte(b))
		if errA == nil && errB == nil {
			return iampolicy.Equivalent(parsedA, parsedB)
		}
	}
	return canonical(a) == canonical(b)
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

// Invert returns the change that undoes c. What it recreates has a new time of
// creation.
func (c Change) Invert() Change {
	c.Before, c.After = c.After, c.Before
	if c.After != nil && c.After.CreatedAt != "" {
		recreated := *c.After
		recreated.CreatedAt = ""
		c.After = &recreated
	}
	if c.Whole != nil {
		c.Whole = &Whole{Before: c.Whole.After, After: c.Whole.Before}
	}
	return c
}
