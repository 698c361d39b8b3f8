package awsproxy

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// TestUsage: the SDK reads a report in progress, its pages, and services and actions with
// and without an attempt.
func TestUsage(t *testing.T) {
	g := newRig(t, Cluster{})
	client := iam.NewFromConfig(aws.Config{Region: "eu-west-1", BaseEndpoint: &g.proxy.URL, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "")})
	last := time.Date(2026, 5, 31, 8, 0, 0, 0, time.UTC)
	g.proxy.SetUsage(role, last.AddDate(0, 0, 1), map[string]ServiceUse{
		"ec2": {LastUsed: last, Actions: map[string]time.Time{"DescribeInstances": last, "StopInstances": {}}}, "ecr": {LastUsed: last}, "s3": {},
	})
	if _, err := client.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(otherRole)}); err == nil {
		t.Error("a role that is not there has a report")
	}
	job, err := client.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(role), Granularity: iamtypes.AccessAdvisorUsageGranularityTypeActionLevel})
	if err != nil {
		t.Fatal(err)
	}
	get := func(marker *string) *iam.GetServiceLastAccessedDetailsOutput {
		t.Helper()
		out, err := client.GetServiceLastAccessedDetails(ctx, &iam.GetServiceLastAccessedDetailsInput{JobId: job.JobId, Marker: marker})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := get(nil); out.JobStatus != iamtypes.JobStatusTypeInProgress || out.JobCompletionDate != nil {
		t.Errorf("%+v", out)
	}
	first := get(nil)
	if first.JobStatus != iamtypes.JobStatusTypeCompleted || !first.IsTruncated || len(first.ServicesLastAccessed) != 2 {
		t.Fatalf("%+v", first)
	}
	ec2 := first.ServicesLastAccessed[0]
	if !ec2.LastAuthenticated.Equal(last) || len(ec2.TrackedActionsLastAccessed) != 2 || ec2.TrackedActionsLastAccessed[1].LastAccessedTime != nil || !ec2.TrackedActionsLastAccessed[0].LastAccessedTime.Equal(last) {
		t.Errorf("%+v", ec2)
	}
	rest := get(first.Marker)
	if rest.IsTruncated || len(rest.ServicesLastAccessed) != 1 || rest.ServicesLastAccessed[0].LastAuthenticated != nil {
		t.Errorf("%+v", rest)
	}
}
