package iampolicy

import (
	"strings"
	"testing"
)

func TestEqual(t *testing.T) {
	base := `{"Version":"2012-10-17","Statement":[
		{"Sid":"A","Effect":"Allow","Principal":{"AWS":["111122223333"],"Service":["a.amazonaws.com","b.amazonaws.com"]},"Action":["sts:AssumeRole","sts:TagSession"],
			"Condition":{"StringEquals":{"aws:A":["x","y"]},"Bool":{"aws:b":"true"}}},
		{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"*"}]}`
	tests := []struct {
		name, old, new string
		equal          bool
	}{
		{"itself", "", "", true},
		{"order of a list", `["x","y"]`, `["y","x","y"]`, true},
		{"case of an action", `"sts:AssumeRole"`, `"STS:assumerole"`, true},
		{"case of a key", `"aws:A"`, `"aws:a"`, true},
		{"an account's root", `"111122223333"`, `"arn:aws:iam::111122223333:root"`, true},
		{"every action", `"NotAction":"*"`, `"NotAction":"*:*"`, true},
		{"another Sid", `"A"`, `"B"`, false},
		{"another effect", `"Deny"`, `"Allow"`, false},
		{"another version", "2012-10-17", "2008-10-17", false},
		{"case of a value", `["x","y"]`, `["X","y"]`, false},
		{"another service", "b.amazonaws.com", "c.amazonaws.com", false},
		{"another operator", `"Bool"`, `"StringLike"`, false},
		{"the opposite", `"NotAction":"*"`, `"Action":"*"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := mustParse(t, Trust, base), mustParse(t, Trust, strings.Replace(base, tt.old, tt.new, 1))
			if got := Equal(a, b); got != tt.equal {
				t.Errorf("got %v", got)
			}
			if got := Diff(a, b) == ""; got != tt.equal {
				t.Errorf("diff:\n%s", Diff(a, b))
			}
		})
	}
	a := mustParse(t, Identity, `{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"},{"Effect":"Deny","Action":"a:b","Resource":"*"}]}`)
	b := mustParse(t, Identity, `{"Version":"2008-10-17","Statement":[{"Effect":"Deny","Action":"a:b","Resource":"*"},{"Effect":"Allow","Action":"a:b","Resource":"*"}]}`)
	if !Equal(a, b) {
		t.Error("the order of statements does not matter, nor a version that is written out")
	}
	everyone := func(principal string) *Document {
		return mustParse(t, Resource, `{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":`+principal+`}}`)
	}
	if !Equal(everyone(`"*"`), everyone(`{"AWS":"*"}`)) || Equal(everyone(`"*"`), everyone(`{"AWS":"111122223333"}`)) {
		t.Error("* is every AWS principal")
	}
	if !Equal(nil, nil) || Equal(a, nil) || Equal(nil, a) {
		t.Error("nil equals nil alone")
	}
}

// A repair of a trust policy shows what is added and nothing else.
func TestDiff(t *testing.T) {
	trust := func(statements string) *Document {
		return mustParse(t, Trust, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	}
	lambda := `{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}`
	ec2 := `{"Sid":"EKSNode","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`
	want := `@@ -11,6 +11,18 @@
       "Action": [
         "sts:AssumeRole"
       ]
+    },
+    {
+      "Sid": "EKSNode",
+      "Effect": "Allow",
+      "Principal": {
+        "Service": [
+          "ec2.amazonaws.com"
+        ]
+      },
+      "Action": [
+        "sts:AssumeRole"
+      ]
     }
   ]
 }
`
	if got := Diff(trust(lambda), trust(lambda+","+ec2)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Diff(trust(lambda+","+ec2), trust(lambda)); !strings.Contains(got, "-      \"Sid\": \"EKSNode\",\n") || strings.Contains(got, "\n+") {
		t.Errorf("got\n%s", got)
	}
	if got := Diff(nil, trust(lambda)); !strings.HasPrefix(got, "@@ -0,0 +1,16 @@\n+{\n") || strings.Contains(got, "\n-") {
		t.Errorf("got\n%s", got)
	}
	if got := Diff(trust(lambda), nil); !strings.HasPrefix(got, "@@ -1,16 +0,0 @@\n-{\n") {
		t.Errorf("got\n%s", got)
	}
}

// Two changes far from each other are two hunks; what does not change between
// them is left out.
func TestDiff_TwoHunks(t *testing.T) {
	a := mustParse(t, Identity, `{"Id":"a","Statement":{"Effect":"Allow","Action":["a:1","a:2","a:3","a:4","a:5","a:6","a:7","a:8","a:9"],"Resource":"*"}}`)
	b := mustParse(t, Identity, `{"Id":"b","Statement":{"Effect":"Allow","Action":["a:1","a:2","a:3","a:4","a:5","a:6","a:7","a:8","a:x"],"Resource":"*"}}`)
	got := Diff(a, b)
	if strings.Count(got, "@@ -") != 2 || strings.Contains(got, "a:3") {
		t.Errorf("got\n%s", got)
	}
	for _, line := range []string{`-  "Id": "a",`, `+  "Id": "b",`, `-        "a:9"`, `+        "a:x"`} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
}
