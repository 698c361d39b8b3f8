package iampolicy

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Context is what is known of a request's condition keys. Keys are
// case-insensitive. In the zero Context every key is unknown.
//
// The keys that follow from the principal need not be set: aws:PrincipalArn,
// aws:PrincipalAccount, aws:PrincipalType and, for a user, aws:username. Other
// values of these, and several values of a key that has one at most, make every
// answer a *RequestError.
type Context struct {
	// Complete says that a key that was not set is absent from the request;
	// otherwise it is unknown.
	Complete bool

	values  map[string][]string // nil value: absent
	present map[string]bool     // keys that are present with an unknown value
	// optional are the keys that may be absent although they are in values.
	optional map[string]bool
	// since are the keys that are present with a date, and the first that it can be.
	since map[string]time.Time
	// given are the values of the keys that may follow from the principal.
	given [principalKeyCount]givenKey
	// rules say of the keys that begin with a prefix and were not set whether they
	// are absent; the last one that fits decides.
	rules []prefixRule
	// ownResources: ownerKeys are known only of resources in the principal's own
	// account.
	ownResources bool
	// err is the first problem of what was set.
	err error
}

// givenKey is a key that was set, or set absent.
type givenKey struct {
	set    bool
	values []string // nil: absent
}

// prefixRule is about the keys that begin with a prefix, in lower case.
type prefixRule struct {
	prefix string
	absent bool
}

// facts is what is known of one request.
type facts struct {
	known  *Context
	caller caller
	// otherAccounts: the resource may be another account's.
	otherAccounts bool
}

// ownerKeys are the keys about the account of the resource, in lower case.
var ownerKeys = []string{"aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"}

// keyValues are the values of a condition key. A single one needs no list.
type keyValues struct {
	single string
	list   []string // counts where it is not nil
}

func (v *keyValues) count() int {
	if v.list != nil {
		return len(v.list)
	}
	return 1
}

func (v *keyValues) at(i int) string {
	if v.list != nil {
		return v.list[i]
	}
	return v.single
}

// lookup returns the values of a key, which is in lower case. They count where the
// presence is presentKey.
func (f *facts) lookup(key string) (keyValues, presence) {
	if k, ok := principalKeyOf(key); ok {
		switch value, presence := f.caller.conditionKey(k); presence {
		case presentKey:
			return keyValues{single: value}, presentKey
		case unknownValue:
			if values, presence := f.known.lookup(key); presence == presentKey {
				return keyValues{list: values}, presentKey
			}
			return keyValues{}, unknownValue
		default:
		}
	}
	values, presence := f.known.lookup(key)
	if f.otherAccounts && presence == presentKey && f.known.ownResources && slices.Contains(ownerKeys, key) {
		return keyValues{}, unknownKey
	}
	return keyValues{list: values}, presence
}

// dated returns the first date that a key can have which is present with an unknown one.
// The key is in lower case.
func (f *facts) dated(key string) (first time.Time, known bool) {
	if f.known == nil {
		return time.Time{}, false
	}
	first, known = f.known.since[key]
	return first, known
}

// NewContext returns a context in which every key is unknown.
func NewContext() *Context { return &Context{values: map[string][]string{}} }

// Clone returns a copy that can be changed on its own.
func (c *Context) Clone() *Context {
	clone := *c
	clone.values, clone.present, clone.optional = maps.Clone(c.values), maps.Clone(c.present), maps.Clone(c.optional)
	clone.since, clone.rules = maps.Clone(c.since), slices.Clone(c.rules)
	return &clone
}

// Set says that the request has the key with these values. None is an empty
// multivalued key.
func (c *Context) Set(key string, values ...string) *Context {
	if values == nil {
		values = []string{}
	}
	if len(values) > 1 && c.err == nil && isSingleValued(strings.ToLower(key)) {
		c.err = invalid("condition key %s has one value at most, got %q", key, values)
	}
	return c.put(key, values)
}

// Absent says that the request does not have the key.
func (c *Context) Absent(key string) *Context { return c.put(key, nil) }

// Present says that the request has the key, with an unknown value.
func (c *Context) Present(key string) *Context {
	if c.present == nil {
		c.present = map[string]bool{}
	}
	c.present[strings.ToLower(key)] = true
	return c
}

// Optional says that the request has the key with this value, or does not have it.
func (c *Context) Optional(key, value string) *Context {
	c.put(key, []string{value})
	if c.optional == nil {
		c.optional = map[string]bool{}
	}
	c.optional[strings.ToLower(key)] = true
	return c
}

// Since says that the request has the key, with a date that is not before another.
func (c *Context) Since(key string, first time.Time) *Context {
	if c.since == nil {
		c.since = map[string]time.Time{}
	}
	c.since[strings.ToLower(key)] = first
	return c.Present(key)
}

// Forget undoes what was said of a key, prefixes aside.
func (c *Context) Forget(key string) *Context {
	key = strings.ToLower(key)
	delete(c.values, key)
	delete(c.present, key)
	delete(c.optional, key)
	delete(c.since, key)
	if k, ok := principalKeyOf(key); ok {
		c.given[k] = givenKey{}
	}
	return c
}

// AbsentPrefix says that the request has no key that begins with the prefix, other
// than those that are set. The empty prefix is all keys.
func (c *Context) AbsentPrefix(prefix string) *Context { return c.addRule(prefix, true) }

// Without returns a context that says, besides, that the request has no key that begins
// with one of the prefixes, other than those that are set. It shares what was set with c:
// neither may be changed any more.
func (c *Context) Without(prefixes ...string) *Context {
	without := *c
	without.rules = slices.Clip(c.rules)
	for _, prefix := range prefixes {
		without.addRule(prefix, true)
	}
	return &without
}

// UnknownPrefix undoes AbsentPrefix for the keys that begin with this prefix.
func (c *Context) UnknownPrefix(prefix string) *Context { return c.addRule(prefix, false) }

func (c *Context) addRule(prefix string, absent bool) *Context {
	c.rules = append(c.rules, prefixRule{strings.ToLower(prefix), absent})
	return c
}

func (c *Context) put(key string, values []string) *Context {
	if c.values == nil {
		c.values = map[string][]string{}
	}
	key = strings.ToLower(key)
	c.values[key] = values
	delete(c.optional, key)
	delete(c.since, key)
	if k, ok := principalKeyOf(key); ok {
		c.given[k] = givenKey{set: true, values: values}
	}
	return c
}

type presence uint8

const (
	unknownKey presence = iota
	absentKey
	presentKey
	unknownValue // present, with an unknown value
	optionalKey  // present with the value, or absent
)

// lookup returns the values of a key, which is in lower case.
func (c *Context) lookup(key string) ([]string, presence) {
	if c == nil {
		return nil, unknownKey
	}
	values, ok := c.values[key]
	switch {
	case ok && c.optional[key]:
		return values, optionalKey
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
// credentials, by whoever assumed it. Everything else stays unknown: addresses, VPCs, times, tags of
// resources, organizations, multi-factor authentication.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func RoleSession(roleARN, account, region string, tags map[string]string) *Context {
	c := NewContext().
		Set("aws:PrincipalArn", roleARN).
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

// multivaluedKeys are the global condition keys that AWS documents as
// multivalued, in lower case.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
var multivaluedKeys = []string{
	"aws:calledvia", "aws:principalorgpaths", "aws:principalservicenameslist", "aws:resourceorgpaths", "aws:sourceorgpaths",
	"aws:tagkeys", "aws:vpceorgpaths",
}

// singleValuedKeys are the condition keys of the same page that AWS documents as
// single-valued, in lower case. Tags are single-valued too.
var singleValuedKeys = map[string]bool{
	"aws:assumedroot": true, "aws:calledviafirst": true, "aws:calledvialast": true, "aws:chatbotsourcearn": true, "aws:currenttime": true,
	"aws:ec2instancesourceprivateipv4": true, "aws:ec2instancesourcevpc": true, "aws:epochtime": true, "aws:federatedprovider": true,
	"aws:multifactorauthage": true, "aws:multifactorauthpresent": true, "aws:principalaccount": true, "aws:principalarn": true,
	"aws:principalisawsservice": true, "aws:principalorgid": true, "aws:principalservicename": true, "aws:principaltype": true,
	"aws:referer": true, "aws:requestedregion": true, "aws:resourceaccount": true, "aws:resourceorgid": true, "aws:securetransport": true,
	"aws:sourceaccount": true, "aws:sourcearn": true, "aws:sourceidentity": true, "aws:sourceip": true, "aws:sourceorgid": true,
	"aws:sourcevpc": true, "aws:sourcevpcarn": true, "aws:sourcevpce": true, "aws:tokenissuetime": true, "aws:useragent": true,
	"aws:userid": true, "aws:username": true, "aws:viaawsservice": true, "aws:vpceaccount": true, "aws:vpceorgid": true,
	"aws:vpcsourceip": true, "ec2:roledelivery": true, "ec2:sourceinstancearn": true, "lambda:sourcefunctionarn": true,
	"ssm:sourceinstancearn": true,
}

var singleValuedPrefixes = []string{"aws:principaltag/", "aws:requesttag/", "aws:resourcetag/"}

// isSingleValued reports whether AWS documents that a request has one value of
// the key at most. The key is in lower case.
func isSingleValued(key string) bool {
	return singleValuedKeys[key] || slices.ContainsFunc(singleValuedPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}
