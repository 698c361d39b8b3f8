package iampolicy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
)

func parse(kind iampolicy.Kind, text string) *iampolicy.Document {
	d, err := iampolicy.Parse(kind, []byte(text))
	if err != nil {
		panic(err)
	}
	return d
}

const node = "arn:aws:iam::111122223333:role/node"

func Example() {
	pull := parse(iampolicy.Identity, `{"Version": "2012-10-17", "Statement": [{
		"Sid": "Pull", "Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*",
		"Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}]}`)
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "pull", Version: "v2", Document: pull}}})
	request := &iampolicy.Request{Principal: node, Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:eu-west-1:111122223333:repository/app"}

	open, err := set.Evaluate(request)
	fmt.Println(open.Decision, open.DependsOn, err)

	request.Context = iampolicy.RoleSession(node, "111122223333", "eu-west-1", nil)
	known, err := set.Evaluate(request)
	fmt.Println(known.Decision, known.Statements, err)
	// Output:
	// depends [pull v2 statement 1 (Pull): StringEquals aws:RequestedRegion eu-west-1] <nil>
	// allowed [pull v2 statement 1 (Pull)] <nil>
}

func ExampleParse() {
	_, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "action": "*", "Resource": "*"}]}`))
	fmt.Println(err)
	var at *iampolicy.ParseError
	fmt.Println(errors.As(err, &at), at.Line, at.Path)
	// Output:
	// line 2, column 30 (/Statement/0/action): "action" is not an element of a statement
	// true 2 /Statement/0/action
}

// A question about everything that a pattern matches.
func ExampleRequest_pattern() {
	team := parse(iampolicy.Identity, `{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:111122223333:repository/team-a/*"}}`)
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "team", Document: team}}})
	for _, repositories := range []string{"*", "team-a/*", "team-b/*"} {
		answer, _ := set.Evaluate(&iampolicy.Request{
			Principal: node, Action: "ecr:BatchGetImage",
			Resource: "arn:aws:ecr:eu-west-1:111122223333:repository/" + repositories,
		})
		fmt.Println(repositories, answer.Decision, answer.DependsOn)
	}
	// Output:
	// * depends [team statement 1: resource arn:aws:ecr:*:111122223333:repository/team-a/*]
	// team-a/* allowed []
	// team-b/* denied []
}

// A role's trust policy has a say of its own: an identity policy alone does not
// decide who may assume it.
func ExamplePolicies_resourceState() {
	assume := parse(iampolicy.Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}`)
	for _, state := range []iampolicy.ResourceState{iampolicy.NotGiven, iampolicy.NoPolicy, iampolicy.Delegates} {
		set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "assume", Document: assume}}, ResourceState: state})
		answer, _ := set.Evaluate(&iampolicy.Request{Principal: node, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/target"})
		fmt.Println(state, answer.Decision, answer.DependsOn)
	}
	// Output:
	// not given depends [the trust policy of arn:aws:iam::111122223333:role/target was not given]
	// none denied []
	// delegates allowed []
}

// What follows from the principal cannot be contradicted.
func ExampleRequestError() {
	request := iampolicy.Request{
		Principal: node, Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key",
		Context: iampolicy.NewContext().Set("aws:PrincipalAccount", "444455556666"),
	}
	err := request.Validate()
	var invalid *iampolicy.RequestError
	fmt.Println(errors.As(err, &invalid), err)
	// Output:
	// true condition key aws:PrincipalAccount is ["444455556666"], but for principal arn:aws:iam::111122223333:role/node it is 111122223333; leave the key out
}

// An answer in JSON can be read back.
func ExampleResult_json() {
	set := iampolicy.Prepare(iampolicy.Policies{})
	answer, _ := set.Evaluate(&iampolicy.Request{Principal: node, Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key"})
	text, _ := json.Marshal(answer)
	fmt.Println(string(text))
	var again iampolicy.Result
	fmt.Println(json.Unmarshal(text, &again), again.Decision, again.By)
	// Output:
	// {"decision":"denied","explicit":false,"by":"identity policies"}
	// <nil> denied identity policies
}

func ExampleSet_Explain() {
	trust := parse(iampolicy.Trust, `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
		{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`)
	set := iampolicy.Prepare(iampolicy.Policies{Resource: &iampolicy.Policy{Name: "trust policy", Document: trust}})
	traces, err := set.Explain(&iampolicy.Request{Principal: "ec2.amazonaws.com", Action: "sts:AssumeRole", Resource: node})
	if err != nil {
		panic(err)
	}
	for _, t := range traces {
		fmt.Println(t.Sentence)
	}
	// Output:
	// trust policy statement 1 does not apply: its principal is lambda.amazonaws.com, not ec2.amazonaws.com.
	// trust policy statement 2 allows sts:AssumeRole on arn:aws:iam::111122223333:role/node.
}

func ExampleDiff() {
	statement := func(actions string) *iampolicy.Document {
		return parse(iampolicy.Trust, `{"Version": "2012-10-17", "Statement": {
			"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": [`+actions+`]}}`)
	}
	fmt.Print(iampolicy.Diff(statement(`"sts:AssumeRole"`), statement(`"sts:AssumeRole", "sts:TagSession"`)))
	fmt.Println(iampolicy.Equal(statement(`"sts:AssumeRole", "sts:TagSession"`), statement(`"sts:TagSession", "sts:assumerole"`)))
	// Output:
	// @@ -9,7 +9,8 @@
	//          ]
	//        },
	//        "Action": [
	// -        "sts:AssumeRole"
	// +        "sts:AssumeRole",
	// +        "sts:TagSession"
	//        ]
	//      }
	//    ]
	// true
}

func ExampleLint() {
	d := parse(iampolicy.Trust, `{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": {"AWS": ["AROAEXAMPLEEXAMPLE1", "*"]}, "Action": "sts:AssumeRole"}}`)
	for _, p := range iampolicy.Lint(iampolicy.Trust, d) {
		fmt.Println(p)
	}
	// Output:
	// statement 1: principal AROAEXAMPLEEXAMPLE1 was deleted: IAM shows its unique ID, which matches nobody (dangling-principal)
	// statement 1: allows every principal of every AWS account, without a condition (everyone)
}

func ExampleBatch() {
	questions := strings.NewReader(`{"id": "1", "principal": "ec2.amazonaws.com", "action": "sts:AssumeRole", "resource": "arn:aws:iam::111122223333:role/node",` +
		` "resourcePolicy": {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}}`)
	if err := iampolicy.Batch(context.Background(), questions, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"id":"1","decision":"allowed","explicit":false,"statements":[{"policy":"trust policy","index":0,"sid":"","effect":"Allow"}],"dependsOn":[]}
}
