package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// CallerAccount returns the id of the account that the credentials belong to.
func (a *Account) CallerAccount(ctx context.Context) (string, error) {
	return a.id.Get(ctx, "", func(ctx context.Context) (string, error) {
		out, err := call(ctx, a, "sts:GetCallerIdentity", func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
			return a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		})
		if err != nil {
			return "", err
		}
		account, err := present("sts:GetCallerIdentity", out.Account)
		if err != nil {
			return "", err
		}
		return *account, nil
	})
}
