package aws

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Role returns a role's ARN and what iam:GetRole says of it: everything but its
// policies and instance profiles.
func (a *Account) Role(ctx context.Context, name string) (string, snapshot.Role, error) {
	arn, facts, _, err := a.RoleUse(ctx, name)
	return arn, facts, err
}

// AttachedPolicies returns the ARNs of a role's managed policies, in order.
func (a *Account) AttachedPolicies(ctx context.Context, role string) ([]string, error) {
	var arns []string
	err := pages(ctx, a, "iam:ListAttachedRolePolicies", iam.NewListAttachedRolePoliciesPaginator(a.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &role}),
		func(page *iam.ListAttachedRolePoliciesOutput) (string, bool) {
			for _, policy := range page.AttachedPolicies {
				arns = append(arns, aws.ToString(policy.PolicyArn))
			}
			return byMarker(page.IsTruncated, page.Marker)
		})
	slices.Sort(arns)
	return arns, err
}

// InlinePolicies returns the names of a role's inline policies.
func (a *Account) InlinePolicies(ctx context.Context, role string) ([]string, error) {
	var names []string
	err := pages(ctx, a, "iam:ListRolePolicies", iam.NewListRolePoliciesPaginator(a.iam, &iam.ListRolePoliciesInput{RoleName: &role}),
		func(page *iam.ListRolePoliciesOutput) (string, bool) {
			names = append(names, page.PolicyNames...)
			return byMarker(page.IsTruncated, page.Marker)
		})
	return names, err
}

// InlinePolicy returns the document of an inline policy, decoded.
func (a *Account) InlinePolicy(ctx context.Context, role, name string) (string, error) {
	out, err := call(ctx, a, "iam:GetRolePolicy", func(ctx context.Context) (*iam.GetRolePolicyOutput, error) {
		return a.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
	})
	if err != nil {
		return "", err
	}
	raw, err := present("iam:GetRolePolicy", out.PolicyDocument)
	if err != nil {
		return "", err
	}
	return document(*raw), nil
}

// RoleProfiles returns the instance profiles that hold a role, by ARN.
func (a *Account) RoleProfiles(ctx context.Context, role string) (map[string]snapshot.InstanceProfile, error) {
	profiles := map[string]snapshot.InstanceProfile{}
	err := pages(ctx, a, "iam:ListInstanceProfilesForRole", iam.NewListInstanceProfilesForRolePaginator(a.iam, &iam.ListInstanceProfilesForRoleInput{RoleName: &role}),
		func(page *iam.ListInstanceProfilesForRoleOutput) (string, bool) {
			for i := range page.InstanceProfiles {
				profile := &page.InstanceProfiles[i]
				profiles[aws.ToString(profile.Arn)] = instanceProfile(profile)
			}
			return byMarker(page.IsTruncated, page.Marker)
		})
	return profiles, err
}

// InstanceProfile returns an instance profile's ARN and the facts about it.
func (a *Account) InstanceProfile(ctx context.Context, name string) (string, snapshot.InstanceProfile, error) {
	out, err := call(ctx, a, "iam:GetInstanceProfile", func(ctx context.Context) (*iam.GetInstanceProfileOutput, error) {
		return a.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	})
	if err != nil {
		return "", snapshot.InstanceProfile{}, err
	}
	profile, err := present("iam:GetInstanceProfile", out.InstanceProfile)
	if err != nil {
		return "", snapshot.InstanceProfile{}, err
	}
	return aws.ToString(profile.Arn), instanceProfile(profile), nil
}

// OIDCProvider returns the facts about an OIDC identity provider.
func (a *Account) OIDCProvider(ctx context.Context, arn string) (snapshot.OIDCProvider, error) {
	out, err := call(ctx, a, "iam:GetOpenIDConnectProvider", func(ctx context.Context) (*iam.GetOpenIDConnectProviderOutput, error) {
		return a.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	})
	if err != nil {
		return snapshot.OIDCProvider{}, err
	}
	return snapshot.OIDCProvider{ClientIDs: out.ClientIDList}, nil
}

// OIDCProviders returns the ARNs of the account's OIDC identity providers.
func (a *Account) OIDCProviders(ctx context.Context) ([]string, error) {
	out, err := call(ctx, a, "iam:ListOpenIDConnectProviders", func(ctx context.Context) (*iam.ListOpenIDConnectProvidersOutput, error) {
		return a.iam.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	})
	if err != nil {
		return nil, err
	}
	var arns []string
	for i := range out.OpenIDConnectProviderList {
		arns = append(arns, aws.ToString(out.OpenIDConnectProviderList[i].Arn))
	}
	return arns, nil
}

// InstanceProfileQuota returns how many instance profiles the account has and may have.
func (a *Account) InstanceProfileQuota(ctx context.Context) (snapshot.Quota, error) {
	const operation, used, most = "iam:GetAccountSummary", "InstanceProfiles", "InstanceProfilesQuota"
	out, err := call(ctx, a, operation, func(ctx context.Context) (*iam.GetAccountSummaryOutput, error) {
		return a.iam.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	})
	if err != nil {
		return snapshot.Quota{}, err
	}
	for _, key := range []string{used, most} {
		if _, ok := out.SummaryMap[key]; !ok {
			return snapshot.Quota{}, &collect.CallError{Operation: operation, Message: "the response has no " + key}
		}
	}
	return snapshot.Quota{Used: out.SummaryMap[used], Max: out.SummaryMap[most]}, nil
}

func instanceProfile(profile *iamtypes.InstanceProfile) snapshot.InstanceProfile {
	var facts snapshot.InstanceProfile
	for i := range profile.Roles {
		facts.Roles = append(facts.Roles, aws.ToString(profile.Roles[i].Arn))
	}
	return facts
}

// PolicyVersions returns the default versions by ARN of the managed policies that are
// attached in the account: the first page. Few accounts have more than one.
func (a *Account) PolicyVersions(ctx context.Context) (map[string]string, error) {
	page, err := call(ctx, a, "iam:ListPolicies", func(ctx context.Context) (*iam.ListPoliciesOutput, error) {
		return a.iam.ListPolicies(ctx, &iam.ListPoliciesInput{OnlyAttached: true, MaxItems: aws.Int32(listPage)})
	})
	if err != nil {
		return nil, err
	}
	return versionsOf(page), nil
}

// BoundaryPolicies returns the default versions by ARN of the managed policies that are
// permissions boundaries in the account.
func (a *Account) BoundaryPolicies(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	in := &iam.ListPoliciesInput{PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsBoundary, MaxItems: aws.Int32(listPage)}
	err := pages(ctx, a, "iam:ListPolicies", iam.NewListPoliciesPaginator(a.iam, in), func(page *iam.ListPoliciesOutput) (string, bool) {
		maps.Copy(versions, versionsOf(page))
		return byMarker(page.IsTruncated, page.Marker)
	})
	return versions, err
}

func versionsOf(page *iam.ListPoliciesOutput) map[string]string {
	versions := make(map[string]string, len(page.Policies))
	for i := range page.Policies {
		versions[aws.ToString(page.Policies[i].Arn)] = aws.ToString(page.Policies[i].DefaultVersionId)
	}
	return versions
}

// PolicyVersion returns the id of a managed policy's default version.
func (a *Account) PolicyVersion(ctx context.Context, arn string) (string, error) {
	out, err := call(ctx, a, "iam:GetPolicy", func(ctx context.Context) (*iam.GetPolicyOutput, error) {
		return a.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	})
	if err != nil {
		return "", err
	}
	policy, err := present("iam:GetPolicy", out.Policy)
	if err != nil {
		return "", err
	}
	version, err := present("iam:GetPolicy", policy.DefaultVersionId)
	if err != nil {
		return "", err
	}
	return *version, nil
}

// PolicyDocument returns the document of one version of a managed policy,
// decoded.
func (a *Account) PolicyDocument(ctx context.Context, arn, version string) (string, error) {
	out, err := call(ctx, a, "iam:GetPolicyVersion", func(ctx context.Context) (*iam.GetPolicyVersionOutput, error) {
		return a.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: &version})
	})
	if err != nil {
		return "", err
	}
	policy, err := present("iam:GetPolicyVersion", out.PolicyVersion)
	if err != nil {
		return "", err
	}
	raw, err := present("iam:GetPolicyVersion", policy.Document)
	if err != nil {
		return "", err
	}
	return document(*raw), nil
}

// Simulate asks iam:SimulatePrincipalPolicy about every action on every resource.
// It passes the condition keys that are known of a request in this region, for resources
// of the role's account; the simulator reads those of the principal itself. Many service
// control policies deny a request that lacks a key.
func (c *Client) Simulate(ctx context.Context, roleARN string, actions, resources []string) ([]snapshot.Simulation, error) {
	const operation = "iam:SimulatePrincipalPolicy"
	var answers []snapshot.Simulation
	err := pages(ctx, c, operation, iam.NewSimulatePrincipalPolicyPaginator(c.iam, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &roleARN, ActionNames: actions, ResourceArns: resources,
		ContextEntries: contextEntries(c.at.region, roleARN),
	}), func(page *iam.SimulatePrincipalPolicyOutput) (string, bool) {
		for i := range page.EvaluationResults {
			answers = append(answers, simulations(&page.EvaluationResults[i], resources)...)
		}
		return byMarker(page.IsTruncated, page.Marker)
	})
	return answers, err
}

func contextEntries(region, roleARN string) []iamtypes.ContextEntry {
	entries := []iamtypes.ContextEntry{
		contextEntry("aws:RequestedRegion", region, iamtypes.ContextKeyTypeEnumString),
		contextEntry("aws:SecureTransport", "true", iamtypes.ContextKeyTypeEnumBoolean),
		contextEntry("aws:ViaAWSService", "false", iamtypes.ContextKeyTypeEnumBoolean),
		contextEntry("aws:PrincipalIsAWSService", "false", iamtypes.ContextKeyTypeEnumBoolean),
	}
	if role, ok := snapshot.ParseARN(roleARN); ok {
		entries = append(entries, contextEntry("aws:ResourceAccount", role.Account, iamtypes.ContextKeyTypeEnumString))
	}
	return entries
}

func contextEntry(key, value string, kind iamtypes.ContextKeyTypeEnum) iamtypes.ContextEntry {
	return iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: kind, ContextKeyValues: []string{value}}
}

// simulations are the answers about one action. Where several resources were
// asked about, the decision of the whole is the strictest of theirs: only what
// is said of each counts.
func simulations(r *iamtypes.EvaluationResult, resources []string) []snapshot.Simulation {
	action := aws.ToString(r.EvalActionName)
	deniedBy := func(organizations *iamtypes.OrganizationsDecisionDetail, boundary *iamtypes.PermissionsBoundaryDecisionDetail) string {
		switch {
		case organizations != nil && !organizations.AllowedByOrganizations:
			return snapshot.DeniedByOrganizations
		case boundary != nil && !boundary.AllowedByPermissionsBoundary:
			return "permissionsBoundary"
		default:
			return ""
		}
	}
	var answers []snapshot.Simulation
	for _, s := range r.ResourceSpecificResults {
		answers = append(answers, snapshot.Simulation{
			Action: action, Resource: aws.ToString(s.EvalResourceName), Decision: string(s.EvalResourceDecision),
			MissingContext: s.MissingContextValues, DeniedBy: deniedBy(r.OrganizationsDecisionDetail, s.PermissionsBoundaryDecisionDetail),
		})
	}
	if len(answers) == 0 && len(resources) == 1 {
		answers = append(answers, snapshot.Simulation{
			Action: action, Resource: resources[0], Decision: string(r.EvalDecision),
			MissingContext: r.MissingContextValues, DeniedBy: deniedBy(r.OrganizationsDecisionDetail, r.PermissionsBoundaryDecisionDetail),
		})
	}
	for i := range answers {
		if answers[i].Decision == string(iamtypes.PolicyEvaluationDecisionTypeAllowed) {
			answers[i].DeniedBy = ""
		}
	}
	return answers
}
