package snapshot

import "time"

// Account is the facts about the roles of an account that may serve nodes, with
// what the EKS clusters of one region use roles for.
type Account struct {
	// Snapshot holds every role of the account with its trust policy, and the rest
	// of those that were looked at closely. Its Cluster is the one that is judged
	// for, named * for any cluster of the region; its node classes are that one's,
	// where they were read. What could not be read of a role is under its Missing.
	Snapshot *Snapshot
	// Clusters are what the region's clusters use roles for, by name.
	Clusters map[string]ClusterRoles
	// NodePolicies are the names of the roles that AWS's managed policies for nodes are
	// attached to, by the policy's ARN.
	NodePolicies map[string][]string
	// LastUsed is when the roles that were looked at closely were last used, by
	// ARN; the zero time where IAM has seen no use.
	LastUsed map[string]time.Time
	// Unread is what keeps roles or uses of them from being known at all.
	Unread []Missing
}

// ClusterRoles are the roles that an EKS cluster uses, as ARNs.
type ClusterRoles struct {
	// Cluster is the cluster role; AutoMode the node role of EKS Auto Mode's
	// built-in node pools, empty for none.
	Cluster, AutoMode string
	// NodeGroups and FargateProfiles are the node roles and pod execution roles, by
	// the name of what uses them.
	NodeGroups, FargateProfiles map[string]string
}
