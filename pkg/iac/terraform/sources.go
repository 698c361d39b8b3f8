package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

// sources are the .tf files that a plan was made of: they have what a plan's text leaves out,
// the values of locals, dynamic blocks, and lines.
type sources struct {
	// dirs are the folders of the modules, by the names of their calls joined by dots; the
	// root module has no name.
	dirs map[string]string
	// modules are those that have been read, by folder; nil for one that cannot be used.
	modules map[string]*moduleSource
}

// moduleSource is what the files of a module have.
type moduleSource struct {
	locals, outputs map[string]hclsyntax.Expression
	// blocks are those of resources, data sources and module calls, by their addresses in
	// the module.
	blocks map[string]*hclsyntax.Block
}

// maxModules is the size that Terraform's list of modules may have.
const maxModules = 16 << 20

// openSources finds the sources in a folder; nil where it has none.
func openSources(dir string) *sources {
	if dir == "" || len(sourceFiles(dir)) == 0 {
		return nil
	}
	s := &sources{dirs: map[string]string{"": dir}, modules: map[string]*moduleSource{}}
	name := filepath.Join(dir, ".terraform", "modules", "modules.json")
	if files.Check(name, maxModules) != nil {
		return s
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return s // there are no modules, or terraform init has not been run here
	}
	var list struct {
		Modules []struct{ Key, Dir string }
	}
	if json.Unmarshal(text, &list) != nil {
		return s
	}
	for _, m := range list.Modules {
		switch {
		case m.Dir == "":
		case filepath.IsAbs(m.Dir): // of a module whose source is such a path
			s.dirs[m.Key] = m.Dir
		default:
			s.dirs[m.Key] = filepath.Join(dir, m.Dir)
		}
	}
	return s
}

func sourceFiles(dir string) []string {
	names, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil
	}
	return names
}

// module returns the source of a module, if it is the one that the plan was made of: it has
// every resource of the configuration.
func (s *sources) module(calls []step, config *configModule) *moduleSource {
	if s == nil || config == nil {
		return nil
	}
	names := make([]string, 0, len(calls))
	for _, c := range calls {
		names = append(names, c.name)
	}
	dir, ok := s.dirs[strings.Join(names, ".")]
	if !ok {
		return nil
	}
	m, read := s.modules[dir]
	if !read {
		m = readModule(dir)
		s.modules[dir] = m
	}
	if m == nil {
		return nil
	}
	for _, r := range config.Resources {
		if m.blocks[r.Address] == nil {
			return nil
		}
	}
	return m
}

// readModule parses the files of a module; nil where one cannot be parsed.
func readModule(dir string) *moduleSource {
	m := &moduleSource{locals: map[string]hclsyntax.Expression{}, outputs: map[string]hclsyntax.Expression{}, blocks: map[string]*hclsyntax.Block{}}
	for _, name := range sourceFiles(dir) {
		if files.Check(name, files.MaxConfig) != nil {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil
		}
		file, problems := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
		if problems.HasErrors() {
			return nil
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil
		}
		for _, b := range body.Blocks {
			m.add(b)
		}
	}
	return m
}

func (m *moduleSource) add(b *hclsyntax.Block) {
	switch {
	case b.Type == "locals":
		for name, a := range b.Body.Attributes {
			m.locals[name] = a.Expr
		}
	case b.Type == "output" && len(b.Labels) == 1 && b.Body.Attributes["value"] != nil:
		m.outputs[b.Labels[0]] = b.Body.Attributes["value"].Expr
	case b.Type == "resource" && len(b.Labels) == 2:
		m.blocks[b.Labels[0]+"."+b.Labels[1]] = b
	case b.Type == "data" && len(b.Labels) == 2:
		m.blocks["data."+b.Labels[0]+"."+b.Labels[1]] = b
	case b.Type == "module" && len(b.Labels) == 1:
		m.blocks["module."+b.Labels[0]] = b
	}
}

// local are the references of a local value, or of the element of it that a path names; ok is
// false where there is none.
func (m *moduleSource) local(name step, rest []step) (references []string, ok bool) {
	if m == nil {
		return nil, false
	}
	return elementIn(m.locals, name, rest)
}

// output is local for an output of the module.
func (m *moduleSource) output(name step, rest []step) (references []string, ok bool) {
	if m == nil {
		return nil, false
	}
	return elementIn(m.outputs, name, rest)
}

func elementIn(values map[string]hclsyntax.Expression, name step, rest []step) (references []string, ok bool) {
	e, ok := values[name.name]
	switch {
	case !ok:
		return nil, false
	case name.key != "": // which element that is, is not looked for
		return referencesOf(e), true
	}
	return referencesOf(elementOf(e, rest)), true
}

// elementOf is the element of an expression that a path names, as far as the expression shows
// which one it is: in objects, and in objects that are merged.
func elementOf(e hclsyntax.Expression, rest []step) hclsyntax.Expression {
	for _, step := range rest {
		element, found := named(e, step.name)
		if !found {
			return e
		}
		if e = element; step.key != "" {
			return e
		}
	}
	return e
}

// named is the element of an object with a name; found is false where the expression does not
// show it.
func named(e hclsyntax.Expression, name string) (element hclsyntax.Expression, found bool) {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return named(e.Expression, name)
	case *hclsyntax.ObjectConsExpr:
		for _, item := range slices.Backward(e.Items) {
			key, problems := item.KeyExpr.Value(nil)
			if problems.HasErrors() || key.Type() != cty.String {
				return nil, false // it may be this one
			}
			if key.AsString() == name {
				return item.ValueExpr, true
			}
		}
	case *hclsyntax.FunctionCallExpr:
		if e.Name != "merge" || e.ExpandFinal {
			return nil, false
		}
		for _, argument := range slices.Backward(e.Args) { // a later one goes before
			object, is := argument.(*hclsyntax.ObjectConsExpr)
			if !is {
				return nil, false
			}
			if element, found := named(object, name); found || !literal(object) {
				return element, found
			}
		}
	}
	return nil, false
}

// literal reports whether the keys of an object are all in the expression.
func literal(object *hclsyntax.ObjectConsExpr) bool {
	for _, item := range object.Items {
		if key, problems := item.KeyExpr.Value(nil); problems.HasErrors() || key.Type() != cty.String {
			return false
		}
	}
	return true
}

// attribute are the references of an attribute of a resource that may be in dynamic blocks:
// the names are those of the blocks and of the attribute.
func (m *moduleSource) attribute(address string, names []string) (references []string, ok bool) {
	if m == nil || m.blocks[address] == nil {
		return nil, false
	}
	return inBody(m.blocks[address].Body, names)
}

func inBody(body *hclsyntax.Body, names []string) (references []string, ok bool) {
	if len(names) == 1 {
		if a, found := body.Attributes[names[0]]; found {
			return referencesOf(a.Expr), true
		}
	}
	for _, b := range body.Blocks {
		switch {
		case b.Type == names[0] && len(names) > 1:
			more, found := inBody(b.Body, names[1:])
			references, ok = append(references, more...), ok || found
		case b.Type == "dynamic" && len(b.Labels) == 1 && b.Labels[0] == names[0]:
			more, found := inDynamic(b, names[1:])
			references, ok = append(references, more...), ok || found
		}
	}
	return references, ok
}

// inDynamic are the references in a dynamic block. What it says by its iterator is of what
// it iterates over.
func inDynamic(b *hclsyntax.Block, names []string) (references []string, ok bool) {
	iterator := b.Labels[0]
	if a, named := b.Body.Attributes["iterator"]; named {
		iterator = hcl.ExprAsKeyword(a.Expr)
	}
	for _, content := range b.Body.Blocks {
		if content.Type != "content" {
			continue
		}
		if len(names) == 0 {
			return nil, false
		}
		more, found := inBody(content.Body, names)
		references, ok = append(references, more...), ok || found
	}
	of := func(r string) bool { return r == iterator || strings.HasPrefix(r, iterator+".") }
	if forEach, has := b.Body.Attributes["for_each"]; has && slices.ContainsFunc(references, of) {
		references = append(slices.DeleteFunc(references, of), referencesOf(forEach.Expr)...)
	}
	return references, ok
}

// referencesOf are the references in an expression, as a plan's text writes them.
func referencesOf(e hclsyntax.Expression) []string {
	var list []string
	for _, traversal := range e.Variables() {
		var b strings.Builder
		for _, t := range traversal {
			switch t := t.(type) {
			case hcl.TraverseRoot:
				b.WriteString(t.Name)
			case hcl.TraverseAttr:
				b.WriteString("." + t.Name)
			case hcl.TraverseIndex:
				switch t.Key.Type() {
				case cty.String:
					fmt.Fprintf(&b, "[%q]", t.Key.AsString())
				case cty.Number:
					fmt.Fprintf(&b, "[%s]", t.Key.AsBigFloat().Text('f', 0))
				}
			}
		}
		list = append(list, b.String())
	}
	return list
}

// position is where the block of a resource begins: its own, or the one of the module call
// that it is in where the module is not part of the code, but was installed.
func (d *reader) position(r *resource) (file string, line int) {
	for n := 0; n <= len(r.modules); n++ {
		m := d.sources.module(r.modules[:n], d.module(r.modules[:n]))
		if m == nil {
			break
		}
		address := r.block()
		if n < len(r.modules) {
			address = "module." + r.modules[n].name
		}
		b := m.blocks[address]
		if b == nil || strings.Contains(filepath.ToSlash(b.TypeRange.Filename), ".terraform/") {
			break
		}
		file, line = filepath.ToSlash(b.TypeRange.Filename), b.TypeRange.Start.Line
	}
	return file, line
}
