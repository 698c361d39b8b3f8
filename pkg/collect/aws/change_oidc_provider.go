package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var oidcProviderKind = changeKind{read: (*Changes).provider, write: (*Changes).writeProvider}

func (c *Changes) provider(ctx context.Context, ch change.Change) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetOpenIDConnectProvider", func(ctx context.Context) (*iam.GetOpenIDConnectProviderOutput, error) {
		return c.Client.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name})
	})
	if err != nil {
		return nil, err
	}
	return &change.State{ClientIDs: out.ClientIDList, Tags: tagMap(out.Tags)}, nil
}

func (c *Changes) writeProvider(ctx context.Context, ch change.Change) error {
	switch {
	case ch.After == nil:
		return do(ctx, c, "iam:DeleteOpenIDConnectProvider", c.iam.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name})
	case ch.Before == nil:
		return do(ctx, c, "iam:CreateOpenIDConnectProvider", c.iam.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderInput{
			Url: aws.String(ch.ProviderURL()), ClientIDList: ch.After.ClientIDs, Tags: iamTags(ch.After.Tags),
		})
	}
	added, removed := ch.ClientIDs()
	for _, id := range added {
		err := do(ctx, c, "iam:AddClientIDToOpenIDConnectProvider", c.iam.AddClientIDToOpenIDConnectProvider, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name, ClientID: &id})
		if err != nil {
			return err
		}
	}
	for _, id := range removed {
		err := do(ctx, c, "iam:RemoveClientIDFromOpenIDConnectProvider", c.iam.RemoveClientIDFromOpenIDConnectProvider, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name, ClientID: &id})
		if err != nil {
			return err
		}
	}
	return nil
}
