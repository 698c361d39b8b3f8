package print

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// roleDetail is a role with what it is asked for and its own documents.
type roleDetail struct {
	finding.IAMRole
	Anchor   string
	Uses     []string
	Needs    []needRow
	Policies []policyDetail
	// Open is set where the role is not folded.
	Open bool
}

type needRow struct {
	Label, Full string
	Tone        tone
	Decisions   []decisionLine
}

type decisionLine struct {
	Actions, Why string
	Tone         tone
	Word         string
}

// policyDetail is a policy: of one role, or managed and shared by several.
type policyDetail struct {
	Anchor, Kind, Name, ARN, Version string
	// Gives sums up what it does, worst first.
	Gives  []mark
	Roles  []string
	Unread []string
	// Undecided is set where what the policy does for a need was not found out.
	Undecided bool
	// Whole is what the document does by what it lacks.
	Whole []mark
	// Head is the part next to the statements; Text is set where the document is
	// not to be taken apart.
	Head, Text string
	Statements []statement
	// Where links to the document, if it is elsewhere on the page.
	Where string
}

// markList is marks, with the roles that they are of where there may be several.
type markList struct {
	Marks  []mark
	Shared bool
}

type statement struct {
	Number int
	Text   string
	Tone   tone
	Marks  []mark
}

// mark describes what a statement or a policy does for a need.
type mark struct {
	Tone        tone
	Verb, Label string
	Actions     []string
	Roles       []string
}

// Text is the mark in a few words.
func (m mark) Text() string { return m.Verb + " " + m.Label }

var needLabels = map[string]string{
	"trust": "being assumed", "trustOthers": "being assumed by others", "worker": "joining", "workerRecommended": "the other calls of a node",
	"pull": "image pulls", "podIdentity": "the Pod Identity Agent", "cni": "the CNI", "hybrid": "the calls of a hybrid node", "excess": "actions that no node needs",
}

var kindLabels = map[finding.PolicyKind]string{
	finding.AWSManaged: "AWS managed policy", finding.CustomerManaged: "customer managed policy", finding.Inline: "inline policy",
	finding.Boundary: "permissions boundary", finding.Trust: "trust policy", finding.SessionPolicy: "session policy",
}

var useLabels = map[finding.RoleUse]string{
	finding.UsedByNodes: "node role", finding.UsedByHybridNodes: "role of hybrid nodes", finding.UsedByAWSNode: "role of aws-node",
	finding.UsedByAssociation: "role of aws-node's Pod Identity association",
}

// policies gathers the roles with their own documents, and the managed policies
// once each, with what every statement does for a need.
func (p *page) policies(r *finding.Report) {
	m := managedUse{marks: map[string][]mark{}, holders: map[string][]string{}, kinds: map[string]string{}}
	for i, role := range r.IAM.Roles {
		d := newRoleDetail(role, roleAnchor(i), len(r.IAM.Roles))
		for k, policy := range role.Policies {
			marks := marksOf(role, policy)
			pd := policyDetail{
				Anchor: fmt.Sprintf("%s-%d", d.Anchor, k+1), Kind: kindLabels[policy.Kind], Name: policy.Name, ARN: policy.ARN, Unread: policy.Unread,
				Gives: sumUp(marks), Undecided: undecided(role),
			}
			if policy.ARN == "" {
				pd.take(policy.Document, marks)
			} else {
				pd.Version = r.IAM.Policies[policy.ARN].Version
				m.add(role, policy, marks)
			}
			d.Policies = append(d.Policies, pd)
		}
		p.Details = append(p.Details, d)
	}
	p.Managed = m.details(r.IAM)
	anchors := map[string]string{}
	for _, pd := range p.Managed {
		anchors[pd.ARN] = pd.Anchor
	}
	for i := range p.Details {
		for k := range p.Details[i].Policies {
			p.Details[i].Policies[k].Where = anchors[p.Details[i].Policies[k].ARN]
		}
	}
}

// newRoleDetail is a role with its uses and needs. It is open where the reader has to look
// at it, or where there are only a few roles.
func newRoleDetail(role finding.IAMRole, anchor string, roles int) roleDetail {
	d := roleDetail{IAMRole: role, Anchor: anchor}
	for _, u := range role.Uses {
		d.Uses = append(d.Uses, useLabels[u])
	}
	for _, n := range role.Needs {
		row := newNeedRow(n)
		d.Needs = append(d.Needs, row)
		d.Open = d.Open || toneRank(row.Tone) <= toneRank(toneUnknown)
	}
	d.Open = d.Open || roles <= manyRoles || len(role.SharedWith) > 0 || role.NotFound || len(role.Unread) > 0
	return d
}

// managedUse is how the roles use managed policies, by ARN.
type managedUse struct {
	marks   map[string][]mark // by statementKey
	holders map[string][]string
	kinds   map[string]string
}

func statementKey(arn string, n int) string { return fmt.Sprintf("%s#%d", arn, n) }

// add notes that a role has a managed policy, and what its statements do for the role's needs.
func (m *managedUse) add(role finding.IAMRole, policy finding.RolePolicy, marks map[int][]mark) {
	m.holders[policy.ARN] = append(m.holders[policy.ARN], role.Name)
	if m.kinds[policy.ARN] == "" || policy.Kind != finding.Boundary {
		m.kinds[policy.ARN] = kindLabels[policy.Kind]
	}
	for n, list := range marks {
		key := statementKey(policy.ARN, n)
		for _, one := range list {
			m.marks[key] = merge(m.marks[key], one)
		}
	}
}

// details are the managed policies by ARN, each with the roles that have it.
func (m *managedUse) details(iam finding.IAM) []policyDetail {
	var list []policyDetail
	for i, arn := range slices.Sorted(maps.Keys(iam.Policies)) {
		policy := iam.Policies[arn]
		pd := policyDetail{
			Anchor: fmt.Sprintf("policy-%d", i+1), Kind: m.kinds[arn], Name: arn[strings.LastIndexByte(arn, '/')+1:], ARN: arn, Version: policy.Version,
			Roles: slices.Compact(m.holders[arn]),
		}
		marks := map[int][]mark{}
		for n := 0; n <= len(statementsOf(policy.Document)); n++ {
			if list := m.marks[statementKey(arn, n)]; len(list) > 0 {
				marks[n] = list
			}
		}
		pd.Gives = sumUp(marks)
		pd.take(policy.Document, marks)
		for _, role := range iam.Roles {
			for _, one := range role.Policies {
				if one.ARN == arn {
					pd.Unread = one.Unread
					pd.Undecided = pd.Undecided || undecided(role)
				}
			}
		}
		list = append(list, pd)
	}
	return list
}

// undecided reports whether something that a role is asked for was not checked.
func undecided(role finding.IAMRole) bool {
	return slices.ContainsFunc(role.Needs, func(n finding.RoleNeed) bool {
		return slices.ContainsFunc(n.Decisions, func(d finding.Decision) bool { return d.Verdict == "unknown" })
	})
}

func newNeedRow(n finding.RoleNeed) needRow {
	row := needRow{Label: needLabels[n.Need]}
	if n.Wanted == finding.WantedNo {
		row.Label += " (should not be allowed)"
	}
	row.Tone, row.Full = needTone(n)
	for _, d := range n.Decisions {
		line := decisionLine{Actions: strings.Join(d.Actions, ", "), Why: d.Why, Word: d.Verdict}
		line.Tone = decisionTone(n.Wanted, d.Verdict)
		if d.Principal != "" {
			line.Actions += " by " + d.Principal
		}
		row.Decisions = append(row.Decisions, line)
	}
	return row
}

// needTone says how a role meets a need. What is too much or only recommended is
// a warning.
func needTone(n finding.RoleNeed) (t tone, word string) {
	switch {
	case n.Status == finding.Pass && n.Wanted == finding.WantedNo:
		return toneGood, "not allowed"
	case n.Status == finding.Pass && n.Wanted == finding.WantedUnknown:
		return toneNeutral, "not allowed"
	case n.Status == finding.Pass:
		return toneGood, "allowed"
	case n.Status == finding.Depends:
		return toneDepends, labelDepends.Full
	case n.Status == finding.Unknown && n.Wanted == finding.WantedUnknown:
		return toneUnknown, "allowed; whether it is needed is unknown"
	case n.Status == finding.Unknown:
		return toneUnknown, labelUnknown.Full
	case n.Wanted == finding.WantedNo:
		return toneCaution, "too much"
	case n.Need == "workerRecommended":
		return toneCaution, "not all allowed"
	default:
		return toneBad, "not allowed"
	}
}

func decisionTone(wanted finding.Wanted, verdict string) tone {
	switch {
	case verdict == "depends":
		return toneDepends
	case verdict == "unknown":
		return toneUnknown
	case wanted == finding.WantedUnknown:
		return toneNeutral
	case (verdict == "allowed") == (wanted == finding.WantedYes):
		return toneGood
	case wanted == finding.WantedNo:
		return toneCaution
	default:
		return toneBad
	}
}

// marksOf says what each statement of a role's policy decides, counted from 1; 0
// is the document as a whole.
func marksOf(role finding.IAMRole, p finding.RolePolicy) map[int][]mark {
	marks := map[int][]mark{}
	boundary := p.Kind == finding.Boundary
	for _, n := range role.Needs {
		for _, d := range n.Decisions {
			m := mark{Label: needLabels[n.Need], Actions: d.Actions, Roles: []string{role.Name}, Tone: decisionTone(n.Wanted, d.Verdict)}
			if boundary && d.By == "boundary" {
				m.Verb = "limits"
				marks[0] = join(marks[0], m)
			}
			for _, ref := range d.Statements {
				if refersTo(ref, p) {
					m.Verb = verb(d.Verdict, ref, n, boundary)
					marks[ref.Statement] = join(marks[ref.Statement], m)
				}
			}
			for _, ref := range d.Nearest {
				if refersTo(ref, p) {
					near := m
					near.Verb, near.Tone = "is closest to", toneNeutral
					marks[ref.Statement] = join(marks[ref.Statement], near)
				}
			}
		}
	}
	return marks
}

func refersTo(ref finding.StatementRef, p finding.RolePolicy) bool {
	return ref.ARN == p.ARN && ref.Policy == p.Name && ref.Trust == (p.Kind == finding.Trust)
}

func verb(verdict string, ref finding.StatementRef, n finding.RoleNeed, boundary bool) string {
	undecided := verdict == "depends" || verdict == "unknown"
	switch {
	case ref.Effect == "Deny" && undecided:
		return "may deny"
	case ref.Effect == "Deny":
		return "denies"
	case undecided:
		return "may allow"
	case boundary:
		return "permits"
	case n.Wanted == finding.WantedNo:
		return "allows too much:"
	case n.Wanted == finding.WantedYes && n.Status != finding.Pass:
		return "allows part of"
	default:
		return "allows"
	}
}

// join adds a mark of one role: what a statement does for a need is one mark.
func join(marks []mark, m mark) []mark {
	m.Actions = slices.Sorted(slices.Values(m.Actions))
	for i, have := range marks {
		if have.Verb == m.Verb && have.Label == m.Label && have.Tone == m.Tone {
			marks[i].Actions = slices.Compact(slices.Sorted(slices.Values(slices.Concat(have.Actions, m.Actions))))
			return marks
		}
	}
	return append(marks, m)
}

// merge adds a mark; one that says the same of another role joins it.
func merge(marks []mark, m mark) []mark {
	for i, have := range marks {
		if have.Verb == m.Verb && have.Label == m.Label && have.Tone == m.Tone && slices.Equal(have.Actions, m.Actions) {
			for _, role := range m.Roles {
				if !slices.Contains(have.Roles, role) {
					marks[i].Roles = append(slices.Clone(marks[i].Roles), role)
				}
			}
			return marks
		}
	}
	return append(marks, m)
}

// sumUp is what a policy does, each once, worst first.
func sumUp(marks map[int][]mark) []mark {
	var sum []mark
	for _, n := range slices.Sorted(maps.Keys(marks)) {
		for _, m := range marks[n] {
			if !slices.ContainsFunc(sum, func(have mark) bool { return have.Verb == m.Verb && have.Label == m.Label && have.Tone == m.Tone }) {
				sum = append(sum, mark{Tone: m.Tone, Verb: m.Verb, Label: m.Label})
			}
		}
	}
	slices.SortStableFunc(sum, func(a, b mark) int { return cmp.Compare(toneRank(a.Tone), toneRank(b.Tone)) })
	return sum
}

// take fills in the document, statement by statement.
func (p *policyDetail) take(document string, marks map[int][]mark) {
	if document == "" {
		return
	}
	p.Whole = marks[0]
	statements := statementsOf(document)
	if len(statements) == 0 {
		p.Text = document
		return
	}
	var head struct{ Version, ID string }
	if json.Unmarshal([]byte(document), &head) == nil && head.Version != "" {
		p.Head = "Version " + head.Version
		if head.ID != "" {
			p.Head += ", Id " + head.ID
		}
	}
	for i, s := range statements {
		st := statement{Number: i + 1, Text: s, Tone: toneNeutral, Marks: marks[i+1]}
		for _, m := range st.Marks {
			if toneRank(m.Tone) < toneRank(st.Tone) {
				st.Tone = m.Tone
			}
		}
		p.Statements = append(p.Statements, st)
	}
}

// statementsOf returns the statements of a policy document, indented; none where
// the text is not a document.
func statementsOf(text string) []string {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(text), &doc) != nil || len(doc.Statement) == 0 {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = []json.RawMessage{doc.Statement}
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		var b bytes.Buffer
		if json.Indent(&b, s, "", "  ") != nil {
			return nil
		}
		out = append(out, b.String())
	}
	return out
}
