package snapshot

import "time"

// Usage is what IAM's last accessed information says of a role: which services and
// actions were attempted with it, and when. It is not part of a Snapshot: no verdict
// depends on it.
//
// IAM tracks management actions of many services, not every action, and attempts, not
// only successful ones. Recent attempts appear within four hours; IAM keeps at least 400
// days.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
type Usage struct {
	// ReportedAt is when IAM made the report.
	ReportedAt time.Time
	// Services are those that the role's policies allow, by namespace such as ec2.
	Services map[string]ServiceUsage
}

// ServiceUsage is the use of one service.
type ServiceUsage struct {
	// LastUsed is the last attempt of any action, tracked or not; the zero time where
	// there was none in the tracking period.
	LastUsed time.Time
	// Actions are the last attempts of the tracked actions, by name such as
	// DescribeInstances; the zero time where there was none in the tracking period. An
	// action that is not here is not tracked.
	Actions map[string]time.Time
}

// FactUsage is the fact of a Missing entry about a Usage; Subject is the role's ARN. No
// snapshot has such an entry.
const FactUsage Fact = "usage"
