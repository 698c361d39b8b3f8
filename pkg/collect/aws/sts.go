package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// CallerAccount returns the id of the account that the credentials belong to.
func (c *Client) CallerAccount(ctx context.Context) (string, error) {
	return c.account.Get(ctx, "", func(ctx context.Context) (string, error) {
		out, err := call(ctx, c, "sts:GetCallerIdentity", func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
			return c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
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
