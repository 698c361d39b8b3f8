package iampolicy

import "testing"

func TestSection1_Actions(t *testing.T) {
	action := func(list string) string { return allow(`"Action":` + list) }
	ask(t, []question{
		{name: "1.1 star", identity: action(`"*"`), want: "allowed"},
		{name: "1.1 case of the name", identity: action(`"s3:getobject"`), want: "allowed"},
		{name: "1.1 case of the prefix", identity: action(`"S3:GetObject"`), want: "allowed"},
		{name: "1.1 case of the request", identity: action(`"s3:Get*"`), action: "S3:GETOBJECT", want: "allowed"},
		{name: "1.1 suffix", identity: action(`"s3:*Object"`), want: "allowed"},
		{name: "1.1 star in the middle", identity: action(`"s3:G*ct"`), want: "allowed"},
		{name: "1.1 star for nothing", identity: action(`"s3:GetObject*"`), want: "allowed"},
		{name: "1.1 question mark", identity: action(`"s3:Get?bject"`), want: "allowed"},
		{name: "1.1 question mark for nothing", identity: action(`"s3:GetObject?"`), want: "denied"},
		{name: "1.1 no match", identity: action(`"s3:PutObject"`), want: "denied"},
		{name: "1.1 prefix of a name", identity: action(`"s3:GetObj"`), want: "denied"},
		{name: "1.1 other service", identity: action(`"s3-object-lambda:GetObject"`), want: "denied"},
		{name: "1.1 list", identity: action(`["s3:PutObject","s3:GetObject"]`), want: "allowed"},
		{name: "1.2 star star", identity: action(`"*:*"`), want: "allowed"},
		{name: "1.2 prefix wildcard", identity: action(`"s?:GetObject"`), want: "error prefix"},
		{name: "1.3 not", identity: allow(`"NotAction":"s3:Put*"`), want: "allowed"},
		{name: "1.3 not, listed", identity: allow(`"NotAction":["iam:*","s3:Get*"]`), want: "denied"},
		{name: "1.3 not, Deny", identity: allow() + "," + deny(`"NotAction":"iam:*"`), want: "explicit"},
		{name: "1.3 not, Deny, listed", identity: allow() + "," + deny(`"NotAction":"s3:*"`), want: "allowed"},
		{name: "1.3 not, in the scope of Resource", identity: allow(`"NotAction":"iam:*"`, `"Resource":"arn:aws:s3:::other/*"`), want: "denied"},
		{name: "1.4 no trimming", identity: action(`"s3: GetObject"`), want: "denied"},
		{name: "1.4 trailing blank", identity: action(`"s3:GetObject "`), want: "denied"},
		{name: "1.4 prefix alone", identity: action(`"s3:"`), want: "denied"},
		{name: "1.5 an action of tomorrow", identity: action(`"s3:*"`), action: "s3:Tomorrow", want: "allowed"},
	})
}

func TestSection2_Resources(t *testing.T) {
	on := func(pattern string) string { return allow(`"Resource":"` + pattern + `"`) }
	not := func(pattern string) string { return allow(`"NotResource":"` + pattern + `"`) }
	const (
		table = "arn:aws:dynamodb:eu-west-1:111122223333:table/prod-a"
		log   = "arn:aws:logs:eu-west-1:111122223333:log-group:a:log-stream:b"
	)
	ask(t, []question{
		{name: "2.1 star", identity: on("*"), want: "allowed"},
		{name: "2.1 exact", identity: on(object), want: "allowed"},
		{name: "2.1 slash", identity: on("arn:aws:s3:::b*y"), want: "allowed"},
		{name: "2.1 case of the resource part", identity: on("arn:aws:s3:::Bucket/key"), want: "denied"},
		{name: "2.1 case of the service", identity: on("arn:aws:S3:::bucket/key"), want: "denied"},
		{name: "2.1 question mark", identity: on("arn:aws:s3:::bucket/ke?"), want: "allowed"},
		{name: "2.1 question mark is one", identity: on("arn:aws:s3:::bucket/k?"), want: "denied"},
		{name: "2.1 question mark for a slash", identity: on("arn:aws:s3:::bucket?key"), want: "allowed"},
		{name: "2.1 question mark for one character", identity: on("arn:aws:s3:::b/?"), resource: "arn:aws:s3:::b/ä", want: "allowed"},
		{name: "2.1 bucket is not its objects", identity: on("arn:aws:s3:::bucket"), want: "denied"},
		{name: "2.1 objects are not the bucket", identity: on("arn:aws:s3:::bucket/*"), resource: "arn:aws:s3:::bucket", want: "denied"},
		{name: "2.2 all of a service", identity: on("arn:aws:s3:*"), want: "allowed"},
		{name: "2.2 all of a partition", identity: on("arn:aws:*"), want: "allowed"},
		{name: "2.2 other partition", identity: on("arn:aws-cn:*"), want: "denied"},
		{name: "2.2 star over two segments", identity: on("arn:aws:dynamodb:*:table/prod-*"), resource: table, want: "allowed"},
		{name: "2.2 star over two segments, other table", identity: on("arn:aws:dynamodb:*:table/dev-*"), resource: table, want: "denied"},
		{name: "2.2 star in a segment", identity: on("arn:aws:dynamodb:eu-*-1:*:table/prod-a"), resource: table, want: "allowed"},
		{name: "2.2 star that is not last stays inside", identity: on("arn:aws:dynamodb:eu*3:table/prod-a"), resource: table, want: "denied"},
		{name: "2.2 star that is last goes on", identity: on("arn:aws:dynamodb:eu*:table/prod-a"), resource: table, want: "allowed"},
		{name: "2.2 question mark is no colon", identity: on("arn:aws:s3::?bucket/key"), resource: object, want: "denied"},
		{name: "2.2 sixth part has colons", identity: on("arn:aws:logs:*:*:log-group:*"), resource: log, want: "allowed"},
		{name: "2.2 sixth part, in the middle", identity: on("arn:aws:logs:*:*:log-group:*:log-stream:b"), resource: log, want: "allowed"},
		{name: "2.2 sixth part, question mark for a colon", identity: on("arn:aws:logs:*:*:log-group?a?log-stream?b"), resource: log, want: "allowed"},
		{name: "2.3 wildcard in the type", identity: on("arn:aws:ec2:*:*:*/*"), resource: "arn:aws:ec2:eu-west-1:111122223333:instance/i-1", want: "allowed"},
		{name: "2.3 wildcard after the type", identity: on("arn:aws:ec2:*:*:security-group*/*"), resource: "arn:aws:ec2:eu-west-1:111122223333:security-group-rule/r", want: "allowed"},
		{name: "2.3 path", identity: on("arn:aws:wafv2:*:*:*/webacl/*/*"), resource: "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/a/b", want: "allowed"},
		{name: "2.4 wildcard-only, star", identity: on("*"), resource: "*", want: "allowed"},
		{name: "2.4 wildcard-only, two stars", identity: on("**"), resource: "*", want: "allowed"},
		{name: "2.4 wildcard-only, ARN", identity: on("arn:aws:s3:::*"), resource: "*", want: "denied"},
		{name: "2.4 wildcard-only, ARN of everything", identity: on("arn:*"), resource: "*", want: "denied"},
		{name: "2.4 wildcard-only, NotResource", identity: not("arn:aws:s3:::*"), resource: "*", want: "allowed"},
		{name: "2.4 wildcard-only, Deny on an ARN", identity: allow() + "," + deny(`"Resource":"arn:aws:s3:::*"`), resource: "*", want: "allowed"},
		{name: "2.5 every, covered", identity: on("arn:aws:s3:::*"), resource: "arn:aws:s3:::bucket/*", want: "allowed"},
		{name: "2.5 every, itself", identity: on("arn:aws:s3:::bucket/*"), resource: "arn:aws:s3:::bucket/*", want: "allowed"},
		{name: "2.5 every, some", identity: on("arn:aws:s3:::bucket/a*"), resource: "arn:aws:s3:::bucket/*", want: "depends"},
		{name: "2.5 every, one", identity: on("arn:aws:s3:::bucket/a"), resource: "arn:aws:s3:::bucket/*", want: "depends"},
		{name: "2.5 every, none", identity: on("arn:aws:s3:::other/*"), resource: "arn:aws:s3:::bucket/*", want: "denied"},
		{name: "2.5 every, Deny on some", identity: allow() + "," + deny(`"Resource":"arn:aws:s3:::*/secret"`), resource: "arn:aws:s3:::bucket/*", want: "depends"},
		{name: "2.5 every, Deny on all", identity: allow() + "," + deny(`"Resource":"arn:aws:s3:::b*"`), resource: "arn:aws:s3:::bucket/*", want: "explicit"},
		{name: "2.5 every, Deny elsewhere", identity: allow() + "," + deny(`"Resource":"arn:aws:s3:::c*"`), resource: "arn:aws:s3:::bucket/*", want: "allowed"},
		{name: "2.5 every, all accounts", identity: on("arn:aws:ecr:*:*:repository/*"), resource: "arn:aws:ecr:eu-west-1:*:repository/*", want: "allowed"},
		{name: "2.5 every, one account", identity: on("arn:aws:ecr:*:111122223333:repository/*"), resource: "arn:aws:ecr:eu-west-1:*:repository/*", want: "depends"},
		{name: "2.5 every, ends differ", identity: on("arn:aws:s3:::bucket/*.txt"), resource: "arn:aws:s3:::bucket/*.jpg", want: "denied"},
		{name: "2.5 every, a star and one more", identity: on("arn:aws:s3:::bucket/?*"), resource: "arn:aws:s3:::bucket/*?", want: "allowed"},
		{name: "2.5 every, two halves", identity: on("arn:aws:s3:::bucket/a*") + "," + not("arn:aws:s3:::bucket/a*"), resource: "arn:aws:s3:::bucket/*", want: "allowed"},
		{name: "2.6 not", identity: not("arn:aws:s3:::other/*"), want: "allowed"},
		{name: "2.6 not, listed", identity: allow(`"NotResource":["arn:aws:s3:::other/*","arn:aws:s3:::bucket/*"]`), want: "denied"},
		{name: "2.7 variable after the fifth colon", identity: on("arn:aws:s3:::bucket/${aws:username}"), context: known("aws:username", "key"), want: "allowed"},
		{name: "2.7 variable before it", identity: on("arn:aws:bedrock:*:${aws:PrincipalAccount}:agent/*"), context: known("aws:PrincipalAccount", testAccount), resource: "arn:aws:bedrock:eu-west-1:111122223333:agent/a", want: "allowed"},
		{name: "2.7 absent", identity: on("arn:aws:s3:::bucket/${aws:username}"), complete: true, want: "denied"},
		{name: "2.7 absent, NotResource", identity: not("arn:aws:s3:::bucket/${aws:username}"), complete: true, want: "allowed"},
		{name: "2.7 unknown", identity: on("arn:aws:s3:::bucket/${aws:username}"), want: "depends"},
		{name: "2.7 unknown, but matches in no case", identity: on("arn:aws:s3:::other/${aws:username}"), want: "denied"},
		{name: "2.7 unknown, but matches in no case, NotResource", identity: not("arn:aws:s3:::other/${aws:username}"), want: "allowed"},
		{name: "2.7 unknown, every", identity: on("arn:aws:s3:::other/${aws:username}/*"), resource: "arn:aws:s3:::bucket/*", want: "denied"},
	})
}

func TestSection3_Variables(t *testing.T) {
	on := func(pattern string) string { return allow(`"Resource":"` + pattern + `"`) }
	tag := func(operator, value string) string { return allow(when(operator, "aws:ResourceTag/t", `"`+value+`"`)) }
	ask(t, []question{
		{name: "3.1 no version, literal", version: "none", identity: on("arn:aws:s3:::bucket/${aws:username}"), resource: "arn:aws:s3:::bucket/${aws:username}", want: "allowed"},
		{name: "3.1 old version, no substitution", version: "2008-10-17", identity: on("arn:aws:s3:::bucket/${aws:username}"), context: known("aws:username", "key"), want: "denied"},
		{name: "3.1 old version, star in braces is a wildcard", version: "2008-10-17", identity: on("arn:aws:s3:::bucket/${*}"), resource: "arn:aws:s3:::bucket/${abc}", want: "allowed"},
		{name: "3.2 escaped star", identity: on("arn:aws:s3:::bucket/${*}"), resource: "arn:aws:s3:::bucket/*x", want: "denied"},
		{name: "3.2 escaped characters", identity: tag("StringLike", "${*}${?}${$}*"), context: known("aws:ResourceTag/t", "*?$abc"), want: "allowed"},
		{name: "3.2 escaped characters are literal", identity: tag("StringLike", "${*}${?}"), context: known("aws:ResourceTag/t", "ab"), want: "denied"},
		{name: "3.2 escaped, StringEquals", identity: tag("StringEquals", "a${$}"), context: known("aws:ResourceTag/t", "a$"), want: "allowed"},
		{name: "3.2 default", identity: on("arn:aws:s3:::bucket/${aws:username, 'key'}"), complete: true, want: "allowed"},
		{name: "3.2 default not used", identity: on("arn:aws:s3:::bucket/${aws:username, 'other'}"), context: known("aws:username", "key"), want: "allowed"},
		{name: "3.2 default, unknown", identity: on("arn:aws:s3:::bucket/${aws:username, 'key'}"), want: "depends"},
		{name: "3.2 default is literal", identity: on("arn:aws:s3:::bucket/${aws:username, '*'}"), complete: true, want: "denied"},
		{name: "3.2 substituted text is literal", identity: on("arn:aws:s3:::bucket/${aws:username}"), context: known("aws:username", "*"), want: "denied"},
		{name: "3.2 key in any case", identity: on("arn:aws:s3:::bucket/${AWS:UserName}"), context: known("aws:username", "key"), want: "allowed"},
		{name: "3.2 StringEquals", identity: tag("StringEquals", "${aws:username}"), context: known("aws:username", "a", "aws:ResourceTag/t", "a"), want: "allowed"},
		{name: "3.2 StringEquals, other", identity: tag("StringEquals", "${aws:username}"), context: known("aws:username", "a", "aws:ResourceTag/t", "b"), want: "denied"},
		{name: "3.2 StringEqualsIgnoreCase", identity: tag("StringEqualsIgnoreCase", "x${aws:username}"), context: known("aws:username", "a", "aws:ResourceTag/t", "XA"), want: "allowed"},
		{name: "3.2 StringLike", identity: tag("StringLike", "${aws:username}-*"), context: known("aws:username", "a", "aws:ResourceTag/t", "a-b"), want: "allowed"},
		{name: "3.2 StringLike, substituted star", identity: tag("StringLike", "${aws:username}"), context: known("aws:username", "*", "aws:ResourceTag/t", "a-b"), want: "denied"},
		{name: "3.2 ArnLike", identity: tag("ArnLike", "arn:aws:iam::${aws:PrincipalAccount}:role/*"), context: known("aws:PrincipalAccount", testAccount, "aws:ResourceTag/t", nodeRole), want: "allowed"},
		{name: "3.2 ArnEquals, whole", identity: tag("ArnEquals", "${aws:PrincipalArn}"), context: known("aws:PrincipalArn", nodeRole, "aws:ResourceTag/t", nodeRole), want: "allowed"},
		{name: "3.2 Bool", identity: tag("Bool", "${aws:username}"), context: known("aws:username", "true", "aws:ResourceTag/t", "TRUE"), want: "allowed"},
		{name: "3.2 not in Numeric", identity: tag("NumericEquals", "${aws:username}"), context: known("aws:username", "5", "aws:ResourceTag/t", "5"), want: "denied"},
		{name: "3.2 not in Date", identity: tag("DateEquals", "${aws:username}"), context: known("aws:username", "2026-01-01", "aws:ResourceTag/t", "2026-01-01"), want: "denied"},
		{name: "3.2 not in IpAddress", identity: tag("IpAddress", "${aws:username}"), context: known("aws:username", "10.0.0.1", "aws:ResourceTag/t", "10.0.0.1"), want: "denied"},
		{name: "3.2 not in Null", identity: tag("Null", "${aws:username}"), context: known("aws:username", "true"), complete: true, want: "denied"},
		{name: "3.2 unclosed is literal", identity: tag("StringEquals", "${aws:username"), context: known("aws:ResourceTag/t", "${aws:username"), want: "allowed"},
		{name: "3.3 multivalued", identity: tag("StringEquals", "${aws:TagKeys}"), context: known("aws:TagKeys", "a", "aws:TagKeys", "b", "aws:ResourceTag/t", "a"), want: "denied"},
		{name: "3.3 absent, positive", identity: tag("StringLike", "${aws:username}*"), context: known("aws:ResourceTag/t", "a"), complete: true, want: "denied"},
		{name: "3.3 absent, negated", identity: tag("StringNotEquals", "${aws:username}"), context: known("aws:ResourceTag/t", "a"), complete: true, want: "allowed"},
		{name: "3.3 absent, negated Arn", identity: tag("ArnNotLike", "arn:aws:iam::1:user/${aws:username}"), context: known("aws:ResourceTag/t", nodeRole), complete: true, want: "allowed"},
		{name: "3.3 unknown", identity: tag("StringEquals", "${aws:username}"), context: known("aws:ResourceTag/t", "a"), want: "depends"},
		{name: "3.3 unknown, but matches in no case", identity: tag("StringLike", "x${aws:username}"), context: known("aws:ResourceTag/t", "a"), want: "denied"},
	})
}
