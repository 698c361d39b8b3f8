package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Command returns the command of the AWS CLI or of kubectl that makes the change,
// for a POSIX shell.
func (c Change) Command() string {
	switch c.Kind {
	case AuthRole, ServiceAccountRole, Rollout:
		return c.kubectl()
	default:
		return c.aws()
	}
}

// kubectl is the command of a change in the cluster.
func (c Change) kubectl() string {
	namespace, name := c.Namespaced()
	command := "kubectl -n " + namespace
	switch c.Kind {
	case ServiceAccountRole:
		if c.After == nil {
			return command + " annotate serviceaccount " + name + " " + RoleAnnotation + "-"
		}
		return command + " annotate serviceaccount " + name + " --overwrite " + RoleAnnotation + "=" + quote(c.After.Role)
	case Rollout:
		return command + " rollout restart daemonset " + name + " && " + command + " rollout status daemonset " + name
	default:
	}
	command = "kubectl -n kube-system "
	switch {
	case c.Whole == nil: // what a journal keeps
		return command + "edit configmap aws-auth"
	case c.Whole.After == nil:
		return command + "delete configmap aws-auth"
	case c.Whole.Before == nil:
		return command + "create configmap aws-auth --from-literal " + quote("mapRoles="+*c.Whole.After)
	}
	text, err := json.Marshal(*c.Whole.After)
	if err != nil {
		panic(err) // a string cannot fail
	}
	return command + "patch configmap aws-auth --type merge --patch " + quote(`{"data":{"mapRoles":`+string(text)+`}}`)
}

// RoleAnnotation is the annotation of a service account that names its IRSA role.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
const RoleAnnotation = "eks.amazonaws.com/role-arn"

func (c Change) aws() string {
	words := []string{"aws"}
	add := func(list ...string) {
		for _, w := range list {
			words = append(words, quote(w))
		}
	}
	option := func(name, value string) {
		if value != "" {
			add(name, value)
		}
	}
	made := c.After != nil
	switch c.Kind {
	case Role:
		if !made {
			add("iam", "delete-role", "--role-name", c.Name)
			break
		}
		add("iam", "create-role", "--role-name", c.Name)
		option("--path", otherThanRoot(c.After.Path))
		add("--assume-role-policy-document", compact(c.After.Document))
		option("--description", c.After.Description)
		option("--permissions-boundary", c.After.Boundary)
		addTags(add, c.After.Tags)
	case Attachment:
		add("iam", verb(made, "attach", "detach")+"-role-policy", "--role-name", c.Name, "--policy-arn", c.Part)
	case InlinePolicy:
		add("iam", verb(made, "put", "delete")+"-role-policy", "--role-name", c.Name, "--policy-name", c.Part)
		if made {
			add("--policy-document", compact(c.After.Document))
		}
	case Policy:
		if !made {
			add("iam", "delete-policy", "--policy-arn", c.Name)
			break
		}
		add("iam", "create-policy", "--policy-name", c.Name[strings.LastIndex(c.Name, "/")+1:])
		option("--path", otherThanRoot(c.After.Path))
		add("--policy-document", compact(c.After.Document))
		option("--description", c.After.Description)
		addTags(add, c.After.Tags)
	case InstanceProfile:
		add("iam", verb(made, "create", "delete")+"-instance-profile", "--instance-profile-name", c.Name)
		if made {
			option("--path", otherThanRoot(c.After.Path))
			addTags(add, c.After.Tags)
		}
	case ProfileRole:
		if made {
			add("iam", "add-role-to-instance-profile", "--instance-profile-name", c.Name, "--role-name", c.After.Role)
		} else {
			add("iam", "remove-role-from-instance-profile", "--instance-profile-name", c.Name, "--role-name", c.Before.Role)
		}
	case AccessEntry:
		add("eks", verb(made, "create", "delete")+"-access-entry", "--cluster-name", c.Cluster, "--principal-arn", c.Name)
		if made {
			add("--type", c.After.Type)
			if c.After.Type == Standard {
				option("--username", c.After.Username)
				if len(c.After.Groups) > 0 {
					add(append([]string{"--kubernetes-groups"}, c.After.Groups...)...)
				}
			}
			if len(c.After.Tags) > 0 {
				add("--tags", pairs(c.After.Tags))
			}
		}
	case AccessPolicy:
		add("eks", verb(made, "", "dis")+"associate-access-policy", "--cluster-name", c.Cluster, "--principal-arn", c.Name, "--policy-arn", c.Part)
		if made && len(c.After.Namespaces) == 0 {
			add("--access-scope", "type=cluster")
		} else if made {
			add("--access-scope", "type=namespace,namespaces="+strings.Join(c.After.Namespaces, ","))
		}
	case TrustPolicy:
		add("iam", "update-assume-role-policy", "--role-name", c.Name)
		if made {
			add("--policy-document", compact(c.After.Document))
		}
	case OIDCProvider:
		return c.providerCommand()
	case Association:
		return c.associationCommand()
	case Addon:
		add("eks", verb(made, "create", "delete")+"-addon", "--cluster-name", c.Cluster, "--addon-name", c.Name)
	case AddonRole:
		add("eks", "update-addon", "--cluster-name", c.Cluster, "--addon-name", c.Name)
		switch {
		case c.After.is(IRSA):
			add("--service-account-role-arn", c.After.Role)
		case c.After.is(PodIdentity) && c.Before.is(IRSA):
			// It stays: what is left out is taken away.
			add("--service-account-role-arn", c.Before.Role)
		}
		switch {
		case c.After.is(PodIdentity):
			add("--pod-identity-associations", "serviceAccount="+shorthand(c.Part)+",roleArn="+shorthand(c.After.Role))
		case c.Before.is(PodIdentity):
			add("--pod-identity-associations", "[]")
		}
		add("--resolve-conflicts", "PRESERVE")
	default:
	}
	return strings.Join(words, " ")
}

// is reports whether a state is there and of the type.
func (s *State) is(kind string) bool { return s != nil && s.Type == kind }

// providerCommand is the command for an OIDC provider: several, one after the
// other, where several client ids change.
func (c Change) providerCommand() string {
	provider := " --open-id-connect-provider-arn " + quote(c.Name)
	switch {
	case c.After == nil:
		return "aws iam delete-open-id-connect-provider" + provider
	case c.Before == nil:
		words := []string{"aws iam create-open-id-connect-provider --url", quote(c.ProviderURL())}
		add := func(list ...string) {
			for _, w := range list {
				words = append(words, quote(w))
			}
		}
		if len(c.After.ClientIDs) > 0 {
			add(append([]string{"--client-id-list"}, c.After.ClientIDs...)...)
		}
		addTags(add, c.After.Tags)
		return strings.Join(words, " ")
	}
	added, removed := c.ClientIDs()
	var commands []string
	for _, id := range added {
		commands = append(commands, "aws iam add-client-id-to-open-id-connect-provider"+provider+" --client-id "+quote(id))
	}
	for _, id := range removed {
		commands = append(commands, "aws iam remove-client-id-from-open-id-connect-provider"+provider+" --client-id "+quote(id))
	}
	return strings.Join(commands, "; ")
}

// associationCommand is the command for a Pod Identity association. Its id is asked
// for when the command runs.
func (c Change) associationCommand() string {
	namespace, name := c.Namespaced()
	cluster := " --cluster-name " + quote(c.Cluster)
	account := " --namespace " + quote(namespace) + " --service-account " + quote(name)
	id := ` --association-id "$(aws eks list-pod-identity-associations` + cluster + account + ` --query 'associations[0].associationId' --output text)"`
	switch {
	case c.After == nil:
		return "aws eks delete-pod-identity-association" + cluster + id
	case c.Before == nil:
		return "aws eks create-pod-identity-association" + cluster + account + " --role-arn " + quote(c.After.Role)
	default:
		return "aws eks update-pod-identity-association" + cluster + id + " --role-arn " + quote(c.After.Role)
	}
}

func verb(made bool, make, unmake string) string {
	if made {
		return make
	}
	return unmake
}

func otherThanRoot(path string) string {
	if path == "/" {
		return ""
	}
	return path
}

// addTags writes tags as IAM's commands take them.
func addTags(add func(...string), tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	add("--tags")
	for _, k := range keys(tags) {
		add(fmt.Sprintf("Key=%s,Value=%s", shorthand(k), shorthand(tags[k])))
	}
}

// pairs writes tags as the commands of EKS take them.
func pairs(tags map[string]string) string {
	var list []string
	for _, k := range keys(tags) {
		list = append(list, shorthand(k)+"="+shorthand(tags[k]))
	}
	return strings.Join(list, ",")
}

// compact is a document without white space, in one line.
func compact(document string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(document)) != nil {
		return document
	}
	return b.String()
}

// shorthand quotes a value for the AWS CLI's shorthand syntax.
// Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
func shorthand(s string) string {
	if s != "" && !strings.ContainsAny(s, `,="'[]{} `) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// AccountVariable stands for the account id in a name where it is not known: the
// shell fills it in. AskAccount is the line that sets it.
const (
	AccountVariable = "${ACCOUNT}"
	AskAccount      = "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)"
)

// quote quotes a word for a POSIX shell where it needs it.
func quote(s string) string {
	switch {
	case plainWord.MatchString(s):
		return s
	case plainWord.MatchString(strings.ReplaceAll(s, AccountVariable, "0")):
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func keys(m map[string]string) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return sorted(list)
}
