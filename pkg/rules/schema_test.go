package rules_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid holds a document, as JSON or YAML, against a schema.
func valid(t *testing.T, s *jsonschema.Schema, document []byte) error {
	t.Helper()
	document, err := yaml.YAMLToJSON(document)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

// TestPublishedSchemas: the schemas in docs/schema take every example, every rule's
// two snapshots, as written and as encoded, and the reports of all of them.
func TestPublishedSchemas(t *testing.T) {
	snapshotSchema, reportSchema := schema(t, "snapshot.json"), schema(t, "report.json")
	snapshots := map[string]*snapshot.Snapshot{}
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		if err := valid(t, snapshotSchema, text); err != nil {
			t.Errorf("example %s: %v", name, err)
		}
		s, err := snapshot.Decode(name, text)
		if err != nil {
			t.Fatal(err)
		}
		snapshots["example "+name] = s
	}
	for _, r := range rules.All() {
		snapshots[r.ID+" bad"], snapshots[r.ID+" good"] = overlay(t, r.Bad), overlay(t, r.Good)
	}
	missing := overlay(t, `{}`)
	missing.Missing = []snapshot.Missing{{Fact: snapshot.FactPolicies, Operation: "iam:GetPolicy", Permission: "iam:GetPolicy", Error: "AccessDenied"}}
	snapshots["facts are missing"] = missing

	for _, name := range slices.Sorted(maps.Keys(snapshots)) {
		encoded, err := snapshots[name].Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, snapshotSchema, encoded); err != nil {
			t.Errorf("the snapshot %s: %v", name, err)
		}
		report := rules.Judge(view.New(snapshots[name]), rules.Options{})
		if len(report.Results) > 0 { // what only exceptions and a baseline set
			report.Results[0].Known = true
			report.Results[0].Exception = &finding.Exception{Reason: "agreed", Expires: "2030-01-31", Expired: true, Source: "noderole.yaml:3"}
		}
		text, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, reportSchema, text); err != nil {
			t.Errorf("the report of %s: %v", name, err)
		}
	}
}

// TestPublishedSchemasRefuse: they are no schemas that take anything.
func TestPublishedSchemasRefuse(t *testing.T) {
	for name, documents := range map[string][]string{
		"snapshot.json": {`{}`, `{apiVersion: noderole.dev/v1alpha1, kind: Snapshot, cluster: {arn: 1}}`, `{apiVersion: noderole.dev/v1alpha1, kind: Snapshot, cluster: {arn: a}, nodeGroup: {}}`},
		"report.json":   {`{}`, `{apiVersion: noderole.dev/v1alpha1, kind: Report, results: [{status: 1}]}`},
	} {
		for _, d := range documents {
			if valid(t, schema(t, name), []byte(d)) == nil {
				t.Errorf("%s takes %s", name, d)
			}
		}
	}
}
