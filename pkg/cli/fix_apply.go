package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/apply"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// fixer repairs a live cluster: it asks and prints, and a session does the work.
type fixer struct {
	*fixOptions
	conn    *connection
	session *apply.Session
	// facts are those that the last plan is based on; nil for a plan from a file.
	facts *snapshot.Snapshot
}

// open finds the cluster. Nothing is written before apply.
func (o *fixOptions) open(ctx context.Context) (*fixer, error) {
	if o.apply {
		if err := mayAsk(o.streams, o.yes, "show the plan without --apply"); err != nil {
			return nil, err
		}
	}
	conn, err := o.source.live.connect(ctx)
	if err != nil {
		return nil, err
	}
	f := &fixer{fixOptions: o, conn: conn}
	f.session = &apply.Session{
		Cluster: conn.cluster.ARN, Store: stores{conn.cloud.Writing(), conn.api.Writing()}, Judge: f.judge, NewLease: f.newLease,
		StateDir: stateDir(), Journal: o.journal, Tool: "kubectl-noderole " + version(),
		ProofTimeout: o.proofTimeout, PollInterval: min(3*time.Second, o.proofTimeout/4+time.Millisecond), OnEvent: f.show,
	}
	return f, nil
}

// optionalLease goes on without the lease where its right is missing.
type optionalLease struct {
	*kube.Lease
	warn    func(format string, args ...any)
	missing bool
}

func (f *fixer) newLease(holder string) apply.Lease {
	return &optionalLease{
		Lease: f.conn.api.Writing().NewLease(holder),
		warn:  func(format string, args ...any) { warn(f.streams.ErrOut, format, args...) },
	}
}

// Acquire takes the lease, or says that it cannot be taken.
func (o *optionalLease) Acquire(ctx context.Context, waits func()) error {
	err := o.Lease.Acquire(ctx, waits)
	var refused *collect.CallError
	if errors.As(err, &refused) && refused.Permission != "" {
		o.missing = true
		o.warn("runs of fix on other machines are not kept apart: no permission to %s", refused.Permission)
		return nil
	}
	if err != nil {
		return unread(err)
	}
	return nil
}

// Held returns nil where there is no lease.
func (o *optionalLease) Held() error {
	if o.missing {
		return nil
	}
	return o.Lease.Held()
}

// stores are those of AWS and of the cluster as one.
type stores struct{ aws, kube change.Store }

func (s stores) of(c change.Change) change.Store {
	if c.Kind.API() == change.Kubernetes {
		return s.kube
	}
	return s.aws
}

// State reads the state of what a change is about; the error ends this program as facts
// that could not be read.
func (s stores) State(ctx context.Context, c change.Change) (*change.State, error) {
	state, err := s.of(c).State(ctx, c)
	if err != nil {
		return nil, unread(err)
	}
	return state, nil
}

func (s stores) Write(ctx context.Context, c change.Change) error { return s.of(c).Write(ctx, c) }

// judge reads the cluster's facts again.
func (f *fixer) judge(ctx context.Context) (*view.View, []finding.Result, error) {
	facts, err := f.conn.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	v := view.New(facts)
	return v, rules.Judge(v, rules.Options{}).Results, nil
}

// work is what is left to do: of the plan in a file, of undoing a journal, or about what
// is found. Whoever only looks at it sees all of it where its state cannot be read.
func (f *fixer) work(ctx context.Context) (work *apply.Work, err error) {
	if f.undo != "" {
		work, err = f.session.Undo(ctx, f.undo)
	} else {
		var plan *planner.Plan
		if plan, err = f.loadPlan(ctx); err != nil {
			return nil, err
		}
		work, err = f.session.Plan(ctx, plan, f.plan)
	}
	switch {
	case errors.Is(err, apply.ErrStale):
		return nil, codeError{code: ExitFindings, err: err}
	case err != nil && work != nil && !f.fixOptions.apply:
		warn(f.streams.ErrOut, "which steps are already applied could not be read: %s", err)
		return work, nil
	}
	return work, err
}

// loadPlan returns the plan in a file, or a plan for what check finds.
func (f *fixer) loadPlan(ctx context.Context) (plan *planner.Plan, err error) {
	if f.reviewed != nil {
		return f.reviewed, nil
	}
	if f.facts, err = f.conn.read(ctx); err != nil {
		return nil, err
	}
	return f.newPlan(view.New(f.facts))
}

// readPlan reads the plan in a file.
func readPlan(ctx context.Context, file string) (*planner.Plan, error) {
	text, err := readFile(ctx, file, files.MaxConfig)
	if err != nil {
		return nil, err
	}
	plan, err := planner.ReadPlan(text)
	if err != nil {
		return nil, usage("kubectl noderole fix -o json writes one", "%s is not a plan: %s", file, err)
	}
	return plan, nil
}

// showPlan prints the plan and applies nothing.
func (f *fixer) showPlan(ctx context.Context) error {
	work, err := f.work(ctx)
	if err != nil {
		return err
	}
	if err := f.print(work.Plan); err != nil {
		return err
	}
	return f.incomplete()
}

// apply applies the plan. What an earlier run left is finished first.
func (f *fixer) apply(ctx context.Context) error {
	if err := f.session.Open(ctx); err != nil {
		return err
	}
	defer f.session.Close()
	if f.undo == "" {
		if err := f.finish(ctx); err != nil {
			return err
		}
	}
	work, err := f.work(ctx)
	if err != nil {
		return err
	}
	if err := f.do(ctx, work); err != nil {
		return err
	}
	return f.incomplete()
}

// incomplete is an error where some facts that the plan is based on could not be read.
func (f *fixer) incomplete() error {
	if f.facts == nil {
		return nil
	}
	return incomplete(f.facts)
}

// finish does what an earlier run left.
func (f *fixer) finish(ctx context.Context) error {
	work, err := f.session.Unfinished(ctx)
	if err != nil || work == nil {
		return err
	}
	fmt.Fprintf(f.streams.Out, "the run of %s was interrupted; its remaining steps are applied first\n\n", work.Began.Format(time.RFC3339))
	return f.do(ctx, work)
}

// do prints work, asks, and does it.
func (f *fixer) do(ctx context.Context, work *apply.Work) error {
	steps := work.Plan.Steps
	if err := f.print(work.Plan); err != nil {
		return err
	}
	if len(steps) > 0 {
		changes := 0
		for _, s := range steps {
			changes += len(s.Changes)
		}
		fmt.Fprintln(f.streams.Out)
		if err := ask(ctx, f.streams, f.yes, fmt.Sprintf("Apply %s?", text.Count(changes, "change")), "nothing was changed"); err != nil {
			return err
		}
	}
	journal, err := f.session.Apply(ctx, work)
	if err != nil {
		return f.failed(ctx, err, journal, len(steps))
	}
	if len(steps) > 0 {
		fmt.Fprintf(f.streams.Out, "%s applied; check again: %s\nto undo the changes: %s\n", text.Count(len(steps), "step"), f.command("check"), f.command("fix", "--undo", journal, "--apply"))
	}
	return nil
}

// command is a command of this program about the same cluster.
func (f *fixer) command(args ...string) string {
	return f.source.around(f.conn.cluster.ARN).complete(command.Noderole(args...)).String()
}

// show prints an event.
func (f *fixer) show(e apply.Event) {
	out := f.streams.Out
	switch e.Kind {
	case apply.Locked:
		fmt.Fprintln(f.streams.ErrOut, "waiting for another run of fix on this cluster")
	case apply.Warning:
		warn(f.streams.ErrOut, "%s", e.Why)
	case apply.Begins:
		printLine(out, "step %d of %d  %s", e.Step, e.Of, e.Plan.Title)
	case apply.Changing:
		f.transient("changing " + e.Change.String())
	case apply.Changed:
		f.transient("")
		printLine(out, "  %-10s%s", done(e.Change), e.Change)
	case apply.Kept:
		f.transient("")
		printLine(out, "  kept      %s: already as planned", e.Change)
	case apply.Waiting:
		f.transient("waiting: " + e.Why)
	case apply.Proven:
		f.transient("")
		printLine(out, "  proof     %s", e.Plan.Proof)
	}
}

// done is the word for a change that was applied.
func done(c change.Change) string {
	switch {
	case c.Kind == change.Rollout:
		return "restarted"
	case c.Before == nil:
		return "created"
	case c.After == nil:
		return "removed"
	default:
		return "changed"
	}
}

// transient shows on a terminal what is going on; empty clears it.
func (f *fixer) transient(what string) {
	if width, ok := drawable(f.streams.ErrOut); ok {
		fmt.Fprint(f.streams.ErrOut, clearLine+print.Cut(text.Visible(what), width()-1))
	}
}

// failed says which steps are applied, why the run stopped, and how to continue.
func (f *fixer) failed(ctx context.Context, err error, path string, of int) error {
	f.transient("")
	var stopped *apply.Error
	if !errors.As(err, &stopped) {
		return err
	}
	code := ExitIncomplete
	if stopped.Phase != apply.Applying && !stopped.Unread() {
		code = ExitFindings
	}
	var next []string
	var refused *collect.CallError
	if errors.As(err, &refused) && refused.Permission != "" {
		next = append(next, "grant yourself "+refused.Permission)
	}
	next = append(
		next,
		fmt.Sprintf("%d of %s applied; run the same command again to continue", stopped.Step-1, text.Count(of, "step")),
		"or undo them: "+f.command("fix", "--undo", path, "--apply"),
	)
	what := err.Error()
	switch {
	case errors.Is(err, context.Canceled) && isTimeout(ctx):
		what = fmt.Sprintf("step %d (%s): %s", stopped.Step, stopped.Title, context.Cause(ctx))
	case errors.Is(err, context.Canceled):
		what = fmt.Sprintf("interrupted in step %d (%s)", stopped.Step, stopped.Title)
	}
	return codeError{code: code, err: &problem.Error{Problem: what, Next: strings.Join(next, "\n"), Err: err}}
}

// stateDir is where journals are kept: what the XDG base directory specification calls
// the user's state, or the local application data of Windows.
// Source: https://specifications.freedesktop.org/basedir-spec/latest/
func stateDir() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if runtime.GOOS == "windows" {
		dir = cmp.Or(dir, os.Getenv("LOCALAPPDATA"))
	}
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			home = os.TempDir()
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "kubectl-noderole")
}

// mayAsk refuses a run that has to ask where there is nobody to ask.
func mayAsk(streams genericiooptions.IOStreams, yes bool, or string) error {
	if in, ok := fileOf(streams.In); yes || ok && term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return usage("add --yes, or "+or, "nothing was changed: there is no terminal for the confirmation")
}

// ask asks on a terminal for a yes, unless that was given.
func ask(ctx context.Context, streams genericiooptions.IOStreams, yes bool, question, otherwise string) error {
	if yes {
		return nil
	}
	if err := mayAsk(streams, yes, "show the plan only"); err != nil {
		return err
	}
	defer pause(ctx)()
	fmt.Fprint(streams.ErrOut, question+" Type yes: ")
	answer, err := bufio.NewReader(streams.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return codeError{code: ExitUsage, err: errors.New(otherwise + ": not confirmed")}
	}
	return nil
}
