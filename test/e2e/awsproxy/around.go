package awsproxy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// What is around a cluster's roles: the policies of an organization and of
// repositories. In moto the account of the tests would be the organization's management
// account, which no policy limits, and repositories are the caller's own.

// Organization is an organization above the account of the tests. Its levels are the root,
// organizational units, and the account.
type Organization struct {
	ID, ManagementAccount string
	Levels                []OrganizationLevel
}

// OrganizationLevel is a target with the policies that are attached to it, documents by
// name.
type OrganizationLevel struct {
	ID         string
	SCPs, RCPs map[string]string
}

// The error code of an account that is in no organization.
const notInUse = "AWSOrganizationsNotInUseException"

// SetOrganization says which organization the account is in; the zero Organization is none.
func (p *Proxy) SetOrganization(o Organization) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.organization = o
}

// SetRepositoryPolicy sets the policy of a repository, by ARN.
func (p *Proxy) SetRepositoryPolicy(arn, document string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.repositories[arn] = document
}

// Registry is the private registry of the account of the tests, without the repositories
// that SetRepositoryPolicy does not set.
type Registry struct {
	// Policy is the document of its permissions; empty for none.
	Policy string
	// PullThroughCache are the upstream registries by prefix.
	PullThroughCache map[string]string
}

// SetRegistry sets the account's registry.
func (p *Proxy) SetRegistry(r Registry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.registry = r
}

// target is the operation that the header of the JSON protocols names.
func target(r *http.Request) (name string, ok bool) {
	_, name, ok = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return name, ok
}

// around answers the operations of Organizations and those of ECR in use; it returns false
// for others.
func (p *Proxy) around(w http.ResponseWriter, r *http.Request, operation string, body []byte) bool {
	var in struct {
		ChildID    string `json:"ChildId"`
		TargetID   string `json:"TargetId"`
		PolicyID   string `json:"PolicyId"`
		Filter     string
		RegistryID string `json:"registryId"`
		Repository string `json:"repositoryName"`
	}
	if json.Unmarshal(body, &in) != nil {
		return false
	}
	p.mu.Lock()
	o, registry := p.organization, p.registry
	region, _ := scope(r)
	document, known := p.repositories["arn:aws:ecr:"+region+":"+in.RegistryID+":repository/"+in.Repository]
	p.mu.Unlock()
	service, _, _ := strings.Cut(operation, ":")
	switch {
	case service == "organizations" && len(o.Levels) == 0:
		jsonError(w, notInUse, "Your account is not a member of an organization.")
	case operation == "organizations:DescribeOrganization":
		writeJSON11(w, map[string]any{"Organization": map[string]any{
			"Id": o.ID, "Arn": "arn:aws:organizations::" + o.ManagementAccount + ":organization/" + o.ID, "FeatureSet": "ALL",
			"MasterAccountId": o.ManagementAccount, "AvailablePolicyTypes": []any{},
		}})
	case operation == "organizations:ListParents":
		i := slices.IndexFunc(o.Levels, func(l OrganizationLevel) bool { return l.ID == in.ChildID })
		if i < 1 {
			jsonError(w, "ChildNotFoundException", "You specified a child that doesn't exist.")
			return true
		}
		kind := "ORGANIZATIONAL_UNIT"
		if i == 1 {
			kind = "ROOT"
		}
		writeJSON11(w, map[string]any{"Parents": []any{map[string]string{"Id": o.Levels[i-1].ID, "Type": kind}}})
	case operation == "organizations:ListPoliciesForTarget":
		list := []any{}
		for _, level := range o.Levels {
			if level.ID == in.TargetID {
				for name := range level.policies(in.Filter) {
					list = append(list, map[string]any{"Id": "p-" + name, "Name": name, "Type": in.Filter, "AwsManaged": false})
				}
			}
		}
		writeJSON11(w, map[string]any{"Policies": list})
	case operation == "organizations:DescribePolicy":
		name := strings.TrimPrefix(in.PolicyID, "p-")
		for _, level := range o.Levels {
			for _, kind := range []string{"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"} {
				if content, is := level.policies(kind)[name]; is {
					writeJSON11(w, map[string]any{"Policy": map[string]any{"Content": content, "PolicySummary": map[string]any{"Id": in.PolicyID, "Name": name, "Type": kind}}})
					return true
				}
			}
		}
		jsonError(w, "PolicyNotFoundException", "You specified a policy that doesn't exist.")
	case operation == "ecr:GetRepositoryPolicy" && known:
		writeJSON11(w, map[string]any{"registryId": in.RegistryID, "repositoryName": in.Repository, "policyText": document})
	case operation == "ecr:GetRepositoryPolicy" && in.RegistryID == account:
		jsonError(w, "RepositoryNotFoundException", "The repository with name '"+in.Repository+"' does not exist in the registry with id '"+in.RegistryID+"'")
	case operation == "ecr:GetRegistryPolicy" && registry.Policy == "":
		jsonError(w, "RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '"+account+"'")
	case operation == "ecr:GetRegistryPolicy":
		writeJSON11(w, map[string]any{"registryId": account, "policyText": registry.Policy})
	case operation == "ecr:DescribePullThroughCacheRules":
		list := []any{}
		for prefix, upstream := range registry.PullThroughCache {
			list = append(list, map[string]any{"registryId": account, "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstream})
		}
		writeJSON11(w, map[string]any{"pullThroughCacheRules": list})
	case operation == "ecr:GetRepositoryPolicy":
		jsonError(w, "RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name '"+in.Repository+"' in the registry with id '"+in.RegistryID+"'")
	default:
		return false
	}
	return true
}

func (l OrganizationLevel) policies(kind string) map[string]string {
	if kind == "RESOURCE_CONTROL_POLICY" {
		return l.RCPs
	}
	return l.SCPs
}

const json11 = "application/x-amz-json-1.1"

func writeJSON11(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", json11)
	_ = json.NewEncoder(w).Encode(body)
}

func jsonError(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", json11)
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}
