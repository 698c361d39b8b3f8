package kube

import "time"

// Hurry makes the client look at rollouts in short, and takes the time from a clock.
func (c *Changes) Hurry(pollInterval, stallTimeout time.Duration, now func() time.Time) *Changes {
	c.pollInterval, c.stallTimeout, c.now = pollInterval, stallTimeout, now
	return c
}
