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
	// absentPrefix: keys that begin with it and were not set are absent.
	absentPrefix string
	// ownResources: aws:ResourceAccount is known of resources in the principal's
	// own account alone.
	ownResources bool
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
	case c.Complete, c.absentPrefix != "" && strings.HasPrefix(key, c.absentPrefix):
		return nil, absentKey
	default:
		return nil, unknownKey
	}
}

// RoleSession returns what is known of every request that an EC2 instance makes
// with its role. Whatever is not mentioned stays unknown: addresses, VPCs, times,
// tags of resources, organizations, multi-factor authentication.
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
	c.absentPrefix = "aws:principaltag/" // an instance's session has its role's tags and no others
	for name, value := range tags {
		c.Set("aws:PrincipalTag/"+name, value)
	}
	return c
}
