package export_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

var reader = export.ReaderRole{
	Name: "NodeRoleReader", Path: "/audit/", Principal: "arn:aws:iam::111122223333:role/ci", ExternalID: "noderole", OrganizationID: "o-a1b2c3d4e5",
}

// readerDocuments are the trust policy and the permissions of the role in each tool's text.
func readerDocuments(t *testing.T) map[string][2]string {
	t.Helper()
	template, err := reader.CloudFormation()
	if err != nil {
		t.Fatal(err)
	}
	var stack struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				RoleName, Path           string
				AssumeRolePolicyDocument json.RawMessage
				Policies                 []struct{ PolicyDocument json.RawMessage }
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(template), &struct {
		AWSTemplateFormatVersion, Description string
		Resources, Outputs                    map[string]any
	}{}); err != nil {
		t.Errorf("the template has other sections: %v", err)
	}
	if err := yaml.Unmarshal([]byte(template), &stack); err != nil {
		t.Fatal(err)
	}
	role := stack.Resources["ReaderRole"]
	if len(stack.Resources) != 1 || role.Type != "AWS::IAM::Role" || role.Properties.RoleName != reader.Name || role.Properties.Path != reader.Path || len(role.Properties.Policies) != 1 {
		t.Fatalf("the template is not one role with one policy:\n%s", template)
	}
	heredocs := regexp.MustCompile(`(?s)<<-EOT\n(.*?)EOT\n`).FindAllStringSubmatch(reader.Terraform(), -1)
	if len(heredocs) != 2 {
		t.Fatalf("%d documents\n%s", len(heredocs), reader.Terraform())
	}
	return map[string][2]string{
		"cloudformation": {string(role.Properties.AssumeRolePolicyDocument), string(role.Properties.Policies[0].PolicyDocument)},
		"terraform":      {heredocs[0][1], heredocs[1][1]},
	}
}

// TestReaderRole: the role has the permissions of policy reader, no more and no less, and
// only its principal can assume it, with the external ID and from the organization.
func TestReaderRole(t *testing.T) {
	const arn = "arn:aws:iam::444455556666:role/audit/NodeRoleReader"
	for tool, documents := range readerDocuments(t) {
		var want, got any
		if err := json.Unmarshal([]byte(need.ReaderDocument().String()), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(documents[1]), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: permissions (-policy reader +role):\n%s", tool, diff)
		}
		trust, err := iampolicy.Parse(iampolicy.Trust, []byte(documents[0]))
		if err != nil {
			t.Fatal(err)
		}
		// The principal's account allows all of it.
		all, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`))
		if err != nil {
			t.Fatal(err)
		}
		set := iampolicy.Prepare(iampolicy.Policies{
			Identity: []iampolicy.Policy{{Name: "all", Document: all}}, Resource: &iampolicy.Policy{Name: "trust", Document: trust},
		})
		for name, test := range map[string]struct {
			principal, action, externalID, organization string
			want                                        iampolicy.Decision
		}{
			"with both":            {reader.Principal, "sts:AssumeRole", reader.ExternalID, reader.OrganizationID, iampolicy.Allowed},
			"no external ID":       {reader.Principal, "sts:AssumeRole", "", reader.OrganizationID, iampolicy.Denied},
			"another external ID":  {reader.Principal, "sts:AssumeRole", "guess", reader.OrganizationID, iampolicy.Denied},
			"no organization":      {reader.Principal, "sts:AssumeRole", reader.ExternalID, "", iampolicy.Denied},
			"another organization": {reader.Principal, "sts:AssumeRole", reader.ExternalID, "o-zzzzzzzzzz", iampolicy.Denied},
			"another role":         {"arn:aws:iam::111122223333:role/other", "sts:AssumeRole", reader.ExternalID, reader.OrganizationID, iampolicy.Denied},
			"a service":            {"ec2.amazonaws.com", "sts:AssumeRole", reader.ExternalID, reader.OrganizationID, iampolicy.Denied},
			"tags of a pod":        {reader.Principal, "sts:TagSession", "", reader.OrganizationID, iampolicy.Allowed},
			"tags of another":      {reader.Principal, "sts:TagSession", reader.ExternalID, "o-zzzzzzzzzz", iampolicy.Denied},
			"other actions":        {reader.Principal, "sts:SetSourceIdentity", reader.ExternalID, reader.OrganizationID, iampolicy.Denied},
		} {
			known := iampolicy.NewContext()
			known.Complete = true
			if test.externalID != "" {
				known.Set("sts:ExternalId", test.externalID)
			}
			if test.organization != "" {
				known.Set("aws:PrincipalOrgID", test.organization)
			}
			decision, err := set.Decide(&iampolicy.Request{Principal: test.principal, Action: test.action, Resource: arn, Context: known})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if decision != test.want {
				t.Errorf("%s: %s: %v, want %v", tool, name, decision, test.want)
			}
		}
	}
}

// TestReaderRoleIsText: texts that are hostile come out as they are.
func TestReaderRoleIsText(t *testing.T) {
	for _, h := range hostile {
		r := export.ReaderRole{Name: h, Path: h, Principal: h, ExternalID: h, OrganizationID: h}
		inert(t, "terraform", r.Terraform())
		configuration(t, "terraform", r.Terraform())
		template, err := r.CloudFormation()
		if err != nil {
			t.Fatal(err)
		}
		var value struct {
			Resources map[string]struct{ Properties map[string]any }
		}
		if err := yaml.Unmarshal([]byte(template), &value); err != nil || value.Resources["ReaderRole"].Properties["RoleName"] != h {
			t.Errorf("%q comes out as %v (%v)", h, value.Resources["ReaderRole"].Properties["RoleName"], err)
		}
		if strings.ContainsRune(template, '\x1b') {
			t.Errorf("%q is not safe to show", template)
		}
	}
}
