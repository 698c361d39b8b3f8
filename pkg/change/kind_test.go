package change_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// filled is a change of a kind with every field set.
func filled(kind change.Kind) change.Change {
	text := func(s string) *string { return &s }
	state := func(suffix string) *change.State {
		return &change.State{
			Document: `{"a":"` + suffix + `"}`, Path: "/p/", Role: "arn:aws:iam::1:role/" + suffix, Type: change.IRSA, Namespaces: []string{"n"}, ClientIDs: []string{suffix},
		}
	}
	return change.Change{
		Kind: kind, Name: "kube-system/aws-node", Part: "part", Cluster: "c", Before: state("before"), After: state("after"),
		Whole: &change.Whole{Before: text("[]"), After: text("- rolearn: r\n")},
	}
}

// TestEveryKind: no kind lacks a part of the table.
func TestEveryKind(t *testing.T) {
	if n := len(change.Kinds()); n != 16 {
		t.Errorf("%d kinds", n)
	}
	descriptions := map[string]change.Kind{}
	for _, k := range change.Kinds() {
		c := filled(k)
		api := k.API()
		if api != change.AWS && api != change.Kubernetes {
			t.Errorf("%s: API %v", k, api)
		}
		program := map[change.API]string{change.AWS: "aws", change.Kubernetes: "kubectl"}[api]
		added, removed := c, c
		added.Before, removed.After = nil, nil
		for _, c := range []change.Change{c, added, removed, c.Invert()} {
			if err := c.Validate(); err != nil {
				t.Errorf("%s: %v", k, err)
			}
			if c.After == nil && k == change.TrustPolicy { // a role always has one
				continue
			}
			if len(c.Commands()) == 0 || c.NoCommand() != "" {
				t.Errorf("%s: no command: %s", k, c.NoCommand())
			}
			for _, command := range append(c.Commands(), c.Wait()...) {
				if command.Word(0) != program {
					t.Errorf("%s: %s", k, command)
				}
			}
		}
		if strings.HasPrefix(c.String(), string(k)) || descriptions[c.String()] != "" {
			t.Errorf("%s has the description of %s: %s", k, descriptions[c.String()], c)
		}
		descriptions[c.String()] = k
		if !c.AppliesTo(c.Before) || c.AppliedIn(c.Before) || !c.AppliedIn(c.After) {
			t.Errorf("%s: the state before is not told from the state after", k)
		}
	}
	unknown := filled("s3.Bucket")
	if unknown.Commands() != nil || unknown.NoCommand() == "" || unknown.Wait() != nil || unknown.Kind.API() != 0 {
		t.Errorf("%v", unknown)
	}
}

// TestWait: what succeeds when a change shows.
func TestWait(t *testing.T) {
	for kind, want := range map[change.Kind]string{
		change.Role:            "aws iam wait role-exists --role-name kube-system/aws-node",
		change.Policy:          "aws iam wait policy-exists --policy-arn kube-system/aws-node",
		change.InstanceProfile: "aws iam wait instance-profile-exists --instance-profile-name kube-system/aws-node",
		change.InlinePolicy:    "aws iam get-role-policy --role-name kube-system/aws-node --policy-name part",
		change.OIDCProvider:    "aws iam get-open-id-connect-provider --open-id-connect-provider-arn kube-system/aws-node",
		change.AccessEntry:     "aws eks describe-access-entry --cluster-name c --principal-arn kube-system/aws-node",
		change.Addon:           "aws eks wait addon-active --cluster-name c --addon-name kube-system/aws-node",
		change.AddonRole:       "aws eks wait addon-active --cluster-name c --addon-name kube-system/aws-node",
		change.Attachment:      "", change.Rollout: "",
	} {
		var got []string
		for _, c := range filled(kind).Wait() {
			got = append(got, c.String())
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: %q", kind, got)
		}
	}
	gone := filled(change.Addon)
	gone.After = nil
	if got := gone.Wait(); len(got) != 1 || got[0].String() != "aws eks wait addon-deleted --cluster-name c --addon-name kube-system/aws-node" {
		t.Errorf("%v", got)
	}
}

// TestRoleARN: the kinds for which EKS looks a role up.
func TestRoleARN(t *testing.T) {
	for _, k := range change.Kinds() {
		want := map[change.Kind]string{
			change.AccessEntry: "kube-system/aws-node", change.Association: "arn:aws:iam::1:role/after", change.AddonRole: "arn:aws:iam::1:role/after",
		}[k]
		c := filled(k)
		if got := c.RoleARN(); got != want {
			t.Errorf("%s: %q", k, got)
		}
		c.After = nil
		if got := c.RoleARN(); got != "" {
			t.Errorf("%s is removed: %q", k, got)
		}
	}
}

// TestTexts: the kinds that edit a document show it before and after.
func TestTexts(t *testing.T) {
	for _, k := range change.Kinds() {
		before, after, ok := filled(k).Texts()
		switch k {
		case change.TrustPolicy:
			if before != "{\n  \"a\": \"before\"\n}\n" || after != "{\n  \"a\": \"after\"\n}\n" || !ok {
				t.Errorf("%q, %q, %v", before, after, ok)
			}
		case change.AuthRole:
			if before != "[]" || after != "- rolearn: r\n" || !ok {
				t.Errorf("%q, %q, %v", before, after, ok)
			}
		default:
			if ok {
				t.Errorf("%s has texts", k)
			}
		}
		added := filled(k)
		added.Before, added.Whole = nil, nil
		if _, _, ok := added.Texts(); ok {
			t.Errorf("%s has texts before it exists", k)
		}
	}
}

// TestLiteral: values that the AWS CLI would take for something else are given in a form
// that it takes literally.
func TestLiteral(t *testing.T) {
	entry := func(s *change.State) change.Change {
		s.Type = change.Standard
		return change.Change{Kind: change.AccessEntry, Name: "p", Cluster: "c", After: s}
	}
	role := func(s *change.State) change.Change {
		s.Document = "{}"
		return change.Change{Kind: change.Role, Name: "r", After: s}
	}
	const (
		create   = "aws iam create-role --role-name r --assume-role-policy-document '{}'"
		standard = "aws eks create-access-entry --cluster-name c --principal-arn p --type STANDARD"
	)
	association := func(account string) change.Change {
		return change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: account, Cluster: "c", After: &change.State{Type: change.PodIdentity, Role: "arn:r"}}
	}
	for name, tt := range map[string]struct {
		change change.Change
		want   string
	}{
		"a file":                    {role(&change.State{Description: "file:///etc/passwd"}), create + ` --cli-input-json '{"Description":"file:///etc/passwd"}'`},
		"a binary file":             {role(&change.State{Description: "fileb://x"}), create + ` --cli-input-json '{"Description":"fileb://x"}'`},
		"an address":                {role(&change.State{Description: "https://wiki/roles?a&b"}), create + ` --cli-input-json '{"Description":"https://wiki/roles?a&b"}'`},
		"an address of EKS":         {entry(&change.State{Username: "http://me"}), standard + ` --cli-input-json '{"username":"http://me"}'`},
		"no address":                {role(&change.State{Description: "see https://wiki"}), create + ` --description 'see https://wiki'`},
		"an option":                 {role(&change.State{Description: "--path"}), create + ` --description=--path`},
		"a role like an option":     {change.Change{Kind: change.Role, Name: "-r", Before: &change.State{}}, "aws iam delete-role --role-name=-r"},
		"a document that is none":   {change.Change{Kind: change.InlinePolicy, Name: "r", Part: "p", After: &change.State{Document: "file://x"}}, `aws iam put-role-policy --role-name r --policy-name p --cli-input-json '{"PolicyDocument":"file://x"}'`},
		"groups":                    {entry(&change.State{Groups: []string{"a", "b:c"}}), standard + " --kubernetes-groups a b:c"},
		"groups like options":       {entry(&change.State{Groups: []string{"a", "-b"}}), standard + ` --kubernetes-groups '["a","-b"]'`},
		"a group like a list":       {entry(&change.State{Groups: []string{`["a"]`}}), standard + ` --kubernetes-groups '["[\"a\"]"]'`},
		"a group like a file":       {entry(&change.State{Groups: []string{"file://a"}}), standard + ` --kubernetes-groups '["file://a"]'`},
		"tags":                      {role(&change.State{Tags: map[string]string{"a": "1", "b": "2"}}), create + " --tags Key=a,Value=1 Key=b,Value=2"},
		"tags of shorthand's":       {role(&change.State{Tags: map[string]string{"a=b,c": `"x",[y]`}}), create + ` --tags '[{"Key":"a=b,c","Value":"\"x\",[y]"}]'`},
		"an empty tag":              {role(&change.State{Tags: map[string]string{"a": ""}}), create + ` --tags '[{"Key":"a","Value":""}]'`},
		"EKS's tags":                {entry(&change.State{Tags: map[string]string{"a": "1", "b": "2"}}), standard + " --tags a=1,b=2"},
		"EKS's tags of shorthand's": {entry(&change.State{Tags: map[string]string{"file://a": "it's"}}), standard + ` --tags '{"file://a":"it'\''s"}'`},
		"a namespace":               {change.Change{Kind: change.AccessPolicy, Name: "p", Part: "a", Cluster: "c", After: &change.State{Namespaces: []string{"a,b"}}}, `aws eks associate-access-policy --cluster-name c --principal-arn p --policy-arn a --access-scope '{"namespaces":["a,b"],"type":"namespace"}'`},
		"a service account":         {association("a,roleArn=x"), `aws eks update-addon --cluster-name c --addon-name vpc-cni --pod-identity-associations '[{"roleArn":"arn:r","serviceAccount":"a,roleArn=x"}]' --resolve-conflicts PRESERVE`},
		"an audience": {
			change.Change{Kind: change.OIDCProvider, Name: "p", Before: &change.State{}, After: &change.State{ClientIDs: []string{"https://kubernetes.default.svc"}}},
			`aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn p --cli-input-json '{"ClientID":"https://kubernetes.default.svc"}'`,
		},
		"an audience at first": {
			change.Change{Kind: change.OIDCProvider, Name: "arn:aws:iam::1:oidc-provider/x", After: &change.State{ClientIDs: []string{"https://kubernetes.default.svc"}}},
			`aws iam create-open-id-connect-provider --url https://x --client-id-list '["https://kubernetes.default.svc"]'`,
		},
		"what no program can be given": {role(&change.State{Description: "a\x00b"}), "no command: its description contains bytes that no command line can pass"},
		"bytes":                        {role(&change.State{Description: "a\xffb"}), "no command: its description contains bytes that no command line can pass"},
		"bytes of a tag":               {role(&change.State{Tags: map[string]string{"a": "\x00"}}), create + ` --tags '[{"Key":"a","Value":"\u0000"}]'`},
		"a DaemonSet like an option":   {change.Change{Kind: change.Rollout, Name: "kube-system/--kubeconfig=x", After: &change.State{}}, "no command: kubectl would not read its name as a name"},
		"no namespace":                 {change.Change{Kind: change.Rollout, Name: "x", After: &change.State{}}, `no command: its name is not of the form "NAMESPACE/NAME"`},
		"the account":                  {change.Change{Kind: change.Attachment, Name: "${ACCOUNT}", Part: "arn:aws:iam::${ACCOUNT}:policy/p", After: &change.State{}}, `aws iam attach-role-policy --role-name '${ACCOUNT}' --policy-arn "arn:aws:iam::${ACCOUNT}:policy/p"`},
	} {
		if diff := cmp.Diff(tt.want, lines(tt.change)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// hard are texts that a shell or a terminal would take for more than text.
var hard = []string{
	"it's \"$HOME\" `touch pwned` \\ *;&|\n<>#!{a,b}~", "$(touch pwned)", "a\r\n\x1b[2J\x1b]0;x\a\u202eb\u2066\u200b", "%s%n", "-n", "", "a\n\n",
}

// TestCommandsInAShell: a shell passes every argument as it is meant, and runs nothing
// else.
func TestCommandsInAShell(t *testing.T) {
	commands := map[string]command.Command{}
	for _, k := range change.Kinds() {
		for _, h := range hard {
			for _, set := range []func(*change.Change){
				func(c *change.Change) { c.Name += h }, func(c *change.Change) { c.Part = h }, func(c *change.Change) { c.Cluster = h },
				func(c *change.Change) {
					c.Before = nil
					c.After = &change.State{
						Document: h, Path: h, Description: h, Tags: map[string]string{h: h}, Boundary: h, Role: h, Type: change.Standard, Namespaces: []string{h}, ClientIDs: []string{h}, Username: h, Groups: []string{h},
					}
				},
				func(c *change.Change) { c.Whole = &change.Whole{After: &h} },
				func(c *change.Change) { c.Whole = &change.Whole{Before: &h, After: &h} },
			} {
				c := filled(k)
				set(&c)
				for _, command := range c.Commands() {
					if args := command.Args(); args[0] != "sh" { // pkg/command tries what asks another command
						commands[command.String()] = command
					}
				}
			}
		}
	}
	run(t, commands)
}

// run runs commands in a shell and compares what their programs were given.
func run(t *testing.T, commands map[string]command.Command) {
	t.Helper()
	dir := t.TempDir()
	record := filepath.Join(dir, "record")
	var script, want strings.Builder
	// Functions of the shell record what they are given; there is no program on its PATH.
	script.WriteString(`record() {
  for word in "$@"; do printf '%s\0' "$word"; done
  while IFS= read -r line; do printf '%s\n' "$line"; done
  printf '\0\0'
} >>"$RECORD"
aws() { record "$@"; }
kubectl() { record "$@"; }
touch() { record touch "$@"; }
`)
	for line, c := range commands {
		script.WriteString(line + "\n")
		want.WriteString(strings.Join(c.Args()[1:], "\x00") + "\x00")
		if c.Stdin() != "" {
			want.WriteString(c.Stdin() + "\n")
		}
		want.WriteString("\x00\x00")
		if strings.ContainsAny(strings.ReplaceAll(line, "'\n\n'", ""), "\n\r\x1b\u202e") {
			t.Errorf("%q is not one line that is safe to show", line)
		}
	}
	shell := exec.Command("/bin/sh", "-euc", script.String())
	shell.Dir = dir
	shell.Env = []string{"PATH=/nowhere", "HOME=/nobody", "RECORD=" + record}
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	given, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want.String(), "\x00\x00"), strings.Split(string(given), "\x00\x00")); diff != "" {
		t.Errorf("arguments (-want +given):\n%s", diff)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("other files: %v %v", files, err)
	}
}
