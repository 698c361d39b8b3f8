package faults

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	accountID   = "123456789012"
	region      = "eu-west-1"
	clusterName = "prod"
	clusterARN  = "arn:aws:eks:" + region + ":" + accountID + ":cluster/" + clusterName
	issuer      = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
)

func roleARN(name string) string    { return "arn:aws:iam::" + accountID + ":role/" + name }
func profileARN(name string) string { return "arn:aws:iam::" + accountID + ":instance-profile/" + name }
func awsPolicy(name string) string  { return "arn:aws:iam::aws:policy/" + name }

// account answers the calls of IAM, STS, EC2 and Auto Scaling that the plugin makes, and
// those of EKS that the proxy leaves to its backend. What it holds is in Held.
type account struct {
	mu   sync.Mutex
	Held held
}

type held struct {
	Roles    map[string]iamRole
	Policies map[string]string   // documents by ARN
	Profiles map[string]string   // the role in each; empty for none
	OIDC     map[string][]string // client IDs by ARN
	// NodeGroups and Instances are the node roles and the instance profiles of each.
	NodeGroups, Instances map[string]string
}

type iamRole struct {
	Trust, Path string
	Created     time.Time
	Attached    []string
	Inline      map[string]string
}

// refusal is an error of IAM.
type refusal struct {
	status  int
	code    string
	message string
}

func (r *refusal) Error() string { return r.message }

func absent(what string) error {
	return &refusal{http.StatusNotFound, "NoSuchEntity", what + " cannot be found."}
}

func exists(what string) error {
	return &refusal{http.StatusConflict, "EntityAlreadyExists", what + " already exists."}
}

// ServeHTTP implements http.Handler.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	action := r.PostForm.Get("Action")
	if action == "" {
		a.eks(w, strings.Split(strings.Trim(r.URL.Path, "/"), "/"))
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	if action == "DescribeInstances" {
		fmt.Fprintf(w, "<DescribeInstancesResponse><reservationSet>%s</reservationSet></DescribeInstancesResponse>", a.instances(r.PostForm))
		return
	}
	do, ok := actions[action]
	if !ok {
		http.Error(w, action, http.StatusNotImplemented)
		return
	}
	result, err := do(&a.Held, r.PostForm)
	if err != nil {
		refused := err.(*refusal) //nolint:errorlint,forcetypeassert // they return no other
		w.WriteHeader(refused.status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type>%s%s</Error></ErrorResponse>", element("Code", refused.code), element("Message", refused.message))
		return
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, result)
}

// eks answers what the proxy corrects or does not know.
func (a *account) eks(w http.ResponseWriter, path []string) {
	w.Header().Set("Content-Type", "application/json")
	answer := func(name string, value any) { _ = json.NewEncoder(w).Encode(map[string]any{name: value}) }
	switch {
	case len(path) == 1:
		answer("clusters", []string{clusterName})
	case len(path) == 2:
		answer("cluster", map[string]any{"name": clusterName, "arn": clusterARN, "roleArn": roleARN("eksClusterRole"), "status": "ACTIVE", "version": "1.33"})
	case path[2] == "node-groups" && len(path) == 3:
		answer("nodegroups", slices.Sorted(maps.Keys(a.Held.NodeGroups)))
	case path[2] == "node-groups":
		answer("nodegroup", map[string]any{"nodegroupName": path[3], "nodeRole": roleARN(a.Held.NodeGroups[path[3]]), "status": "ACTIVE", "amiType": "AL2023_x86_64_STANDARD"})
	default:
		answer("fargateProfileNames", []string{})
	}
}

func (a *account) instances(form url.Values) string {
	var out strings.Builder
	for i := 1; form.Has("Filter.1.Value." + strconv.Itoa(i)); i++ {
		id := form.Get("Filter.1.Value." + strconv.Itoa(i))
		if profile, ok := a.Held.Instances[id]; ok {
			out.WriteString("<item><instancesSet><item>" + element("instanceId", id) + "<instanceState><code>16</code><name>running</name></instanceState><iamInstanceProfile>" +
				element("arn", profileARN(profile)) + "</iamInstanceProfile><metadataOptions><httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit></metadataOptions></item></instancesSet></item>")
		}
	}
	return out.String()
}

// onRole changes a role that exists.
func onRole(f func(r *iamRole, form url.Values)) func(*held, url.Values) (string, error) {
	return func(h *held, form url.Values) (string, error) {
		name := form.Get("RoleName")
		role, ok := h.Roles[name]
		if !ok {
			return "", absent("The role with name " + name)
		}
		f(&role, form)
		h.Roles[name] = role
		return "", nil
	}
}

// ofRole reads a role that exists.
func ofRole(f func(h *held, r iamRole, form url.Values) (string, error)) func(*held, url.Values) (string, error) {
	return func(h *held, form url.Values) (string, error) {
		role, ok := h.Roles[form.Get("RoleName")]
		if !ok {
			return "", absent("The role with name " + form.Get("RoleName"))
		}
		return f(h, role, form)
	}
}

// actions are the actions of the query protocol.
var actions = map[string]func(*held, url.Values) (string, error){
	"GetCallerIdentity": func(*held, url.Values) (string, error) {
		return element("Account", accountID) + element("Arn", "arn:aws:iam::"+accountID+":user/ci"), nil
	},
	"DescribeAutoScalingGroups": func(*held, url.Values) (string, error) { return "<AutoScalingGroups/>", nil },

	"GetRole": ofRole(func(_ *held, r iamRole, form url.Values) (string, error) {
		return "<Role>" + roleXML(form.Get("RoleName"), r) + "</Role>", nil
	}),
	"CreateRole": func(h *held, form url.Values) (string, error) {
		name := form.Get("RoleName")
		if _, ok := h.Roles[name]; ok {
			return "", exists("Role with name " + name)
		}
		r := iamRole{Trust: form.Get("AssumeRolePolicyDocument"), Path: form.Get("Path"), Created: time.Now()}
		h.Roles[name] = r
		return "<Role>" + roleXML(name, r) + "</Role>", nil
	},
	"DeleteRole": ofRole(func(h *held, r iamRole, form url.Values) (string, error) {
		if len(r.Attached)+len(r.Inline) > 0 || slices.Contains(slices.Collect(maps.Values(h.Profiles)), form.Get("RoleName")) {
			return "", &refusal{http.StatusConflict, "DeleteConflict", "the role has policies or an instance profile"}
		}
		delete(h.Roles, form.Get("RoleName"))
		return "", nil
	}),
	"UpdateAssumeRolePolicy": onRole(func(r *iamRole, form url.Values) { r.Trust = form.Get("PolicyDocument") }),

	"ListAttachedRolePolicies": ofRole(func(_ *held, r iamRole, _ url.Values) (string, error) {
		return members("AttachedPolicies", r.Attached, func(arn string) string { return element("PolicyArn", arn) }), nil
	}),
	"AttachRolePolicy": onRole(func(r *iamRole, form url.Values) {
		if arn := form.Get("PolicyArn"); !slices.Contains(r.Attached, arn) {
			r.Attached = slices.Sorted(slices.Values(append(r.Attached, arn)))
		}
	}),
	"DetachRolePolicy": ofRole(func(h *held, r iamRole, form url.Values) (string, error) {
		at := slices.Index(r.Attached, form.Get("PolicyArn"))
		if at < 0 {
			return "", absent("Policy " + form.Get("PolicyArn"))
		}
		r.Attached = slices.Delete(slices.Clone(r.Attached), at, at+1)
		h.Roles[form.Get("RoleName")] = r
		return "", nil
	}),
	"ListRolePolicies": ofRole(func(_ *held, r iamRole, _ url.Values) (string, error) {
		return members("PolicyNames", slices.Sorted(maps.Keys(r.Inline)), escape), nil
	}),
	"GetRolePolicy": ofRole(func(_ *held, r iamRole, form url.Values) (string, error) {
		text, ok := r.Inline[form.Get("PolicyName")]
		if !ok {
			return "", absent("The role policy with name " + form.Get("PolicyName"))
		}
		return element("PolicyName", form.Get("PolicyName")) + element("PolicyDocument", url.PathEscape(text)), nil
	}),
	"PutRolePolicy": onRole(func(r *iamRole, form url.Values) {
		r.Inline = maps.Clone(r.Inline)
		if r.Inline == nil {
			r.Inline = map[string]string{}
		}
		r.Inline[form.Get("PolicyName")] = form.Get("PolicyDocument")
	}),
	"DeleteRolePolicy": onRole(func(r *iamRole, form url.Values) {
		r.Inline = maps.Clone(r.Inline)
		delete(r.Inline, form.Get("PolicyName"))
	}),

	"ListPolicies": func(h *held, _ url.Values) (string, error) {
		attached := map[string]bool{}
		for _, r := range h.Roles {
			for _, arn := range r.Attached {
				attached[arn] = true
			}
		}
		return members("Policies", slices.Sorted(maps.Keys(attached)), policyXML), nil
	},
	"GetPolicy": func(h *held, form url.Values) (string, error) {
		if _, ok := h.Policies[form.Get("PolicyArn")]; !ok {
			return "", absent("Policy " + form.Get("PolicyArn"))
		}
		return "<Policy>" + policyXML(form.Get("PolicyArn")) + "</Policy>", nil
	},
	"GetPolicyVersion": func(h *held, form url.Values) (string, error) {
		text, ok := h.Policies[form.Get("PolicyArn")]
		if !ok {
			return "", absent("Policy " + form.Get("PolicyArn"))
		}
		return "<PolicyVersion>" + element("VersionId", "v1") + element("Document", url.PathEscape(text)) + "</PolicyVersion>", nil
	},
	"CreatePolicy": func(h *held, form url.Values) (string, error) {
		arn := "arn:aws:iam::" + accountID + ":policy/" + form.Get("PolicyName")
		if _, ok := h.Policies[arn]; ok {
			return "", exists("A policy called " + form.Get("PolicyName"))
		}
		h.Policies[arn] = form.Get("PolicyDocument")
		return "<Policy>" + policyXML(arn) + "</Policy>", nil
	},

	"ListInstanceProfilesForRole": ofRole(func(h *held, _ iamRole, form url.Values) (string, error) {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(h.Profiles)) {
			if h.Profiles[name] == form.Get("RoleName") {
				names = append(names, name)
			}
		}
		return members("InstanceProfiles", names, func(name string) string { return profileXML(h, name) }), nil
	}),
	"GetInstanceProfile": func(h *held, form url.Values) (string, error) {
		if _, ok := h.Profiles[form.Get("InstanceProfileName")]; !ok {
			return "", absent("Instance Profile " + form.Get("InstanceProfileName"))
		}
		return "<InstanceProfile>" + profileXML(h, form.Get("InstanceProfileName")) + "</InstanceProfile>", nil
	},
	"CreateInstanceProfile": func(h *held, form url.Values) (string, error) {
		name := form.Get("InstanceProfileName")
		if _, ok := h.Profiles[name]; ok {
			return "", exists("Instance Profile " + name)
		}
		h.Profiles[name] = ""
		return "<InstanceProfile>" + profileXML(h, name) + "</InstanceProfile>", nil
	},
	"DeleteInstanceProfile": func(h *held, form url.Values) (string, error) {
		delete(h.Profiles, form.Get("InstanceProfileName"))
		return "", nil
	},
	"AddRoleToInstanceProfile": func(h *held, form url.Values) (string, error) {
		if h.Profiles[form.Get("InstanceProfileName")] != "" {
			return "", &refusal{http.StatusConflict, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"}
		}
		h.Profiles[form.Get("InstanceProfileName")] = form.Get("RoleName")
		return "", nil
	},
	"RemoveRoleFromInstanceProfile": func(h *held, form url.Values) (string, error) {
		h.Profiles[form.Get("InstanceProfileName")] = ""
		return "", nil
	},

	"GetOpenIDConnectProvider": func(h *held, form url.Values) (string, error) {
		ids, ok := h.OIDC[form.Get("OpenIDConnectProviderArn")]
		if !ok {
			return "", absent("OpenIDConnect Provider")
		}
		return element("Url", issuer) + members("ClientIDList", ids, escape), nil
	},
	"CreateOpenIDConnectProvider": func(h *held, form url.Values) (string, error) {
		arn := "arn:aws:iam::" + accountID + ":oidc-provider/" + strings.TrimPrefix(form.Get("Url"), "https://")
		if _, ok := h.OIDC[arn]; ok {
			return "", exists("Provider with url " + form.Get("Url"))
		}
		h.OIDC[arn] = []string{form.Get("ClientIDList.member.1")}
		return element("OpenIDConnectProviderArn", arn), nil
	},
	"DeleteOpenIDConnectProvider": func(h *held, form url.Values) (string, error) {
		delete(h.OIDC, form.Get("OpenIDConnectProviderArn"))
		return "", nil
	},
}

func roleXML(name string, r iamRole) string {
	path := r.Path
	if path == "" {
		path = "/"
	}
	return element("Path", path) + element("RoleName", name) + element("RoleId", "AROA"+strings.ToUpper(name)) + element("Arn", roleARN(strings.TrimPrefix(path, "/")+name)) +
		element("CreateDate", r.Created.UTC().Format(time.RFC3339)) + element("AssumeRolePolicyDocument", url.PathEscape(r.Trust))
}

func policyXML(arn string) string {
	return element("Arn", arn) + element("Path", "/") + element("DefaultVersionId", "v1")
}

func profileXML(h *held, name string) string {
	out := element("InstanceProfileName", name) + element("Path", "/") + element("Arn", profileARN(name)) + "<Roles>"
	if role := h.Profiles[name]; role != "" {
		out += "<member>" + roleXML(role, h.Roles[role]) + "</member>"
	}
	return out + "</Roles>"
}

func members(field string, all []string, member func(string) string) string {
	var out strings.Builder
	for _, name := range all {
		out.WriteString("<member>" + member(name) + "</member>")
	}
	return "<" + field + ">" + out.String() + "</" + field + "><IsTruncated>false</IsTruncated>"
}

func element(name, value string) string { return "<" + name + ">" + escape(value) + "</" + name + ">" }

func escape(value string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(value))
	return out.String()
}

// awsError is an error in the shape of the operation's protocol.
func awsError(w http.ResponseWriter, operation string, status int, code, message string) {
	switch service, _, _ := strings.Cut(operation, ":"); service {
	case "eks":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", code+"Exception")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
	case "ec2":
		if code == "AccessDenied" {
			code = "UnauthorizedOperation"
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<Response><Errors><Error>"+element("Code", code)+element("Message", message)+"</Error></Errors><RequestID>0</RequestID></Response>")
	default:
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<ErrorResponse><Error><Type>Sender</Type>"+element("Code", code)+element("Message", message)+"</Error></ErrorResponse>")
	}
}
