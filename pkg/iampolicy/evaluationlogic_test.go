package iampolicy

import "testing"

// The cases follow the sections of AWS's documentation that source names. Each of
// them is a sentence of that section, turned into a request.
func TestEvaluationLogic(t *testing.T) {
	const (
		guide         = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"
		byResource    = guide + "#policy-eval-basics-id-rdp"
		byBoundary    = guide + "#policy-eval-basics-id-bound"
		byOrg         = guide + "#policy-eval-basics-id-scp"
		enforcement   = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html"
		single        = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html"
		crossAccount  = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html"
		keys          = "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam"
		interplay     = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_AccessPolicyLanguage_Interplay.html"
		rcps          = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html"
		rcpEvaluation = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_evaluation.html"
		rcpSyntax     = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html"
		endpoints     = "https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"
		ecrEndpoints  = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html"
		gateway       = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
	)
	const (
		logs       = "arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar-logs/log.txt"
		carlos     = "arn:aws:iam::111122223333:user/carlossalazar"
		repository = "arn:aws:ecr:eu-west-1:444455556666:repository/app"
		key        = "arn:aws:kms:eu-west-1:444455556666:key/k"
		ownKey     = "arn:aws:kms:eu-west-1:111122223333:key/k"
		otherRole  = "arn:aws:iam::444455556666:role/target"
		starport   = "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/layer"
		linkedRole = "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
	)
	const every = `"Resource":"*"`
	full := allow(`"Action":"*"`)
	everyone := allow(`"Action":"*"`, every, `"Principal":"*"`)
	other := allow(`"Action":"s3:PutObject"`)
	pull := allow(`"Action":"ecr:BatchGetImage"`)
	// The identity policy of the example in "Policy evaluation for requests within a
	// single account".
	carlosPolicy := allow(`"Action":"s3:*"`, `"Resource":["arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar/*","arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar"]`)
	denyLogs := deny(`"Action":"s3:*"`, `"Resource":"arn:aws:s3:::*log*"`)
	carlosBucket := allow(`"Action":"s3:*"`, `"Resource":"arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar-logs/*"`, names(carlos))
	for _, c := range []struct {
		source string
		question
		by Layer
	}{
		{enforcement, question{name: "by default, all requests are implicitly denied", want: "denied"}, LayerIdentity},
		{enforcement, question{name: "except those of the root user", principal: "arn:aws:iam::111122223333:root", want: "allowed"}, NoLayer},
		{enforcement, question{name: "an explicit deny overrides an explicit allow", identity: allow() + "," + deny(), want: "explicit"}, LayerIdentity},
		{enforcement, question{name: "a Deny of an RCP", identity: allow(), rcps: [][]string{{everyone, deny(every, `"Principal":"*"`)}}, want: "explicit"}, LayerRCP},
		{enforcement, question{name: "RCPFullAWSAccess cannot be detached", identity: allow(), rcps: [][]string{{}, {}}, want: "allowed"}, NoLayer},
		{enforcement, question{name: "no applicable Allow in the SCPs", identity: allow(), scps: [][]string{{other}}, want: "denied"}, LayerSCP},
		{enforcement, question{name: "a resource policy that names the session, despite a boundary and a session policy", principal: nodeSession, boundary: other, session: other, resourcePolicy: allow(every, names(nodeSession)), want: "allowed"}, NoLayer},
		{enforcement, question{name: "a resource policy that names the role, with a session policy", principal: nodeSession, session: other, resourcePolicy: allow(every, names(nodeRole)), want: "denied"}, LayerIdentity},
		{enforcement, question{name: "a boundary that does not allow", identity: allow(), boundary: other, want: "denied"}, LayerBoundary},
		{enforcement, question{name: "a session policy that does not allow", principal: nodeSession, identity: allow(), session: other, want: "denied"}, LayerSession},
		{enforcement, question{name: "a trust policy must allow the principal", identity: allow(`"Action":"sts:AssumeRole"`), action: "sts:AssumeRole", resource: trustedRole, resourcePolicy: allow(`"Action":"sts:AssumeRole"`, names(testUser)), want: "denied"}, LayerResource},
		{enforcement, question{name: "a key policy must allow the principal", action: "kms:Decrypt", resource: ownKey, identity: allow(`"Action":"kms:*"`), resourcePolicy: allow(`"Action":"kms:*"`, every, names(testUser)), want: "denied"}, LayerResource},
		{enforcement, question{name: "a key policy that names the role", action: "kms:Decrypt", resource: ownKey, resourcePolicy: allow(`"Action":"kms:*"`, every, names(nodeRole)), want: "allowed"}, NoLayer},
		{keys, question{name: "a key policy that names the account enables IAM policies", action: "kms:Decrypt", resource: ownKey, identity: allow(`"Action":"kms:Decrypt"`), resourcePolicy: allow(`"Action":"kms:*"`, every, names(testAccount)), want: "allowed"}, NoLayer},
		{keys, question{name: "and allows nothing by itself", action: "kms:Decrypt", resource: ownKey, resourcePolicy: allow(`"Action":"kms:*"`, every, names(testAccount)), want: "denied"}, LayerIdentity},
		{keys, question{name: "a Deny of the key policy", action: "kms:Decrypt", resource: ownKey, identity: allow(`"Action":"kms:Decrypt"`), resourcePolicy: allow(`"Action":"kms:*"`, every, names(testAccount)) + "," + deny(`"Action":"kms:Decrypt"`, every, names(nodeRole)), want: "explicit"}, LayerResource},
		{keys, question{name: "a key policy that was not given", action: "kms:Decrypt", resource: ownKey, identity: allow(`"Action":"kms:Decrypt"`), want: "depends"}, NoLayer},
		{keys, question{name: "a boundary does not limit what the key policy gives the session", principal: nodeSession, action: "kms:Decrypt", resource: ownKey, boundary: other, resourcePolicy: allow(`"Action":"kms:*"`, every, names(nodeSession)), want: "allowed"}, NoLayer},
		{keys, question{name: "a boundary limits what the key policy gives the role", action: "kms:Decrypt", resource: ownKey, boundary: other, resourcePolicy: allow(`"Action":"kms:*"`, every, names(nodeRole)), want: "denied"}, LayerIdentity},
		{byResource, question{name: "the union of identity and resource policy", resourcePolicy: allow(every, names(nodeRole)), want: "allowed"}, NoLayer},
		{byResource, question{name: "a Deny in either overrides", identity: allow(), resourcePolicy: deny(every, names(nodeRole)), want: "explicit"}, LayerResource},
		{byBoundary, question{name: "the intersection of identity policies and boundary", identity: other, boundary: allow(), want: "denied"}, LayerIdentity},
		{byOrg, question{name: "the intersection of identity, SCPs and RCPs", identity: allow(), scps: [][]string{{full}}, rcps: [][]string{{everyone}}, want: "allowed"}, NoLayer},
		{byOrg, question{name: "a Deny in an SCP", identity: allow(), scps: [][]string{{full}, {full, deny()}}, rcps: [][]string{{everyone}}, want: "explicit"}, LayerSCP},
		{interplay, question{name: "an implicit denial", identity: other, want: "denied"}, LayerIdentity},
		{interplay, question{name: "an explicit denial of another action", identity: allow() + "," + deny(`"Action":"s3:PutObject"`), want: "allowed"}, NoLayer},
		{single, question{name: "Carlos, allowed by the bucket's policy", principal: carlos, resource: logs, identity: carlosPolicy, resourcePolicy: carlosBucket, want: "allowed"}, NoLayer},
		{single, question{name: "Carlos, denied by his own policy", principal: carlos, resource: logs, identity: carlosPolicy + "," + denyLogs, resourcePolicy: carlosBucket, want: "explicit"}, LayerIdentity},
		{single, question{name: "Carlos, his own bucket", principal: carlos, resource: "arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar/f", identity: carlosPolicy + "," + denyLogs, want: "allowed"}, NoLayer},
		{crossAccount, question{name: "both accounts allow", action: "ecr:BatchGetImage", resource: repository, account: otherAccount, identity: pull, resourcePolicy: allow(`"Action":"ecr:*"`, names(testAccount)), want: "allowed"}, NoLayer},
		{crossAccount, question{name: "the trusting account does not allow", action: "ecr:BatchGetImage", resource: repository, account: otherAccount, identity: pull, resourceState: NoPolicy, want: "denied"}, LayerResource},
		{crossAccount, question{name: "the trusted account does not allow", action: "ecr:BatchGetImage", resource: repository, account: otherAccount, resourcePolicy: allow(`"Action":"ecr:*"`, names(nodeRole)), want: "denied"}, LayerIdentity},
		{crossAccount, question{name: "a session policy limits the trusted account's Allow", principal: nodeSession, action: "ecr:BatchGetImage", resource: repository, account: otherAccount, identity: pull, session: other, resourcePolicy: allow(`"Action":"ecr:*"`, names(nodeSession)), want: "denied"}, LayerSession},
		{crossAccount, question{name: "an RCP of the trusting account", action: "ecr:BatchGetImage", resource: repository, account: otherAccount, identity: pull, rcps: [][]string{{deny(`"Action":"ecr:*"`, every, `"Principal":"*"`, when("StringNotEquals", "aws:PrincipalAccount", `"444455556666"`))}}, resourcePolicy: allow(`"Action":"ecr:*"`, names(testAccount)), want: "explicit"}, LayerRCP},
		{crossAccount, question{name: "a key of another account", action: "kms:Decrypt", resource: key, account: otherAccount, identity: allow(`"Action":"kms:Decrypt"`), resourcePolicy: allow(`"Action":"kms:*"`, every, names(testAccount)), want: "allowed"}, NoLayer},
		{crossAccount, question{name: "a key of another account whose policy was not given", action: "kms:Decrypt", resource: key, account: otherAccount, identity: allow(`"Action":"kms:Decrypt"`), want: "depends"}, NoLayer},
		{crossAccount, question{name: "a role of another account", action: "sts:AssumeRole", resource: otherRole, account: otherAccount, identity: allow(`"Action":"sts:AssumeRole"`), resourcePolicy: allow(`"Action":"sts:AssumeRole"`, names(nodeRole)), want: "allowed"}, NoLayer},
		{rcps, question{name: "an Allow in an RCP changes nothing", identity: allow(when("StringEquals", "aws:a", `"x"`)), rcps: [][]string{{allow(every, `"Principal":"*"`, when("StringEquals", "aws:b", `"x"`))}}, want: "depends"}, NoLayer},
		{rcps, question{name: "RCPs do not grant", rcps: [][]string{{everyone}}, want: "denied"}, LayerIdentity},
		{rcps, question{name: "RCPs do not restrict service-linked roles", principal: linkedRole, identity: allow(), rcps: [][]string{{deny(every, `"Principal":"*"`)}}, want: "allowed"}, NoLayer},
		{rcps, question{name: "RCPs apply to the root user", principal: "arn:aws:iam::111122223333:root", rcps: [][]string{{deny(every, `"Principal":"*"`)}}, want: "explicit"}, LayerRCP},
		{rcps, question{name: "RCPs apply to services", principal: "ec2.amazonaws.com", action: "sts:AssumeRole", resource: trustedRole, rcps: [][]string{{deny(`"Action":"sts:AssumeRole"`, every, `"Principal":"*"`)}}, resourcePolicy: allow(`"Action":"sts:AssumeRole"`, `"Principal":{"Service":"ec2.amazonaws.com"}`), want: "explicit"}, LayerRCP},
		{rcpEvaluation, question{name: "any RCP from the root to the account can deny", identity: allow(), rcps: [][]string{{everyone}, {everyone, deny(every, `"Principal":"*"`)}, {everyone}}, want: "explicit"}, LayerRCP},
		{rcpSyntax, question{name: "the principal of an RCP is everyone", rcps: [][]string{{deny(every, names(nodeRole))}}, want: `error needs "Principal": "*"`}, NoLayer},
		{rcpSyntax, question{name: "an RCP has no NotPrincipal", rcps: [][]string{{deny(every, `"NotPrincipal":"*"`)}}, want: `error needs "Principal": "*"`}, NoLayer},
		{rcpSyntax, question{name: "an RCP has resources", rcps: [][]string{{deny(`"Principal":{"AWS":"*"}`)}}, want: "error needs one of Resource and NotResource"}, NoLayer},
		{endpoints, question{name: "the default endpoint policy", identity: allow(), endpoint: everyone, want: "allowed"}, NoLayer},
		{endpoints, question{name: "an endpoint policy does not replace identity policies", endpoint: everyone, want: "denied"}, LayerIdentity},
		{endpoints, question{name: "an endpoint policy does not replace resource policies", endpoint: everyone, account: otherAccount, identity: allow(), resourceState: NoPolicy, want: "denied"}, LayerResource},
		{endpoints, question{name: "it must have a Principal", endpoint: allow(), want: "error Principal"}, NoLayer},
		{endpoints, question{name: "gateway endpoints name a principal by condition", identity: allow(), endpoint: allow(every, `"Principal":"*"`, when("ArnEquals", "aws:PrincipalArn", `"`+nodeRole+`"`)), want: "allowed"}, NoLayer},
		{endpoints, question{name: "gateway endpoints name another principal by condition", identity: allow(), endpoint: allow(every, `"Principal":"*"`, when("ArnEquals", "aws:PrincipalArn", `"`+testUser+`"`)), want: "denied"}, LayerEndpoint},
		{endpoints, question{name: "an account may be its root user only", identity: allow(), endpoint: allow(every, names(testAccount)), want: "depends"}, NoLayer},
		{endpoints, question{name: "the root user of an account", principal: "arn:aws:iam::111122223333:root", endpoint: allow(every, names(testAccount)), want: "allowed"}, NoLayer},
		{endpoints, question{name: "everyone but another principal", identity: allow(), endpoint: allow(every, `"NotPrincipal":{"AWS":"`+testUser+`"}`), want: "allowed"}, NoLayer},
		{endpoints, question{name: "a Deny of everyone but an account", identity: allow(), endpoint: everyone + "," + deny(every, `"NotPrincipal":{"AWS":"111122223333"}`), want: "depends"}, NoLayer},
		{ecrEndpoints, question{name: "pull through an endpoint that allows the role", action: "ecr:BatchGetImage", resource: "arn:aws:ecr:eu-west-1:111122223333:repository/app", identity: pull, endpoint: allow(`"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:GetAuthorizationToken"]`, every, names(nodeRole)), want: "allowed"}, NoLayer},
		{ecrEndpoints, question{name: "pull through an endpoint that allows another role", action: "ecr:BatchGetImage", resource: "arn:aws:ecr:eu-west-1:111122223333:repository/app", identity: pull, endpoint: allow(`"Action":"ecr:BatchGetImage"`, every, names(nodeRole+"2")), want: "denied"}, LayerEndpoint},
		{ecrEndpoints, question{name: "layers of images through the gateway endpoint", resource: starport, account: "", identity: allow(), endpoint: allow(`"Resource":"arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"`, `"Principal":"*"`), want: "allowed"}, NoLayer},
		{gateway, question{name: "an endpoint policy for one's own buckets blocks layers", resource: starport, identity: allow(), endpoint: allow(`"Action":"s3:*"`, `"Resource":"arn:aws:s3:::amzn-s3-demo-bucket/*"`, `"Principal":"*"`), want: "denied"}, LayerEndpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.ask(t)
			r := c.request()
			set, request, err := r.prepare()
			if err != nil {
				return // c.ask compared the error
			}
			if result := evaluate(t, set, request); result.By != c.by {
				t.Errorf("by %q, want %q (%s)", result.By, c.by, c.source)
			}
		})
	}
}

// An action that needs no permission is limited by the endpoint that it goes through,
// and by nothing else.
func TestEndpoint_PermissionFreeActions(t *testing.T) {
	identity := question{action: "sts:GetCallerIdentity", resource: "*", identity: deny(`"Action":"*"`), scps: [][]string{{deny(`"Action":"*"`)}}}
	through := func(name, endpoint, want string) question {
		q := identity
		q.name, q.endpoint, q.want = name, endpoint, want
		return q
	}
	for _, q := range []question{
		through("no endpoint", "", "allowed"),
		through("an endpoint that allows it", allow(`"Action":"sts:*"`, `"Resource":"*"`, `"Principal":"*"`), "allowed"),
		through("an endpoint that does not allow it", allow(`"Action":"sts:AssumeRole"`, `"Resource":"*"`, `"Principal":"*"`), "denied"),
		through("an endpoint that denies it", deny(`"Action":"sts:*"`, `"Resource":"*"`, `"Principal":"*"`), "explicit"),
		through("an endpoint that may allow it", allow(`"Action":"sts:*"`, `"Resource":"*"`, `"Principal":"*"`, when("StringEquals", "aws:SourceVpc", `"vpc-1"`)), "depends"),
	} {
		t.Run(q.name, func(t *testing.T) {
			q.ask(t)
			r := q.request()
			set, request, err := r.prepare()
			if err != nil {
				t.Fatal(err)
			}
			for _, trace := range explain(t, set, request) {
				if trace.Layer != LayerEndpoint && q.endpoint != "" {
					t.Errorf("explained by %v", trace)
				}
			}
		})
	}
}

// A service does not call through a customer's VPC endpoint; a pod's token does.
func TestEndpoint_Callers(t *testing.T) {
	const oidc = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"
	blocked := allow(`"Action":"sts:AssumeRole"`, `"Resource":"*"`, names(nodeRole))
	ask(t, []question{
		{name: "a service", principal: "ec2.amazonaws.com", action: "sts:AssumeRole", resource: trustedRole, endpoint: blocked, resourcePolicy: allow(`"Action":"sts:AssumeRole"`, `"Principal":{"Service":"ec2.amazonaws.com"}`), want: "allowed"},
		{name: "a token", principal: oidc, action: "sts:AssumeRoleWithWebIdentity", resource: trustedRole, endpoint: blocked, resourcePolicy: allow(`"Action":"sts:AssumeRoleWithWebIdentity"`, `"Principal":{"Federated":"`+oidc+`"}`), want: "denied"},
		{name: "a token, allowed", principal: oidc, action: "sts:AssumeRoleWithWebIdentity", resource: trustedRole, endpoint: allow(`"Action":"*"`, `"Resource":"*"`, `"Principal":"*"`), resourcePolicy: allow(`"Action":"sts:AssumeRoleWithWebIdentity"`, `"Principal":{"Federated":"`+oidc+`"}`), want: "allowed"},
	})
}

// A layer that could not be read can change the answer, but for the Allow of an RCP.
func TestLayers_Unread(t *testing.T) {
	full := mustParse(t, Identity, string(question{}.document(allow())))
	identity := []Policy{{Name: "identity", Document: full}}
	for _, c := range []struct {
		name     string
		policies Policies
		want     Decision
		depends  string
	}{
		{"session policy", Policies{Identity: identity, Session: &Policy{Name: "s"}}, Depends, "s could not be read"},
		{"SCP", Policies{Identity: identity, SCPs: [][]Policy{{{Name: "scp"}}}}, Depends, "scp could not be read"},
		{"RCP", Policies{Identity: identity, RCPs: [][]Policy{{{Name: "rcp"}}}}, Depends, "rcp could not be read"},
		{"RCP, nothing allows", Policies{RCPs: [][]Policy{{{Name: "rcp"}}}}, Denied, ""},
		{"endpoint", Policies{Identity: identity, Endpoint: &Policy{Name: "vpce"}}, Depends, "vpce could not be read"},
		{"endpoint, nothing allows", Policies{Endpoint: &Policy{Name: "vpce"}}, Denied, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := evaluate(t, Prepare(c.policies), &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Account: testAccount})
			if result.Decision != c.want {
				t.Fatalf("%+v", result)
			}
			if c.depends != "" && (len(result.DependsOn) != 1 || result.DependsOn[0].String() != c.depends) {
				t.Errorf("depends on %v", result.DependsOn)
			}
		})
	}
}
