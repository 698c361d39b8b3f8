package iampolicy

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEquivalent(t *testing.T) {
	const (
		nodeTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`
		china     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","ec2.amazonaws.com.cn"]},"Action":["sts:AssumeRole"]}]}`
		cni       = `{"Version":"2012-10-17","Statement":[{"Sid":"CNI","Effect":"Allow","Action":["ec2:A","ec2:B"],"Resource":["*"]},{"Sid":"CNITags","Effect":"Allow","Action":["ec2:CreateTags"],"Resource":["arn:aws:ec2:*:*:network-interface/*"]}]}`
		variable  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}}`
	)
	many := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%q", fmt.Sprintf("s:A%04d", i))
		}
		return strings.Join(names, ",")
	}
	tests := []struct {
		name string
		kind Kind
		a, b string
		same bool
	}{
		{
			"the user guide's trust policy", Trust, nodeTrust,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Principal":{"Service":["ec2.amazonaws.com"]}}]}`, true,
		},
		{"strings for lists", Trust, nodeTrust, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`, true},
		{"a Sid and an Id", Trust, nodeTrust, `{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"EKSNodeAssumeRole","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`, true},
		{"the older version", Trust, nodeTrust, strings.Replace(nodeTrust, "2012-10-17", "2008-10-17", 1), true},
		{"no version", Trust, nodeTrust, strings.Replace(nodeTrust, `"Version":"2012-10-17",`, "", 1), true},
		{"a statement twice", Trust, nodeTrust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:assumerole"}]}`, true},
		{"a statement for each service", Trust, china, `{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com.cn"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`, true},
		{"one service of two", Trust, china, nodeTrust, false},
		{"another service", Trust, nodeTrust, strings.Replace(nodeTrust, "ec2", "lambda", 1), false},
		{"another type of principal", Trust, nodeTrust, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`, false},
		{"another effect", Trust, nodeTrust, strings.Replace(nodeTrust, "Allow", "Deny", 1), false},
		{"one more action", Trust, nodeTrust, strings.Replace(nodeTrust, `["sts:AssumeRole"]`, `["sts:AssumeRole","sts:TagSession"]`, 1), false},
		{"a condition", Trust, nodeTrust, strings.Replace(nodeTrust, `"Action"`, `"Condition":{"StringEquals":{"aws:SourceAccount":"1"}},"Action"`, 1), false},
		{"order, division and Sids of statements", Identity, cni, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:network-interface/*"},{"Effect":"Allow","Action":"ec2:B","Resource":"*"},{"Effect":"Allow","Action":"ec2:A","Resource":"*"}]}`, true},
		{"actions on each other's resources", Identity, cni, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:A","ec2:B","ec2:CreateTags"],"Resource":["*","arn:aws:ec2:*:*:network-interface/*"]}]}`, false},
		{"NotAction is not divided", Identity, `{"Statement":{"Effect":"Deny","NotAction":["a:b","a:c"],"Resource":"*"}}`, `{"Statement":[{"Effect":"Deny","NotAction":"a:b","Resource":"*"},{"Effect":"Deny","NotAction":"a:c","Resource":"*"}]}`, false},
		{"a statement of more than maxGrants parts, which is not divided", Identity, `{"Statement":{"Effect":"Allow","Action":[` + many(maxGrants+1) + `],"Resource":"*"}}`, `{"Statement":{"Sid":"x","Effect":"Allow","Action":[` + many(maxGrants+1) + `],"Resource":["*"]}}`, true},
		{"another of more than maxGrants parts", Identity, `{"Statement":{"Effect":"Allow","Action":[` + many(maxGrants+1) + `],"Resource":"*"}}`, `{"Statement":{"Effect":"Allow","Action":[` + many(maxGrants+2) + `],"Resource":"*"}}`, false},
		{"a variable", Identity, variable, variable, true},
		{"a variable that an older version takes literally", Identity, variable, strings.Replace(variable, "2012-10-17", "2008-10-17", 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := mustParse(t, tt.kind, tt.a), mustParse(t, tt.kind, tt.b)
			if Equivalent(a, b) != tt.same || Equivalent(b, a) != tt.same {
				t.Errorf("got %v and %v, want %v", Equivalent(a, b), Equivalent(b, a), tt.same)
			}
		})
	}
	if a := mustParse(t, Trust, nodeTrust); !Equivalent(nil, nil) || Equivalent(a, nil) || Equivalent(nil, a) {
		t.Error("nil is equivalent to nil alone")
	}
}

// TestProperty_EquivalentAfterShuffling: the order of statements and lists does not
// matter, and another effect does.
func TestProperty_EquivalentAfterShuffling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var statements []map[string]any
		for _, s := range rapid.SliceOfN(genStatement("Allow", "Deny"), 1, 4).Draw(t, "statements") {
			var m map[string]any
			if err := json.Unmarshal([]byte(s), &m); err != nil {
				t.Fatal(err)
			}
			statements = append(statements, m)
		}
		parse := func() *Document {
			text, err := json.Marshal(map[string]any{"Version": Version2012, "Statement": statements})
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(Identity, text)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		before := parse()
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		shuffle := func(list []any) { random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) }
		random.Shuffle(len(statements), func(i, j int) { statements[i], statements[j] = statements[j], statements[i] })
		for _, s := range statements {
			for _, name := range []string{"Action", "NotAction", "Resource", "NotResource"} {
				if list, ok := s[name].([]any); ok {
					shuffle(list)
				}
			}
		}
		if !Equivalent(before, parse()) {
			t.Fatal("shuffling changed the meaning")
		}
		first := statements[0]
		statements = statements[:1]
		one := parse()
		first["Effect"] = map[any]string{"Allow": "Deny", "Deny": "Allow"}[first["Effect"]]
		if Equivalent(one, parse()) {
			t.Fatal("another effect changed nothing")
		}
	})
}
