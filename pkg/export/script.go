package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Complete adds to a command the flags that name the cluster.
type Complete func(command.Command) command.Command

// Script returns the plan as a script for a POSIX shell. It stops at the first error,
// where the credentials belong to another account than the cluster, where kubectl's context
// points to another cluster, and where what a step requires or proves is not true. What
// people have to do manually is in it as comments.
func Script(p *planner.Plan, complete Complete) string {
	w := script{complete: complete}
	w.line("#!/bin/sh")
	w.comment(
		"Repairs "+p.Cluster+". Read it before you run it.",
		"It stops at the first error, and if a step is not proven. The steps before that are complete.",
	)
	w.line("set -eu")
	// The shell reads the whole function before it runs any of it, so that a script that was
	// cut off does nothing, and no program can read the rest of the script as its input.
	w.line("main() {")
	if len(p.Steps) > 0 {
		w.WriteString(functions)
		w.sameAccount(p)
		if slices.ContainsFunc(p.Steps, needsKubectl) {
			w.sameCluster(p)
		}
	}
	for i, s := range p.Steps {
		w.step(i+1, len(p.Steps), s)
	}
	for _, m := range p.Manual {
		w.line("")
		w.comment("do this manually: "+m.Rule+" "+m.Message, "  "+m.Why)
	}
	w.line("")
	w.line("return 0")
	w.line("}")
	w.line("main </dev/null")
	return w.String()
}

// functions are those of every script: prove asks a question until the answer is yes, for
// two minutes and however long the question itself takes.
const functions = `stop() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}
prove() {
  what=$1
  shift
  tries=24
  until "$@" >/dev/null; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      stop "$step: $what"
    fi
    sleep 5
  done
}
`

// script writes a script.
type script struct {
	strings.Builder
	complete Complete
	// created are the names of the roles that the script creates.
	created []string
}

func (w *script) line(s string)           { w.WriteString(s + "\n") }
func (w *script) comment(lines ...string) { w.WriteString(comment(lines...)) }

// print returns a command with the flags that name the cluster, for the shell.
func (w *script) print(c command.Command) string { return c.Map(w.complete).String() }

// words quotes a text as one word of safe characters.
func words(s string) string { return command.Quote(text.Visible(s)) }

// sameAccount compares the account of the credentials with the cluster's, and sets the
// region for the AWS CLI.
func (w *script) sameAccount(p *planner.Plan) {
	a, ok := snapshot.ParseARN(p.Cluster)
	if !ok || a.Account == "" {
		w.line("stop 'the plan does not name the account of the cluster'")
		return
	}
	if a.Region != "" {
		region := command.Quote(a.Region)
		w.line("export AWS_REGION=" + region + " AWS_DEFAULT_REGION=" + region)
	}
	w.line("")
	w.comment("The credentials must belong to the cluster's account.")
	w.line("account=$(" + w.print(command.AWS("sts", "get-caller-identity", "--query", "Account", "--output", "text")) + ")")
	w.line("if [ \"$account\" != " + command.Quote(a.Account) + " ]; then")
	w.line("  stop \"the AWS credentials belong to account $account, but the cluster is in account \"" + words(a.Account))
	w.line("fi")
}

// sameCluster compares the server of kubectl's context with what EKS says of the cluster:
// the endpoint or, where a tunnel or proxy has another one, the certificate authority.
func (w *script) sameCluster(p *planner.Plan) {
	name := snapshot.NameOf(p.Cluster)
	ask := func(variable string, c command.Command) { w.line(variable + "=$(" + w.print(c) + ")") }
	config := func(field string) command.Command {
		return command.Kubectl("config", "view", "--minify", "--raw", "-o", "jsonpath={.clusters[0].cluster."+field+"}")
	}
	describe := func(field string) command.Command {
		return command.AWS("eks", "describe-cluster").With(command.Option("name", name)...).With("--query", "cluster."+field, "--output", "text")
	}
	w.line("")
	w.comment("kubectl's context must point to the cluster.")
	ask("server", config("server"))
	ask("endpoint", describe("endpoint"))
	w.line(`if [ "$server" != "$endpoint" ]; then`)
	ask("  authority", config("certificate-authority-data"))
	ask("  expected", describe("certificateAuthority.data"))
	w.line(`  if [ -z "$authority" ] || [ "$authority" != "$expected" ]; then`)
	w.line(`    stop "kubectl's context points to $server, but cluster "` + words(name) + `" is $endpoint"`)
	w.line("  fi")
	w.line("fi")
}

// step writes a step: what it requires, its changes, what it proves.
func (w *script) step(number, of int, s planner.Step) {
	title := fmt.Sprintf("%d. %s (%s)", number, s.Title, strings.Join(s.Rules, ", "))
	w.line("")
	w.comment(title)
	if s.Note != "" {
		w.comment(s.Note)
	}
	w.line("step=" + words(fmt.Sprintf("step %d of %d", number, of)))
	w.line("printf '%s\\n' " + words(title))
	for _, c := range s.Preconditions {
		w.prove(c, "was not started, because it is not safe yet: "+condition(c))
	}
	final := last(s.Changes)
	for i, c := range s.Changes {
		w.change(c)
		if slices.Contains(final, i) {
			w.wait(c)
		}
	}
	w.comment("proof: " + s.Proof)
	for _, c := range s.Postconditions {
		w.prove(c, "was not proven: "+condition(c))
	}
}

// change writes the commands of a change.
func (w *script) change(c change.Change) {
	if why := c.NoCommand(); why != "" {
		w.comment(c.String() + ": " + why)
		w.line("stop \"$step: make this change yourself, and then run the steps after it: \"" + words(c.String()))
		return
	}
	if c.Kind == change.Role && c.After != nil {
		w.created = append(w.created, c.Name)
	}
	again := ""
	if role := snapshot.NameOf(c.RoleARN()); slices.Contains(w.created, role) {
		again = "prove " + words("EKS does not accept the new role "+role) + " "
	}
	for _, made := range c.Commands() {
		w.line(again + w.print(made))
	}
}

// wait writes the command that waits until a change is visible. AWS's own waiters ask again by
// themselves.
func (w *script) wait(c change.Change) {
	failure := "the change is not visible: " + c.String()
	for _, wait := range c.Wait() {
		if wait.Word(2) == "wait" {
			w.line(w.print(wait) + " || stop \"$step: \"" + words(failure))
		} else {
			w.line("prove " + words(failure) + " " + w.print(wait))
		}
	}
}

// condition returns the words for a check that fails.
func condition(c planner.Check) string {
	switch {
	case c.Agent:
		return "eks-pod-identity-agent is not ready on every node"
	case c.Subject != "":
		return c.Rule + " does not pass for " + snapshot.NameOf(c.Subject)
	default:
		return c.Rule + " does not pass"
	}
}

// prove writes the question whether the facts show a check. failure says what follows
// where they never do.
func (w *script) prove(c planner.Check, failure string) {
	w.line("prove " + words(failure) + " " + w.print(Question(c)))
}

// Question returns the command that succeeds when the facts show a check.
func Question(c planner.Check) command.Command {
	if c.Agent {
		return command.Kubectl("-n", "kube-system", "rollout", "status", "daemonset", "eks-pod-identity-agent", "--timeout=10s")
	}
	q := command.Noderole("check", "--no-config", "--only", c.Rule)
	if c.Subject != "" {
		q = q.With(command.Option("subject", c.Subject)...)
	}
	failOn := "info"
	if c.Strict {
		failOn = "any"
	}
	return q.With("--quiet", "--fail-on", failOn)
}

// last are the indexes of the last change of each thing; the others only prepare it.
func last(changes []change.Change) []int {
	var list []int
	for i, c := range changes {
		if !slices.ContainsFunc(changes[i+1:], func(later change.Change) bool { return later.Target() == c.Target() }) {
			list = append(list, i)
		}
	}
	return list
}

// needsKubectl reports whether a step has a command of kubectl or of a plugin.
func needsKubectl(s planner.Step) bool {
	return len(s.Preconditions)+len(s.Postconditions) > 0 || slices.ContainsFunc(s.Changes, func(c change.Change) bool { return c.Kind.API() == change.Kubernetes })
}
