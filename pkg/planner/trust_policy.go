package planner

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// trustEC2 adds a statement that allows EC2 to assume the role, and keeps the others as
// they are.
func (p *planner) trustEC2(r finding.Result) ([]Step, error) {
	role := p.v.Role(r.Subject.ARN)
	partition := p.v.Place.Partition
	if a, ok := snapshot.ParseARN(role.ARN); ok {
		partition = a.Partition
	}
	services, _ := need.EC2Services(partition)
	var missing []string
	named := role.TrustedServices()
	for _, session := range p.v.InstanceSessions() {
		service := session.Principal
		if !slices.Contains(services, service) {
			continue
		}
		a := role.TrustAllows(session, "sts:AssumeRole")
		if a.Verdict == view.Denied && a.Result.Explicit {
			return nil, manual("%s", whyNotTrusted(a)).next(r.Next...)
		}
		// Where EC2 has two names, each is named, although one of them allows EC2.
		if a.Verdict == view.Denied || !named[service] {
			missing = append(missing, service)
		}
	}
	document, err := addStatement(role.Facts.TrustPolicy, need.TrustService(missing, "sts:AssumeRole"))
	if err != nil || len(missing) == 0 {
		return nil, manual(whyNoStep).next(r.Next...)
	}
	return []Step{{
		Title: "allow " + strings.Join(missing, " and ") + " to assume " + role.Name, rank: rankTrust, provesOwn: true, Changes: []change.Change{trustChange(role, document)},
		Proof: "the trust policy allows sts:AssumeRole for " + strings.Join(missing, " and "),
		Note:  "the other statements of the trust policy stay as they are",
	}}, nil
}

// whyNotTrusted says why another statement of a trust policy does not help.
func whyNotTrusted(denied view.Answer) string {
	if denied.ByOrganization() {
		return whyDenied
	}
	return whyTrustDenied
}

func trustChange(role *view.Role, document string) change.Change {
	return change.Change{Kind: change.TrustPolicy, Name: role.Name, Before: &change.State{Document: role.Facts.TrustPolicy}, After: &change.State{Document: document}}
}

// addStatement appends a statement to a policy document.
func addStatement(document string, s need.Statement) (string, error) {
	var d struct {
		Version   string          `json:"Version,omitempty"`
		ID        string          `json:"Id,omitempty"`
		Statement json.RawMessage `json:"Statement"`
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return "", err
	}
	var list []json.RawMessage
	if json.Unmarshal(d.Statement, &list) != nil {
		list = []json.RawMessage{d.Statement} // one statement may be written without brackets
	}
	added, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	if d.Statement, err = json.Marshal(append(list, added)); err != nil {
		return "", err
	}
	text, err := json.Marshal(d)
	return string(text), err
}
