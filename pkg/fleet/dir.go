package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// dirMode is the mode of the folders of a directory; their files describe permissions.
const dirMode = 0o700

// Write writes the plan into a directory, which is made where there is none. The directory
// may have files of earlier runs; plans that divide the selection into another number of
// shards are removed, as nobody writes them again.
func (p *Plan) Write(dir string) error {
	p.APIVersion, p.Kind = APIVersion, PlanKind
	slices.SortFunc(p.Targets, Target.Compare)
	p.Targets = slices.CompactFunc(p.Targets, func(a, b Target) bool { return a.ARN == b.ARN })
	for _, t := range p.Targets {
		if err := t.check(); err != nil {
			return err
		}
	}
	text, err := yaml.MarshalWithOptions(p, yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("write the plan as YAML: %w", err)
	}
	if err := write(dir, p.Shard.planFile(), text); err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range names {
		if other, ok := shardOf(f.Name()); ok && other.Of != p.Shard.Of {
			// Another shard may have removed it.
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// compressors are reused, as each has tables of almost a megabyte.
var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// WriteSnapshot writes a cluster's facts.
func WriteSnapshot(dir string, t Target, facts *snapshot.Snapshot) error {
	text, err := facts.Encode()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(&b)
	_, err = z.Write(text)
	if err := errors.Join(err, z.Close()); err != nil {
		return fmt.Errorf("compress the snapshot: %w", err)
	}
	if err := write(dir, t.SnapshotFile(), b.Bytes()); err != nil {
		return err
	}
	// The failure of an earlier run. One that stays is older than the snapshot.
	_ = os.Remove(filepath.Join(dir, filepath.FromSlash(t.failureFile())))
	return nil
}

// WriteFailure writes why a cluster was not read. An earlier snapshot stays, and no longer
// counts.
func WriteFailure(dir string, t Target, at time.Time, cause error) error {
	f := Failure{APIVersion: APIVersion, Kind: FailureKind, ARN: t.ARN, At: at.UTC()}
	f.Error, f.Next = Explain(cause)
	text, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("write the failure as YAML: %w", err)
	}
	return write(dir, t.failureFile(), text)
}

// Explain returns an error in one line, and what to do about it.
func Explain(err error) (what, next string) {
	what = strings.Join(strings.Fields(err.Error()), " ")
	var p *problem.Error
	if errors.As(err, &p) {
		next = p.Next
	}
	return what, next
}

func write(dir, name string, text []byte) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), dirMode); err != nil {
		return err
	}
	return files.Write(file, text, files.Private)
}

// interrupted is the name of a file whose writing was interrupted: that of the file with 16
// hexadecimal digits.
var interrupted = text.Pattern(`^\.(.+)\.[0-9a-f]{16}$`)

// removeRemains removes the files that earlier runs of a plan did not write to their end.
// What cannot be removed stays, and Open names it.
func (p *Plan) removeRemains(dir string) {
	known := map[string]bool{p.Shard.planFile(): true}
	folders := map[string]bool{".": true}
	for _, t := range p.Targets {
		known[t.SnapshotFile()], known[t.failureFile()] = true, true
		folders[path.Dir(t.stem())] = true
	}
	for folder := range folders {
		names, _ := os.ReadDir(filepath.Join(dir, filepath.FromSlash(folder))) // none where it is not there yet
		for _, f := range names {
			parts := interrupted().FindStringSubmatch(f.Name())
			if parts == nil || !known[path.Join(folder, parts[1])] {
				continue
			}
			if info, err := f.Info(); err == nil && info.ModTime().Before(p.PlannedAt) {
				_ = os.Remove(filepath.Join(dir, filepath.FromSlash(folder), f.Name()))
			}
		}
	}
}

// Directory is the content of a directory of snapshots, before the snapshots are loaded.
type Directory struct {
	path  string
	Plans []Plan
	// Entries are the planned clusters, in the order of Target.Compare.
	Entries []Entry
	// Unread are the parts of the selection whose clusters are not known, and the shards
	// whose plan is not there.
	Unread []Unread
	// Skipped are files that belong to no planned cluster, and what the plans skipped.
	Skipped []Skipped
}

// Entry is a planned cluster.
type Entry struct {
	Target
	notBefore time.Time
}

// Open reads the plans of a directory and finds what is in it. It returns an error where
// the directory has no plan of this version. What is wrong with one file of several is in
// the Directory.
func Open(ctx context.Context, dir string) (*Directory, error) {
	d := &Directory{path: dir}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, &problem.Error{Problem: err.Error(), Next: "name a directory that snapshot has written", Err: err}
	}
	planned := map[string]bool{}
	seen := map[Shard]bool{}
	var bad error
	for _, f := range names {
		shard, ok := shardOf(f.Name())
		if !ok {
			continue
		}
		seen[shard] = true
		plan, err := d.readPlan(ctx, f.Name(), shard)
		if err != nil {
			bad = err
			d.Skipped = append(d.Skipped, Skipped{f.Name(), err.Error()})
			d.Unread = append(d.Unread, Unread{Error: "the plan " + f.Name() + " cannot be used: " + err.Error(), Next: "write it again with kubectl noderole snapshot"})
			continue
		}
		d.Plans = append(d.Plans, *plan)
		d.Skipped = append(d.Skipped, plan.Skipped...)
		d.Unread = append(d.Unread, plan.Unread...)
		for _, t := range plan.Targets {
			if !planned[t.ARN] {
				planned[t.ARN] = true
				d.Entries = append(d.Entries, Entry{t, plan.NotBefore})
			}
		}
	}
	switch {
	case len(d.Plans) == 0 && bad != nil:
		return nil, &problem.Error{Problem: dir + " cannot be used: " + bad.Error(), Next: "write it again with kubectl noderole snapshot", Err: bad}
	case len(d.Plans) == 0:
		return nil, &problem.Error{
			Problem: dir + " has no plan.yaml, the list of the clusters that should be in it",
			Next:    "kubectl noderole snapshot --all-contexts -o DIR/ writes a plan and the snapshots; -f also takes one snapshot",
		}
	}
	d.missingShards(seen)
	slices.SortFunc(d.Entries, func(a, b Entry) int { return a.Compare(b.Target) })
	return d, d.skip()
}

// missingShards notes the shards that have no plan.
func (d *Directory) missingShards(seen map[Shard]bool) {
	var of []int
	for s := range seen {
		if !s.IsZero() && !slices.Contains(of, s.Of) {
			of = append(of, s.Of)
		}
	}
	slices.Sort(of)
	for _, n := range of {
		for k := 1; k <= n; k++ {
			if s := (Shard{k, n}); !seen[s] {
				d.Unread = append(d.Unread, Unread{
					Error: fmt.Sprintf("shard %s has no plan: it was not started, or it ended before it knew its clusters", s),
					Next:  fmt.Sprintf("run the same snapshot with --shard %s", s),
				})
			}
		}
	}
}

// skip names the files that belong to no planned cluster.
func (d *Directory) skip() error {
	known := map[string]bool{}
	for _, e := range d.Entries {
		known[e.SnapshotFile()], known[e.failureFile()] = true, true
	}
	return filepath.WalkDir(d.path, func(name string, f fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(d.path, name)
		rel = filepath.ToSlash(rel)
		switch {
		case relErr != nil:
			return relErr
		case err != nil:
			d.Skipped = append(d.Skipped, Skipped{rel, err.Error()})
			if f != nil && f.IsDir() {
				return fs.SkipDir
			}
		case f.IsDir() || known[rel]:
		case isPlan(rel):
		case strings.HasPrefix(path.Base(rel), "."):
			d.Skipped = append(d.Skipped, Skipped{rel, "its writing was interrupted"})
		case strings.HasSuffix(rel, snapshotEnding), strings.HasSuffix(rel, failureEnding):
			d.Skipped = append(d.Skipped, Skipped{rel, "no plan has this cluster"})
		default:
			d.Skipped = append(d.Skipped, Skipped{rel, "it is not a file of a fleet"})
		}
		return nil
	})
}

func isPlan(name string) bool {
	_, ok := shardOf(name)
	return ok
}

// readPlan reads a plan and checks that it is one.
func (d *Directory) readPlan(ctx context.Context, name string, shard Shard) (*Plan, error) {
	plan := &Plan{}
	if err := decode(ctx, filepath.Join(d.path, name), PlanKind, plan, func() (string, string) { return plan.APIVersion, plan.Kind }); err != nil {
		return nil, err
	}
	if plan.Shard != shard {
		return nil, fmt.Errorf("%s: it says that it is shard %s", name, plan.Shard)
	}
	for _, t := range plan.Targets {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return plan, nil
}

// decode reads a YAML file into a value, and refuses one of another kind or version.
func decode(ctx context.Context, name, kind string, into any, head func() (apiVersion, kind string)) error {
	text, err := files.Read(ctx, name, nil, files.MaxSnapshot)
	if err != nil {
		return err
	}
	base := filepath.Base(name)
	file, err := files.YAML(text)
	if err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return fmt.Errorf("%s: it is not one YAML document", base)
	}
	err = yaml.NodeToValue(file.Docs[0].Body, into)
	if version, got := head(); got != "" && (version != APIVersion || got != kind) {
		return fmt.Errorf("%s: %q, %q is not %q, %q, which this program reads", base, version, got, APIVersion, kind)
	}
	if err != nil {
		return fmt.Errorf("%s: it is not a %s", base, kind)
	}
	if version, got := head(); version != APIVersion || got != kind {
		return fmt.Errorf("%s: it is not a %s", base, kind)
	}
	return nil
}

// NotReadError describes why a planned cluster has no facts.
type NotReadError struct {
	Target Target
	// Reason is one line, and Next what to do about it.
	Reason, Next string
}

// Error returns the cluster and the reason.
func (e *NotReadError) Error() string { return e.Target.ARN + " was not read: " + e.Reason }

// Load returns the facts of a planned cluster. The error is a *NotReadError where the
// directory has none of this run; any other error ends the run.
func (d *Directory) Load(ctx context.Context, e Entry) (*snapshot.Snapshot, error) {
	unread := func(next, format string, args ...any) error {
		return &NotReadError{e.Target, fmt.Sprintf(format, args...), next}
	}
	failure, err := d.failure(ctx, e)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(d.path, filepath.FromSlash(e.SnapshotFile()))
	const again = "run the same snapshot again; --max-age keeps what was read"
	facts, err := snapshot.Load(ctx, name, nil)
	var fileErr *snapshot.FileError
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && failure != nil:
		return nil, unread(failure.Next, "%s", failure.Error)
	case err != nil && !exists(name):
		return nil, unread(again, "it has no snapshot: the run ended before")
	case errors.As(err, &fileErr):
		return nil, unread(again, "its snapshot cannot be used: %s", fileErr.Problem)
	case err != nil:
		return nil, unread(again, "its snapshot cannot be used: %s", err)
	case facts.Cluster.ARN != e.ARN:
		return nil, unread(again, "its snapshot is of another cluster, %s", facts.Cluster.ARN)
	case failure != nil && failure.At.After(facts.Source.CollectedAt):
		return nil, unread(failure.Next, "%s", failure.Error)
	case facts.Source.CollectedAt.Before(e.notBefore):
		return nil, unread(again, "its snapshot of %s is older than this run", facts.Source.CollectedAt.UTC().Format(time.RFC3339))
	}
	return facts, nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// failure returns why a cluster was not read, nil where no file says so.
func (d *Directory) failure(ctx context.Context, e Entry) (*Failure, error) {
	name := filepath.Join(d.path, filepath.FromSlash(e.failureFile()))
	if !exists(name) {
		return nil, nil //nolint:nilnil // no failure is no error
	}
	f := &Failure{}
	err := decode(ctx, name, FailureKind, f, func() (string, string) { return f.APIVersion, f.Kind })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil || f.ARN != e.ARN || f.Error == "" {
		// The reason of the failure is unknown.
		return &Failure{Error: "the file with the reason cannot be used", Next: "run the same snapshot again"}, nil
	}
	return f, nil
}

// fresh returns the facts of a cluster that a directory has, where they are not older than a
// time and no failure has followed; nil otherwise.
func fresh(ctx context.Context, dir string, t Target, notBefore time.Time) *snapshot.Snapshot {
	facts, err := (&Directory{path: dir}).Load(ctx, Entry{t, notBefore})
	if err != nil {
		return nil
	}
	return facts
}
