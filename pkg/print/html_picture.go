package print

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// How much of a cluster is drawn; the rest is a box with a count.
const (
	maxBoxes    = 3  // sources of one kind of one role
	maxRoles    = 12 // node roles
	maxPolicies = 6  // policies of one role
)

// The picture's measures, in its own units.
const (
	boxWidth, boxHeight = 288, 46
	columnGap           = 88
	boxGap, blockGap    = 10, 24
	headHeight          = 30
	// The width of a letter in the widest of the fonts that a system may have.
	letter, smallLetter = 9, 7
	pictureWidth        = 3*boxWidth + 2*columnGap
)

// picture is the cluster's roles in three columns: what uses a role, the roles,
// and their policies.
type picture struct {
	Width, Height int
	Heads         []box
	Boxes         []box
	Edges         []edge
	// Words is the same for those who do not see it.
	Words []sentence
}

// sentence is what the picture shows of one role.
type sentence struct {
	Tone  tone
	Name  string
	Parts []string
}

type box struct {
	X, Y, Width, Height int
	Tone                tone
	Name, Sub           string // as much as fits
	Full                string
	Stack               bool // represents many
	Round               bool // a role
}

type edge struct {
	Path, Arrow string
	Tone        tone
	Dotted      bool
	// Label is on a plate around X, Y.
	Label             string
	X, Y, Width, Half int
}

// pictureNode is a box before its place is known.
type pictureNode struct {
	box
	links []link
}

// link is an edge from a node to the role at an index, or, of a role, to a policy.
type link struct {
	to    int
	tone  tone
	label string
}

// canvas places boxes: every role is a block with what uses it on its left and
// the policies that no role above it has on its right.
type canvas struct {
	r                  *finding.Report
	details            []roleDetail
	left, roles, right []pictureNode
	blocks             []block
	// roleAt and policyAt are the indexes in roles and right, by ARN.
	roleAt, policyAt map[string]int
	// clusterShares is set where a node uses this cluster's role.
	clusterShares bool
}

type block struct {
	left, right []int
	role        int // -1 for none
}

// draw lays out the picture of a report.
func draw(r *finding.Report, details []roleDetail) *picture {
	c := &canvas{r: r, details: details, roleAt: map[string]int{}, policyAt: map[string]int{}}
	shown, folded := choose(r, details)
	for _, i := range shown {
		c.role(details[i])
	}
	if len(folded) > 0 {
		c.foldedRoles(folded)
	}
	c.awsNode()
	if r.Cluster.RoleARN != "" && !c.clusterShares {
		role := newNode(toneNeutral, r.Cluster.RoleARN[strings.LastIndexByte(r.Cluster.RoleARN, '/')+1:], "the cluster role, which no node uses")
		c.pair(newNode(toneNeutral, r.Cluster.Name, "this cluster"), &role)
	}
	c.withoutRole()
	p := &picture{Width: pictureWidth + 10, Words: words(r, details)} // lines and stacks stand out
	c.place(p)
	return p
}

// role adds a role with what uses it and its policies.
func (c *canvas) role(d roleDetail) {
	row := rowOf(c.r, d.ARN)
	role := newNode(verdictTone(c.r, d, row), d.Name, verdictText(c.r, d, row))
	role.Round = true
	at := len(c.roles)
	c.roles = append(c.roles, role)
	c.roleAt[d.ARN] = at
	b := block{role: at}
	use := func(n pictureNode, t tone, label string) {
		n.links = []link{{at, t, label}}
		b.left = append(b.left, len(c.left))
		c.left = append(c.left, n)
	}

	for _, s := range d.SharedWith {
		kind := s.Kind
		if s.Kind == "cluster" && s.Name == c.r.Cluster.Name {
			c.clusterShares = true
			kind = "this cluster"
		}
		use(newNode(toneBad, s.Name, kind+", which also uses the role"), toneBad, "shared")
	}
	if row != nil {
		for _, n := range sourceBoxes(row.Sources) {
			if d.NotFound {
				use(n, toneBad, "")
			} else {
				use(n, toneNeutral, "")
			}
		}
	}
	uses := d.IAMRole.Uses
	if slices.Contains(uses, finding.UsedByHybridNodes) {
		use(newNode(toneNeutral, "hybrid nodes", "by access entry"), toneNeutral, "")
	}
	if slices.Contains(uses, finding.UsedByAWSNode) || slices.Contains(uses, finding.UsedByAssociation) {
		use(newNode(awsNodeTone(c.r), "aws-node", c.r.AWSNode.Text), toneNeutral, "")
	}

	list, more := policiesOf(d)
	for _, policy := range list {
		k, first := c.policy(d, policy)
		if first {
			b.right = append(b.right, k)
		}
		c.roles[at].links = append(c.roles[at].links, policyLink(k, policyTone(policy), policy))
	}
	if len(more) > 0 {
		worst := policyTone(more[0])
		if worst == toneGood {
			worst = toneNeutral
		}
		n := newNode(worst, fmt.Sprintf("%d more policies", len(more)), "listed below")
		n.Stack = true
		b.right = append(b.right, len(c.right))
		c.roles[at].links = append(c.roles[at].links, link{len(c.right), worst, ""})
		c.right = append(c.right, n)
	}
	c.blocks = append(c.blocks, b)
}

// policy returns the index of a policy's box and whether it is new. One that
// several roles have shows the worst of what it does for them.
func (c *canvas) policy(d roleDetail, policy policyDetail) (at int, first bool) {
	key := policy.ARN
	if key == "" {
		key = d.ARN + "#" + policy.Name
	}
	n := newNode(policyTone(policy), policy.Name, policyText(policy))
	at, ok := c.policyAt[key]
	switch {
	case !ok:
		at = len(c.right)
		c.policyAt[key] = at
		c.right = append(c.right, n)
	case toneRank(n.Tone) < toneRank(c.right[at].Tone):
		c.right[at] = n
	}
	return at, !ok
}

// pair adds a block of two, or of one where there is no role.
func (c *canvas) pair(left pictureNode, role *pictureNode) {
	b := block{left: []int{len(c.left)}, role: -1}
	if role != nil {
		role.Round = true
		b.role = len(c.roles)
		left.links = append(left.links, link{b.role, left.Tone, ""})
		c.roles = append(c.roles, *role)
	}
	c.left = append(c.left, left)
	c.blocks = append(c.blocks, b)
}

// foldedRoles adds one box for the node roles that are not drawn.
func (c *canvas) foldedRoles(folded []int) {
	worst, sources := toneNeutral, 0
	for _, i := range folded {
		row := rowOf(c.r, c.details[i].ARN)
		if t := verdictTone(c.r, c.details[i], row); toneRank(t) < toneRank(worst) {
			worst = t
		}
		sources += len(row.Sources)
	}
	left := newNode(toneNeutral, text.Count(sources, "source"), "listed below")
	role := newNode(worst, text.Count(len(folded), "more node role"), "listed below")
	left.Stack, role.Stack = true, true
	c.pair(left, &role)
}

// awsNode adds aws-node where it has no role of its own: it uses the node roles',
// or it is not known what it uses.
func (c *canvas) awsNode() {
	own := func(d roleDetail) bool { return slices.Contains(d.IAMRole.Uses, finding.UsedByAWSNode) }
	if slices.ContainsFunc(c.details, own) || c.r.AWSNode.Text == "" {
		return
	}
	n := newNode(awsNodeTone(c.r), "aws-node", c.r.AWSNode.Text)
	if c.r.AWSNode.Identity == "NodeRole" {
		for _, row := range c.r.NodeRoles {
			if at, ok := c.roleAt[row.ARN]; ok {
				n.links = append(n.links, link{at, toneNeutral, ""})
			}
		}
	}
	c.pair(n, nil)
}

// withoutRole adds the nodes and sources that should have a role and have none.
func (c *canvas) withoutRole() {
	list := c.r.IAM.WithoutRole
	for i, s := range list {
		t, name := toneBad, "no role"
		if s.Unknown {
			t, name = toneUnknown, "role not known"
		}
		if i == maxBoxes && len(list) > maxBoxes+1 {
			left := newNode(t, fmt.Sprintf("%d more without a role", len(list)-i), "listed below")
			left.Stack = true
			c.pair(left, nil)
			return
		}
		role := newNode(t, name, s.Reason)
		c.pair(newNode(t, s.Name, s.Kind), &role)
	}
}

// choose returns the indexes of the roles that are drawn, in order, and of the
// node roles that are not: the worst are.
func choose(r *finding.Report, details []roleDetail) (shown, folded []int) {
	var nodeRoles []int
	for i, d := range details {
		if rowOf(r, d.ARN) != nil && !slices.Contains(d.IAMRole.Uses, finding.UsedByAWSNode) {
			nodeRoles = append(nodeRoles, i)
		}
	}
	if len(nodeRoles) > maxRoles+1 {
		slices.SortStableFunc(nodeRoles, func(a, b int) int {
			return toneRank(verdictTone(r, details[a], rowOf(r, details[a].ARN))) - toneRank(verdictTone(r, details[b], rowOf(r, details[b].ARN)))
		})
		folded = nodeRoles[maxRoles:]
	}
	for i := range details {
		if !slices.Contains(folded, i) {
			shown = append(shown, i)
		}
	}
	slices.Sort(folded)
	// Roles that no EC2 node uses come last.
	slices.SortStableFunc(shown, func(a, b int) int { return beside(r, details[a]) - beside(r, details[b]) })
	return shown, folded
}

func beside(r *finding.Report, d roleDetail) int {
	if rowOf(r, d.ARN) == nil {
		return 1
	}
	return 0
}

func rowOf(r *finding.Report, arn string) *finding.RoleRow {
	if i := slices.IndexFunc(r.NodeRoles, func(row finding.RoleRow) bool { return row.ARN == arn }); i >= 0 {
		return &r.NodeRoles[i]
	}
	return nil
}

// verdictTone is the worst verdict on a role; on one of other than EC2 nodes, the
// worst of what it is asked for.
func verdictTone(r *finding.Report, d roleDetail, row *finding.RoleRow) tone {
	worst := toneNeutral
	take := func(t tone) {
		if toneRank(t) < toneRank(worst) {
			worst = t
		}
	}
	if row != nil {
		for c := range row.Verdicts {
			take(verdictLabel(row.Verdicts, c).Tone)
		}
		return worst
	}
	for _, res := range r.Results {
		if res.Subject.ARN == d.ARN && !res.Excepted() {
			take(resultLabel(res).Tone)
		}
	}
	for _, n := range d.Needs {
		take(n.Tone)
	}
	if d.NotFound {
		take(toneBad)
	}
	return worst
}

// verdictText names what is wrong, in the words of the table's columns.
func verdictText(r *finding.Report, d roleDetail, row *finding.RoleRow) string {
	if row == nil {
		for _, n := range d.Needs {
			if n.Tone == toneBad || n.Tone == toneUnknown || n.Tone == toneDepends {
				return n.Label + ": " + n.Full
			}
		}
		if d.NotFound {
			return "does not exist"
		}
		if verdictTone(r, d, row) == toneGood {
			return "passed"
		}
		return strings.Join(d.Uses, ", ")
	}
	words := map[tone][]string{}
	for _, c := range finding.Concerns {
		if _, ok := row.Verdicts[c]; ok {
			t := verdictLabel(row.Verdicts, c).Tone
			words[t] = append(words[t], string(c))
		}
	}
	var parts []string
	if d.NotFound {
		parts = append(parts, "does not exist")
	}
	for _, w := range []struct {
		tone tone
		word string
	}{{toneBad, "FAIL"}, {toneCaution, "warn"}, {toneDepends, "depends:"}, {toneUnknown, "unknown:"}} {
		if list := words[w.tone]; len(list) > 0 {
			parts = append(parts, w.word+" "+strings.Join(list, ", "))
		}
	}
	if len(parts) == 0 {
		return "passed"
	}
	return strings.Join(parts, "; ")
}

func awsNodeTone(r *finding.Report) tone {
	worst := toneNeutral
	for _, res := range r.Results {
		if res.Subject.Kind == finding.SubjectAWSNode && !res.Excepted() && res.Status != finding.Pass {
			if t := resultLabel(res).Tone; toneRank(t) < toneRank(worst) {
				worst = t
			}
		}
	}
	return worst
}

func sourceBoxes(sources []finding.Source) []pictureNode {
	var nodes []pictureNode
	for _, g := range sourceGroups(sources) {
		if len(g.Names) > 0 {
			name, sub, _ := strings.Cut(g.Text, " (")
			n := newNode(toneNeutral, name, strings.TrimSuffix(sub, ")"))
			n.Stack = true
			n.Full = g.Text + ": " + strings.Join(g.Names[:min(len(g.Names), maxLines)], ", ")
			nodes = append(nodes, n)
			continue
		}
		nodes = append(nodes, newNode(toneNeutral, g.Name, fmt.Sprintf("%s, %s", g.Kind, text.Count(g.Nodes, "node"))))
	}
	return nodes
}

// policiesOf are the policies of a role that are drawn, and those that are not,
// worst first. Its trust policy is part of the role.
func policiesOf(d roleDetail) (list, more []policyDetail) {
	for _, p := range d.Policies {
		if p.Kind != kindLabels[finding.Trust] {
			list = append(list, p)
		}
	}
	if len(list) <= maxPolicies+1 {
		return list, nil
	}
	slices.SortStableFunc(list, func(a, b policyDetail) int { return toneRank(policyTone(a)) - toneRank(policyTone(b)) })
	return list[:maxPolicies], list[maxPolicies:]
}

func policyTone(p policyDetail) tone {
	switch {
	case len(p.Gives) > 0:
		return p.Gives[0].Tone
	case len(p.Unread) > 0:
		return toneUnknown
	default:
		return toneNeutral
	}
}

func policyText(p policyDetail) string {
	parts := make([]string, 0, len(p.Gives)+1)
	for _, m := range p.Gives {
		if m.Verb != "is closest to" {
			parts = append(parts, m.Text())
		}
	}
	switch {
	case len(p.Unread) > 0:
		return "could not be read"
	case len(parts) == 0 && p.Undecided:
		return p.Kind
	case len(parts) == 0:
		return p.Kind + ", nothing that the role needs"
	default:
		return strings.Join(parts, "; ")
	}
}

func policyLink(to int, t tone, p policyDetail) link {
	l := link{to: to, tone: t}
	switch {
	case p.Kind == kindLabels[finding.Boundary]:
		l.label = "boundary"
	case t == toneBad:
		l.label = "denies"
	case t == toneCaution:
		l.label = "too much"
	}
	return l
}

// newNode is a box with as much of its texts as fits.
func newNode(t tone, name, sub string) pictureNode {
	full := name
	if sub != "" {
		full += ": " + sub
	}
	room := boxWidth - 24
	if t != toneNeutral {
		room -= 26 // for the sign
	}
	return pictureNode{box: box{Width: boxWidth, Height: boxHeight, Tone: t, Name: shorten(name, room/letter), Sub: cutTo(sub, room/smallLetter), Full: full}}
}

// shorten keeps both ends of a name of more than n letters.
func shorten(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	head := (n - 1) * 6 / 10
	return string(runes[:head]) + "…" + string(runes[len(runes)-(n-1-head):])
}

// clip keeps the beginning of a text of more than n letters.
func cutTo(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return strings.TrimRight(string(runes[:n-1]), " ,;:") + "…"
}

// place gives every box its place, block under block, and draws the edges.
func (c *canvas) place(p *picture) {
	const middle, right = boxWidth + columnGap, 2 * (boxWidth + columnGap)
	for i, name := range []string{"Used by", "Roles", "Policies"} {
		p.Heads = append(p.Heads, box{X: i * middle, Y: 16, Name: name})
	}
	stack := func(nodes []pictureNode, list []int, x, y int) {
		for _, i := range list {
			nodes[i].X, nodes[i].Y = x, y
			y += boxHeight + boxGap
		}
	}
	height := func(n int) int { return n*(boxHeight+boxGap) - boxGap }
	y := headHeight
	for _, b := range c.blocks {
		tall := max(height(len(b.left)), height(len(b.right)), boxHeight)
		stack(c.left, b.left, 0, y+(tall-height(len(b.left)))/2)
		stack(c.right, b.right, right, y+(tall-height(len(b.right)))/2)
		if b.role >= 0 {
			c.roles[b.role].X, c.roles[b.role].Y = middle, y+(tall-boxHeight)/2
		}
		y += tall + blockGap
	}
	p.Height = y
	for _, n := range c.left {
		for _, l := range n.links {
			p.Edges = append(p.Edges, newEdge(n.box, c.roles[l.to].box, l, 0.4))
		}
	}
	for _, n := range c.roles {
		for _, l := range n.links {
			p.Edges = append(p.Edges, newEdge(n.box, c.right[l.to].box, l, 0.6))
		}
	}
	// What is wrong lies on top.
	slices.SortStableFunc(p.Edges, func(a, b edge) int { return toneRank(b.Tone) - toneRank(a.Tone) })
	for _, list := range [][]pictureNode{c.left, c.roles, c.right} {
		for _, n := range list {
			p.Boxes = append(p.Boxes, n.box)
		}
	}
}

// newEdge is a curve from one box's right to another's left; its label is at
// a part of the way.
func newEdge(from, to box, l link, part float64) edge {
	x1, y1 := from.X+from.Width, from.Y+from.Height/2
	x2, y2 := to.X, to.Y+to.Height/2
	bend := columnGap / 2
	e := edge{
		Path:  fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, x2-bend, y2, x2-6, y2),
		Arrow: fmt.Sprintf("M%d %dl-8 -4v8z", x2-1, y2),
		Tone:  l.tone, Dotted: l.label == "boundary", Label: l.label,
	}
	if l.label != "" {
		e.Half = 8 + 4*len(l.label)
		e.Width = 2 * e.Half
		// The curve's point at part of the way.
		a, b := (1-part)*(1-part)*(1-part)+3*(1-part)*(1-part)*part, 3*(1-part)*part*part+part*part*part
		e.X = x1 + (x2-x1)/2
		e.Y = int(a*float64(y1) + b*float64(y2))
	}
	return e
}

// words says what the picture shows, a role at a time.
func words(r *finding.Report, details []roleDetail) []sentence {
	var all []sentence
	for _, d := range details {
		row := rowOf(r, d.ARN)
		s := sentence{Tone: verdictTone(r, d, row), Name: d.Name}
		s.Parts = append(s.Parts, verdictText(r, d, row))
		if row != nil {
			used := make([]string, 0, len(row.Sources))
			for _, g := range sourceGroups(row.Sources) {
				used = append(used, g.Text)
			}
			s.Parts = append(s.Parts, "used by "+strings.Join(used, "; "))
		} else {
			s.Parts = append(s.Parts, strings.Join(d.Uses, ", "))
		}
		for _, other := range d.SharedWith {
			s.Parts = append(s.Parts, "shared with "+other.Kind+" "+other.Name)
		}
		if len(d.Policies) == 0 && !d.NotFound {
			s.Parts = append(s.Parts, "no policies")
		}
		for _, p := range d.Policies {
			if p.Kind != kindLabels[finding.Trust] {
				s.Parts = append(s.Parts, fmt.Sprintf("%s %s: %s", p.Kind, p.Name, policyText(p)))
			}
		}
		all = append(all, s)
	}
	for _, s := range r.IAM.WithoutRole {
		t := toneBad
		if s.Unknown {
			t = toneUnknown
		}
		all = append(all, sentence{Tone: t, Name: s.Name, Parts: []string{s.Kind, "no role is known: " + s.Reason}})
	}
	return append(all, sentence{Tone: awsNodeTone(r), Name: "aws-node", Parts: []string{r.AWSNode.Text}})
}
