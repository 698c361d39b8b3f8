package kube

import "time"

// Hurry makes the client look at rollouts in short, and takes the time from a clock.
func (c *Changes) Hurry(pause, patience time.Duration, now func() time.Time) *Changes {
	c.pause, c.patience, c.now = pause, patience, now
	return c
}
