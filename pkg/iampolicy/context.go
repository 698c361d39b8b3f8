package iampolicy

import "strings"

// Context is what is known of a request's condition keys. Keys are
// case-insensitive. The zero Context knows nothing.
type Context struct {
	// Complete says that a key that was not set is absent from the request;
	// otherwise it is unknown.
	Complete bool

	values  map[string][]string // nil value: absent
	present map[string]bool     // keys that are there with a value that is not known
	// rules say of the keys that begin with a prefix and were not set whether they
	// are absent; the last one that fits decides.
	rules []prefixRule
	// ownResources: aws:ResourceAccount is known of resources in the principal's
	// own account alone.
	ownResources bool
}

// prefixRule is about the keys that begin with a prefix, in lower case.
type prefixRule struct {
	prefix string
	absent bool
}

// facts is what is known of one request.
type facts struct {
	known *Context
	// otherAccounts: the resource may be another account's.
	otherAccounts bool
}

// lookup returns the values of a key, which is in lower case.
func (f facts) lookup(key string) ([]string, presence) {
	values, presence := f.known.lookup(key)
	if f.otherAccounts && presence == presentKey && f.known.ownResources && key == "aws:resourceaccount" {
		return nil, unknownKey
	}
	return values, presence
}

// NewContext returns a context that knows nothing.
func NewContext() *Context { return &Context{values: map[string][]string{}} }

// Set says that the request has the key with these values. None is an empty
// multivalued key.
func (c *Context) Set(key string, values ...string) *Context {
	if values == nil {
		values = []string{}
	}
	return c.put(key, values)
}

// Absent says that the request does not have the key.
func (c *Context) Absent(key string) *Context { return c.put(key, nil) }

// Present says that the request has the key, with a value that is not known.
func (c *Context) Present(key string) *Context {
	if c.present == nil {
		c.present = map[string]bool{}
	}
	c.present[strings.ToLower(key)] = true
	return c
}

// AbsentPrefix says that the request has no key that begins with the prefix, other
// than those that are set. The empty prefix is all keys.
func (c *Context) AbsentPrefix(prefix string) *Context { return c.addRule(prefix, true) }

// UnknownPrefix takes back AbsentPrefix for the keys that begin with this prefix.
func (c *Context) UnknownPrefix(prefix string) *Context { return c.addRule(prefix, false) }

func (c *Context) addRule(prefix string, absent bool) *Context {
	c.rules = append(c.rules, prefixRule{strings.ToLower(prefix), absent})
	return c
}

func (c *Context) put(key string, values []string) *Context {
	if c.values == nil {
		c.values = map[string][]string{}
	}
	c.values[strings.ToLower(key)] = values
	return c
}

type presence uint8

const (
	unknownKey presence = iota
	absentKey
	presentKey
	unknownValue // present, with a value that is not known
)

// lookup returns the values of a key, which is in lower case.
func (c *Context) lookup(key string) ([]string, presence) {
	if c == nil {
		return nil, unknownKey
	}
	values, ok := c.values[key]
	switch {
	case ok && values != nil:
		return values, presentKey
	case ok:
		return nil, absentKey
	case c.present[key]:
		return nil, unknownValue
	case c.absentByPrefix(key):
		return nil, absentKey
	default:
		return nil, unknownKey
	}
}

func (c *Context) absentByPrefix(key string) bool {
	absent := c.Complete
	for i := range c.rules {
		if strings.HasPrefix(key, c.rules[i].prefix) {
			absent = c.rules[i].absent
		}
	}
	return absent
}

// RoleSession returns what is known of every request that is made with a role's
// credentials, by whoever assumed it. Whatever is not mentioned stays unknown:
// addresses, VPCs, times, tags of resources, organizations, multi-factor
// authentication.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func RoleSession(roleARN, account, region string, tags map[string]string) *Context {
	c := NewContext().
		Set("aws:PrincipalArn", roleARN).
		Set("aws:PrincipalAccount", account).
		Set("aws:PrincipalType", "AssumedRole").
		Set("aws:PrincipalIsAWSService", "false").
		Set("aws:SecureTransport", "true").
		Set("aws:RequestedRegion", region).
		Set("aws:ResourceAccount", account).
		Absent("aws:username").
		Present("aws:TokenIssueTime").
		Present("aws:userid")
	c.ownResources = true
	c.AbsentPrefix("aws:PrincipalTag/") // a session has its role's tags and those that are set, and no others
	for name, value := range tags {
		c.Set("aws:PrincipalTag/"+name, value)
	}
	return c
}
