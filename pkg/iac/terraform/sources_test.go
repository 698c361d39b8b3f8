package terraform

import (
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// TestElementOf: the element of an object, also of merged ones, is found where the expression
// shows which one it is; otherwise all references count.
func TestElementOf(t *testing.T) {
	for _, c := range []struct {
		expression, path string
		want             []string
	}{
		{`{ a = x.a, b = x.b }`, "a", []string{"x.a"}},
		{`{ a = x.a, b = x.b }`, "c", []string{"x.a", "x.b"}},
		{`({ a = x.a, b = x.b })`, "b", []string{"x.b"}},
		{`{ a = { b = x.b, c = x.c } }`, "a.c", []string{"x.c"}},
		{`{ a = x.a, b = x.b }`, "a.c", []string{"x.a"}},
		{`{ a = x.a, b = x.b }`, `a["k"].b`, []string{"x.a"}},
		{`merge(module.m, { a = x.a, b = x.b })`, "a", []string{"x.a"}},
		{`merge(module.m, { b = x.b })`, "a", []string{"module.m", "x.b"}},
		{`merge({ a = x.a }, { b = x.b })`, "a", []string{"x.a"}},
		{`merge({ a = x.a }, { a = x.b })`, "a", []string{"x.b"}},
		{`merge({ a = x.a }, module.m)`, "a", []string{"module.m", "x.a"}},
		{`merge({ a = x.a }, { (var.k) = x.b })`, "a", []string{"var.k", "x.a", "x.b"}},
		{`{ a = x.a, (var.k) = x.b }`, "a", []string{"var.k", "x.a", "x.b"}},
		{`merge([{ a = x.a }]...)`, "a", []string{"x.a"}},
		{`try(x.a, x.b)`, "a", []string{"x.a", "x.b"}},
	} {
		e, problems := hclsyntax.ParseExpression([]byte(c.expression), "t.tf", hcl.InitialPos)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		got := referencesOf(elementOf(e, steps(c.path)))
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %v, not %v", c.path, c.expression, got, c.want)
		}
	}
}
