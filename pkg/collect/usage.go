package collect

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// UsageAWS is the calls that ReadUsage makes. Errors are as in AWS.
type UsageAWS interface {
	// Usage returns IAM's last accessed information about a role, by its ARN.
	Usage(ctx context.Context, roleARN string) (snapshot.Usage, error)
}

// reportsAtOnce is how many reports are asked of IAM at once.
const reportsAtOnce = 5

// ReadUsage reads IAM's last accessed information about roles, by ARN. What could not be
// read of a role is missing; any other error ends the run.
func ReadUsage(ctx context.Context, api UsageAWS, roles []string, progress func(Event)) (map[string]snapshot.Usage, []snapshot.Missing, error) {
	found, unread := map[string]snapshot.Usage{}, make([]*CallError, len(roles))
	var mu sync.Mutex
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reportsAtOnce)
	for i, arn := range roles {
		group.Go(func() error {
			usage, err := api.Usage(ctx, arn)
			mu.Lock()
			defer mu.Unlock()
			done++
			if progress != nil {
				progress(Event{What: "use of role " + snapshot.NameOf(arn), Done: done, Total: len(roles)})
			}
			if errors.As(err, &unread[i]) {
				return nil
			}
			if err == nil {
				found[arn] = usage
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var missing []snapshot.Missing
	for i, arn := range roles {
		if call := unread[i]; call != nil {
			missing = append(missing, snapshot.Missing{
				Fact: snapshot.FactUsage, Subject: arn, Operation: call.Operation, Permission: call.Permission, Error: call.Message,
			})
		}
	}
	return found, missing, nil
}
