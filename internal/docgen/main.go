// Command docgen generates the parts of the documentation that come from the code: a page for
// each rule and each command, the README's table of rules, and the JSON schemas
// of the file formats. Run it from the project's root: make generate. With release DIR it
// writes the man pages and completions of a release into the folder instead.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/usage"
)

const module = "github.com/kubectl-noderole/kubectl-noderole"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docgen: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "release" {
		return release(args[1])
	}
	if len(args) > 0 {
		return fmt.Errorf("usage: docgen [release DIR]")
	}
	for _, generate := range []func() error{rulePages, readmeTable, permissions, deployment, schemas, commands, pictures} {
		if err := generate(); err != nil {
			return err
		}
	}
	return nil
}

// rulePages writes docs/rules/ID.md for every rule and removes pages of rules
// that are gone.
func rulePages() error {
	dir := filepath.Join("docs", "rules")
	old, err := filepath.Glob(filepath.Join(dir, "NR*.md"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	for _, r := range slices.Concat(rules.Docs(), fleetrules.Docs()) {
		from := "pkg/rules"
		if r.Fleet {
			from = "pkg/fleetrules"
		}
		text := print.RuleMarkdown(r) + "\n<!-- generated from " + from + " by make generate -->\n"
		if err := os.WriteFile(filepath.Join(dir, r.ID+".md"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// replaceBlock replaces the text between the lines <!-- NAME:begin --> and
// <!-- NAME:end --> of a file.
func replaceBlock(file, name, block string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	between := regexp.MustCompile(`(?s)(<!-- ` + name + `:begin -->\n).*(<!-- ` + name + `:end -->)`)
	if !between.Match(text) {
		return fmt.Errorf("%s has no lines <!-- %s:begin --> and <!-- %s:end -->", file, name, name)
	}
	text = between.ReplaceAllFunc(text, func(old []byte) []byte {
		parts := between.FindSubmatch(old)
		return []byte(string(parts[1]) + block + string(parts[2]))
	})
	return os.WriteFile(file, text, 0o644)
}

// permissions writes what this program needs to be allowed.
func permissions() error {
	file := filepath.Join("docs", "permissions.md")
	if err := replaceBlock(file, "reader", "```json\n"+need.ReaderDocument().String()+"```\n"); err != nil {
		return err
	}
	admin := need.AdminDocument()
	admin.Statement = admin.Statement[len(need.ReaderDocument().Statement):] // the reader's are above it
	if err := replaceBlock(file, "admin", "```json\n"+admin.String()+"```\n"); err != nil {
		return err
	}
	if err := replaceBlock(file, "reader-rbac", "```yaml\n"+need.ReaderRBAC+"```\n"); err != nil {
		return err
	}
	return replaceBlock(file, "fix-rbac", "```yaml\n"+need.FixRBAC+"```\n")
}

// deployment writes the rights of the CronJob in deploy: what policy reader prints.
func deployment() error {
	const note = "# generated from pkg/need by make generate: what kubectl noderole policy reader --rbac prints\n"
	if err := os.WriteFile(filepath.Join("deploy", "base", "reader.yaml"), []byte(note+need.ReaderRBAC), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("deploy", "iam-policy.json"), []byte(need.ReaderDocument().String()), 0o644)
}

// readmeTable replaces the table between the markers in README.md.
func readmeTable() error {
	var b strings.Builder
	b.WriteString("| rule | severity | checks that |\n| --- | --- | --- |\n")
	for _, r := range slices.Concat(rules.Docs(), fleetrules.Docs()) {
		fmt.Fprintf(&b, "| [%s](docs/rules/%s.md) | %s | %s |\n", r.ID, r.ID, r.Severity, r.Title)
	}
	return replaceBlock("README.md", "rules", b.String())
}

// schemas writes the JSON schemas of the file formats, with the structs' doc
// comments as descriptions.
func schemas() error {
	reflector := jsonschema.Reflector{Mapper: severities}
	for _, dir := range []string{"./pkg/snapshot", "./pkg/finding", "./pkg/teampolicy", "./pkg/diff", "./pkg/fleet", "./pkg/usage"} {
		if err := reflector.AddGoComments(module, dir); err != nil {
			return err
		}
	}
	for name, value := range map[string]any{
		"snapshot": &snapshot.Snapshot{}, "report": &finding.Report{}, "fleet-report": &finding.FleetReport{}, "config": &teampolicy.Config{},
		"diff": &diff.Diff{}, "fleet-diff": &diff.FleetDiff{}, "targets": &fleet.Targets{}, "usage": &usage.List{},
	} {
		schema := reflector.Reflect(value)
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join("docs", "schema", name+".json"), append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// severities lists the values of teampolicy.Severity.
func severities(t reflect.Type) *jsonschema.Schema {
	if t != reflect.TypeFor[teampolicy.Severity]() {
		return nil
	}
	schema := &jsonschema.Schema{Type: "string"}
	for _, s := range teampolicy.Severities {
		schema.Enum = append(schema.Enum, s)
	}
	return schema
}
