package iampolicy

import "strings"

// arn is an ARN in its parts.
type arn struct {
	partition, service, region, account, resource string
}

func splitARN(s string) (a arn, ok bool) {
	s, ok = strings.CutPrefix(s, "arn:")
	if !ok {
		return arn{}, false
	}
	for _, part := range []*string{&a.partition, &a.service, &a.region, &a.account} {
		if *part, s, ok = strings.Cut(s, ":"); !ok {
			return arn{}, false
		}
	}
	a.resource = s
	return a, true
}

func isAccountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// isUniqueID reports whether s is an IAM unique id, which stands in a policy for
// a principal that was deleted.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func isUniqueID(s string) bool {
	return len(s) >= 16 && len(s) <= 128 && s[0] == 'A' && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// IsUniqueID reports whether a principal's name is an IAM unique id, such as
// AROA…, which stands in a policy for a principal that was deleted.
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
// China EC2 goes by two names, and policies have the one or the other.
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
	otherCaller   // any other ARN, such as a federated user
)

func newCaller(principal string) caller {
	c := caller{name: principal}
	a, ok := splitARN(principal)
	switch {
	case isAccountID(principal):
		c.kind, c.arn = rootCaller, arn{service: "iam", account: principal, resource: "root"}
		return c
	case !ok:
		return c
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
	default:
		c.kind = otherCaller
	}
	return c
}

// outsideIAM reports whether the caller is no principal of an account, so that
// only the resource's policy speaks of it.
func (c *caller) outsideIAM() bool { return c.kind == serviceCaller || c.kind == federatedCaller }

// naming says how a policy names a caller, which decides what an Allow is worth.
type naming struct {
	// delegated: by its account. The account's own policies have to allow it too.
	delegated ternary
	// byRole: by the role's ARN. A permissions boundary still limits it.
	byRole ternary
	// direct: by the session's or user's ARN, as a service, or as everyone.
	direct ternary
}

func (n naming) any() ternary { return or(n.delegated, or(n.byRole, n.direct)) }

// named decides how the statement's Principal or NotPrincipal names the caller.
func (s *Statement) named(c *caller, trust bool) naming {
	if s.NotPrincipals != nil {
		return naming{direct: not(namedBy(s.NotPrincipals, c, trust, s.Effect).any())}
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

// everyone decides whether "*" names the caller. Whether {"AWS": "*"} in a trust
// policy covers services is not documented: it is not taken for a grant to one.
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
		return // another account, or the unique id of a deleted principal
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
