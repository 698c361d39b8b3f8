// Command policycheck is an example of how another program uses pkg/iampolicy: a test of policy
// documents that needs no AWS. It says for each action whether a policy allows it, and why, and
// exits with 1 unless all are allowed:
//
//	policycheck -boundary boundary.json policy.json ecr:BatchGetImage ecr:PutImage
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
)

func main() {
	allowed, err := run(os.Stdout, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "policycheck: "+err.Error())
		os.Exit(2)
	case !allowed:
		os.Exit(1)
	}
}

// run answers for the actions and reports whether all are allowed.
func run(out io.Writer, args []string) (allowed bool, err error) {
	flags := flag.NewFlagSet("policycheck", flag.ContinueOnError)
	boundary := flags.String("boundary", "", "file with a permissions boundary")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if flags.NArg() < 2 {
		return false, errors.New("usage: policycheck [-boundary FILE] POLICY ACTION…")
	}
	policy, err := read(flags.Arg(0))
	if err != nil {
		return false, err
	}
	policies := iampolicy.Policies{Identity: []iampolicy.Policy{policy}}
	if *boundary != "" {
		limit, err := read(*boundary)
		if err != nil {
			return false, err
		}
		policies.Boundary = &limit
	}

	set := iampolicy.Prepare(policies) // once, for any number of questions
	allowed = true
	for _, action := range flags.Args()[1:] {
		answer, err := set.Evaluate(&iampolicy.Request{
			Principal: "arn:aws:iam::111122223333:role/tested", Account: "111122223333",
			Action: action, Resource: "*", // on everything that the policy could name
		})
		if err != nil {
			return false, err
		}
		fmt.Fprintf(out, "%s: %s", action, answer.Decision)
		switch answer.Decision {
		case iampolicy.Allowed:
			fmt.Fprintf(out, " by %v\n", answer.Statements)
			continue
		case iampolicy.Depends:
			fmt.Fprintf(out, " on %v\n", answer.DependsOn)
		default:
			fmt.Fprintf(out, " by the %s %v\n", answer.By, answer.Statements)
		}
		allowed = false
	}
	return allowed, nil
}

func read(name string) (iampolicy.Policy, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return iampolicy.Policy{}, err
	}
	document, err := iampolicy.Parse(iampolicy.Identity, text)
	if err != nil {
		return iampolicy.Policy{}, fmt.Errorf("%s: %w", name, err)
	}
	return iampolicy.Policy{Name: name, Document: document}, nil
}
