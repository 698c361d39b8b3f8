package diff

import (
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// roles compares roles and their policies, and what contains or trusts them.
func (f *factParts) roles() {
	roles := table[snapshot.Role]{
		kind: KindRole, fact: snapshot.FactRoles, of: func(s *snapshot.Snapshot) *map[string]snapshot.Role { return &s.Roles }, referred: true,
		findBy: findRoles,
	}
	exists := field[snapshot.Role]{
		name: "in IAM",
		text: func(r snapshot.Role) string {
			if r.NotFound {
				return "does not exist"
			}
			return "exists"
		},
		copyTo: func(to *snapshot.Role, from snapshot.Role) { *to = from },
	}
	created := field[snapshot.Role]{
		name: "creation",
		text: func(r snapshot.Role) string { return strings.TrimSpace(timeText(r.CreatedAt) + " " + r.ID) },
		same: func(a, b snapshot.Role) bool {
			return (a.ID == b.ID || a.ID == "" || b.ID == "") && a.CreatedAt.Equal(b.CreatedAt)
		},
		copyTo: func(to *snapshot.Role, from snapshot.Role) { to.ID, to.CreatedAt = from.ID, from.CreatedAt },
	}
	for _, arn := range keysOf(f.older.Roles, f.newer.Roles) {
		base := part[*snapshot.Snapshot]{kind: KindRole, name: snapshot.NameOf(arn), arn: arn, needs: []factRef{factOf(snapshot.FactRoles, arn), factOf(snapshot.FactClusterRole, arn)}}
		was, wasThere := f.older.Roles[arn]
		is, isThere := f.newer.Roles[arn]
		switch {
		case wasThere != isThere:
			f.add(roles.whole(base, arn))
		case was.NotFound || is.NotFound:
			f.add(roles.field(base, arn, exists))
		default:
			f.add(roles.field(base, arn, created))
			f.add(roles.field(base, arn, single("permissions boundary", func(r *snapshot.Role) *string { return &r.PermissionsBoundary })))
			f.roleItems(roles, base, was, is)
		}
	}
	addTable(f, table[snapshot.InstanceProfile]{
		kind: KindProfile, fact: snapshot.FactInstanceProfiles, referred: true, findBy: findRoles,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.InstanceProfile { return &s.InstanceProfiles },
		about: func(p snapshot.InstanceProfile) string { return "role " + text.OrNone(listed(p.Roles)) },
		fields: []field[snapshot.InstanceProfile]{
			set("role", func(p *snapshot.InstanceProfile) *[]string { return &p.Roles }),
			flag("missing from IAM", func(p *snapshot.InstanceProfile) *bool { return &p.NotFound }),
		},
	})
	addTable(f, table[snapshot.OIDCProvider]{
		kind: KindOIDCProvider, fact: snapshot.FactOIDCProviders, referred: true, findBy: findRoles,
		of: func(s *snapshot.Snapshot) *map[string]snapshot.OIDCProvider { return &s.OIDCProviders },
		fields: []field[snapshot.OIDCProvider]{
			set("audiences", func(p *snapshot.OIDCProvider) *[]string { return &p.ClientIDs }),
			flag("missing from IAM", func(p *snapshot.OIDCProvider) *bool { return &p.NotFound }),
		},
	})
	f.policies()
	f.simulations()
}

// roleItems compares what a role of both sides has several of, and its trust policy.
func (f *factParts) roleItems(t table[snapshot.Role], base part[*snapshot.Snapshot], was, is snapshot.Role) {
	arn := base.arn
	trust := t.field(base, arn, single("trust policy", func(r *snapshot.Role) *string { return &r.TrustPolicy }))
	trust.grammar, trust.document = iampolicy.Trust, func(s *snapshot.Snapshot) string { return s.Roles[arn].TrustPolicy }
	f.add(trust)
	for _, name := range keysOf(was.InlinePolicies, is.InlinePolicies) {
		p := base
		p.field = "inline policy " + name
		p.needs = append(slices.Clone(base.needs), factOf(snapshot.FactInlinePolicies, arn), factOf(snapshot.FactInlinePolicies, arn+"#"+name), factOf(snapshot.FactClusterRole, arn+"#"+name))
		p.grammar, p.document = iampolicy.Identity, func(s *snapshot.Snapshot) string { return s.Roles[arn].InlinePolicies[name] }
		p.copyTo = func(to, from *snapshot.Snapshot) {
			r := to.Roles[arn]
			setKey(&r.InlinePolicies, from.Roles[arn].InlinePolicies, name)
			put(&to.Roles, arn, r)
		}
		f.add(p)
	}
	for _, key := range keysOf(was.Tags, is.Tags) {
		f.add(t.field(base, arn, field[snapshot.Role]{
			name: "tag " + key,
			text: func(r snapshot.Role) string { return r.Tags[key] },
			same: func(a, b snapshot.Role) bool {
				return has(a.Tags, key) == has(b.Tags, key) && a.Tags[key] == b.Tags[key]
			},
			copyTo: func(to *snapshot.Role, from snapshot.Role) { setKey(&to.Tags, from.Tags, key) },
		}))
	}
	list := func(name string, fact snapshot.Fact, of func(*snapshot.Role) *[]string) {
		for _, item := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(*of(&was), *of(&is))))) {
			f.add(t.field(base, arn, field[snapshot.Role]{
				name: name, needs: fact,
				text: func(r snapshot.Role) string {
					if slices.Contains(*of(&r), item) {
						return item
					}
					return ""
				},
				copyTo: func(to *snapshot.Role, from snapshot.Role) {
					rest := slices.DeleteFunc(slices.Clone(*of(to)), func(s string) bool { return s == item })
					if slices.Contains(*of(&from), item) {
						rest = append(rest, item)
					}
					slices.Sort(rest)
					*of(to) = rest
				},
			}))
		}
	}
	list("attached policy", snapshot.FactAttachedPolicies, func(r *snapshot.Role) *[]string { return &r.AttachedPolicies })
	list("instance profile", snapshot.FactRoleProfiles, func(r *snapshot.Role) *[]string { return &r.InstanceProfiles })
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// policies compares the managed policies of both sides. One that only one side has is
// attached, or a boundary, only there.
func (f *factParts) policies() {
	for _, arn := range keysOf(f.older.Policies, f.newer.Policies) {
		if !has(f.older.Policies, arn) || !has(f.newer.Policies, arn) {
			continue
		}
		f.add(part[*snapshot.Snapshot]{
			kind: KindPolicy, name: snapshot.NameOf(arn), arn: arn, field: "document", needs: []factRef{factOf(snapshot.FactPolicies, arn), factOf(snapshot.FactClusterRole, arn)},
			grammar: iampolicy.Identity, document: func(s *snapshot.Snapshot) string { return s.Policies[arn].Document },
			copyTo: func(to, from *snapshot.Snapshot) { put(&to.Policies, arn, from.Policies[arn]) },
		})
	}
}

// simulations compares the answers of the IAM policy simulator.
func (f *factParts) simulations() {
	answers := field[[]snapshot.Simulation]{
		name: "answers",
		text: func(list []snapshot.Simulation) string {
			denied := []string{}
			for _, s := range list {
				if s.Decision != "allowed" {
					denied = append(denied, s.Action+" "+s.Decision)
				}
			}
			return "not allowed: " + text.OrNone(listed(denied))
		},
		same:   func(a, b []snapshot.Simulation) bool { return slices.Equal(simulationTexts(a), simulationTexts(b)) },
		copyTo: func(to *[]snapshot.Simulation, from []snapshot.Simulation) { *to = from },
	}
	addTable(f, table[[]snapshot.Simulation]{
		kind: KindSimulation, fact: snapshot.FactSimulations,
		of:     func(s *snapshot.Snapshot) *map[string][]snapshot.Simulation { return &s.Simulations },
		about:  answers.text,
		fields: []field[[]snapshot.Simulation]{answers},
	})
}

func simulationTexts(list []snapshot.Simulation) []string {
	var lines []string
	for _, s := range list {
		lines = append(lines, strings.Join([]string{s.Action, s.Resource, s.Decision, s.DeniedBy, listed(s.MissingContext)}, " "))
	}
	slices.Sort(lines)
	return lines
}

// access compares what gives roles access to the cluster: access entries and aws-auth.
func (f *factParts) access() {
	scopes := func(e snapshot.AccessEntry) string {
		var lines []string
		for arn, namespaces := range e.Policies {
			line := snapshot.NameOf(arn)
			if len(namespaces) > 0 {
				line += " in " + listed(namespaces)
			}
			lines = append(lines, line)
		}
		return listed(lines)
	}
	addTable(f, table[snapshot.AccessEntry]{
		kind: KindAccessEntry, fact: snapshot.FactAccessEntries, findBy: findRoles,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.AccessEntry { return &s.AccessEntries },
		about: func(e snapshot.AccessEntry) string { return "type " + e.Type },
		fields: []field[snapshot.AccessEntry]{
			single("type", func(e *snapshot.AccessEntry) *string { return &e.Type }),
			single("user name", func(e *snapshot.AccessEntry) *string { return &e.Username }),
			set("groups", func(e *snapshot.AccessEntry) *[]string { return &e.Groups }),
			{
				name:   "creation",
				text:   func(e snapshot.AccessEntry) string { return timeText(e.CreatedAt) },
				copyTo: func(to *snapshot.AccessEntry, from snapshot.AccessEntry) { to.CreatedAt = from.CreatedAt },
			},
			{
				name: "access policies", text: scopes, needs: snapshot.FactAccessPolicies,
				copyTo: func(to *snapshot.AccessEntry, from snapshot.AccessEntry) { to.Policies = from.Policies },
			},
		},
	})
	f.awsAuth()
}

// awsAuth compares the mappings of the ConfigMap as the authenticator reads them. A text
// that cannot be parsed is compared as a whole.
func (f *factParts) awsAuth() {
	base := part[*snapshot.Snapshot]{kind: KindAWSAuth, name: "mapRoles", needs: []factRef{factOf(snapshot.FactAWSAuth, "")}}
	mapRoles := func(s *snapshot.Snapshot) string {
		if s.AWSAuth == nil {
			return ""
		}
		return s.AWSAuth.MapRoles
	}
	whole := func(to, from *snapshot.Snapshot) { to.AWSAuth = from.AWSAuth }
	_, wasErr := awsauth.Parse(mapRoles(f.older))
	_, isErr := awsauth.Parse(mapRoles(f.newer))
	if wasErr != nil || isErr != nil {
		base.copyTo = whole
		base.value = func(s *snapshot.Snapshot) (string, bool) {
			switch _, err := awsauth.Parse(mapRoles(s)); {
			case s.AWSAuth == nil:
				return "", false
			case err != nil:
				return "not valid: " + err.Error(), true
			default:
				return "valid", true
			}
		}
		base.same = func(older, newer *snapshot.Snapshot) bool { return mapRoles(older) == mapRoles(newer) }
		f.add(base)
		return
	}
	if (f.older.AWSAuth == nil) != (f.newer.AWSAuth == nil) {
		base.name, base.copyTo = "ConfigMap", whole
		base.value = func(s *snapshot.Snapshot) (string, bool) { return "", s.AWSAuth != nil }
		f.add(base)
	}
	arns := mappings(mapRoles(f.older))
	for _, key := range keysOf(arns, mappings(mapRoles(f.newer))) {
		p := base
		p.kind, p.name, p.arn = KindAWSAuth, snapshot.NameOf(key), key
		p.value = func(s *snapshot.Snapshot) (string, bool) {
			m, ok := mappings(mapRoles(s))[key]
			if !ok {
				return "", false
			}
			return m.RoleARN + " as " + text.OrNone(m.Username) + " in " + text.OrNone(listed(m.Groups)), true
		}
		p.copyTo = func(to, from *snapshot.Snapshot) { copyMapping(to, from, mapRoles, key) }
		f.add(p)
	}
}

// mappings are those that count, by the ARN in lower case: the last of an ARN.
func mappings(mapRoles string) map[string]awsauth.Mapping {
	list, _ := awsauth.Parse(mapRoles) // it was parsed before
	found := map[string]awsauth.Mapping{}
	for _, m := range list {
		if m.RoleARN != "" {
			found[strings.ToLower(m.RoleARN)] = m
		}
	}
	return found
}

// copyMapping makes the mapping of one role as it is on the other side.
func copyMapping(to, from *snapshot.Snapshot, mapRoles func(*snapshot.Snapshot) string, key string) {
	current := mapRoles(to)
	var edited string
	var err error
	if m, ok := mappings(mapRoles(from))[key]; ok {
		edited, err = awsauth.Set(current, m.RoleARN, m)
	} else {
		edited, err = awsauth.Remove(current, key)
	}
	if err == nil { // a text that cannot be edited stays, and its change is not a known cause
		to.AWSAuth = &snapshot.AWSAuth{MapRoles: edited}
	}
}
