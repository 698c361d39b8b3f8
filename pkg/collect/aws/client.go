// Package aws reads and writes the AWS APIs. A Client reads what the snapshot of a
// cluster needs, in one region and with the credentials of an Account. Changes also applies the changes of repairs, and nothing else writes.
// The package wraps the AWS SDK: standard configuration and credentials, adaptive
// retries, time limits, a bound on calls in flight, a check that every answer has the
// shape of its operation, and errors that a person can act on.
package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
)

// operationTimeout ends one operation, pauses between retries included. It is
// far above what AWS needs, so that throttling has time to pass.
const operationTimeout = 2 * time.Minute

// callsInFlight bounds the calls in flight of each operation of EKS and IAM; where many clusters
// are read, those to EKS. The largest level of a usual cluster fits in.
const callsInFlight = 20

// otherCallsInFlight are the bounds of the calls in flight to services of which less is
// asked.
var otherCallsInFlight = map[string]int{"ec2": 5, "sts": 2, "autoscaling": 5, "ecr": 5, "organizations": 2}

// Account is one caller's credentials: IAM and STS, which answer the same in every region,
// and what the calls to all regions share: the budget of requests, the bound on calls in
// flight and the count of calls. It answers the caller's account from memory where it was
// asked for before, and may be used concurrently.
type Account struct {
	iam IAM
	sts STS

	base     aws.Config // as it was loaded
	loaded   aws.Config // what the clients of regions are made from
	settings Config
	limits   *limits
	budget   *budget
	// home is where IAM and STS are called, and the cluster of a run with one cluster.
	home *site

	id collect.Memo[string]

	mu      sync.Mutex // guards what follows
	calls   map[string]int
	regions map[string]*Client
}

// Client reads the clusters of one region, with the credentials of its Account. It
// implements collect.AWS and locate.API, answers ListClusters and clusters from memory
// where they were asked for before, and may be used concurrently.
type Client struct {
	*Account
	at *site

	eks           EKS
	ec2           EC2
	autoscaling   AutoScaling
	ecr           ECR
	organizations Organizations

	clusterNames collect.Memo[[]string]
	clusters     collect.Memo[*ekstypes.Cluster]
}

// limits are what all calls of an account share.
type limits struct {
	profile string // for messages: what to log in to
	many    bool   // see Config.Many
	timeout time.Duration

	slotsMu sync.Mutex
	slots   map[string]chan struct{} // calls in flight; see slotsOf
}

// slotsOf returns what the calls in flight of an operation take a place in: that of its
// service, and that of the operation where every operation has a budget of its own: calls that
// wait for theirs would keep the others from using theirs.
func (l *limits) slotsOf(operation string) chan struct{} {
	key, _, _ := strings.Cut(operation, ":")
	bound := cmp.Or(otherCallsInFlight[key], callsInFlight)
	if key == "iam" || key == "eks" && !l.many {
		key = operation
	}
	l.slotsMu.Lock()
	defer l.slotsMu.Unlock()
	if l.slots[key] == nil {
		l.slots[key] = make(chan struct{}, bound)
	}
	return l.slots[key]
}

// site is the region that calls go to, and what is known of how it answers.
type site struct {
	*limits
	region   string
	answered atomic.Bool // whether AWS has answered anything yet

	mu   sync.Mutex
	down map[string]unreachable // services that cannot be reached
}

// caller is an Account or a Client, which make calls.
type caller interface{ where() *site }

func (a *Account) where() *site { return a.home }
func (c *Client) where() *site  { return c.at }

// The interfaces that a Client must satisfy.
var (
	_ collect.AWS = (*Client)(nil)
	_ locate.API  = (*Client)(nil)
)

// New is NewAccount and its client for the region of the configuration.
func New(ctx context.Context, cfg Config) (*Client, error) {
	a, err := NewAccount(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return a.In(a.home.region), nil
}

// NewAccount loads the standard AWS configuration, overlaid with cfg. It returns a
// *problem.Error where the user can solve the problem: no region, no such profile.
// Credentials are looked for by the first call.
func NewAccount(ctx context.Context, cfg Config) (*Account, error) {
	shared := newBudget(cfg)
	loaded, err := load(ctx, cfg, shared)
	if err != nil {
		return nil, err
	}
	return newAccount(loaded, cfg, shared), nil
}

// newAccount returns the account of a configuration that was loaded.
func newAccount(loaded aws.Config, cfg Config, shared *budget) *Account {
	a := &Account{
		limits:  &limits{profile: cfg.profile(), many: cfg.Many, timeout: operationTimeout, slots: map[string]chan struct{}{}},
		budget:  shared,
		calls:   map[string]int{},
		regions: map[string]*Client{},
	}
	a.base = loaded
	loaded.APIOptions = append(slices.Clone(loaded.APIOptions), userAgent, a.countCalls)
	a.loaded, a.settings = loaded, cfg
	a.home = a.site(loaded.Region)
	a.iam = (*iamCalls)(iam.NewFromConfig(loaded, func(o *iam.Options) { override(&o.BaseEndpoint, cfg.endpoint("IAM")) }))
	a.sts = (*stsCalls)(sts.NewFromConfig(loaded, func(o *sts.Options) { override(&o.BaseEndpoint, cfg.endpoint("STS")) }))
	return a
}

// Home returns the region of the configuration, where IAM and STS are called.
func (a *Account) Home() string { return a.home.region }

func (a *Account) site(region string) *site {
	return &site{limits: a.limits, region: region, down: map[string]unreachable{}}
}

// In returns the client for the clusters of a region: always the same one, so that nothing
// is asked twice.
func (a *Account) In(region string) *Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.regions[region]; ok {
		return c
	}
	at := a.home
	if region != at.region {
		at = a.site(region)
		at.answered.Store(true) // a region that gives no answer is not all of AWS
	}
	loaded, cfg := a.loaded.Copy(), a.settings
	loaded.Region = region
	c := &Client{
		Account: a, at: at,
		eks:           (*eksCalls)(eks.NewFromConfig(loaded, func(o *eks.Options) { override(&o.BaseEndpoint, cfg.endpoint("EKS")) })),
		ec2:           (*ec2Calls)(ec2.NewFromConfig(loaded, func(o *ec2.Options) { override(&o.BaseEndpoint, cfg.endpoint("EC2")) })),
		autoscaling:   (*autoscalingCalls)(autoscaling.NewFromConfig(loaded, func(o *autoscaling.Options) { override(&o.BaseEndpoint, cfg.endpoint("AUTO_SCALING")) })),
		ecr:           (*ecrCalls)(ecr.NewFromConfig(loaded, func(o *ecr.Options) { override(&o.BaseEndpoint, cfg.endpoint("ECR")) })),
		organizations: (*organizationsCalls)(organizations.NewFromConfig(loaded, func(o *organizations.Options) { override(&o.BaseEndpoint, cfg.endpoint("ORGANIZATIONS")) })),
	}
	a.regions[region] = c
	return c
}

// InRegion returns what reads the EKS clusters of another region: In, as collect asks for
// it.
func (c *Client) InRegion(region string) collect.Clusters { return c.In(region) }

func override(to **string, value string) {
	if value != "" {
		*to = aws.String(value)
	}
}

// Region returns the region that the client reads.
func (c *Client) Region() string { return c.at.region }

// Calls returns how many requests were sent so far, by operation such as
// iam:GetRole. A retried request counts again.
func (a *Account) Calls() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.calls)
}

// Throttled returns how many answers so far said that there were too many requests, by
// operation.
func (a *Account) Throttled() map[string]int { return a.budget.throttled() }

// call makes one call within the limits and explains its error.
func call[Out any](ctx context.Context, by caller, operation string, do func(context.Context) (Out, error)) (Out, error) {
	var none Out
	at := by.where()
	defer collect.Wait(ctx, func() string { return operation })()
	service, _, _ := strings.Cut(operation, ":")
	slots := at.slotsOf(operation)
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if why, down := at.isUnreachable(service); down {
		return none, at.unreachable(operation, why)
	}
	limited, cancel := context.WithTimeout(ctx, at.timeout)
	defer cancel()
	out, err := do(limited)
	if err != nil {
		return none, at.explain(ctx, operation, err)
	}
	at.answered.Store(true)
	return out, nil
}

// paginator is what the SDK's paginators have in common.
type paginator[Out, Options any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Options)) (*Out, error)
}

// pages calls each for every page of a list. It returns the token of the next page,
// and whether there is one; see byToken and byMarker.
func pages[Out, Options any](ctx context.Context, by caller, operation string, p paginator[Out, Options], each func(*Out) (token string, more bool)) error {
	var tokens collect.PageTokens
	for {
		page, err := call(ctx, by, operation, func(ctx context.Context) (*Out, error) { return p.NextPage(ctx) })
		if err != nil {
			return err
		}
		token, more := each(page)
		if !more {
			return nil
		}
		if err := tokens.Next(token); err != nil {
			return &collect.CallError{Operation: operation, Message: err.Error(), Err: err}
		}
	}
}

// byToken is the next page of the services whose last page has no token.
func byToken(token *string) (string, bool) { return aws.ToString(token), aws.ToString(token) != "" }

// byMarker is the next page of IAM, which says by a flag of its own whether there is one.
func byMarker(truncated bool, marker *string) (string, bool) { return aws.ToString(marker), truncated }

func (s *site) isUnreachable(service string) (unreachable, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	why, down := s.down[service]
	return why, down
}
