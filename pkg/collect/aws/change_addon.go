package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

var addonKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		_, err := c.Addon(ctx, ch.Cluster, ch.Name)
		return &change.State{}, err
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		var err error
		if ch.After == nil {
			err = do(ctx, c, "eks:DeleteAddon", c.eks.DeleteAddon, &eks.DeleteAddonInput{ClusterName: &ch.Cluster, AddonName: &ch.Name})
		} else {
			err = do(ctx, c, "eks:CreateAddon", c.eks.CreateAddon, &eks.CreateAddonInput{ClusterName: &ch.Cluster, AddonName: &ch.Name})
		}
		if err != nil {
			return err
		}
		return c.settled(ctx, ch.Cluster, ch.Name, ch.After != nil)
	},
}

// settled waits until an add-on is active, or gone where it is not to stay.
func (c *Changes) settled(ctx context.Context, cluster, name string, stays bool) error {
	for deadline := time.Now().Add(c.settle); ; {
		addon, err := c.Addon(ctx, cluster, name)
		switch {
		case errors.Is(err, collect.ErrNotFound) && !stays:
			return nil
		case err != nil:
			return err
		}
		failed := false
		switch ekstypes.AddonStatus(addon.Status) {
		case ekstypes.AddonStatusActive:
			if stays {
				return nil
			}
		case ekstypes.AddonStatusCreateFailed, ekstypes.AddonStatusUpdateFailed, ekstypes.AddonStatusDegraded:
			failed = stays
		case ekstypes.AddonStatusDeleteFailed:
			failed = true
		default:
		}
		switch {
		case failed:
			return &change.FailedError{Reason: "it is " + addon.Status + issues(addon.Health)}
		case time.Now().Add(c.pollInterval).After(deadline):
			return &change.FailedError{Reason: fmt.Sprintf("it is still %s after %s%s", addon.Status, c.settle, issues(addon.Health))}
		}
		if err := c.wait(ctx); err != nil {
			return err
		}
	}
}

// issues is what EKS says of an add-on's health, to follow its status.
func issues(health []snapshot.HealthIssue) string {
	text, separator := "", ": "
	for _, issue := range health {
		text += separator + issue.Code
		separator = "; "
		if issue.Message != "" {
			text += ": " + collect.OneLine(issue.Message)
		}
		if len(issue.ResourceIDs) > 0 {
			text += " (" + strings.Join(issue.ResourceIDs, ", ") + ")"
		}
	}
	return text
}
