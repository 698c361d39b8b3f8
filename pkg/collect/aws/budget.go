package aws

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/time/rate"
)

// iamRate is how many requests of one IAM operation are sent per second, and how many at
// once after a pause. IAM throttles each operation of an account, and its limits are not
// published: accounts are known to allow 15 requests per second for GetRole,
// ListRolePolicies, ListAttachedRolePolicies and ListInstanceProfilesForRole, and 35 for
// GetPolicy and GetPolicyVersion. Less than half of that leaves the rest to the controllers
// and people who share the account.
// Source: https://github.com/turbot/steampipe-plugin-aws/blob/main/aws/plugin.go, the rate limiters for IAM.
const iamRate = 7

// iamRates are the rates of the operations that have another one.
var iamRates = map[string]int{"iam:GetPolicy": 17, "iam:GetPolicyVersion": 17}

// budget limits the requests to IAM of one account, retries included.
type budget struct {
	// pause waits for a time, or until the context ends, and returns its error then.
	pause    func(context.Context, time.Duration) error
	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by operation
}

// newBudget returns a budget; without a pause it waits in real time.
func newBudget(pause func(context.Context, time.Duration) error) *budget {
	if pause == nil {
		pause = sleep
	}
	return &budget{pause: pause, limiters: map[string]*rate.Limiter{}}
}

// wait returns when a request for an operation may be sent, or the context's error.
func (b *budget) wait(ctx context.Context, operation string) error {
	if !strings.HasPrefix(operation, "iam:") {
		return nil
	}
	b.mu.Lock()
	limiter, ok := b.limiters[operation]
	if !ok {
		perSecond := cmp.Or(iamRates[operation], iamRate)
		limiter = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		b.limiters[operation] = limiter
	}
	b.mu.Unlock()
	turn := limiter.Reserve()
	delay := turn.Delay()
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
		turn.Cancel()
		return context.DeadlineExceeded
	}
	if delay == 0 {
		return ctx.Err()
	}
	if err := b.pause(ctx, delay); err != nil {
		turn.Cancel()
		return err
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// budgetedRetryer sends each attempt within a budget.
type budgetedRetryer struct {
	aws.RetryerV2
	budget *budget
}

// GetAttemptToken implements aws.RetryerV2.
func (r budgetedRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if err := r.budget.wait(ctx, operationOf(ctx)); err != nil {
		return nil, err
	}
	return r.RetryerV2.GetAttemptToken(ctx)
}
