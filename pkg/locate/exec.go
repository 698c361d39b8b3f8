package locate

import (
	"cmp"
	"path"
	"slices"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
)

// readExec reads the credential plugin: cluster and region become clues; profile,
// role and AWS environment are those that kubectl itself uses.
// Sources: aws eks get-token help (aws/aws-cli
// awscli/customizations/eks/get_token.py); aws-iam-authenticator token
// (kubernetes-sigs/aws-iam-authenticator cmd/aws-iam-authenticator/token.go).
func (t *Target) readExec(user string, exec *clientcmdapi.ExecConfig) []clue {
	t.Env = map[string]string{}
	for _, e := range exec.Env {
		if strings.HasPrefix(e.Name, "AWS_") {
			t.Env[e.Name] = e.Value
		}
	}
	program, flags, ok := tokenCommand(append([]string{exec.Command}, exec.Args...))
	if !ok {
		return nil
	}
	t.EKSToken = strings.TrimSuffix(path.Base(exec.Command), ".exe") == "aws" && flags["cluster"] != "" && !slices.Contains(exec.Args, "--cluster-id")
	from := "credential plugin " + program + " of user " + user
	if t.Profile = flags["profile"]; t.Profile != "" {
		t.note("AWS profile %s: %s", t.Profile, from)
	} else if p := t.Env["AWS_PROFILE"]; p != "" {
		t.note("AWS profile %s: AWS_PROFILE of the credential plugin", p)
	}
	if t.RoleARN = flags["role"]; t.RoleARN != "" {
		t.note("AWS role %s: %s", t.RoleARN, from)
	}
	c := clue{from: from, name: flags["cluster"], region: flags["region"]}
	if !isClusterName(c.name) {
		c.name = "" // a local cluster's id, or a variable of the shell
	}
	return []clue{c}
}

// tokenFlags are the flags that matter of the two programs, by what they mean.
var tokenFlags = map[string]map[string]string{
	"aws": {"--cluster-name": "cluster", "--region": "region", "--profile": "profile", "--role-arn": "role"},
	"aws-iam-authenticator": {
		"--cluster-id": "cluster", "-i": "cluster", "--region": "region", "--role": "role", "-r": "role",
	},
}

// tokenCommand finds "aws eks get-token" or "aws-iam-authenticator token" in a
// command line, also behind a wrapper such as aws-vault or sh -c, and returns
// its flags by meaning: cluster, region, profile, role.
func tokenCommand(words []string) (program string, flags map[string]string, ok bool) {
	for i, word := range words {
		if slices.Contains([]string{"-c", "-lc", "-ec"}, word) && i > 0 && i+1 < len(words) {
			if program, flags, ok = tokenCommand(shellWords(words[i+1])); ok {
				return program, flags, true
			}
		}
	}
	for i := len(words) - 1; i >= 0; i-- {
		program := strings.TrimSuffix(path.Base(strings.ReplaceAll(words[i], `\`, "/")), ".exe")
		if program == "heptio-authenticator-aws" {
			program = "aws-iam-authenticator"
		}
		known, ok := tokenFlags[program]
		if !ok {
			continue
		}
		flags, rest := parseFlags(words[i+1:], known)
		if program == "aws" && len(rest) >= 2 && rest[0] == "eks" && rest[1] == "get-token" ||
			program == "aws-iam-authenticator" && len(rest) >= 1 && rest[0] == "token" {
			return program, flags, true
		}
	}
	return "", nil, false
}

// parseFlags returns the values of the known flags, the last one winning, and
// the words that are neither flags nor their values.
func parseFlags(words []string, known map[string]string) (values map[string]string, rest []string) {
	values = map[string]string{}
	for i := 0; i < len(words); i++ {
		name, value, inline := strings.Cut(words[i], "=")
		meaning, ok := known[name]
		switch {
		case ok && inline:
			values[meaning] = value
		case ok && i+1 < len(words):
			i++
			values[meaning] = words[i]
		case strings.HasPrefix(words[i], "-") && !inline && takesValue[words[i]]:
			i++
		case !strings.HasPrefix(words[i], "-"):
			rest = append(rest, words[i])
		}
	}
	return values, rest
}

// takesValue are the other flags of the programs that are followed by a value,
// which is not to be taken for a command.
// Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
var takesValue = map[string]bool{
	"--output": true, "--endpoint-url": true, "--query": true, "--color": true, "--ca-bundle": true,
	"--cli-read-timeout": true, "--cli-connect-timeout": true, "--cli-binary-format": true, "--cluster-id": true,
	"--external-id": true, "--session-name": true, "-e": true, "-s": true, "--log-format": true,
}

// shellWords splits a shell command at blanks outside of quotes. It supports no
// variables and no escapes but a backslash before one character.
func shellWords(text string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inWord = r, true
		case quote == 0 && strings.ContainsRune(" \t\n;|&", r):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}

// profileHint is " --profile NAME" where a profile is in use, for commands that
// an error tells the user to type.
func (t *Target) profileHint() string {
	if p := cmp.Or(t.Profile, t.Env["AWS_PROFILE"]); p != "" {
		return " --profile " + command.Quote(p)
	}
	return ""
}
