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
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/apply"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
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

// fixer repairs a live cluster.
type fixer struct {
	*fixOptions
	conn  *connection
	store change.Store
	// facts are those that the last plan was made from; nil where it came from a file.
	facts *snapshot.Snapshot
}

// open finds the cluster. Nothing is written before apply.
func (o *fixOptions) open(ctx context.Context) (*fixer, error) {
	if o.apply {
		if err := mayAsk(o.streams, o.yes, "look at the plan alone without --apply"); err != nil {
			return nil, err
		}
	}
	conn, err := o.source.live.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &fixer{fixOptions: o, conn: conn, store: stores{conn.cloud.Writing(), conn.api.Writing()}}, nil
}

// stores are those of AWS and of the cluster as one.
type stores struct{ aws, kube change.Store }

func (s stores) of(c change.Change) change.Store {
	if c.Kind.API() == change.Kubernetes {
		return s.kube
	}
	return s.aws
}

func (s stores) State(ctx context.Context, c change.Change) (*change.State, error) {
	return s.of(c).State(ctx, c)
}

func (s stores) Write(ctx context.Context, c change.Change) error { return s.of(c).Write(ctx, c) }

// plan is what is left to be done: of the plan in a file, of taking a journal back, or
// about what is found.
func (f *fixer) plan(ctx context.Context) (*planner.Plan, error) {
	var plan *planner.Plan
	var err error
	switch {
	case f.fixOptions.plan != "":
		plan, err = f.readPlan(ctx)
	case f.undo != "":
		plan, err = f.undoPlan()
	default:
		if f.facts, _, err = f.conn.read(ctx); err == nil {
			plan, err = f.newPlan(view.New(f.facts))
		}
	}
	if err != nil {
		return nil, err
	}
	return f.prune(ctx, plan)
}

// judge reads the cluster's facts again.
func (f *fixer) judge(ctx context.Context) (*view.View, []finding.Result, error) {
	facts, _, err := f.conn.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	return view.New(facts), rules.Judge(view.New(facts), rules.Options{}).Results, nil
}

// readPlan reads the plan in a file.
func (f *fixer) readPlan(ctx context.Context) (*planner.Plan, error) {
	file := f.fixOptions.plan
	text, err := readFile(ctx, file, files.MaxConfig)
	if err != nil {
		return nil, err
	}
	if err := files.CheckDepth(text); err != nil {
		return nil, usage("write one: kubectl noderole fix -o json > "+file, "%s %s", file, err)
	}
	plan, err := planner.ReadPlan(text)
	if err != nil {
		return nil, usage("write one: kubectl noderole fix -o json > "+file, "%s is no plan: %s", file, err)
	}
	if err := f.sameCluster(file, plan.Cluster); err != nil {
		return nil, err
	}
	return plan, nil
}

func (f *fixer) sameCluster(file, arn string) error {
	if arn == f.conn.cluster.ARN {
		return nil
	}
	return usage("choose the context of that cluster", "%s is about cluster %s, not %s", file, arn, f.conn.cluster.ARN)
}

// undoPlan is what takes a journal back.
func (f *fixer) undoPlan() (*planner.Plan, error) {
	log, err := f.readJournal(f.undo)
	if err != nil {
		return nil, err
	}
	return planner.Undo(log.Cluster, log.Made()), nil
}

func (f *fixer) readJournal(file string) (*apply.Log, error) {
	log, err := apply.ReadJournal(file)
	if err != nil {
		return nil, usage("fix says where its journal is; by default in "+stateDir(), "the journal cannot be read: %s", err)
	}
	return log, f.sameCluster(file, log.Cluster)
}

// changesOf are the changes of steps, in order.
func changesOf(steps []planner.Step) []change.Change {
	var all []change.Change
	for _, s := range steps {
		all = append(all, s.Changes...)
	}
	return all
}

// prune leaves out the steps that were made already. A step about something that is in
// neither state is left to people or, where the plan was made before, ends the run.
func (f *fixer) prune(ctx context.Context, plan *planner.Plan) (*planner.Plan, error) {
	made, err := change.Applied(ctx, f.store, changesOf(plan.Steps))
	conflicts := map[string]*change.ConflictError{}
	for _, e := range unjoin(err) {
		var conflict *change.ConflictError
		switch {
		case e == nil:
		case !errors.As(e, &conflict) && f.fixOptions.apply:
			return nil, unread(e)
		case !errors.As(e, &conflict):
			fmt.Fprintf(f.streams.ErrOut, "warning: whether steps were made already could not be read: %s\n", e)
			return plan, nil
		default:
			conflicts[conflict.Change.Target()] = conflict
		}
	}
	if len(conflicts) > 0 && (f.fixOptions.plan != "" || f.undo != "") {
		return nil, f.moved(conflicts)
	}
	steps := []planner.Step{}
	for _, s := range plan.Steps {
		done := made[:len(s.Changes)]
		made = made[len(s.Changes):]
		at := slices.IndexFunc(s.Changes, func(c change.Change) bool { return conflicts[c.Target()] != nil })
		switch {
		case at >= 0:
			plan.Manual = append(plan.Manual, planner.Manual{
				Rule: s.Rules[0], Subject: s.Subject, Message: "not done: " + s.Title, Why: conflicts[s.Changes[at].Target()].Error(),
			})
		case slices.Contains(done, false):
			steps = append(steps, s)
		}
	}
	plan.Steps = steps
	return plan, nil
}

// moved says that what a plan was made for is not there any more.
func (f *fixer) moved(conflicts map[string]*change.ConflictError) error {
	var lines []string
	for _, c := range conflicts {
		lines = append(lines, c.Error())
	}
	slices.Sort(lines)
	what, next := "the plan does not fit any more", "nothing was changed; make a new plan: kubectl noderole fix -o json"
	if f.undo != "" {
		what, next = "what the journal says was done has been changed since", "nothing was changed; see what is left to take back: the journal has it, change by change"
	}
	return codeError{code: ExitFindings, err: &problem.Error{Problem: what + ": " + strings.Join(lines, "\nerror: "), Next: next}}
}

// apply makes the plan. A plan of which an earlier run left something is finished
// first.
func (f *fixer) apply(ctx context.Context) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	path := f.journal
	if path == "" {
		if path, err = f.leftJournal(); err != nil {
			return err
		}
	}
	if path != "" && f.undo == "" {
		if err := f.finish(ctx, path); err != nil {
			return err
		}
	}
	plan, err := f.plan(ctx)
	if err != nil {
		return err
	}
	if err := f.print(plan); err != nil {
		return err
	}
	if len(plan.Steps) > 0 {
		if path == "" || f.journal == "" && samePath(path, f.undo) {
			path = f.newJournal() // what is taken back keeps its own
		}
		if err := f.make(ctx, path, plan.Steps, -1); err != nil {
			return err
		}
	}
	if f.undo != "" {
		if err := f.end(f.undo); err != nil {
			return err
		}
	}
	if f.facts == nil {
		return nil
	}
	return incomplete(f.facts)
}

// finish makes what a journal says is left of an earlier run's plan. Where that does
// not fit any more a new plan is made instead.
func (f *fixer) finish(ctx context.Context, path string) error {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	log, err := f.readJournal(path)
	if err != nil {
		return err
	}
	steps, first := log.Left()
	if len(steps) == 0 {
		return nil
	}
	_, err = change.Applied(ctx, f.store, changesOf(steps))
	var conflict *change.ConflictError
	switch {
	case errors.As(err, &conflict):
		fmt.Fprintf(f.streams.ErrOut, "warning: what is left of the run of %s does not fit any more and is left out: %s\n", log.Began.Format(time.RFC3339), conflict)
		return f.end(path)
	case err != nil:
		return unread(err)
	}
	fmt.Fprintf(f.streams.Out, "a run of %s broke off; this is left of it and is done first\n\n", log.Began.Format(time.RFC3339))
	if err := f.print(&planner.Plan{Cluster: log.Cluster, Steps: steps}); err != nil {
		return err
	}
	return f.make(ctx, path, steps, first)
}

// end marks a journal of which nothing is left to be done.
func (f *fixer) end(path string) error {
	j, err := f.openJournal(path)
	if err != nil {
		return err
	}
	return j.End()
}

func (f *fixer) openJournal(path string) (*apply.Journal, error) {
	j, err := apply.OpenJournal(path, f.conn.cluster.ARN, "kubectl-noderole "+version())
	if err != nil {
		return nil, usage("name another file: --journal FILE", "nothing was changed: the journal cannot be written: %s", err)
	}
	return j, nil
}

// make asks, and makes steps; first is the number of the first in the journal, or
// negative where they are new to it.
func (f *fixer) make(ctx context.Context, path string, steps []planner.Step, first int) error {
	fmt.Fprintln(f.streams.Out)
	if err := ask(f.streams, f.yes, fmt.Sprintf("Make %s?", text.Count(len(changesOf(steps)), "change")), "nothing was changed"); err != nil {
		return err
	}
	j, err := f.openJournal(path)
	if err != nil {
		return err
	}
	if first < 0 {
		if first, err = j.Plan(steps); err != nil {
			return errors.Join(err, j.Close())
		}
	}
	run := apply.Run{Store: f.store, Judge: f.judge, Journal: j, Say: f.say, Patience: f.patience, Pause: min(3*time.Second, f.patience/4+time.Millisecond)}
	if err := run.Steps(ctx, steps, first); err != nil {
		return errors.Join(f.brokeOff(err, path, len(steps)), j.Close())
	}
	fmt.Fprintf(f.streams.Out, "%s made; look again: kubectl noderole check\nto take back what was done: kubectl noderole fix --undo JOURNAL --apply\nthe journal is %s\n", text.Count(len(steps), "step"), path)
	return j.End()
}

// say tells what happens.
func (f *fixer) say(e apply.Event) {
	out := f.streams.Out
	switch e.Kind {
	case apply.Begins:
		fmt.Fprintf(out, "step %d of %d  %s\n", e.Step, e.Of, e.Plan.Title)
	case apply.Changing:
		f.transient("changing " + e.Change.String())
	case apply.Changed:
		f.transient("")
		fmt.Fprintf(out, "  %-8s%s\n", done(e.Change), e.Change)
	case apply.Kept:
		f.transient("")
		fmt.Fprintf(out, "  kept    %s: it is as it should be\n", e.Change)
	case apply.Waiting:
		f.transient("waiting: " + e.Why)
	case apply.Proven:
		f.transient("")
		fmt.Fprintf(out, "  proof   %s\n", e.Plan.Proof)
	}
}

// done is the word for a change that was made.
func done(c change.Change) string {
	switch {
	case c.Kind == change.Rollout:
		return "new"
	case c.Before == nil:
		return "made"
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

// brokeOff says what stands, why, and how to go on.
func (f *fixer) brokeOff(err error, path string, of int) error {
	f.transient("")
	var stopped *apply.Error
	if !errors.As(err, &stopped) {
		return err
	}
	code := ExitIncomplete
	if stopped.Phase != apply.Making {
		code = ExitFindings
	}
	var next []string
	var refused *collect.CallError
	if errors.As(err, &refused) && refused.Permission != "" {
		next = append(next, "allow yourself "+refused.Permission)
	}
	next = append(
		next,
		fmt.Sprintf("%d of %s stand; run the same command again to go on", stopped.Step-1, text.Count(of, "step")),
		"or take them back: kubectl noderole fix --undo "+path+" --apply",
	)
	what := err.Error()
	if errors.Is(err, context.Canceled) {
		what = fmt.Sprintf("interrupted in step %d (%s)", stopped.Step, stopped.Title)
	}
	return codeError{code: code, err: &problem.Error{Problem: what, Next: strings.Join(next, "\n  "), Err: err}}
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

// journalName begins the names of a cluster's files in the state folder.
func (f *fixer) journalName() string {
	a, _ := snapshot.ParseARN(f.conn.cluster.ARN)
	return strings.Join([]string{a.Account, a.Region, a.Name()}, "_")
}

func (f *fixer) newJournal() string {
	return filepath.Join(stateDir(), f.journalName()+"_"+time.Now().UTC().Format("20060102T150405.000Z")+".jsonl")
}

// leftJournal is the newest journal of the cluster of which something is left to be
// done; empty for none.
func (f *fixer) leftJournal() (string, error) {
	found, err := filepath.Glob(filepath.Join(stateDir(), f.journalName()+"_*.jsonl"))
	if err != nil {
		return "", err
	}
	slices.Sort(found)
	for _, path := range slices.Backward(found) {
		log, err := apply.ReadJournal(path)
		if err != nil {
			fmt.Fprintf(f.streams.ErrOut, "warning: %s\n", err)
			continue
		}
		if left, _ := log.Left(); log.Cluster == f.conn.cluster.ARN && len(left) > 0 {
			return path, nil
		}
	}
	return "", nil
}

// lock keeps two runs of one user from repairing one cluster at once. On other machines
// each change is still made only where it finds what it begins from.
func (f *fixer) lock() (unlock func(), err error) {
	dir := stateDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, usage("set XDG_STATE_HOME to a folder that can be written", "nothing was changed: %s", err)
	}
	waiting := time.AfterFunc(time.Second, func() {
		fmt.Fprintln(f.streams.ErrOut, "waiting for another fix of this cluster to end")
	})
	defer waiting.Stop()
	unlock, err = lockedfile.MutexAt(filepath.Join(dir, f.journalName()+".lock")).Lock()
	if err != nil {
		return nil, usage("set XDG_STATE_HOME to a folder that can be written", "nothing was changed: %s", err)
	}
	return unlock, nil
}

// mayAsk refuses a run that has to ask where there is nobody to ask.
func mayAsk(streams genericiooptions.IOStreams, yes bool, or string) error {
	if in, ok := streams.In.(*os.File); yes || ok && term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return usage("add --yes, or "+or, "nothing was changed: there is no terminal to ask on")
}

// ask asks on a terminal for a yes, unless that was given.
func ask(streams genericiooptions.IOStreams, yes bool, question, otherwise string) error {
	if yes {
		return nil
	}
	if err := mayAsk(streams, yes, "look at the plan alone"); err != nil {
		return err
	}
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
