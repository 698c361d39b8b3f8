package diff_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// notCompared are the leaves of a snapshot whose change is none: where and when the facts
// were read, what changes by itself, and what another leaf says.
var notCompared = []string{
	"APIVersion", "Kind", "Source.", "Cluster.ARN", "Places", "Missing[].Until",
	"AutoScalingGroups[].Instances", "Instances[].LaunchedAt", "Policies[].Version",
	"Events[].Message", "Events[].Node", "Events[].Count", "Events[].LastSeen",
	"KarpenterNodeClasses[].ProfileARN", "KarpenterNodeTemplates[].ProfileARN", "AutoModeNodeClasses[].ProfileARN",
	"KarpenterNodeClasses[].Role", "KarpenterNodeTemplates[].Role", "AutoModeNodeClasses[].Role",
	"AddonPods[].Node", "Read",
	"Nodes[].KarpenterProvisioner", "Organization.Policies[].Name",
	"ClusterProviders.ARNs", "OtherClusters[].OIDCIssuer",
}

// leaf changes one value of a snapshot.
type leaf struct {
	path   string
	change func()
}

// filled makes every field of a value something, and lists its leaves.
func filled(v reflect.Value, path string, leaves *[]leaf) {
	add := func(change func()) { *leaves = append(*leaves, leaf{path, change}) }
	switch v.Kind() { //nolint:exhaustive // a snapshot has no others
	case reflect.String:
		v.SetString("x")
		add(func() { v.SetString("y") })
	case reflect.Bool:
		add(func() { v.SetBool(true) })
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
		add(func() { v.SetInt(2) })
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), path, leaves)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(v.Index(0), path+"[]", leaves)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		entry := reflect.New(v.Type().Elem()).Elem()
		var inner []leaf
		filled(entry, path+"[]", &inner)
		key := reflect.ValueOf("k").Convert(v.Type().Key())
		v.SetMapIndex(key, entry)
		for _, l := range inner {
			*leaves = append(*leaves, leaf{l.path, func() {
				l.change()
				v.SetMapIndex(key, entry)
			}})
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1e9, 0).UTC()))
			add(func() { v.Set(reflect.ValueOf(time.Unix(2e9, 0).UTC())) })
			return
		}
		for i := range v.NumField() {
			filled(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), leaves)
		}
	default:
		panic(fmt.Sprintf("%s is a %s", path, v.Kind()))
	}
}

// everyLeaf returns a snapshot in which everything is something.
func everyLeaf() (*snapshot.Snapshot, []leaf) {
	s := &snapshot.Snapshot{}
	var leaves []leaf
	filled(reflect.ValueOf(s).Elem(), "", &leaves)
	s.Missing = nil
	return s, leaves
}

// TestEveryFactIsCompared: every value of a snapshot that changes is a difference, but for
// those that are listed; and those are none.
func TestEveryFactIsCompared(t *testing.T) {
	_, leaves := everyLeaf()
	seen := map[string]bool{}
	for i := range leaves {
		older, _ := everyLeaf()
		newer, changed := everyLeaf()
		path := changed[i].path
		if strings.HasPrefix(path, "Missing") {
			continue
		}
		changed[i].change()
		report := &finding.Report{}
		d, err := diff.Compare(diff.Side{Facts: older, Report: report}, diff.Side{Facts: newer, Report: report}, nil)
		if err != nil {
			t.Fatal(err)
		}
		listed := slices.ContainsFunc(notCompared, func(n string) bool {
			known := strings.HasPrefix(path, n) && (strings.HasSuffix(n, ".") || path == n || strings.HasPrefix(path, n+"["))
			if known {
				seen[n] = true
			}
			return known
		})
		if (len(d.Changes) == 0) != listed {
			t.Errorf("%s changed: %d changes, listed as not compared: %v", path, len(d.Changes), listed)
		}
	}
	for _, n := range notCompared {
		if !seen[n] && !strings.HasPrefix(n, "Missing") {
			t.Errorf("%s is not in a snapshot", n)
		}
	}
}
