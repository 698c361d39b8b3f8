package aws

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoWholeClient: a client of the SDK is converted to one with the calls in use
// where it is made, and is named nowhere else. A whole client that is put into an
// interface brings all of its operations into the program.
func TestNoWholeClient(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	made := 0
	for _, name := range files {
		if name == "linked.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		converted := map[ast.Node]bool{}
		for node := range ast.Preorder(file) {
			switch node := node.(type) {
			case *ast.CallExpr:
				if narrows(node.Fun) && len(node.Args) == 1 {
					converted[node.Args[0]] = true
				}
				if f, ok := node.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "NewFromConfig" || f.Sel.Name == "New" && isService(file, f.X)) {
					made++
					if !converted[node] {
						t.Errorf("%s: wrap this client into the type that linked.go has for its service: (*%sCalls)(…)", set.Position(node.Pos()), f.X)
					}
				}
			case *ast.SelectorExpr:
				if node.Sel.Name == "Client" && isService(file, node.X) {
					t.Errorf("%s: use an interface of api.go in the place of %s.Client", set.Position(node.Pos()), node.X)
				}
			}
		}
	}
	if made < 5 {
		t.Errorf("%d clients were found: the test looks at less than it says", made)
	}
}

// narrows reports whether an expression is a type of linked.go: (*eksCalls).
func narrows(e ast.Expr) bool {
	paren, ok := e.(*ast.ParenExpr)
	if !ok {
		return false
	}
	star, ok := paren.X.(*ast.StarExpr)
	if !ok {
		return false
	}
	name, ok := star.X.(*ast.Ident)
	return ok && strings.HasSuffix(name.Name, "Calls")
}

// isService reports whether an expression is the package of one of the SDK's services.
func isService(file *ast.File, e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		if strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2/service/") && i.Name == nil && strings.HasSuffix(path, "/"+name.Name) {
			return true
		}
	}
	return false
}
