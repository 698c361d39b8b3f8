package apply

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

// journalKind is the kind in a journal's first line.
const journalKind = "Journal"

// mark is what a line of a journal says of a step, or of one of its changes.
type mark string

const (
	begun  mark = "begun"  // a change is about to be applied
	done   mark = "done"   // it was applied, or found applied
	proven mark = "proven" // the step is applied and proven
	ended  mark = "ended"  // nothing of the journal is left to do
)

// line is one line of a journal, as JSON.
type line struct {
	Time time.Time `json:"time"`
	// The first line says what the journal is.
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	Tool       string `json:"tool,omitempty"`
	// Steps are those of a plan that is about to be applied.
	Steps []planner.Step `json:"steps,omitempty"`
	// Mark is about a step, counted from 0 over all plans of the journal, and one of
	// its changes, counted from 0.
	Mark   mark `json:"mark,omitempty"`
	Step   int  `json:"step,omitempty"`
	Change int  `json:"change,omitempty"`
	// Wrote is set where the change was not applied before.
	Wrote bool `json:"wrote,omitempty"`
}

// journal is a file of what is applied: a line for each change, on disk before it is
// applied.
type journal struct {
	file *os.File
	path string
	// steps are all steps of the journal.
	steps int
}

// openJournal appends to a journal of a cluster, by ARN, or begins one. Its folder is
// created where it is missing.
func openJournal(path, cluster, tool string) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := files.Check(path, files.MaxSnapshot); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, path: path}
	if err := j.begin(cluster, tool); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

// beginning is how the first line of a journal begins.
const beginning = `{"time":"`

// begin goes to the end of the last whole line, or writes the first.
func (j *journal) begin(cluster, tool string) error {
	text, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	switch {
	case whole > 0:
		h, err := readHistory(bufio.NewReader(bytes.NewReader(text[:whole])))
		if err != nil {
			return fmt.Errorf("%s: %w", j.path, err)
		}
		if h.cluster != cluster {
			return fmt.Errorf("%s is of cluster %s", j.path, h.cluster)
		}
		j.steps = len(h.steps)
	case !bytes.HasPrefix(text, []byte(beginning)) && !bytes.HasPrefix([]byte(beginning), text):
		return fmt.Errorf("%s: %w", j.path, errNoJournal)
	}
	if whole < len(text) { // a kill in the middle of a line
		if err := j.file.Truncate(int64(whole)); err != nil {
			return err
		}
	}
	if _, err := j.file.Seek(int64(whole), io.SeekStart); err != nil || whole > 0 {
		return err
	}
	return j.write(line{APIVersion: finding.APIVersion, Kind: journalKind, Cluster: cluster, Tool: tool})
}

// plan writes down a plan that is about to be applied, and returns the number of its
// first step in the journal.
func (j *journal) plan(steps []planner.Step) (first int, err error) {
	first = j.steps
	j.steps += len(steps)
	return first, j.write(line{Steps: steps})
}

// end marks that nothing of the journal is left to do, and closes it.
func (j *journal) end() error {
	return errors.Join(j.write(line{Mark: ended}), j.file.Close())
}

// close closes a journal of which something is left to do.
func (j *journal) close() error { return j.file.Close() }

// write appends a line and sees it on disk.
func (j *journal) write(l line) error {
	l.Time = time.Now().UTC()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(l); err != nil {
		return err
	}
	if _, err := j.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write the journal %s: %w", j.path, err)
	}
	return nil
}

// history is what a journal says.
type history struct {
	// cluster is the cluster's ARN.
	cluster string
	// began is the time of the first line.
	began time.Time
	// ended is set where nothing is left to do.
	ended bool
	steps []loggedStep
	// last is the number of the last plan's first step. Plans before it are applied,
	// undone, or given up.
	last int
}

type loggedStep struct {
	step    planner.Step
	changes []loggedChange
	proven  bool
}

// loggedChange is open where it was begun and has no further line: it may have
// been applied. The undo finds out whether it was.
type loggedChange struct{ open, wrote bool }

// readJournal reads a journal. A last line that is not whole is left out: it was being
// written when the run was killed.
func readJournal(ctx context.Context, path string) (*history, error) {
	text, err := files.Read(ctx, path, nil, files.MaxSnapshot)
	if err != nil {
		return nil, err
	}
	h, err := readHistory(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

func readHistory(r *bufio.Reader) (*history, error) {
	h := &history{}
	for number := 1; ; number++ {
		text, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && number == 1:
			return nil, errNoJournal
		case errors.Is(err, io.EOF):
			return h, nil
		case err != nil:
			return nil, err
		}
		var l line
		if number == 1 {
			err = files.Object(text, finding.APIVersion, journalKind, &l, false)
		} else {
			err = files.JSON(text, &l, false)
		}
		var wrong *files.JSONError
		switch {
		case errors.As(err, &wrong) && number == 1:
			return nil, fmt.Errorf("%w: %s", errNoJournal, wrong.Problem)
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("line %d: %s", number, wrong.Problem)
		case number == 1:
			h.cluster, h.began = l.Cluster, l.Time
			continue
		}
		if err := h.take(l); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
}

var errNoJournal = errors.New("it is not a journal of fix")

func (h *history) take(l line) error {
	if l.Mark == ended {
		h.ended = true
		return nil
	}
	if l.Steps != nil {
		h.last = len(h.steps)
		for _, s := range l.Steps {
			for _, c := range s.Changes {
				if err := c.Validate(); err != nil {
					return err
				}
			}
			h.steps = append(h.steps, loggedStep{step: s, changes: make([]loggedChange, len(s.Changes))})
		}
		h.ended = false
		return nil
	}
	if l.Step < 0 || l.Step >= len(h.steps) {
		return fmt.Errorf("there is no step %d", l.Step)
	}
	s := &h.steps[l.Step]
	if l.Mark == proven {
		s.proven = true
		return nil
	}
	if l.Change < 0 || l.Change >= len(s.changes) {
		return fmt.Errorf("step %d has no change %d", l.Step, l.Change)
	}
	c := &s.changes[l.Change]
	switch l.Mark {
	case begun:
		c.wrote = c.wrote || c.open // an earlier run may have made it
		c.open = true
	case done:
		c.open, c.wrote = false, c.wrote || l.Wrote
	default:
		return fmt.Errorf("%q is not a mark", l.Mark)
	}
	return nil
}

// pending are the steps of the last plan from the first that is not proven, and the
// number of that one in the journal: the steps with which a run that broke off goes on.
// A plan of which nothing was changed has none: a new plan uses newer facts.
func (h *history) pending() (steps []planner.Step, first int) {
	if h.ended || len(applied(h.steps[h.last:])) == 0 {
		return nil, 0
	}
	for i, s := range h.steps[h.last:] {
		if len(steps) == 0 && s.proven {
			continue
		}
		if len(steps) == 0 {
			first = h.last + i
		}
		steps = append(steps, s.step)
	}
	return steps, first
}

// applied are the steps with the changes that were applied, or may have been.
func (h *history) applied() []planner.Step { return applied(h.steps) }

func applied(logged []loggedStep) []planner.Step {
	var steps []planner.Step
	for _, s := range logged {
		step := s.step
		step.Changes = nil
		for i, c := range s.step.Changes {
			if s.changes[i].wrote || s.changes[i].open {
				step.Changes = append(step.Changes, c)
			}
		}
		if len(step.Changes) > 0 {
			steps = append(steps, step)
		}
	}
	return steps
}
