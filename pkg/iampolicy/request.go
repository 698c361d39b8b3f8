package iampolicy

import (
	"fmt"
	"strings"
)

// Request is one question: may the principal do the action on the resource?
type Request struct {
	// Principal is the ARN of a role, role session or user, an account id, the
	// ARN of an identity provider, or a service's name such as ec2.amazonaws.com.
	Principal string
	// Action is one action, such as ec2:DescribeInstances.
	Action string
	// Resource is an ARN, or "*" for an action without resource types. An ARN with
	// the wildcards * and ? asks about every resource that it matches.
	Resource string
	// Account is the account of the resource; empty means the one in its ARN, or
	// else the principal's.
	Account string
	// Context is what is known of the request's condition keys; nil is nothing.
	Context *Context
}

// RequestError describes why a request cannot be evaluated.
type RequestError struct{ Problem string }

// Error returns the problem, in one line.
func (e *RequestError) Error() string { return e.Problem }

func invalid(format string, args ...any) error {
	return &RequestError{Problem: fmt.Sprintf(format, args...)}
}

// Validate returns a *RequestError for a request that nobody can send, the same that
// evaluating it returns.
func (r *Request) Validate() error {
	c := newCaller(r.Principal)
	_, isARN := splitARN(r.Resource)
	return r.check(&c, isARN)
}

// check is Validate for a request whose names are parsed.
func (r *Request) check(c *caller, resourceIsARN bool) error {
	switch {
	case r.Principal == "":
		return invalid("the request has no principal")
	case r.Action == "":
		return invalid("the request has no action")
	case r.Resource == "":
		return invalid("the request has no resource")
	case !isAction(r.Action):
		return invalid("action %q is not one action such as ec2:DescribeInstances", r.Action)
	case !resourceIsARN && r.Resource != allResources && (!strings.HasPrefix(r.Resource, "arn:") || !hasWildcard(r.Resource)):
		return invalid(`resource %q is neither an ARN nor "*"`, r.Resource)
	case r.Context == nil:
		return nil
	case r.Context.err != nil:
		return r.Context.err
	default:
		return c.check(r.Context)
	}
}

// allResources is the resource of a request whose action has no resource types.
// It is a text, not a pattern: only "*" in a policy matches it.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
const allResources = "*"

// hasWildcard reports whether a text has one of the characters * and ?.
func hasWildcard(s string) bool {
	return strings.IndexByte(s, '*') >= 0 || strings.IndexByte(s, '?') >= 0
}

// isAction reports whether the text has the form of one action: a service prefix, a
// colon, and a name without wildcards.
func isAction(action string) bool {
	i := strings.IndexByte(action, ':')
	return i > 0 && i < len(action)-1 && strings.IndexByte(action[i+1:], ':') < 0 && !hasWildcard(action)
}

// ofService reports whether the action is one of the service's. Case does not
// matter in a service prefix.
func ofService(action, service string) bool {
	return len(action) > len(service) && action[len(service)] == ':' && strings.EqualFold(action[:len(service)], service)
}

// permissionFree are actions that need no permission and that no policy can deny,
// except that of a VPC endpoint, which limits what passes through it.
var permissionFree = []struct {
	action string
	// usersOnly: only users and the root user can call it.
	usersOnly bool
}{
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
	{action: "sts:GetCallerIdentity"},
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_getsessiontoken.html
	{action: "sts:GetSessionToken", usersOnly: true},
}

// needsPermission reports whether policies decide the request.
func needsPermission(action string, c *caller) bool {
	if c.outsideIAM() || !ofService(action, "sts") {
		return true
	}
	for _, free := range permissionFree {
		if strings.EqualFold(action, free.action) && (!free.usersOnly || c.kind == userCaller || c.kind == rootCaller) {
			return false
		}
	}
	return true
}

// ownPolicy is a policy that a resource always has, and that has to allow the
// caller even in the same account.
type ownPolicy uint8

const (
	noOwnPolicy ownPolicy = iota
	trustPolicy
	keyPolicy
)

// String returns the policy's name in a sentence.
func (o ownPolicy) String() string {
	return nameOf("ownPolicy", []string{"resource policy", "trust policy", "key policy"}, o)
}

// roleActions are the actions of STS that are about a role.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
var roleActions = []string{
	"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:SetContext", "sts:SetSourceIdentity", "sts:TagSession",
}

// keylessActions are the actions of KMS that are not about a key.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
var keylessActions = []string{
	"kms:ConnectCustomKeyStore", "kms:CreateCustomKeyStore", "kms:CreateKey", "kms:DeleteCustomKeyStore", "kms:DescribeCustomKeyStores",
	"kms:DisconnectCustomKeyStore", "kms:GenerateRandom", "kms:ListAliases", "kms:ListKeys", "kms:ListRetirableGrants", "kms:UpdateCustomKeyStore",
}

// The resources that have a policy of their own.
var (
	everyRole = scoped(globElements("arn:*:iam::*:role/*"), false)
	everyKey  = scoped(globElements("arn:*:kms:*:*:key/*"), false)
)

// ownPolicyOf returns which policy of its own decides about the action on the
// resource. A question about a pattern that covers some such resources is a
// question about those too.
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// and https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
func ownPolicyOf(action string, t *target, resource arn) ownPolicy {
	about := func(service, prefix string, every []element) bool {
		if t.pattern {
			return overlaps(every, t.elements)
		}
		return resource.service == service && strings.HasPrefix(resource.resource, prefix)
	}
	switch {
	case ofService(action, "sts"):
		if t.text == allResources && containsFold(roleActions, action) || about("iam", "role/", everyRole) {
			return trustPolicy
		}
	case ofService(action, "kms"):
		if t.text == allResources && !containsFold(keylessActions, action) || about("kms", "key/", everyKey) {
			return keyPolicy
		}
	}
	return noOwnPolicy
}

func containsFold(list []string, text string) bool {
	for _, entry := range list {
		if strings.EqualFold(entry, text) {
			return true
		}
	}
	return false
}
