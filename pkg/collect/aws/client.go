// Package aws reads and writes the AWS APIs. A Client reads what the snapshot of a
// cluster needs. Changes also applies the changes of repairs, and nothing else writes.
// The package wraps the AWS SDK: standard configuration and credentials, adaptive
// retries, time limits, a bound on calls in flight, a check that every answer has the
// shape of its operation, and errors that a person can act on.
package aws

import (
	"context"
	"maps"
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

// callsInFlight bounds the calls in flight to EKS and to IAM, whose limits are low and
// shared by the whole account. The largest level of a usual cluster fits in.
const callsInFlight = 20

// Client reads from AWS as one caller in one region. It implements collect.AWS
// and locate.API, answers ListClusters, clusters and the caller's account from
// memory where they were asked for before, and may be used concurrently.
type Client struct {
	eks EKS
	iam IAM
	ec2 EC2
	sts STS

	autoscaling   AutoScaling
	ecr           ECR
	organizations Organizations

	loaded   aws.Config // what clients of other regions are made from
	settings Config

	region  string
	profile string // for messages: what to log in to
	timeout time.Duration
	slots   map[string]chan struct{} // by service: calls in flight

	clusterNames collect.Memo[[]string]
	clusters     collect.Memo[*ekstypes.Cluster]
	account      collect.Memo[string]

	answered atomic.Bool // whether AWS has answered anything yet

	mu    sync.Mutex // guards what follows
	calls map[string]int
	down  map[string]unreachable // services that cannot be reached
}

// The interfaces that a Client must satisfy.
var (
	_ collect.AWS = (*Client)(nil)
	_ locate.API  = (*Client)(nil)
)

// New loads the standard AWS configuration, overlaid with cfg, and returns a
// client for it. It returns a *problem.Error where the user can solve the
// problem: no region, no such profile. Credentials are looked for by the first
// call.
func New(ctx context.Context, cfg Config) (*Client, error) {
	c := &Client{
		timeout: operationTimeout,
		slots: map[string]chan struct{}{
			"eks": make(chan struct{}, callsInFlight),
			"iam": make(chan struct{}, callsInFlight),
			"ec2": make(chan struct{}, 5),
			"sts": make(chan struct{}, 2),

			"autoscaling":   make(chan struct{}, 5),
			"ecr":           make(chan struct{}, 5),
			"organizations": make(chan struct{}, 2),
		},
		calls: map[string]int{},
		down:  map[string]unreachable{},
	}
	loaded, err := load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	loaded.APIOptions = append(loaded.APIOptions, userAgent, c.countCalls)
	c.loaded, c.settings = loaded, cfg
	c.region = loaded.Region
	c.profile = cfg.profile()
	c.eks = newEKS(loaded, cfg)
	c.iam = (*iamCalls)(iam.NewFromConfig(loaded, func(o *iam.Options) { override(&o.BaseEndpoint, cfg.endpoint("IAM")) }))
	c.ec2 = (*ec2Calls)(ec2.NewFromConfig(loaded, func(o *ec2.Options) { override(&o.BaseEndpoint, cfg.endpoint("EC2")) }))
	c.autoscaling = (*autoscalingCalls)(autoscaling.NewFromConfig(loaded, func(o *autoscaling.Options) { override(&o.BaseEndpoint, cfg.endpoint("AUTO_SCALING")) }))
	c.ecr = (*ecrCalls)(ecr.NewFromConfig(loaded, func(o *ecr.Options) { override(&o.BaseEndpoint, cfg.endpoint("ECR")) }))
	c.organizations = (*organizationsCalls)(organizations.NewFromConfig(loaded, func(o *organizations.Options) { override(&o.BaseEndpoint, cfg.endpoint("ORGANIZATIONS")) }))
	c.sts = (*stsCalls)(sts.NewFromConfig(loaded, func(o *sts.Options) { override(&o.BaseEndpoint, cfg.endpoint("STS")) }))
	return c, nil
}

func newEKS(loaded aws.Config, cfg Config) *eksCalls {
	return (*eksCalls)(eks.NewFromConfig(loaded, func(o *eks.Options) { override(&o.BaseEndpoint, cfg.endpoint("EKS")) }))
}

// InRegion returns a client for the EKS clusters of another region. It has the same
// credentials, its calls are bounded and counted together with those of c.
func (c *Client) InRegion(region string) collect.Clusters {
	loaded := c.loaded.Copy()
	loaded.Region = region
	r := &Client{
		eks: newEKS(loaded, c.settings), region: region, profile: c.profile, timeout: c.timeout, slots: c.slots,
		calls: map[string]int{}, down: map[string]unreachable{},
	}
	r.answered.Store(true) // a region that gives no answer is not all of AWS
	return r
}

func override(to **string, value string) {
	if value != "" {
		*to = aws.String(value)
	}
}

// Region returns the region that the client reads.
func (c *Client) Region() string { return c.region }

// Calls returns how many requests were sent so far, by operation such as
// iam:GetRole. A retried request counts again.
func (c *Client) Calls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

// call makes one call within the limits and explains its error.
func call[Out any](ctx context.Context, c *Client, operation string, do func(context.Context) (Out, error)) (Out, error) {
	var none Out
	defer collect.Wait(ctx, func() string { return operation })()
	service, _, _ := strings.Cut(operation, ":")
	select {
	case c.slots[service] <- struct{}{}:
		defer func() { <-c.slots[service] }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if why, down := c.isUnreachable(service); down {
		return none, c.unreachable(operation, why)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := do(limited)
	if err != nil {
		return none, c.explain(ctx, operation, err)
	}
	c.answered.Store(true)
	return out, nil
}

// paginator is what the SDK's paginators have in common.
type paginator[Out, Options any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Options)) (*Out, error)
}

// pages calls each for every page of a list. It returns the token of the next page,
// and whether there is one; see byToken and byMarker.
func pages[Out, Options any](ctx context.Context, c *Client, operation string, p paginator[Out, Options], each func(*Out) (token string, more bool)) error {
	var tokens collect.PageTokens
	for {
		page, err := call(ctx, c, operation, func(ctx context.Context) (*Out, error) { return p.NextPage(ctx) })
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

func (c *Client) isUnreachable(service string) (unreachable, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	why, down := c.down[service]
	return why, down
}
