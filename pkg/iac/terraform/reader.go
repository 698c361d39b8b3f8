package terraform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Options say what the text of a plan or state does not.
type Options struct {
	// Place is the account and the region where the text does not say them.
	Place iac.Place
	// Sources is the folder of the .tf files that the plan was made of; empty for none. A
	// folder with other files is not used.
	Sources string
	// Label is put before every address, where several plans or states are read; empty
	// otherwise.
	Label string
}

// Read returns what a plan declares, as it is when the plan has been applied, or what a state
// has. The text is what "terraform show -json" writes. Its errors are *problem.Error.
func Read(name string, content []byte, o Options) (*iac.Code, error) {
	doc, err := parse(name, content)
	if err != nil {
		return nil, err
	}
	d := &reader{doc: doc, blocks: map[string][]*resource{}, byAddress: map[string]*resource{}, sources: openSources(o.Sources), label: o.Label}
	d.code = &iac.Code{Kind: "plan", Command: "terraform plan", File: name, At: doc.Timestamp}
	if doc.Values != nil {
		d.code.Kind, d.code.Command = "state", "terraform state"
	}
	d.takeResources()
	d.takePlaces(o.Place)
	for _, r := range d.resources {
		if read, ok := readers[r.kind]; ok {
			read(d, r)
		}
	}
	for _, r := range d.deleted {
		d.takeDeleted(r)
	}
	return d.code, nil
}

// reader reads one plan or state.
type reader struct {
	doc  *document
	code *iac.Code
	// resources are what is there when the plan has been applied, by address; deleted are
	// those that the plan deletes, and what it replaces, with the values from before.
	resources, deleted []*resource
	blocks             map[string][]*resource // by module and block
	byAddress          map[string]*resource
	places             places
	sources            *sources
	label              string
}

// resource is a resource or data source with its attributes.
type resource struct {
	address
	text               string
	values             map[string]any
	unknown, sensitive any
	existed, replaced  bool
	config             configResource
}

// takeResources fills resources and deleted.
func (d *reader) takeResources() {
	changed := map[string]bool{}
	for _, c := range d.doc.ResourceChanges {
		if c.Deposed == "" {
			changed[c.Address] = true
			d.takeChange(c)
		}
	}
	unchanged := func(s stateResource) {
		if !changed[s.Address] {
			d.add(&resource{text: s.Address, values: s.Values, sensitive: s.Sensitive, existed: true})
		}
	}
	if d.doc.PriorState != nil && d.doc.PriorState.Values != nil {
		d.doc.PriorState.Values.RootModule.each(unchanged)
	}
	if d.doc.Values != nil {
		d.doc.Values.RootModule.each(unchanged)
	}
	slices.SortFunc(d.resources, func(a, b *resource) int { return cmp.Compare(a.text, b.text) })
	for _, r := range d.resources {
		block := path(r.modules) + " " + r.block()
		d.blocks[block] = append(d.blocks[block], r)
		d.byAddress[r.text] = r
	}
}

func (d *reader) takeChange(c change) {
	does := func(action string) bool { return slices.Contains(c.Actions, action) }
	if does("delete") {
		if old := d.parsed(&resource{text: c.Address, values: c.Before, sensitive: c.BeforeSensitive, existed: true}); old != nil {
			d.deleted = append(d.deleted, old)
		}
	}
	switch {
	case does("forget"): // Terraform no longer manages it, but it stays
		d.add(&resource{text: c.Address, values: c.Before, sensitive: c.BeforeSensitive, existed: true})
	case does("create"), does("read"), does("update"), does("no-op"):
		d.add(&resource{
			text: c.Address, values: c.After, unknown: c.Unknown, sensitive: c.Sensitive,
			existed: !does("create"), replaced: does("create") && does("delete"),
		})
	}
}

func (d *reader) add(r *resource) {
	if r = d.parsed(r); r != nil {
		d.resources = append(d.resources, r)
		d.code.Kubernetes = d.code.Kubernetes || !r.data && (strings.HasPrefix(r.kind, "kubernetes_") || strings.HasPrefix(r.kind, "kubectl_"))
	}
}

// parsed completes a resource by its address and its configuration; nil where the address is
// none.
func (d *reader) parsed(r *resource) *resource {
	var ok bool
	if r.address, ok = parseAddress(r.text); !ok {
		return nil
	}
	if m := d.module(r.modules); m != nil {
		for _, c := range m.Resources {
			if c.Address == r.block() {
				r.config = c
			}
		}
	}
	if d.label != "" {
		r.text = d.label + ":" + r.text
	}
	return r
}

// module is the configuration of a module; nil where the text has none.
func (d *reader) module(calls []step) *configModule {
	if d.doc.Configuration == nil {
		return nil
	}
	m := &d.doc.Configuration.RootModule
	for _, c := range calls {
		call := m.Calls[c.name]
		if call == nil {
			return nil
		}
		m = &call.Module
	}
	return m
}

// declared is what every resource has.
func (d *reader) declared(r *resource) iac.Declared {
	file, line := d.position(r)
	return iac.Declared{Address: r.text, Place: complete(d.placeOf(r), d.code.Place), Existed: r.existed, Read: r.data, File: file, Line: line}
}

// at returns the value at a path of names and indexes, and whether it is unknown or
// sensitive.
func (r *resource) at(path ...any) (value any, unknown, sensitive bool) {
	value = any(r.values)
	for _, p := range path {
		value = child(value, p)
	}
	return value, marked(r.unknown, path), marked(r.sensitive, path)
}

func child(value, key any) any {
	switch k := key.(type) {
	case string:
		if m, ok := value.(map[string]any); ok {
			return m[k]
		}
	case int:
		if list, ok := value.([]any); ok && k < len(list) {
			return list[k]
		}
	}
	return nil
}

// marked reports whether the marks have true at a path, or for a whole on the way to it.
func marked(marks any, path []any) bool {
	for _, p := range path {
		if marks == true {
			return true
		}
		marks = child(marks, p)
	}
	return marks == true
}

// anyMarked reports whether the marks have true anywhere.
func anyMarked(marks any) bool {
	switch m := marks.(type) {
	case bool:
		return m
	case map[string]any:
		for _, v := range m {
			if anyMarked(v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, anyMarked)
	}
	return false
}

// count is how many elements the list at a path has.
func (r *resource) count(path ...any) int {
	value, _, _ := r.at(path...)
	list, _ := value.([]any)
	return len(list)
}

// text returns the text at a path where it is known; empty otherwise.
func (r *resource) textAt(path ...any) string {
	value, _, sensitive := r.at(path...)
	if sensitive {
		return ""
	}
	return scalar(value)
}

// texts are the known texts in the list at a path.
func (r *resource) texts(path ...any) []string {
	var list []string
	for i := range r.count(path...) {
		if s := r.textAt(append(slices.Clone(path), i)...); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// scalar is a value as a text; empty for what is none.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool, float64:
		return fmt.Sprint(v)
	}
	return ""
}

// value returns the value at a path. One that is not known is the resource of a wanted kind
// that it refers to, where there is only one.
func (d *reader) value(r *resource, want []string, path ...any) iac.Value {
	value, unknown, sensitive := r.at(path...)
	switch {
	case unknown:
		return d.referenced(r, want, path)
	case sensitive && value != nil:
		return iac.Value{Unknown: attributePath(r, path) + " is marked as sensitive"}
	}
	return iac.Text(scalar(value))
}

// attributePath is a path as the code's author writes it.
func attributePath(r *resource, path []any) string {
	var b strings.Builder
	b.WriteString(r.text)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			b.WriteString("." + p)
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		}
	}
	return b.String()
}

// referenced follows the references of an attribute that is not known.
func (d *reader) referenced(r *resource, want []string, path []any) iac.Value {
	s := d.search(r, want, path)
	why := attributePath(r, path) + " is known only after apply"
	targets := text.SortedKeys(s.found)
	switch {
	case len(targets) == 1 && (len(s.dead) == 0 || s.found[targets[0]] || d.onlyOne(want) == targets[0]):
		return iac.Value{Resource: targets[0]}
	case len(targets) == 0 && len(s.dead) > 0 && slices.Equal(want, clusters) && d.onlyOne(want) != "":
		return iac.Value{Resource: d.onlyOne(want)}
	case len(targets) > 1:
		why += ": it is of " + strings.Join(targets, " or ")
	case len(s.dead) > 0:
		why += ": it comes from " + strings.Join(s.dead, ", ")
	}
	return iac.Unknown(why)
}

// onlyOne is the address of the resource of the kinds if the plan creates exactly one: a
// value of such a resource that is not known is then this one's. It is empty otherwise.
func (d *reader) onlyOne(kinds []string) string {
	one := ""
	for _, r := range d.resources {
		if r.existed || r.data || !slices.Contains(kinds, r.kind) {
			continue
		}
		if one != "" {
			return ""
		}
		one = r.text
	}
	return one
}

// search is the search for what an unknown value refers to.
type search struct {
	want []string
	// found are the addresses of resources of a wanted kind whose attributes are not known
	// either; true for those that the expression itself names.
	found map[string]bool
	// computed is set where an attribute of a resource is reached that is not known.
	computed bool
	// dead are references that cannot be followed in a plan, such as local.role.
	dead []string
	seen map[string]bool
}

// search follows the references of an attribute.
func (d *reader) search(r *resource, want []string, path []any) search {
	s := search{want: want, found: map[string]bool{}, seen: map[string]bool{}}
	e, ok := attributeOf(r.config.Expressions, path)
	references := e.all()
	if !ok {
		var names []string
		for _, p := range path {
			if name, is := p.(string); is {
				names = append(names, name)
			}
		}
		var found bool
		references, found = d.sources.module(r.modules, d.module(r.modules)).attribute(r.block(), names)
		if !found && len(path) > 1 {
			s.dead = append(s.dead, "a dynamic block")
		}
	}
	d.follow(&s, scope{r.modules, r.name.key, r.config.ForEach}, references, 0)
	return s
}

// attributeOf is the expression at a path.
func attributeOf(expressions map[string]expression, path []any) (expression, bool) {
	var e expression
	for len(path) > 0 {
		name, ok := path[0].(string)
		if !ok {
			return e, false
		}
		if e, ok = expressions[name]; !ok {
			return e, false
		}
		path = path[1:]
		if len(path) == 0 || len(e.Blocks) == 0 {
			break // an element of a list that one expression makes
		}
		i, ok := path[0].(int)
		if !ok || i >= len(e.Blocks) {
			return e, false
		}
		expressions, path = e.Blocks[i], path[1:]
	}
	return e, true
}

// all are the references of an expression and of the blocks in it.
func (e expression) all() []string {
	list := slices.Clone(e.References)
	for _, block := range e.Blocks {
		for _, name := range text.SortedKeys(block) {
			list = append(list, block[name].all()...)
		}
	}
	return list
}

// scope is where references are followed: a module, and the key and for_each of what has
// them.
type scope struct {
	modules []step
	key     string
	forEach expression
}

// follow follows references to what they name.
func (d *reader) follow(s *search, at scope, references []string, depth int) {
	keyed := slices.ContainsFunc(references, func(r string) bool { return r == "each.key" || r == "count.index" })
	for _, reference := range references {
		if shorter(reference, references) {
			continue // Terraform lists each beginning of a reference, too
		}
		seen := path(at.modules) + " " + at.key + " " + reference
		if s.seen[seen] {
			continue
		}
		s.seen[seen] = true
		list := steps(reference)
		switch first := list[0].name; {
		case len(list) < 2 || slices.Contains([]string{"count", "path", "terraform", "self"}, first):
		case first == "each" && list[1].name == "value":
			d.follow(s, at, at.forEach.all(), depth+1)
		case first == "each":
		case first == "var":
			d.followVariable(s, at, list[1].name, depth)
		case first == "local":
			if more, ok := d.sources.module(at.modules, d.module(at.modules)).local(list[1], list[2:]); ok {
				d.follow(s, at, more, depth)
				continue
			}
			if name := strings.TrimPrefix(path(at.modules)+".", ".") + "local." + list[1].name; !slices.Contains(s.dead, name) {
				s.dead = append(s.dead, name)
			}
		case first == "module":
			d.followModule(s, at, list[1:], keyed, depth)
		default:
			d.followResource(s, at, list, keyed, depth)
		}
	}
}

// shorter reports whether a reference is only the beginning of another one.
func shorter(reference string, references []string) bool {
	return slices.ContainsFunc(references, func(longer string) bool {
		return strings.HasPrefix(longer, reference+".") || strings.HasPrefix(longer, reference+"[")
	})
}

func (d *reader) followVariable(s *search, at scope, name string, depth int) {
	n := len(at.modules) - 1
	if n < 0 {
		return // a variable of the root module has a known value
	}
	parent := d.module(at.modules[:n])
	if parent == nil || parent.Calls[at.modules[n].name] == nil {
		return
	}
	call := parent.Calls[at.modules[n].name]
	d.follow(s, scope{at.modules[:n], at.modules[n].key, call.ForEach}, call.Expressions[name].all(), depth+1)
}

// followModule follows an output of a module: list has the call and the output. Where the key
// of the call is an expression, Terraform leaves the output out: it may then be any.
func (d *reader) followModule(s *search, at scope, list []step, keyed bool, depth int) {
	parent := d.module(at.modules)
	if parent == nil || parent.Calls[list[0].name] == nil {
		return
	}
	outputs := parent.Calls[list[0].name].Module.Outputs
	var wanted []step
	for _, name := range text.SortedKeys(outputs) {
		wanted = append(wanted, step{name: name})
	}
	if len(list) > 1 {
		wanted = list[1:2]
	}
	for _, modules := range d.instancesOf(at, list[0], keyed) {
		for _, output := range wanted {
			references, ok := d.sources.module(modules, d.module(modules)).output(output, list[min(2, len(list)):])
			if !ok {
				references = outputs[output.name].Expression.all()
			}
			d.follow(s, scope{modules: modules}, references, depth+1)
		}
	}
}

// instancesOf are the paths of the instances of a module call that have resources.
func (d *reader) instancesOf(at scope, call step, keyed bool) [][]step {
	n := len(at.modules)
	found := map[string][]step{}
	for _, r := range d.resources {
		if len(r.modules) > n && path(r.modules[:n]) == path(at.modules) && r.modules[n].name == call.name && (call.key == "" || r.modules[n].key == call.key) {
			found[r.modules[n].key] = r.modules[:n+1]
		}
	}
	if same, ok := found[at.key]; ok && keyed && at.key != "" {
		return [][]step{same}
	}
	var list [][]step
	for _, key := range text.SortedKeys(found) {
		list = append(list, found[key])
	}
	return list
}

// followResource finds the resource that a reference names, or follows its attribute where
// it is of another kind.
func (d *reader) followResource(s *search, at scope, list []step, keyed bool, depth int) {
	block, rest := "", list
	if list[0].name == "data" && len(list) > 2 {
		block, rest = "data."+list[1].name+"."+list[2].name, list[2:]
	} else {
		block, rest = list[0].name+"."+list[1].name, list[1:]
	}
	targets := slices.Clone(d.blocks[path(at.modules)+" "+block])
	if key := rest[0].key; key != "" {
		targets = slices.DeleteFunc(targets, func(r *resource) bool { return r.name.key != key })
	} else if i := slices.IndexFunc(targets, func(r *resource) bool { return r.name.key == at.key }); keyed && at.key != "" && i >= 0 {
		targets = targets[i : i+1]
	}
	for _, t := range targets {
		var attribute []any
		if len(rest) > 1 {
			attribute = []any{rest[1].name}
		}
		value, unknown, _ := t.at(attribute...)
		known := attribute != nil && value != nil && !unknown
		s.computed = s.computed || !known
		switch {
		case known: // so that it is not the reason
		case slices.Contains(s.want, t.kind):
			if !d.followRead(s, t, depth) {
				s.found[t.text] = s.found[t.text] || depth == 0
			}
		case attribute != nil:
			e := t.config.Expressions[rest[1].name]
			d.follow(s, scope{t.modules, t.name.key, t.config.ForEach}, e.all(), depth+1)
		default:
			for _, name := range text.SortedKeys(t.config.Expressions) {
				d.follow(s, scope{t.modules, t.name.key, t.config.ForEach}, t.config.Expressions[name].all(), depth+1)
			}
		}
	}
}

// followRead follows the name of a data source, where it is not known, to the resource that the
// data source reads; it reports whether it has done so.
func (d *reader) followRead(s *search, t *resource, depth int) bool {
	if _, unknown, _ := t.at("name"); !t.data || !unknown {
		return false
	}
	key := "read " + t.text
	if s.seen[key] {
		return true // it is followed already
	}
	s.seen[key] = true
	own := search{want: s.want, found: map[string]bool{}, seen: s.seen}
	d.follow(&own, scope{t.modules, t.name.key, t.config.ForEach}, t.config.Expressions["name"].all(), depth+1)
	maps.Copy(s.found, own.found)
	if len(own.found) == 0 {
		s.found[t.text] = s.found[t.text] || depth == 0
	}
	return true
}

// deletions are the facts that the kinds of resources are, with the attribute that is the key
// of such a fact.
var deletions = map[string]struct {
	fact snapshot.Fact
	key  string
}{
	"aws_eks_cluster":                  {snapshot.FactCluster, "arn"},
	"aws_eks_node_group":               {snapshot.FactNodeGroups, "node_group_name"},
	"aws_eks_fargate_profile":          {snapshot.FactFargateProfiles, "fargate_profile_name"},
	"aws_eks_access_entry":             {snapshot.FactAccessEntries, "principal_arn"},
	"aws_eks_addon":                    {snapshot.FactAddons, "addon_name"},
	"aws_eks_pod_identity_association": {snapshot.FactPodIdentity, "association_id"},
	"aws_iam_openid_connect_provider":  {snapshot.FactOIDCProviders, "arn"},
	"aws_iam_instance_profile":         {snapshot.FactInstanceProfiles, "arn"},
	"aws_iam_role":                     {snapshot.FactRoles, "arn"},
	"aws_autoscaling_group":            {snapshot.FactAutoScaling, "name"},
}

// takeDeleted notes what the plan deletes.
func (d *reader) takeDeleted(r *resource) {
	if deletion, ok := deletions[r.kind]; ok && !r.data {
		d.code.Deleted = append(d.code.Deleted, iac.Deletion{Fact: deletion.fact, Key: r.textAt(deletion.key), Cluster: r.textAt("cluster_name")})
	}
	switch r.kind {
	case "aws_eks_access_policy_association":
		d.code.Deleted = append(d.code.Deleted, iac.Deletion{
			Fact: snapshot.FactAccessPolicies, Key: r.textAt("principal_arn"), Part: r.textAt("policy_arn"), Cluster: r.textAt("cluster_name"),
		})
	case "aws_iam_role_policy_attachment":
		d.code.Detached = append(d.code.Detached, iac.Attachment{Declared: d.declared(r), Role: iac.Text(r.textAt("role")), Policy: iac.Text(r.textAt("policy_arn"))})
	case "aws_iam_policy_attachment":
		for _, role := range r.texts("roles") {
			d.code.Detached = append(d.code.Detached, iac.Attachment{Declared: d.declared(r), Role: iac.Text(role), Policy: iac.Text(r.textAt("policy_arn"))})
		}
	case "kubernetes_config_map", "kubernetes_config_map_v1":
		if is, _ := r.isObject("aws-auth"); is {
			d.code.Deleted = append(d.code.Deleted, iac.Deletion{Fact: snapshot.FactAWSAuth})
		}
	case "aws_iam_role_policy":
		d.code.Removed = append(d.code.Removed, iac.InlinePolicy{Declared: d.declared(r), Role: iac.Text(r.textAt("role")), Document: iac.Document{Name: iac.Text(r.textAt("name"))}})
	}
}
