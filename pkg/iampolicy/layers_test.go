package iampolicy

import (
	"strings"
	"testing"
)

const trustedRole = "arn:aws:iam::111122223333:role/target"

func names(entries ...string) string {
	return `"Principal":{"AWS":["` + strings.Join(entries, `","`) + `"]}`
}

func TestPrincipals(t *testing.T) {
	// assume asks a trust policy; the caller's own policies allow nothing.
	assume := func(name, principal, statements, want string) question {
		return question{name: name, principal: principal, action: "sts:AssumeRole", resource: trustedRole, resourcePolicy: statements, want: want}
	}
	lets := func(principal string, more ...string) string {
		return allow(append([]string{`"Action":"sts:AssumeRole"`, principal}, more...)...)
	}
	service := func(list string) string { return `"Principal":{"Service":` + list + `}` }
	own := allow(`"Action":"sts:AssumeRole"`)
	withOwn := func(q question) question { q.identity = own; return q }
	const ec2 = "ec2.amazonaws.com"
	cn := assume("5.4 aws-cn, suffixed entry", ec2, lets(service(`"ec2.amazonaws.com.cn"`)), "allowed")
	cn.resource = "arn:aws-cn:iam::111122223333:role/target"
	cnPlain := assume("5.4 aws-cn, plain entry", "ec2.amazonaws.com.cn", lets(service(`"ec2.amazonaws.com"`)), "allowed")
	cnPlain.resource = cn.resource
	oidc := "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"
	web := func(name, principal, statements, want string, context map[string]BatchValues) question {
		q := assume(name, principal, statements, want)
		q.action, q.context = "sts:AssumeRoleWithWebIdentity", context
		return q
	}
	federated := func(entry string) string {
		return allow(`"Action":"sts:AssumeRoleWithWebIdentity"`, `"Principal":{"Federated":"`+entry+`"}`,
			when("StringEquals", "oidc.eks.eu-west-1.amazonaws.com/id/A:sub", `"system:serviceaccount:kube-system:aws-node"`))
	}
	ask(t, []question{
		assume("5.1 any AWS principal", nodeSession, lets(names("*")), "allowed"),
		assume("5.1 any AWS principal is no service", ec2, lets(names("*")), "denied"),
		assume("5.1 bare star", ec2, lets(`"Principal":"*"`), "error"),
		assume("5.1 part of a name", nodeSession, lets(names("arn:aws:iam::111122223333:role/n*")), "error wildcard"),
		{name: "5.1 star in a resource policy", principal: testUser, resourcePolicy: allow(`"Principal":"*"`), want: "allowed"},
		{name: "5.1 star in a resource policy, a service", principal: "logging.s3.amazonaws.com", resourcePolicy: allow(`"Principal":"*"`), want: "allowed"},
		{name: "5.1 AWS star in a resource policy", principal: testUser, resourcePolicy: allow(names("*")), want: "allowed"},
		assume("5.2 account id, nothing of its own", nodeSession, lets(names(testAccount)), "denied"),
		withOwn(assume("5.2 account id", nodeSession, lets(names(testAccount)), "allowed")),
		withOwn(assume("5.2 account's root", nodeSession, lets(names("arn:aws:iam::111122223333:root")), "allowed")),
		withOwn(assume("5.2 other account", nodeSession, lets(names(otherAccount)), "denied")),
		assume("5.2 role's ARN", nodeRole, lets(names(nodeRole)), "allowed"),
		assume("5.2 role's ARN, a session", nodeSession, lets(names(nodeRole)), "allowed"),
		assume("5.2 role's ARN, a path, a session", nodeSession, lets(names("arn:aws:iam::111122223333:role/a/b/node")), "allowed"),
		assume("5.2 role's ARN, another path, the role", nodeRole, lets(names("arn:aws:iam::111122223333:role/a/b/node")), "denied"),
		assume("5.2 role's ARN, other case", nodeSession, lets(names("arn:aws:iam::111122223333:role/Node")), "denied"),
		assume("5.2 role's ARN, other account", nodeSession, lets(names("arn:aws:iam::444455556666:role/node")), "denied"),
		assume("5.2 role's ARN, other partition", nodeSession, lets(names("arn:aws-cn:iam::111122223333:role/node")), "denied"),
		assume("5.2 user's ARN", testUser, lets(names(testUser)), "allowed"),
		assume("5.2 user's ARN with its path", "arn:aws:iam::111122223333:user/a/bob", lets(names(testUser)), "denied"),
		assume("5.2 session's ARN", nodeSession, lets(names(nodeSession)), "allowed"),
		assume("5.2 session's ARN, other session", nodeSession+"d", lets(names(nodeSession)), "denied"),
		assume("5.2 session's ARN, some session", nodeRole, lets(names(nodeSession)), "depends"),
		assume("5.2 federated user", "arn:aws:sts::111122223333:federated-user/eve", lets(names("arn:aws:sts::111122223333:federated-user/eve")), "allowed"),
		withOwn(assume("5.3 deleted role", nodeSession, lets(names("AROAEXAMPLEEXAMPLEEXA")), "denied")),
		assume("5.4 service", ec2, lets(service(`"ec2.amazonaws.com"`)), "allowed"),
		assume("5.4 service in a list", ec2, lets(service(`["eks.amazonaws.com","ec2.amazonaws.com"]`)), "allowed"),
		assume("5.4 other service", ec2, lets(service(`"eks.amazonaws.com"`)), "denied"),
		assume("5.4 exact", ec2, lets(service(`"EC2.amazonaws.com"`)), "denied"),
		assume("5.4 suffixed entry elsewhere", ec2, lets(service(`"ec2.amazonaws.com.cn"`)), "denied"),
		cn, cnPlain,
		assume("5.4 service named as AWS", ec2, allow(`"Action":"sts:AssumeRole"`, names("arn:aws:iam::111122223333:role/ec2.amazonaws.com")), "denied"),
		web("5.5 OIDC provider", oidc, federated(oidc), "allowed", known("oidc.eks.eu-west-1.amazonaws.com/id/A:sub", "system:serviceaccount:kube-system:aws-node")),
		web("5.5 OIDC provider, other subject", oidc, federated(oidc), "denied", known("oidc.eks.eu-west-1.amazonaws.com/id/A:sub", "system:serviceaccount:a:b")),
		web("5.5 OIDC provider, subject unknown", oidc, federated(oidc), "depends", nil),
		web("5.5 other OIDC provider", oidc, federated(oidc+"B"), "denied", nil),
		web("5.5 well-known provider", "accounts.google.com", allow(`"Action":"sts:AssumeRoleWithWebIdentity"`, `"Principal":{"Federated":"accounts.google.com"}`), "allowed", nil),
		web("5.5 provider as a service", "accounts.google.com", allow(`"Action":"sts:AssumeRoleWithWebIdentity"`, service(`"accounts.google.com.evil"`)), "denied", nil),
		{name: "5.5 canonical user", principal: testUser, resourcePolicy: allow(`"Principal":{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`), want: "denied"},
		assume("5.6 NotPrincipal in a trust policy", ec2, allow(`"Action":"sts:AssumeRole"`, `"NotPrincipal":{"AWS":"111122223333"}`), "error NotPrincipal"),
		{name: "5.6 Allow NotPrincipal", principal: testUser, resourcePolicy: allow(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Allow NotPrincipal, boundary allows", principal: testUser, boundary: allow(), resourcePolicy: allow(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Allow NotPrincipal, boundary lacks it", principal: testUser, boundary: allow(`"Action":"s3:PutObject"`), resourcePolicy: allow(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "depends"},
		{name: "5.6 Allow NotPrincipal, boundary lacks it, listed", principal: testUser, boundary: allow(`"Action":"s3:PutObject"`), resourcePolicy: allow(names(testUser), `"Resource":"arn:aws:s3:::x"`) + "," + allow(`"NotPrincipal":{"AWS":"`+testUser+`"}`, `"Resource":"*"`), want: "denied"},
		{name: "5.6 Allow NotPrincipal, boundary denies", principal: testUser, boundary: deny(), resourcePolicy: allow(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "explicit"},
		{name: "5.6 Allow NotPrincipal, session policy lacks it", principal: nodeSession, session: allow(`"Action":"s3:PutObject"`), resourcePolicy: allow(`"NotPrincipal":{"AWS":"`+testUser+`"}`, `"Resource":"*"`), want: "depends"},
		{name: "5.6 Allow NotPrincipal, a service", principal: "logging.s3.amazonaws.com", resourcePolicy: allow(`"NotPrincipal":{"AWS":"`+testUser+`"}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Allow NotPrincipal, another account", principal: testUser, account: otherAccount, identity: allow(), resourcePolicy: allow(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Allow NotPrincipal, listed", principal: testUser, resourcePolicy: allow(`"NotPrincipal":{"AWS":"`+testUser+`"}`, `"Resource":"*"`), want: "denied"},
		{name: "5.6 Deny NotPrincipal", principal: testUser, identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "explicit"},
		{name: "5.6 Deny NotPrincipal, listed with the account", principal: testUser, identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":["`+testUser+`","arn:aws:iam::111122223333:root"]}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Deny NotPrincipal, listed without the account", principal: testUser, identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":"`+testUser+`"}`, `"Resource":"*"`), want: "depends"},
		{name: "5.6 Deny NotPrincipal, the account alone", principal: testUser, identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":"111122223333"}`, `"Resource":"*"`), want: "depends"},
		{name: "5.6 Deny NotPrincipal, everyone", principal: testUser, identity: allow(), resourcePolicy: deny(`"NotPrincipal":"*"`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Deny NotPrincipal, session, role and account", principal: nodeSession, identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":["`+nodeSession+`","`+nodeRole+`","111122223333"]}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Deny NotPrincipal, role and account", principal: nodeSession, identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":["`+nodeRole+`","111122223333"]}`, `"Resource":"*"`), want: "depends"},
		{name: "5.6 Deny NotPrincipal, some session of the role", identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":["`+nodeSession+`","`+nodeRole+`","111122223333"]}`, `"Resource":"*"`), want: "depends"},
		{name: "5.6 Deny NotPrincipal, a service", principal: "logging.s3.amazonaws.com", resourcePolicy: allow(`"Principal":"*"`, `"Resource":"*"`) + "," + deny(`"NotPrincipal":{"Service":"logging.s3.amazonaws.com"}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Deny NotPrincipal, the root user", principal: "arn:aws:iam::111122223333:root", resourcePolicy: deny(`"NotPrincipal":{"AWS":"111122223333"}`, `"Resource":"*"`), want: "allowed"},
		{name: "5.6 Deny NotPrincipal, boundary", principal: testUser, identity: allow(), boundary: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":["`+testUser+`","arn:aws:iam::111122223333:root"]}`, `"Resource":"*"`), want: "explicit"},
		withOwn(assume("5.7 not named, same account", nodeSession, lets(names("arn:aws:iam::111122223333:role/x")), "denied")),
		withOwn(assume("5.7 Deny in the trust policy", nodeSession, lets(names(testAccount))+","+deny(`"Action":"sts:AssumeRole"`, names(nodeRole)), "explicit")),
		{name: "5.7 KMS, not named", action: "kms:Decrypt", resource: "arn:aws:kms:eu-west-1:111122223333:key/k", identity: allow(`"Action":"kms:*"`), resourcePolicy: allow(`"Action":"kms:*"`, names(testUser)), want: "denied"},
		{name: "5.7 KMS, account named", action: "kms:Decrypt", resource: "arn:aws:kms:eu-west-1:111122223333:key/k", identity: allow(`"Action":"kms:*"`), resourcePolicy: allow(`"Action":"kms:*"`, names(testAccount)), want: "allowed"},
		{name: "5.7 KMS, role named", action: "kms:Decrypt", resource: "arn:aws:kms:eu-west-1:111122223333:key/k", resourcePolicy: allow(`"Action":"kms:*"`, names(nodeRole)), want: "allowed"},
		{name: "5.7 services and SCPs", principal: ec2, action: "sts:AssumeRole", resource: trustedRole, scps: [][]string{{deny(`"Action":"*"`)}}, identity: deny(`"Action":"*"`), resourcePolicy: lets(service(`"ec2.amazonaws.com"`)), want: "allowed"},
		{name: "5.7 a trust policy is for sts alone", action: "iam:GetRole", resource: trustedRole, identity: allow(`"Action":"iam:*"`), resourcePolicy: lets(service(`"ec2.amazonaws.com"`)), want: "allowed"},
		{name: "5.7 no policy", principal: ec2, action: "sts:AssumeRole", resource: trustedRole, resourceState: NoPolicy, want: "denied"},
		{name: "5.7 policy not given", principal: ec2, action: "sts:AssumeRole", resource: trustedRole, want: "depends"},
		assume("5.8 denied service", ec2, lets(service(`"ec2.amazonaws.com"`))+","+deny(`"Action":"sts:*"`, service(`"ec2.amazonaws.com"`)), "explicit"),
		assume("5.8 Deny to any AWS principal", ec2, lets(service(`"ec2.amazonaws.com"`))+","+deny(`"Action":"sts:*"`, names("*")), "depends"),
		{name: "5.8 TagSession", principal: "pods.eks.amazonaws.com", action: "sts:TagSession", resource: trustedRole, resourcePolicy: allow(`"Action":["sts:AssumeRole","sts:TagSession"]`, service(`"pods.eks.amazonaws.com"`)), want: "allowed"},
		{name: "5.8 no TagSession", principal: "pods.eks.amazonaws.com", action: "sts:TagSession", resource: trustedRole, resourcePolicy: lets(service(`"pods.eks.amazonaws.com"`)), want: "denied"},
	})
}

func TestLayers(t *testing.T) {
	other := allow(`"Action":"s3:PutObject"`)
	full := allow(`"Action":"*"`)
	ifA := func(effect func(...string) string, operator, value string) string {
		return effect(when(operator, "aws:a", `"`+value+`"`))
	}
	cross := func(q question) question { q.account = otherAccount; return q }
	ask(t, []question{
		{name: "nothing", want: "denied"},
		{name: "identity", identity: allow(), want: "allowed"},
		{name: "Deny before Allow", identity: allow() + "," + deny(), want: "explicit"},
		{name: "boundary allows", identity: allow(), boundary: full, want: "allowed"},
		{name: "boundary lacks it", identity: allow(), boundary: other, want: "denied"},
		{name: "boundary denies", identity: allow(), boundary: full + "," + deny(), want: "explicit"},
		{name: "boundary grants nothing", boundary: full, want: "denied"},
		{name: "scp allows", identity: allow(), scps: [][]string{{full}}, want: "allowed"},
		{name: "scp lacks it", identity: allow(), scps: [][]string{{other}}, want: "denied"},
		{name: "scp at every level", identity: allow(), scps: [][]string{{full}, {other}, {full}}, want: "denied"},
		{name: "scp, one of a level", identity: allow(), scps: [][]string{{other, full}, {full}}, want: "allowed"},
		{name: "scp denies at one level", identity: allow(), scps: [][]string{{full}, {full, deny()}}, want: "explicit"},
		{name: "scp grants nothing", scps: [][]string{{full}}, want: "denied"},
		{name: "scp, a level without policies", identity: allow(), scps: [][]string{{full}, {}}, want: "denied"},
		{name: "scp, no levels", identity: allow(), scps: [][]string{}, want: "allowed"},
		{name: "scp with resource and condition", identity: allow(), scps: [][]string{{allow(`"Resource":"arn:aws:s3:::bucket/*"`, when("StringEquals", "aws:a", `"x"`))}}, context: known("aws:a", "x"), want: "allowed"},
		{name: "scp, service-linked role", principal: "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS", identity: allow(), scps: [][]string{{deny()}}, want: "allowed"},
		{name: "root user", principal: "arn:aws:iam::111122223333:root", want: "allowed"},
		{name: "root user, scp", principal: "arn:aws:iam::111122223333:root", scps: [][]string{{full, deny()}}, want: "explicit"},
		{name: "resource policy, role named", resourcePolicy: allow(names(nodeRole), `"Resource":"*"`), want: "allowed"},
		{name: "resource policy, role named, boundary lacks it", boundary: other, resourcePolicy: allow(names(nodeRole), `"Resource":"*"`), want: "denied"},
		{name: "resource policy, session named, boundary lacks it", principal: nodeSession, boundary: other, resourcePolicy: allow(names(nodeSession), `"Resource":"*"`), want: "allowed"},
		{name: "resource policy, user named, boundary lacks it", principal: testUser, boundary: other, resourcePolicy: allow(names(testUser), `"Resource":"*"`), want: "allowed"},
		{name: "resource policy, star, boundary lacks it", boundary: other, resourcePolicy: allow(names("*"), `"Resource":"*"`), want: "allowed"},
		{name: "resource policy, session named, boundary denies", principal: nodeSession, boundary: deny(), resourcePolicy: allow(names(nodeSession), `"Resource":"*"`), want: "explicit"},
		{name: "resource policy, session named, scp lacks it", principal: nodeSession, scps: [][]string{{other}}, resourcePolicy: allow(names(nodeSession), `"Resource":"*"`), want: "denied"},
		{name: "resource policy, account named", resourcePolicy: allow(names(testAccount), `"Resource":"*"`), want: "denied"},
		{name: "resource policy silent", identity: allow(), resourcePolicy: allow(names(testUser), `"Resource":"*"`), want: "allowed"},
		{name: "resource policy denies", identity: allow(), resourcePolicy: deny(names(testAccount), `"Resource":"*"`), want: "explicit"},
		{name: "resource policy without Resource", resourcePolicy: allow(names(nodeRole)), want: "allowed"},
		cross(question{name: "cross account, both", identity: allow(), resourcePolicy: allow(names(testAccount), `"Resource":"*"`), want: "allowed"}),
		cross(question{name: "cross account, role named, identity silent", resourcePolicy: allow(names(nodeRole), `"Resource":"*"`), want: "denied"}),
		cross(question{name: "cross account, star, identity silent", resourcePolicy: allow(names("*"), `"Resource":"*"`), want: "denied"}),
		cross(question{name: "cross account, resource silent", identity: allow(), resourcePolicy: allow(names(otherAccount), `"Resource":"*"`), want: "denied"}),
		cross(question{name: "cross account, no resource policy", identity: allow(), resourceState: NoPolicy, want: "denied"}),
		cross(question{name: "cross account, resource policy not given", identity: allow(), want: "depends"}),
		cross(question{name: "cross account, resource policy not given, identity silent", want: "denied"}),
		cross(question{name: "cross account, resource policy not given, no resource types", resource: "*", identity: allow(), want: "denied"}),
		cross(question{name: "cross account, the other account delegates to its own policies", identity: allow(), resourceState: Delegates, want: "denied"}),
		{name: "session policy allows", principal: nodeSession, identity: allow(), session: full, want: "allowed"},
		{name: "session policy lacks it", principal: nodeSession, identity: allow(), session: other, want: "denied"},
		{name: "session policy denies", principal: nodeSession, identity: allow(), session: full + "," + deny(), want: "explicit"},
		{name: "session policy grants nothing", principal: nodeSession, session: full, want: "denied"},
		{name: "session policy, role named", principal: nodeSession, session: other, resourcePolicy: allow(names(nodeRole), `"Resource":"*"`), want: "denied"},
		{name: "session policy, session named", principal: nodeSession, session: other, resourcePolicy: allow(names(nodeSession), `"Resource":"*"`), want: "allowed"},
		{name: "session policy unknown", principal: nodeSession, identity: allow(), session: ifA(allow, "StringEquals", "x"), want: "depends"},
		{name: "split: session policy meets identity", principal: nodeSession, identity: ifA(allow, "StringEquals", "x"), session: ifA(allow, "StringEquals", "y"), want: "denied"},
		cross(question{name: "cross account, boundary lacks it", principal: nodeSession, identity: allow(), boundary: other, resourcePolicy: allow(names(nodeSession), `"Resource":"*"`), want: "denied"}),
		cross(question{name: "cross account, trust", identity: allow(`"Action":"sts:AssumeRole"`), action: "sts:AssumeRole", resource: "arn:aws:iam::444455556666:role/r", resourcePolicy: allow(`"Action":"sts:AssumeRole"`, names(nodeRole)), want: "allowed"}),
		{name: "unknown Allow", identity: ifA(allow, "StringEquals", "x"), want: "depends"},
		{name: "unknown Deny", identity: allow() + "," + ifA(deny, "StringEquals", "x"), want: "depends"},
		{name: "unknown Deny, nothing allows", identity: ifA(deny, "StringEquals", "x"), want: "denied"},
		{name: "unknown Allow, certain Deny", identity: ifA(allow, "StringEquals", "x") + "," + deny(), want: "explicit"},
		{name: "unknown Allow, certain Allow", identity: ifA(allow, "StringEquals", "x") + "," + allow(), want: "allowed"},
		{name: "unknown Allow, no boundary Allow", identity: ifA(allow, "StringEquals", "x"), boundary: other, want: "denied"},
		{name: "split: equals or not", identity: ifA(allow, "StringEquals", "x") + "," + ifA(allow, "StringNotEquals", "x"), want: "allowed"},
		{name: "split: like or not", identity: ifA(allow, "StringLike", "x*") + "," + ifA(allow, "StringNotLike", "x*"), want: "allowed"},
		{name: "split: star or absent", identity: ifA(allow, "StringLike", "*") + "," + ifA(allow, "Null", "true"), want: "allowed"},
		{name: "split: star if it exists", identity: ifA(allow, "StringLikeIfExists", "*"), want: "allowed"},
		{name: "split: star", identity: ifA(allow, "StringLike", "*"), want: "depends"},
		{name: "split: never", identity: allow(`"Condition":{"StringEquals":{"aws:a":"x"},"StringNotEquals":{"aws:A":"x"}}`), want: "denied"},
		{name: "split: two values", identity: allow(`"Condition":{"StringEquals":{"aws:a":"x"},"StringLike":{"aws:a":"y*"}}`), want: "denied"},
		{name: "split: narrower Deny under wider Allow", identity: ifA(allow, "StringEquals", "xa") + "," + ifA(deny, "StringLike", "x*"), want: "denied"},
		{name: "split: disjoint Deny", identity: ifA(allow, "StringEquals", "x") + "," + ifA(deny, "StringLike", "y*"), want: "depends"},
		{name: "split: Deny in every case", identity: allow() + "," + ifA(deny, "StringEquals", "x") + "," + ifA(deny, "StringNotEquals", "x"), want: "explicit"},
		{name: "split: absent counts", identity: ifA(allow, "StringEquals", "x") + "," + ifA(allow, "StringNotEqualsIfExists", "x"), want: "allowed"},
		{name: "split: numbers", identity: ifA(allow, "NumericLessThan", "5") + "," + ifA(allow, "NumericGreaterThanEquals", "5"), want: "depends"}, // absent, or no number
		{name: "split: numbers or not", identity: ifA(allow, "NumericEquals", "5") + "," + ifA(allow, "NumericNotEquals", "5.0"), want: "allowed"},
		{name: "split: no number is both", identity: allow(`"Condition":{"NumericLessThan":{"aws:a":"5"},"NumericGreaterThan":{"aws:a":"6"}}`), want: "denied"},
		{name: "split: dates", identity: ifA(allow, "DateLessThanIfExists", "2026-01-01") + "," + ifA(allow, "DateGreaterThanEquals", "2026-01-01"), want: "depends"}, // no date
		{name: "split: no date is both", identity: allow(`"Condition":{"DateLessThan":{"aws:a":"2026-01-01"},"DateGreaterThan":{"aws:a":"2027-01-01"}}`), want: "denied"},
		{name: "split: addresses", identity: ifA(allow, "IpAddress", "10.0.0.0/8") + "," + ifA(allow, "NotIpAddress", "10.0.0.0/8"), want: "allowed"},
		{name: "split: address inside a denied range", identity: ifA(allow, "IpAddress", "10.1.0.0/16") + "," + ifA(deny, "IpAddress", "10.0.0.0/8"), want: "denied"},
		{name: "split: ARNs", identity: ifA(allow, "ArnLike", "arn:aws:iam::1:role/*") + "," + ifA(allow, "ArnNotEquals", "arn:aws:iam::1:role/*"), want: "allowed"},
		{name: "split: Bool", identity: ifA(allow, "Bool", "true") + "," + ifA(allow, "BoolIfExists", "false"), want: "depends"}, // neither true nor false
		{name: "split: sets", identity: ifA(allow, "ForAllValues:StringEquals", "x") + "," + ifA(allow, "ForAnyValue:StringNotEquals", "x"), want: "allowed"},
		{name: "split: ForAllValues of anything", identity: ifA(allow, "ForAllValues:StringLike", "*"), want: "allowed"},
		{name: "split: two keys", identity: allow(`"Condition":{"StringEquals":{"aws:a":"x"},"Bool":{"aws:b":"true"}}`) + "," + ifA(allow, "StringNotEquals", "x") + "," + allow(`"Condition":{"StringEquals":{"aws:a":"x"},"Null":{"aws:b":"true"}}`), want: "depends"},
		{name: "split: a variable on both sides", identity: ifA(allow, "StringEquals", "${aws:username}") + "," + ifA(allow, "StringNotEquals", "${aws:username}"), want: "allowed"},
		{name: "split: resource and condition", resource: "arn:aws:s3:::bucket/*", identity: allow(`"Resource":"arn:aws:s3:::bucket/a*"`) + "," + allow(`"NotResource":"arn:aws:s3:::bucket/a*"`, when("StringNotEquals", "aws:a", `"x"`)) + "," + ifA(allow, "StringEquals", "x"), want: "allowed"},
		{name: "split: allow layers meet", identity: ifA(allow, "StringEquals", "x"), boundary: ifA(allow, "StringEquals", "y"), want: "denied"},
	})
}

func TestDependsOn(t *testing.T) {
	eq := func(effect func(...string) string, key string, more ...string) string {
		return effect(append(more, when("StringEquals", key, `"x"`))...)
	}
	for _, c := range []struct {
		name string
		q    question
		want []string // keys, resources, or parts of the reason
	}{
		{"one condition", question{identity: eq(allow, "aws:a")}, []string{"aws:a"}},
		{"both of a statement", question{identity: allow(`"Condition":{"StringEquals":{"aws:a":"x","aws:b":"y"}}`)}, []string{"aws:a", "aws:b"}},
		{"either of two statements", question{identity: eq(allow, "aws:a") + "," + eq(allow, "aws:b")}, []string{"aws:a", "aws:b"}},
		{"the Deny side first", question{identity: eq(allow, "aws:a") + "," + eq(deny, "aws:b")}, []string{"aws:b", "aws:a"}},
		{"the same condition twice", question{identity: eq(allow, "aws:a") + "," + eq(allow, "aws:a")}, []string{"aws:a"}},
		{"a condition that changes nothing", question{identity: eq(allow, "aws:a") + "," + allow(`"Condition":{"StringEquals":{"aws:a":"x","aws:b":"y"}}`)}, []string{"aws:a"}},
		{"an Allow that is not needed", question{identity: allow() + "," + eq(allow, "aws:a") + "," + eq(deny, "aws:b")}, []string{"aws:b"}},
		{"the opposite condition", question{identity: allow(when("StringEquals", "aws:a", `"x"`)) + "," + deny(when("StringNotEquals", "aws:a", `"x"`))}, []string{"aws:a"}},
		{"layers", question{identity: eq(allow, "aws:a"), boundary: eq(allow, "aws:b")}, []string{"aws:a", "aws:b"}},
		{"a resource", question{resource: "arn:aws:s3:::bucket/*", identity: allow(`"Resource":["arn:aws:s3:::x/*","arn:aws:s3:::bucket/a*"]`)}, []string{"arn:aws:s3:::bucket/a*"}},
		{"a Deny's resource", question{resource: "arn:aws:s3:::bucket/*", identity: allow() + "," + deny(`"Resource":"arn:aws:s3:::bucket/a*"`)}, []string{"arn:aws:s3:::bucket/a*"}},
		{"a variable", question{identity: allow(`"Resource":"arn:aws:s3:::bucket/${aws:username}"`)}, []string{"arn:aws:s3:::bucket/${aws:username}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.want = "depends"
			a := c.q.ask(t)
			if len(a.DependsOn) != len(c.want) {
				t.Fatalf("depends on %v, want %v", a.DependsOn, c.want)
			}
			for i, d := range a.DependsOn {
				if !strings.Contains(d.String(), c.want[i]) {
					t.Errorf("depends on %v, want %v", a.DependsOn, c.want)
				}
			}
			if len(a.Statements) == 0 {
				t.Error("names no statement")
			}
		})
	}
}

func TestRoleSession(t *testing.T) {
	r := Request{
		Principal: nodeRole, Action: "s3:GetObject", Resource: object, Account: testAccount,
		Context: RoleSession(nodeRole, testAccount, "eu-west-1", map[string]string{"Team": "blue"}),
	}
	for _, c := range []struct {
		name, operator, key, value string
		want                       Decision
	}{
		{"the role's ARN", "ArnEquals", "aws:PrincipalArn", nodeRole, Allowed},
		{"not the session's ARN", "ArnEquals", "aws:PrincipalArn", nodeSession, Denied},
		{"account", "StringEquals", "aws:PrincipalAccount", testAccount, Allowed},
		{"type", "StringEquals", "aws:PrincipalType", "AssumedRole", Allowed},
		{"no service", "Bool", "aws:PrincipalIsAWSService", "true", Denied},
		{"tls", "Bool", "aws:SecureTransport", "true", Allowed},
		{"region", "StringEquals", "aws:RequestedRegion", "us-east-1", Denied},
		{"tag", "StringEquals", "aws:PrincipalTag/team", "blue", Allowed},
		{"no such tag", "StringEquals", "aws:PrincipalTag/other", "blue", Denied},
		{"no user name", "Null", "aws:username", "true", Allowed},
		{"temporary credentials", "Null", "aws:TokenIssueTime", "false", Allowed},
		{"issue time", "DateLessThan", "aws:TokenIssueTime", "2026-01-01", Depends},
		{"user id is there", "Null", "aws:userid", "true", Denied},
		{"own resources", "StringEquals", "aws:ResourceAccount", testAccount, Allowed},
		{"address", "IpAddress", "aws:SourceIp", "10.0.0.0/8", Depends},
		{"mfa", "Bool", "aws:MultiFactorAuthPresent", "true", Depends},
		{"organization", "StringEquals", "aws:PrincipalOrgID", "o-1", Depends},
		{"instance", "ArnLike", "ec2:SourceInstanceARN", "arn:aws:ec2:*:*:instance/*", Depends},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustParse(t, Identity, string(question{}.document(allow(when(c.operator, c.key, `"`+c.value+`"`)))))
			if got := decide(t, Prepare(Policies{Identity: []Policy{{Name: "p", Document: d}}}), &r); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("resources of every account", func(t *testing.T) {
		d := mustParse(t, Identity, string(question{}.document(allow(`"Action":"ecr:*"`, when("StringEquals", "aws:ResourceAccount", `"`+testAccount+`"`)))))
		r := r
		r.Action, r.Resource = "ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:*:repository/*"
		if got := decide(t, Prepare(Policies{Identity: []Policy{{Name: "p", Document: d}}}), &r); got != Depends {
			t.Errorf("got %v, want depends: other accounts' repositories are asked about too", got)
		}
	})
}
