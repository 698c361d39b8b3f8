package aws

import (
	"cmp"
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
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

// eksRate is how many requests to Amazon EKS are sent per second to one region, and
// eksBurst how many at once after a pause, where many clusters are read; oneEKSRate and
// oneEKSBurst are those of each operation where one cluster is. EKS's limits are not published either. Nodes that
// start ask for their cluster, and do not join where EKS throttles them.
// Source: https://github.com/awslabs/amazon-eks-ami/issues/218.
const (
	eksRate  = 5
	eksBurst = 20
	// The usual run on one cluster fits into the burst: it does not wait.
	oneEKSRate  = 10
	oneEKSBurst = 64
)

// organizationsRate is how many requests of one operation of AWS Organizations are sent per
// second where many accounts are read. Its limits are not published, and they are those of
// the whole organization.
const organizationsRate = 5

// A throttled answer halves the rate of its operation, down to a part of what it was; a time
// without one raises it by a part, up to what it was.
const (
	leastPart  = 16
	raisePart  = 10
	raiseAfter = time.Second
)

// budget limits the requests of one account, retries included: those to IAM by operation,
// and those to EKS by region and, where one cluster is read, by operation.
type budget struct {
	many bool // whether many clusters are read
	// sleep waits for a time, or until the context ends, and returns its error then.
	sleep func(context.Context, time.Duration) error

	mu       sync.Mutex
	paces    map[string]*pace
	throttle map[string]int // throttled answers by operation
}

// pace is the rate of some requests.
type pace struct {
	limiter *rate.Limiter
	full    rate.Limit
	changed time.Time
}

// newBudget returns a budget; without Config.Sleep it waits in real time.
func newBudget(cfg Config) *budget {
	b := &budget{many: cfg.Many, sleep: cfg.Sleep, paces: map[string]*pace{}, throttle: map[string]int{}}
	if b.sleep == nil {
		b.sleep = sleep
	}
	return b
}

// paceOf returns the pace of an operation in a region; nil where it has none.
func (b *budget) paceOf(operation, region string) *pace {
	key, perSecond, burst := operation, cmp.Or(iamRates[operation], iamRate), 0
	switch service, _, _ := strings.Cut(operation, ":"); {
	case service == "iam":
		burst = perSecond
	case service == "eks" && b.many:
		key, perSecond, burst = "eks "+region, eksRate, eksBurst
	case service == "organizations" && b.many:
		perSecond, burst = organizationsRate, organizationsRate
	case service == "eks":
		key, perSecond, burst = operation+" "+region, oneEKSRate, oneEKSBurst
	default:
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.paces[key]
	if !ok {
		p = &pace{limiter: rate.NewLimiter(rate.Limit(perSecond), burst), full: rate.Limit(perSecond)}
		b.paces[key] = p
	}
	return p
}

// wait returns when a request for an operation may be sent, or the context's error. What it
// returns takes the error of the request.
func (b *budget) wait(ctx context.Context, operation, region string) (done func(error), err error) {
	p := b.paceOf(operation, region)
	if p != nil {
		if err := b.turn(ctx, p); err != nil {
			return nil, err
		}
	}
	return func(err error) { b.note(p, operation, err, time.Now()) }, nil
}

// turn waits until a request may be sent. It ends early where the wait would be too long.
func (b *budget) turn(ctx context.Context, p *pace) error {
	turn := p.limiter.Reserve()
	delay := turn.Delay()
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
		turn.Cancel()
		return context.DeadlineExceeded
	}
	if delay == 0 {
		return ctx.Err()
	}
	if err := b.sleep(ctx, delay); err != nil {
		turn.Cancel()
		return err
	}
	return nil
}

// ready reports whether a cluster of a region can be read without a wait: whether half of the
// burst is left of EKS in the region, which is about what a cluster takes, and of each operation
// of IAM.
func (b *budget) ready(region string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, p := range b.paces {
		service, rest, _ := strings.Cut(key, " ")
		if (service == "eks" && rest == region || strings.HasPrefix(service, "iam:")) && p.limiter.Tokens() < float64(p.limiter.Burst())/2 {
			return false
		}
	}
	return true
}

// note takes the answer to a request: what is throttled slows its operation down.
func (b *budget) note(p *pace, operation string, err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	throttled := err != nil && throttles.IsErrorThrottle(err) == aws.TrueTernary
	if throttled {
		b.throttle[operation]++
	}
	switch {
	case p == nil:
	case throttled:
		p.limiter.SetLimit(max(p.limiter.Limit()/2, p.full/leastPart))
		p.changed = now
	case p.limiter.Limit() < p.full && now.Sub(p.changed) >= raiseAfter:
		p.limiter.SetLimit(min(p.limiter.Limit()+p.full/raisePart, p.full))
		p.changed = now
	}
}

// throttles reports whether an answer is throttled.
var throttles = retry.IsErrorThrottles(retry.DefaultThrottles)

// throttled returns how many answers were throttled so far, by operation.
func (b *budget) throttled() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.throttle)
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
	done, err := r.budget.wait(ctx, operationOf(ctx), awsmiddleware.GetRegion(ctx))
	if err != nil {
		return nil, err
	}
	release, err := r.RetryerV2.GetAttemptToken(ctx)
	if err != nil {
		return nil, err
	}
	return func(err error) error {
		done(err)
		return release(err)
	}, nil
}
