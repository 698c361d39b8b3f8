package collect

import (
	"context"
	"errors"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Answers are what was answered about one account: by IAM roles, their policies and instance
// profiles by name, managed policies and OIDC providers by ARN, and the list of attached
// policies and the quota of instance profiles; the account's organization; the endpoints
// of VPCs; registries and the policies of repositories. Runs that are given the same Answers
// ask for nothing twice. They may be used concurrently.
type Answers struct {
	roles            Memo[namedRole]
	attached, inline Memo[[]string]
	documents        Memo[string] // of inline policies, by ROLE#NAME
	roleProfiles     Memo[map[string]snapshot.InstanceProfile]
	profiles         Memo[namedProfile]
	profilePage      Memo[map[string]snapshot.InstanceProfile]
	policies         Memo[snapshot.Policy]
	details          Memo[*Details]
	providers        Memo[snapshot.OIDCProvider]
	allProviders     Memo[[]string]
	versions         Memo[map[string]string]
	boundaryPolicies Memo[map[string]string]
	organization     Memo[*snapshot.Organization]
	repositories     Memo[snapshot.RepositoryPolicy] // by ARN
	registries       Memo[snapshot.Registry]         // by region
	profileQuota     Memo[snapshot.Quota]
	endpoints        Memo[map[string]snapshot.VPCEndpoint] // by VPC

	managed *ManagedPolicies
}

// NewAnswers returns Answers without anything about the account. The documents of AWS's
// managed policies, which are the same in every account of a partition, are looked up in
// managed and kept there; nil keeps them for this account alone.
func NewAnswers(managed *ManagedPolicies) *Answers {
	if managed == nil {
		managed = &ManagedPolicies{}
	}
	return &Answers{managed: managed}
}

// ManagedPolicies are the documents of AWS's managed policies, by ARN and version. The zero
// value is ready for use, by any number of accounts at once.
type ManagedPolicies struct{ documents Memo[string] }

// document returns a version of a managed policy. What one account refuses, another one is
// asked for.
func (a *Answers) document(ctx context.Context, arn, version string, ask func(context.Context) (string, error)) (string, error) {
	if !strings.Contains(arn, ":iam::aws:") {
		return ask(ctx)
	}
	var own error
	text, err := a.managed.documents.Get(ctx, arn+" "+version, func(ctx context.Context) (string, error) {
		text, err := ask(ctx)
		if own = err; err != nil {
			err = errOwn
		}
		return text, err
	})
	if own != nil {
		return text, own
	}
	return text, err
}

// errOwn replaces an error that only the account that asked has: as it is not a *CallError,
// a Memo does not remember it.
var errOwn = errors.New("the error of one account")
