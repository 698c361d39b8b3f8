package iampolicy

import (
	"slices"
	"strings"
)

// arn is an ARN in its parts.
type arn struct {
	partition, service, region, account, resource string
}

func splitARN(s string) (a arn, ok bool) {
	const prefix = "arn:"
	if !strings.HasPrefix(s, prefix) {
		return arn{}, false
	}
	s = s[len(prefix):]
	for _, part := range [...]*string{&a.partition, &a.service, &a.region, &a.account} {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			return arn{}, false
		}
		*part, s = s[:i], s[i+1:]
	}
	a.resource = s
	return a, true
}

func isAccountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// isUniqueID reports whether s is an IAM unique ID, by which a policy shows a
// principal that was deleted.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func isUniqueID(s string) bool {
	return len(s) >= 16 && len(s) <= 128 && s[0] == 'A' && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// IsUniqueID reports whether a principal's name is an IAM unique ID, such as
// AROA…, by which a policy shows a principal that was deleted.
func IsUniqueID(principal string) bool { return isUniqueID(principal) }

// caller is who makes a request.
type caller struct {
	name string
	kind callerKind
	arn  arn
	// role is the role's name for a role and its sessions.
	role string
	// partition is the resource's.
	partition string
}

const ec2Service = "ec2.amazonaws.com"

// isService reports whether an entry of type Service is the caller's name. In
// China EC2 has two names, and policies use either.
// Sources: eksctl pkg/apis/eksctl.io/v1alpha5/partitions.go,
// terraform-aws-modules/terraform-aws-eks main.tf.
func (c *caller) isService(entry string) bool {
	return entry == c.name || c.partition == "aws-cn" && c.name == ec2Service && entry == ec2Service+".cn"
}

type callerKind uint8

const (
	serviceCaller   callerKind = iota // ec2.amazonaws.com
	federatedCaller                   // an OIDC or SAML provider
	rootCaller                        // an account's root user
	userCaller
	roleCaller    // a role: some session of it
	sessionCaller // one session of a role
	federatedUserCaller
	otherCaller // any other ARN
)

func newCaller(principal string) caller {
	var c caller
	c.init(principal)
	return c
}

// init sets a zero caller.
func (c *caller) init(principal string) {
	c.name = principal
	a, ok := splitARN(principal)
	switch {
	case isAccountID(principal):
		c.kind, c.arn = rootCaller, arn{service: "iam", account: principal, resource: "root"}
		return
	case !ok:
		return
	}
	c.arn = a
	kind, rest, _ := strings.Cut(a.resource, "/")
	switch {
	case a.service == "iam" && (kind == "oidc-provider" || kind == "saml-provider"):
		c.kind = federatedCaller
	case a.service == "iam" && a.resource == "root":
		c.kind = rootCaller
	case a.service == "iam" && kind == "user":
		c.kind = userCaller
	case a.service == "iam" && kind == "role":
		c.kind, c.role = roleCaller, rest[strings.LastIndexByte(rest, '/')+1:]
	case a.service == "sts" && kind == "assumed-role":
		c.kind = sessionCaller
		c.role, _, _ = strings.Cut(rest, "/")
	case a.service == "sts" && kind == "federated-user":
		c.kind = federatedUserCaller
	default:
		c.kind = otherCaller
	}
}

// outsideIAM reports whether the caller is not a principal of an account, so that
// only the resource's policy is about it.
func (c *caller) outsideIAM() bool { return c.kind == serviceCaller || c.kind == federatedCaller }

// naming describes how a policy names a caller, which decides what an Allow grants.
type naming struct {
	// delegated: by its account. The account's own policies have to allow it too.
	delegated ternary
	// byRole: by the role's ARN. A permissions boundary still limits it.
	byRole ternary
	// direct: by the session's or user's ARN, as a service, or as everyone.
	direct ternary
}

func (n naming) any() ternary { return or(n.delegated, or(n.byRole, n.direct)) }

// open reports whether some way of naming is open.
func (n naming) open() bool { return n.delegated == maybe || n.byRole == maybe || n.direct == maybe }

// excepted decides whether NotPrincipal excepts the caller. For a Deny, AWS checks the
// account, then the user or the role, then the session, and may deny whoever is not
// listed in each of these ways.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (s *Statement) excepted(n naming, c *caller) ternary {
	some := n.any()
	if s.Effect == Allow || c.outsideIAM() || c.kind == rootCaller || some == no || contains(s.NotPrincipals, "*") {
		return some
	}
	all := and(n.delegated, n.direct)
	if c.kind == roleCaller || c.kind == sessionCaller {
		all = and(all, n.byRole)
	}
	return or(all, maybe)
}

func contains(principals map[string][]string, entry string) bool {
	for _, list := range principals {
		if slices.Contains(list, entry) {
			return true
		}
	}
	return false
}

// named decides how the statement's Principal or NotPrincipal names the caller.
// AWS does not support NotPrincipal with Allow, and does not document whether such
// an Allow is limited by a permissions boundary: it may be.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (s *Statement) named(c *caller, trust bool) naming {
	if s.NotPrincipals != nil {
		n := not(s.excepted(namedBy(s.NotPrincipals, c, trust, s.Effect), c))
		if s.Effect == Allow && !c.outsideIAM() {
			return naming{byRole: n, direct: and(n, maybe)}
		}
		return naming{direct: n}
	}
	return namedBy(s.Principals, c, trust, s.Effect)
}

func namedBy(principals map[string][]string, c *caller, trust bool, effect Effect) naming {
	var n naming
	for kind, list := range principals {
		for _, entry := range list {
			switch {
			case entry == "*":
				n.direct = or(n.direct, everyone(c, trust, effect))
			case kind == "Service" && c.kind == serviceCaller:
				n.direct = or(n.direct, truth(c.isService(entry)))
			case kind == "Federated" && (c.kind == federatedCaller || c.kind == serviceCaller):
				n.direct = or(n.direct, truth(entry == c.name))
			case kind == "AWS" && !c.outsideIAM():
				n.add(entry, c)
			}
		}
	}
	return n
}

// everyone decides whether "*" names the caller. AWS does not document whether
// {"AWS": "*"} in a trust policy covers services: it does not count as a grant to
// one, and a Deny of it may deny one.
func everyone(c *caller, trust bool, effect Effect) ternary {
	switch {
	case !trust || !c.outsideIAM():
		return yes
	case effect == Deny:
		return maybe
	default:
		return no
	}
}

// add decides one entry of type AWS.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (n *naming) add(entry string, c *caller) {
	if isAccountID(entry) {
		n.delegated = or(n.delegated, truth(entry == c.arn.account))
		return
	}
	e := newCaller(entry)
	if e.arn.account != c.arn.account || e.kind == serviceCaller || c.arn.partition != "" && e.arn.partition != c.arn.partition {
		return // another account, or the unique ID of a deleted principal
	}
	switch {
	case e.kind == rootCaller:
		n.delegated = yes
	case entry == c.name && c.kind == roleCaller:
		n.byRole = yes
	case entry == c.name:
		n.direct = yes
	case e.kind == roleCaller && c.kind == sessionCaller && e.role == c.role:
		n.byRole = yes
	case e.kind == sessionCaller && c.kind == roleCaller && e.role == c.role:
		n.direct = or(n.direct, maybe) // that session, and the request is of some session
	}
}

// principalKey is a condition key that follows from the principal.
type principalKey uint8

const (
	principalARN principalKey = iota
	principalAccount
	principalType
	userName
	principalKeyCount
)

var principalKeyNames = [...]string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:username"}

// principalKeyOf returns which of these keys a key in lower case is.
func principalKeyOf(key string) (k principalKey, ok bool) {
	switch key {
	case "aws:principalarn":
		return principalARN, true
	case "aws:principalaccount":
		return principalAccount, true
	case "aws:principaltype":
		return principalType, true
	case "aws:username":
		return userName, true
	default:
		return 0, false
	}
}

// conditionKey returns the value of a key that follows from the caller. The presence
// is presentKey, or unknownValue where the key is present and the caller alone does
// not tell its value, or unknownKey where nothing follows.
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-infotouse
func (c *caller) conditionKey(k principalKey) (string, presence) {
	kind := principalTypes[c.kind]
	switch {
	case kind == "":
		return "", unknownKey
	case k == principalType:
		return kind, presentKey
	case k == principalAccount:
		return c.arn.account, presentKey
	case k == userName && c.kind == userCaller:
		return c.arn.resource[strings.LastIndexByte(c.arn.resource, '/')+1:], presentKey
	case k == userName:
		return "", unknownKey
	case c.kind == sessionCaller || c.arn.partition == "":
		return "", unknownValue // a session's ARN leaves out the role's path, an account id the partition
	default:
		return c.name, presentKey
	}
}

// principalTypes are the values of aws:PrincipalType; empty where nothing follows
// from the caller.
var principalTypes = [...]string{
	serviceCaller: "", federatedCaller: "", rootCaller: "Account", userCaller: "User", roleCaller: "AssumedRole",
	sessionCaller: "AssumedRole", federatedUserCaller: "FederatedUser", otherCaller: "",
}

// check returns a *RequestError where the context gives another value than the one
// that follows from the caller.
func (c *caller) check(known *Context) error {
	for k := range principalKeyCount {
		given := &known.given[k]
		if !given.set {
			continue
		}
		want, presence := c.conditionKey(k)
		if presence == unknownKey {
			continue
		}
		values := given.values
		if presence == unknownValue {
			want = "the ARN of its " + map[bool]string{true: "role", false: "root user"}[c.kind == sessionCaller]
		}
		if len(values) != 1 || presence == presentKey && values[0] != want || presence == unknownValue && !c.mayHaveARN(values[0]) {
			return invalid("condition key %s is %q, but for principal %s it is %s; leave the key out", principalKeyNames[k], values, c.name, want)
		}
	}
	return nil
}

// mayHaveARN reports whether aws:PrincipalArn can have the value for a session or
// an account's root user.
func (c *caller) mayHaveARN(value string) bool {
	v := newCaller(value)
	if v.arn.account != c.arn.account {
		return false
	}
	if c.kind == sessionCaller {
		return v.kind == roleCaller && v.role == c.role && v.arn.partition == c.arn.partition
	}
	return v.kind == rootCaller && v.arn.partition != ""
}
