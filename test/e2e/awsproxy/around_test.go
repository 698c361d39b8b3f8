package awsproxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
)

// around returns a proxy and clients of it, in front of a backend that knows nothing.
func around(t *testing.T) (*Proxy, *organizations.Client, *ecr.Client) {
	t.Helper()
	backend := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(backend.Close)
	p, err := New(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(p.URL), HTTPClient: &http.Client{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
	return p, organizations.NewFromConfig(cfg), ecr.NewFromConfig(cfg)
}

// The SDK reads the answers of Organizations, errors included, as it does AWS's.
func TestOrganizations(t *testing.T) {
	p, client, _ := around(t)
	var none *orgtypes.AWSOrganizationsNotInUseException
	if _, err := client.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}); !errors.As(err, &none) {
		t.Errorf("without an organization: %v", err)
	}
	p.SetOrganization(Organization{ID: "o-1", ManagementAccount: "999999999999", Levels: []OrganizationLevel{
		{ID: "r-1", SCPs: map[string]string{"Full": "{}"}}, {ID: "ou-1-a", RCPs: map[string]string{"Mine": `{"a":1}`}}, {ID: "123456789012"},
	}})
	described, err := client.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err != nil || *described.Organization.Id != "o-1" || *described.Organization.MasterAccountId != "999999999999" {
		t.Errorf("%+v, %v", described, err)
	}
	for child, parent := range map[string]string{"123456789012": "ou-1-a", "ou-1-a": "r-1"} {
		parents, err := client.ListParents(ctx, &organizations.ListParentsInput{ChildId: &child})
		if err != nil || len(parents.Parents) != 1 || *parents.Parents[0].Id != parent {
			t.Errorf("the parent of %s: %+v, %v", child, parents, err)
		}
	}
	var unknown *orgtypes.ChildNotFoundException
	if _, err := client.ListParents(ctx, &organizations.ListParentsInput{ChildId: aws.String("r-1")}); !errors.As(err, &unknown) {
		t.Errorf("the parent of the root: %v", err)
	}
	for target, want := range map[string]int{"ou-1-a": 1, "r-1": 0} {
		list, err := client.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: &target, Filter: orgtypes.PolicyTypeResourceControlPolicy})
		if err != nil || list.Policies == nil || len(list.Policies) != want {
			t.Errorf("RCPs of %s: %+v, %v", target, list, err)
		}
	}
	policy, err := client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: aws.String("p-Mine")})
	if err != nil || *policy.Policy.Content != `{"a":1}` || *policy.Policy.PolicySummary.Name != "Mine" {
		t.Errorf("%+v, %v", policy, err)
	}
	var absent *orgtypes.PolicyNotFoundException
	if _, err := client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: aws.String("p-Other")}); !errors.As(err, &absent) {
		t.Errorf("another policy: %v", err)
	}
	var calls []string
	for _, c := range p.Calls() {
		calls = append(calls, c.Operation)
	}
	if len(calls) != 9 || calls[0] != "organizations:DescribeOrganization" {
		t.Errorf("calls %v", calls)
	}
}

// The SDK reads the answers of ECR, errors included, as it does AWS's.
func TestRepositoryPolicy(t *testing.T) {
	p, _, client := around(t)
	in := &ecr.GetRepositoryPolicyInput{RegistryId: aws.String("444455556666"), RepositoryName: aws.String("team/web")}
	var none *ecrtypes.RepositoryPolicyNotFoundException
	if _, err := client.GetRepositoryPolicy(ctx, in); !errors.As(err, &none) {
		t.Errorf("without a policy: %v", err)
	}
	p.SetRepositoryPolicy("arn:aws:ecr:eu-west-1:444455556666:repository/team/web", `{"a":1}`)
	if out, err := client.GetRepositoryPolicy(ctx, in); err != nil || *out.PolicyText != `{"a":1}` || *out.RegistryId != "444455556666" {
		t.Errorf("%+v, %v", out, err)
	}
	p.Reset()
	if _, err := client.GetRepositoryPolicy(ctx, in); !errors.As(err, &none) {
		t.Errorf("after a reset: %v", err)
	}
}

// The SDK reads the answers about the account's own registry as it does AWS's.
func TestRegistry(t *testing.T) {
	p, _, client := around(t)
	var noPolicy *ecrtypes.RegistryPolicyNotFoundException
	if _, err := client.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{}); !errors.As(err, &noPolicy) {
		t.Errorf("without permissions: %v", err)
	}
	rules, err := client.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{RegistryId: aws.String(account)})
	if err != nil || rules.PullThroughCacheRules == nil || len(rules.PullThroughCacheRules) != 0 {
		t.Errorf("without rules: %+v, %v", rules, err)
	}
	var noRepository *ecrtypes.RepositoryNotFoundException
	if _, err := client.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RegistryId: aws.String(account), RepositoryName: aws.String("hub/web")}); !errors.As(err, &noRepository) {
		t.Errorf("a repository that does not exist: %v", err)
	}
	p.SetRegistry(Registry{Policy: `{"a":1}`, PullThroughCache: map[string]string{"hub": "registry-1.docker.io"}})
	policy, err := client.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	if err != nil || *policy.PolicyText != `{"a":1}` {
		t.Errorf("%+v, %v", policy, err)
	}
	rules, err = client.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{})
	if err != nil || len(rules.PullThroughCacheRules) != 1 || *rules.PullThroughCacheRules[0].EcrRepositoryPrefix != "hub" || *rules.PullThroughCacheRules[0].UpstreamRegistryUrl != "registry-1.docker.io" {
		t.Errorf("%+v, %v", rules, err)
	}
}
