package collect

import (
	"context"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// startProfileQuota reads how many instance profiles the account has and may have, where
// something creates them for nodes. It is optional.
func (c *collector) startProfileQuota() {
	c.start("quota of instance profiles in account of", c.cluster, func(ctx context.Context) error {
		quota, err := c.answers.profileQuota.Get(ctx, "", c.aws.InstanceProfileQuota)
		if err == nil {
			c.write(func(s *snapshot.Snapshot) { s.InstanceProfileQuota = &quota })
		}
		return c.missing(snapshot.FactProfileQuota, "", err)
	})
}
