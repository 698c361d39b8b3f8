package diff

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// compared are the fields of a snapshot that the other files of this package compare, part
// by part, and those that are not facts about the cluster.
var compared = map[string]bool{
	"APIVersion": true, "Kind": true, "Source": true, "Missing": true, "Places": true, "Read": true, "ClusterProviders": true,

	"Cluster": true, "NodeGroups": true, "FargateProfiles": true, "OtherClusters": true, "OtherRegions": true,
	"KarpenterNodeClasses": true, "KarpenterNodeTemplates": true, "AutoModeNodeClasses": true, "AutoScalingGroups": true,
	"Roles": true, "Policies": true, "OIDCProviders": true, "InstanceProfiles": true, "Simulations": true,
	"AccessEntries": true, "AWSAuth": true,
	"Addons": true, "PodIdentityAssociations": true, "AWSNode": true, "SystemImages": true, "PodIdentityAgent": true,
	"Nodes": true, "Instances": true, "Events": true,
	"Organization": true, "VPCEndpoints": true, "RepositoryPolicies": true,
	"AddonPods": true, "AddonAccounts": true, "Registries": true, "InstanceProfileQuota": true,
}

// others compares every other field of a snapshot: the entries of a map by key, anything
// else as a whole. So no fact is left out that is added later.
func (f *factParts) others() {
	facts := reflect.TypeFor[snapshot.Snapshot]()
	for i := range facts.NumField() {
		field := facts.Field(i)
		if compared[field.Name] {
			continue
		}
		of := func(s *snapshot.Snapshot) reflect.Value { return reflect.ValueOf(s).Elem().Field(i) }
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type.Kind() != reflect.Map || field.Type.Key().Kind() != reflect.String {
			f.add(part[*snapshot.Snapshot]{
				kind: KindOther, name: words(name), needs: []factRef{{name, ""}},
				value:  func(s *snapshot.Snapshot) (string, bool) { return valueText(of(s)), !of(s).IsZero() },
				copyTo: func(to, from *snapshot.Snapshot) { of(to).Set(of(from)) },
			})
			continue
		}
		keys := map[string]bool{}
		for _, s := range []*snapshot.Snapshot{f.older, f.newer} {
			for _, key := range of(s).MapKeys() {
				keys[key.String()] = true
			}
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			f.add(entryPart(of, name, key))
		}
	}
}

// entryPart is an entry of a map.
func entryPart(of func(*snapshot.Snapshot) reflect.Value, name, key string) part[*snapshot.Snapshot] {
	p := part[*snapshot.Snapshot]{kind: KindOther, name: snapshot.NameOf(key), field: words(name), needs: []factRef{{name, key}}}
	if _, ok := snapshot.ParseARN(key); ok {
		p.arn = key
	}
	p.value = func(s *snapshot.Snapshot) (string, bool) {
		v := of(s).MapIndex(reflect.ValueOf(key).Convert(of(s).Type().Key()))
		return valueText(v), v.IsValid()
	}
	p.copyTo = func(to, from *snapshot.Snapshot) {
		changed := reflect.MakeMap(of(to).Type())
		for _, k := range of(to).MapKeys() {
			changed.SetMapIndex(k, of(to).MapIndex(k))
		}
		k := reflect.ValueOf(key).Convert(changed.Type().Key())
		changed.SetMapIndex(k, of(from).MapIndex(k)) // an entry that is not there is deleted
		of(to).Set(changed)
	}
	return p
}

// valueText is a value as JSON, without what is not there.
func valueText(v reflect.Value) string {
	if !v.IsValid() || v.IsZero() {
		return ""
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// words are those of a name such as vpcEndpoints: vpc endpoints.
func words(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
