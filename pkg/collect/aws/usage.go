package aws

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

var _ collect.UsageAWS = (*Client)(nil)

// lastAccessed is the calls of IAM for last accessed information.
type lastAccessed interface {
	GenerateServiceLastAccessedDetails(context.Context, *iam.GenerateServiceLastAccessedDetailsInput, ...func(*iam.Options)) (*iam.GenerateServiceLastAccessedDetailsOutput, error)
	GetServiceLastAccessedDetails(context.Context, *iam.GetServiceLastAccessedDetailsInput, ...func(*iam.Options)) (*iam.GetServiceLastAccessedDetailsOutput, error)
}

// The pauses between questions whether a report is ready: most are in a few seconds. A
// report of a role with many services takes longer.
const (
	firstReportPause = 250 * time.Millisecond
	maxReportPause   = 5 * time.Second
)

// usagePage is how many services a page has: the most that IAM gives.
const usagePage = 1000

const getLastAccessed = "iam:GetServiceLastAccessedDetails"

// Usage returns IAM's last accessed information about a role, with actions. It asks IAM to
// make a report and waits until it is made.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed-view-data.html
func (c *Client) Usage(ctx context.Context, roleARN string) (snapshot.Usage, error) {
	job, err := call(ctx, c, "iam:GenerateServiceLastAccessedDetails", func(ctx context.Context) (*iam.GenerateServiceLastAccessedDetailsOutput, error) {
		return c.iam.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{
			Arn: &roleARN, Granularity: iamtypes.AccessAdvisorUsageGranularityTypeActionLevel,
		})
	})
	if err != nil {
		return snapshot.Usage{}, err
	}
	page, err := c.awaitReport(ctx, aws.ToString(job.JobId))
	if err != nil {
		return snapshot.Usage{}, err
	}
	if _, err := present(getLastAccessed, page.JobCompletionDate); err != nil {
		return snapshot.Usage{}, err
	}
	usage := snapshot.Usage{ReportedAt: utc(page.JobCompletionDate), Services: map[string]snapshot.ServiceUsage{}}
	var tokens collect.PageTokens
	for {
		for i := range page.ServicesLastAccessed {
			s := &page.ServicesLastAccessed[i]
			usage.Services[aws.ToString(s.ServiceNamespace)] = serviceUsage(s)
		}
		marker, more := byMarker(page.IsTruncated, page.Marker)
		if !more {
			return usage, nil
		}
		if err := tokens.Next(marker); err != nil {
			return snapshot.Usage{}, &collect.CallError{Operation: getLastAccessed, Message: err.Error(), Err: err}
		}
		if page, err = c.reportPage(ctx, aws.ToString(job.JobId), &marker); err != nil {
			return snapshot.Usage{}, err
		}
	}
}

// reportPage returns one page of a report, or what became of it.
func (c *Client) reportPage(ctx context.Context, job string, marker *string) (*iam.GetServiceLastAccessedDetailsOutput, error) {
	return call(ctx, c, getLastAccessed, func(ctx context.Context) (*iam.GetServiceLastAccessedDetailsOutput, error) {
		return c.iam.GetServiceLastAccessedDetails(ctx, &iam.GetServiceLastAccessedDetailsInput{JobId: &job, Marker: marker, MaxItems: aws.Int32(usagePage)})
	})
}

// awaitReport returns the first page of a report once it is made. It waits no longer than
// an operation may take.
func (c *Client) awaitReport(ctx context.Context, job string) (*iam.GetServiceLastAccessedDetailsOutput, error) {
	limit := time.Now().Add(c.at.timeout)
	for pause := firstReportPause; ; pause = min(2*pause, maxReportPause) {
		page, err := c.reportPage(ctx, job, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case page.JobStatus == iamtypes.JobStatusTypeCompleted:
			return page, nil
		case page.JobStatus == iamtypes.JobStatusTypeFailed:
			return nil, reportFailed(page.Error)
		case time.Now().Add(pause).After(limit):
			err := errors.New("IAM did not finish the report within " + c.at.timeout.String())
			return nil, &collect.CallError{Operation: getLastAccessed, Message: err.Error(), Err: err}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reportFailed is the error of a report that IAM could not make.
func reportFailed(details *iamtypes.ErrorDetails) error {
	message := "IAM could not make the report"
	if details != nil {
		message = collect.OneLine(message + ": " + aws.ToString(details.Code) + ": " + aws.ToString(details.Message))
	}
	return &collect.CallError{Operation: getLastAccessed, Message: message, Err: errors.New(message)}
}

func serviceUsage(s *iamtypes.ServiceLastAccessed) snapshot.ServiceUsage {
	use := snapshot.ServiceUsage{LastUsed: utc(s.LastAuthenticated)}
	for i := range s.TrackedActionsLastAccessed {
		a := &s.TrackedActionsLastAccessed[i]
		if use.Actions == nil {
			use.Actions = map[string]time.Time{}
		}
		name := aws.ToString(a.ActionName)
		use.Actions[name[strings.LastIndexByte(name, ':')+1:]] = utc(a.LastAccessedTime)
	}
	return use
}
