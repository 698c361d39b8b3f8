package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// TestEveryRuleIsListed: a rule that a file declares is in All.
func TestEveryRuleIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, r := range rules.All() {
		listed[r.ID] = true
	}
	files, err := filepath.Glob("nr*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(file) {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
				continue
			}
			if id := idOf(spec.Values[0]); id != "" {
				declared++
				if !listed[id] {
					t.Errorf("%s is not listed: add %s to All in pkg/rules/rules.go", id, spec.Names[0])
				}
				if !strings.HasPrefix(name, "nr"+strings.TrimPrefix(id, "NR")+"_") {
					t.Errorf("%s is in %s: call the file nr%s_….go", id, name, strings.TrimPrefix(id, "NR"))
				}
			}
		}
	}
	if declared != len(rules.All()) {
		t.Errorf("%d rules are declared and %d are listed", declared, len(rules.All()))
	}
}

// idOf returns the ID of a Rule literal; empty for any other expression.
func idOf(e ast.Expr) string {
	literal, ok := e.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	if name, ok := literal.Type.(*ast.Ident); !ok || name.Name != "Rule" {
		return ""
	}
	for _, element := range literal.Elts {
		field, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := field.Key.(*ast.Ident); ok && key.Name == "ID" {
			if value, ok := field.Value.(*ast.BasicLit); ok {
				id, _ := strconv.Unquote(value.Value)
				return id
			}
		}
	}
	return ""
}
