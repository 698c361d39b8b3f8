// Package fleet keeps the facts of many clusters in a directory: a plan that names every
// cluster before any of them is read, a snapshot for each cluster that was read, and a file
// that says why for each that was not. A planned cluster without a snapshot of this run counts
// as not read, for whatever reason the run ended.
//
// The directory has these files:
//
//	plan.yaml, or plan-3-of-16.yaml for a shard
//	ACCOUNT/REGION/NAME.yaml.gz     the snapshot
//	ACCOUNT/REGION/NAME.error.yaml  why there is none
package fleet

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"path"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// APIVersion and the kinds identify the files of a directory beside the snapshots.
const (
	APIVersion  = "noderole.dev/v1alpha1"
	PlanKind    = "FleetPlan"
	FailureKind = "FleetFailure"
)

// Plan lists the clusters that one run reads. It is written before any of them is read.
type Plan struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Selection is what was selected, as the command line says it.
	Selection string `json:"selection,omitempty"`
	// Tool is the program and version that planned.
	Tool      string    `json:"tool,omitempty"`
	PlannedAt time.Time `json:"plannedAt"`
	// NotBefore is the earliest time of a snapshot that counts as read by this run.
	NotBefore time.Time `json:"notBefore"`
	// Shard is which part of the selection the plan has; the zero Shard is all of it.
	Shard Shard `json:"shard,omitzero"`
	// Targets are the clusters, by ARN.
	Targets []Target `json:"targets,omitempty"`
	// Unread are the parts of the selection whose clusters are not known.
	Unread []Unread `json:"unread,omitempty"`
	// Empty are, by account, the regions in which EKS lists no cluster.
	Empty map[string][]string `json:"empty,omitempty"`
	// Skipped are contexts that were selected and are not of EKS clusters, and accounts of an
	// organization that are not active.
	Skipped []Skipped `json:"skipped,omitempty"`
}

// Skipped is a context, an account or a file that is not of the fleet.
type Skipped struct {
	// Name is context NAME, account ID, or the file's name in the directory.
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Target is a cluster to read.
type Target struct {
	ARN string `json:"arn"`
	// Context and Profile name the cluster and its credentials on the machine that read it.
	Context string `json:"context,omitempty"`
	Profile string `json:"profile,omitempty"`
	// Group is the name of what the cluster belongs to, such as prod.
	Group string `json:"group,omitempty"`
}

// Unread is a part of the selection that could not be resolved to clusters: a context, or
// an account or a region of it.
type Unread struct {
	Context string `json:"context,omitempty"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
	Profile string `json:"profile,omitempty"`
	// Error is one line, and Next what to do about it.
	Error string `json:"error"`
	Next  string `json:"next,omitempty"`
}

// String returns what was not read.
func (u Unread) String() string {
	parts := []string{"a part of the fleet"}
	switch {
	case u.Context != "":
		parts[0] = "context " + u.Context
	case u.Account != "" || u.Region != "" || u.Profile != "":
		parts[0] = "all clusters"
	}
	for _, p := range []struct{ word, value string }{{"of account ", u.Account}, {"in ", u.Region}} {
		if p.value != "" {
			parts = append(parts, p.word+p.value)
		}
	}
	if u.Context == "" && u.Profile != "" {
		parts = append(parts, "with profile "+u.Profile)
	}
	return strings.Join(parts, " ")
}

// Failure describes why a cluster has no snapshot.
type Failure struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	ARN        string    `json:"arn"`
	At         time.Time `json:"at"`
	// Error is one line, and Next what to do about it.
	Error string `json:"error"`
	Next  string `json:"next,omitempty"`
}

// Shard is part Number of Of of a selection. An account is in one shard as a whole, because
// AWS limits the calls of an account.
type Shard struct {
	Number int `json:"number"`
	Of     int `json:"of"`
}

// ParseShard reads K/N. Jobs count their indexes from 0: 0/N is the same part as N/N.
func ParseShard(s string) (Shard, error) {
	var shard Shard
	var rest string
	n, _ := fmt.Sscanf(s+" ", "%d/%d%s", &shard.Number, &shard.Of, &rest)
	if n != 2 || shard.Of < 1 || shard.Of > maxShards || shard.Number < 0 || shard.Number > shard.Of || s != shard.String() {
		return Shard{}, fmt.Errorf("%q is not K/N with K from 0 to N, and N at most %d", s, maxShards)
	}
	if shard.Number == 0 {
		shard.Number = shard.Of
	}
	return shard, nil
}

// maxShards bounds how many plans of a directory are looked for.
const maxShards = 10000

// String returns K/N.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Of) }

// IsZero reports whether it is the whole selection.
func (s Shard) IsZero() bool { return s == Shard{} }

// Has reports whether an account is in the shard. Something whose account is not known is
// in the shard of its name.
func (s Shard) Has(account string) bool {
	if s.IsZero() {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(account)) // never fails
	return h.Sum32()%uint32(s.Of) == uint32(s.Number-1)
}

// planFile is the name of a shard's plan.
func (s Shard) planFile() string {
	if s.IsZero() {
		return "plan.yaml"
	}
	return fmt.Sprintf("plan-%d-of-%d.yaml", s.Number, s.Of)
}

// shardOf returns the shard whose plan a file is.
func shardOf(name string) (Shard, bool) {
	if name == (Shard{}).planFile() {
		return Shard{}, true
	}
	parts := planName().FindStringSubmatch(name)
	if parts == nil {
		return Shard{}, false
	}
	s, err := ParseShard(parts[1] + "/" + parts[2])
	return s, err == nil
}

var planName = text.Pattern(`^plan-([0-9]+)-of-([0-9]+)\.yaml$`)

// Identity is the parts of the cluster's ARN.
func (t Target) Identity() snapshot.ARN { return snapshot.Cluster{ARN: t.ARN}.Identity() }

// The endings of the files of a cluster.
const (
	snapshotEnding = ".yaml.gz"
	failureEnding  = ".error.yaml"
)

// stem is ACCOUNT/REGION/NAME, with slashes.
func (t Target) stem() string {
	id := t.Identity()
	return path.Join(id.Account, id.Region, id.Name())
}

// SnapshotFile is the snapshot's name in the directory, with slashes.
func (t Target) SnapshotFile() string { return t.stem() + snapshotEnding }

func (t Target) failureFile() string { return t.stem() + failureEnding }

// The forms of the parts of a cluster's ARN, which become names of files.
// Sources: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html.
var (
	accountForm = text.Pattern(`^[0-9]{12}$`)
	nameForm    = text.Pattern(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)
)

// check returns an error where the ARN is not that of an EKS cluster.
func (t Target) check() error {
	id := t.Identity()
	name, ok := strings.CutPrefix(id.Resource, "cluster/")
	if !ok || id.Service != "eks" || !accountForm().MatchString(id.Account) || !snapshot.IsRegion(id.Region) || !nameForm().MatchString(name) {
		return fmt.Errorf("%q is not the ARN of an EKS cluster", t.ARN)
	}
	return nil
}

// Compare orders targets by account, region and name.
func (t Target) Compare(o Target) int {
	a, b := t.Identity(), o.Identity()
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name(), b.Name()), cmp.Compare(t.ARN, o.ARN))
}
