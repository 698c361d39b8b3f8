package change

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// awsCLI builds a command of the AWS CLI in which every value is taken literally.
type awsCLI struct {
	service string
	command command.Command
	// input are the values that the AWS CLI takes literally in a JSON document alone, by
	// the name of the API's parameter.
	input map[string]any
	err   error
}

func newAWSCLI(service, operation string) *awsCLI {
	return &awsCLI{service: service, command: command.AWS(service, operation), input: map[string]any{}}
}

// iam and eks begin a command of a service.
func iam(operation string) *awsCLI { return newAWSCLI("iam", operation) }

func eks(operation string, c Change) *awsCLI {
	return newAWSCLI("eks", operation).set("cluster-name", c.Cluster)
}

// operation adds a word before the options, such as a waiter's name.
func (a *awsCLI) operation(word string) *awsCLI {
	a.command = a.command.With(word)
	return a
}

// verb is the operation's verb: the first where the change adds something, the second
// where it removes it.
func (c Change) verb(add, remove string) string {
	if c.After != nil {
		return add
	}
	return remove
}

// reference begins a value that the AWS CLI replaces by what it reads from there;
// version 1 also follows web addresses.
// Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html
var reference = text.Pattern(`^(file|fileb|https?)://`)

// set adds an option with a value.
func (a *awsCLI) set(option, value string) *awsCLI {
	switch {
	case !passable(value):
		a.err = noCommandError("its " + strings.ReplaceAll(option, "-", " ") + " contains bytes that no command line can pass")
	case reference().MatchString(value):
		a.input[a.parameter(option)] = value
	default:
		a.command = a.command.With(command.Option(option, value)...)
	}
	return a
}

// plain adds an option whose value the AWS CLI never takes for a reference.
func (a *awsCLI) plain(option, value string) *awsCLI {
	if !passable(value) {
		return a.set(option, value)
	}
	a.command = a.command.With(command.Option(option, value)...)
	return a
}

// optional adds an option unless its value is empty.
func (a *awsCLI) optional(option, value string) *awsCLI {
	if value == "" {
		return a
	}
	return a.set(option, value)
}

// path adds the path of an IAM object, unless it is the one that IAM takes by default.
func (a *awsCLI) path(value string) *awsCLI { return a.optional("path", otherThanRoot(value)) }

// arn adds an option with an ARN, in which the shell fills in an account that is not
// known.
func (a *awsCLI) arn(option, arn string) *awsCLI {
	if parts := strings.SplitN(arn, ":", 6); passable(arn) && len(parts) == 6 && parts[4] == command.AccountVariable {
		a.command = a.command.With("--" + option).WithAccount(arn)
		return a
	}
	return a.set(option, arn)
}

// plainItem is an item of a list or map that the AWS CLI's own syntax takes as it is, and
// plainName the name of one in a map.
// Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
var (
	plainItem = text.Pattern(`^[A-Za-z0-9_][A-Za-z0-9_.:/+*-]*$`)
	plainName = text.Pattern(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// list adds an option with a list of strings.
func (a *awsCLI) list(option string, values []string) *awsCLI {
	if len(values) == 0 {
		return a
	}
	for _, v := range values {
		if !plainItem().MatchString(v) || reference().MatchString(v) {
			return a.json(option, values)
		}
	}
	a.command = a.command.With("--" + option).With(values...)
	return a
}

// field is a name and a value of the AWS CLI's shorthand syntax.
type field struct{ name, value string }

// fields adds an option with a structure: in shorthand where all fields can be written
// so, else as JSON.
func (a *awsCLI) fields(option string, value any, fields ...field) *awsCLI {
	written := make([]string, 0, len(fields))
	for _, f := range fields {
		if !plainName().MatchString(f.name) || !plainItem().MatchString(f.value) {
			return a.json(option, value)
		}
		written = append(written, f.name+"="+f.value)
	}
	a.command = a.command.With("--"+option, strings.Join(written, ","))
	return a
}

// json adds an option with a value as JSON.
func (a *awsCLI) json(option string, value any) *awsCLI {
	text := asJSON(value)
	if !passable(text) {
		a.err = noCommandError("its " + strings.ReplaceAll(option, "-", " ") + " contain bytes that no command line can pass")
		return a
	}
	a.command = a.command.With("--"+option, text)
	return a
}

// iamTags adds tags as IAM's commands take them.
func (a *awsCLI) iamTags(tags map[string]string) *awsCLI {
	if len(tags) == 0 {
		return a
	}
	type tag struct{ Key, Value string }
	var list []tag
	var words []string
	plain := true
	for _, k := range text.SortedKeys(tags) {
		list = append(list, tag{k, tags[k]})
		words = append(words, "Key="+k+",Value="+tags[k])
		plain = plain && plainItem().MatchString(k) && plainItem().MatchString(tags[k])
	}
	if !plain {
		return a.json("tags", list)
	}
	a.command = a.command.With("--tags").With(words...)
	return a
}

// eksTags adds tags as the commands of Amazon EKS take them.
func (a *awsCLI) eksTags(tags map[string]string) *awsCLI {
	if len(tags) == 0 {
		return a
	}
	var fields []field
	for _, k := range text.SortedKeys(tags) {
		fields = append(fields, field{k, tags[k]})
	}
	return a.fields("tags", tags, fields...)
}

// output adds an option whose value is what another command prints.
func (a *awsCLI) output(option string, of *awsCLI) *awsCLI {
	built, err := of.built()
	if err != nil {
		a.err = err
		return a
	}
	a.command = a.command.With("--" + option).WithOutput(built)
	return a
}

// built returns the command.
func (a *awsCLI) built() (command.Command, error) {
	if a.err != nil {
		return command.Command{}, a.err
	}
	if len(a.input) > 0 {
		return a.command.With("--cli-input-json", asJSON(a.input)), nil
	}
	return a.command, nil
}

// commands returns the command as the only one of a change.
func (a *awsCLI) commands() ([]command.Command, error) { return commandsOf(a) }

func commandsOf(list ...*awsCLI) ([]command.Command, error) {
	commands := make([]command.Command, 0, len(list))
	for _, a := range list {
		c, err := a.built()
		if err != nil {
			return nil, err
		}
		commands = append(commands, c)
	}
	return commands, nil
}

// parameter returns the API's name of an option, which the JSON document uses.
func (a *awsCLI) parameter(option string) string {
	if name, ok := irregular[option]; ok {
		return name
	}
	var b strings.Builder
	for i, part := range strings.Split(option, "-") {
		if i > 0 || a.service == "iam" {
			part = strings.ToUpper(part[:1]) + part[1:]
		}
		b.WriteString(part)
	}
	return b.String()
}

// irregular are the API's names that do not follow from those of the options.
var irregular = map[string]string{
	"client-id": "ClientID", "open-id-connect-provider-arn": "OpenIDConnectProviderArn",
}

// passable reports whether a program can be given the text as an argument.
func passable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// asJSON is a value in one line.
func asJSON(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // strings, and lists and maps of them, cannot fail
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// compact is a document without white space, in one line.
func compact(document string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(document)) != nil {
		return document
	}
	return b.String()
}

func otherThanRoot(path string) string {
	if path == "/" {
		return ""
	}
	return path
}
