package finding

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
)

// APIVersion and ReportKind identify the report's format.
const (
	APIVersion = "noderole.dev/v1alpha1"
	ReportKind = "Report"
)

// Result is one rule's verdict on one subject. Rules give a result for every
// subject they looked at, so that a clean report shows what was checked.
type Result struct {
	// ID and Rule are the rule's stable id and name.
	ID       string   `json:"id"`
	Rule     string   `json:"rule"`
	Status   Status   `json:"status"`
	Severity Severity `json:"severity"`
	Concern  Concern  `json:"concern,omitempty"`
	Subject  Subject  `json:"subject"`
	// Clusters are those that the result of a rule about several clusters is about.
	Clusters []ClusterRef `json:"clusters,omitempty"`
	// Message is one sentence, subject first.
	Message string `json:"message"`
	// Evidence is what the verdict rests on, a line each: the policy and
	// statement, the node group, the pod, or for unknown the call that failed.
	Evidence []string `json:"evidence,omitempty"`
	// Impact says what happens if a failure is left.
	Impact string `json:"impact,omitempty"`
	// Next is what to do, in order.
	Next []Next `json:"next,omitempty"`
	// Causes are the results that explain this one. What only follows from other results
	// has no Next of its own, and is shown under its cause; see Under.
	Causes []Ref `json:"causes,omitempty"`
	// Symptoms are what the result reports of other failures; see Causes.
	Symptoms []Symptom `json:"-"`
	// WrongRoles are roles, by ARN, that nodes are not to hold. What else fails of them
	// follows from this result: it ends when the nodes hold another role.
	WrongRoles []string `json:"-"`
	// NotOfRole is set where the result about a role is not about what it allows or trusts:
	// nodes with a role of their own would have it too.
	NotOfRole bool `json:"-"`
	// Denied are the actions that the result says are denied; see Symptom.Action.
	Denied []string `json:"-"`
	// Repair is the kind of repair that fix has for a failure of the rule; empty for none.
	Repair Repair `json:"repair,omitempty"`
	// Joining is the rule's place in the order in which a starting node meets the rules; 0
	// for a rule that keeps no node from joining.
	Joining int `json:"-"`
	// NoRepair says why fix has none.
	NoRepair string `json:"-"`
	// Exception is a team's decision to live with this failure.
	Exception *Exception `json:"exception,omitempty"`
	// Known is set where the failure was already in the baseline.
	Known bool `json:"known,omitempty"`
	// Place is where infrastructure code declares the subject; nil where it does not.
	Place *Place `json:"place,omitempty"`
}

// ClusterRef names a cluster.
type ClusterRef struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

// Place is where infrastructure code declares something.
type Place struct {
	// Address is the code's own name, such as module.eks.aws_iam_role.node[0].
	Address string `json:"address"`
	// File and Line are where its block begins; empty and 0 where that is not known.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// String returns the address and, where they are known, file and line.
func (p Place) String() string {
	if p.File == "" {
		return p.Address
	}
	return fmt.Sprintf("%s (%s:%d)", p.Address, p.File, p.Line)
}

// Ref names a result.
type Ref struct {
	ID      string  `json:"id"`
	Subject Subject `json:"subject"`
}

// Ref returns the name of the result.
func (r Result) Ref() Ref { return Ref{ID: r.ID, Subject: r.Subject} }

// Exception is a decision to live with a failure until a day.
type Exception struct {
	Reason string `json:"reason"`
	// Expires is the last day on which it holds, as YYYY-MM-DD; empty is never.
	Expires string `json:"expires,omitempty"`
	// Expired is set where that day is over: the failure counts again, as an error.
	Expired bool `json:"expired,omitempty"`
	// Source is the file, and the line, that says so.
	Source string `json:"source"`
}

// Excepted reports whether the result does not count: an exception holds, or the
// baseline has it.
func (r Result) Excepted() bool {
	return r.Known || r.Exception != nil && !r.Exception.Expired
}

// Report is what `check` found out about one cluster. It is a versioned object:
// fields are added, never changed, within a version.
type Report struct {
	Header `json:",inline"`

	Cluster ClusterInfo `json:"cluster"`
	// Facts says which facts were judged, and how.
	Facts Facts `json:"facts,omitzero"`
	// NodeRoles has a row for each role that a node of the cluster can hold.
	NodeRoles []RoleRow   `json:"nodeRoles"`
	AWSNode   AWSNodeInfo `json:"awsNode"`
	// ClusterRole is the row of the cluster's own role; nil where it was not read.
	ClusterRole *RoleRow `json:"clusterRole,omitempty"`
	// IAM is what the verdicts about permissions rest on: roles, policies, statements.
	IAM IAM `json:"iam,omitzero"`
	// WhyNotJoining is set where the report has only what may keep nodes from joining,
	// in the order in which a node meets it.
	WhyNotJoining bool `json:"whyNotJoining,omitempty"`
	// NarrowedBy are the flags of check because of which the report has only a part of the
	// results.
	NarrowedBy []string `json:"narrowedBy,omitempty"`
	// Results are in the order of Sort.
	Results []Result `json:"results"`
	Summary Summary  `json:"summary"`
	// NotEvaluated is, in words, what could change a verdict about permissions and is
	// never read, and which rules the team switched off.
	NotEvaluated []string `json:"notEvaluated,omitempty"`
	// Derived says, a clause each, which facts were not read but follow from what AWS does.
	Derived []string `json:"derived,omitempty"`
	// Missing is what could not be read.
	Missing []Missing `json:"missing,omitempty"`
}

// ClusterInfo is the report's first line.
type ClusterInfo struct {
	Name               string `json:"name"`
	ARN                string `json:"arn"`
	Region             string `json:"region"`
	Account            string `json:"account"`
	Version            string `json:"version,omitempty"`
	IPFamily           string `json:"ipFamily,omitempty"`
	AuthenticationMode string `json:"authenticationMode,omitempty"`
	RoleARN            string `json:"roleArn,omitempty"`
}

// Facts describes when the facts of a report were collected, and how they were judged.
type Facts struct {
	// CollectedAt is when reading them began, RFC 3339 in UTC; empty where a file does not say.
	CollectedAt string `json:"collectedAt,omitempty"`
	// CollectedBy and JudgedBy are a program and its version.
	CollectedBy string `json:"collectedBy,omitempty"`
	JudgedBy    string `json:"judgedBy,omitempty"`
	// CNIVersion is the vpc-cni version that was judged in place of the one that runs.
	CNIVersion string `json:"cniVersion,omitempty"`
}

// RoleRow is a node role with a verdict for each concern.
type RoleRow struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// Sources are what gives nodes this role.
	Sources []Source `json:"sources"`
	// Verdicts has the worst verdict of each concern that was judged.
	Verdicts map[Concern]Verdict `json:"verdicts"`
}

// SourceCluster is the kind of the only source of ClusterRole.
const SourceCluster = "cluster"

// Source is something that gives nodes a role.
type Source struct {
	// Kind is a phrase such as "node group" or "self-managed node".
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Nodes is how many nodes of it have joined.
	Nodes int `json:"nodes"`
}

// Verdict is the worst result of a concern: a status, and for a failure its severity.
type Verdict struct {
	Status   Status   `json:"status"`
	Severity Severity `json:"severity,omitempty"`
	// Excepted is set where every failure of the concern is excepted or in the baseline.
	Excepted bool `json:"excepted,omitempty"`
}

// AWSNodeInfo describes whose credentials aws-node uses.
type AWSNodeInfo struct {
	// Identity is IRSA, PodIdentity, NodeRole, None (no aws-node) or Unknown.
	Identity string `json:"identity"`
	// RoleARN is set for IRSA and PodIdentity.
	RoleARN string `json:"roleArn,omitempty"`
	// Text is one line for people.
	Text string `json:"text"`
	// Verdicts has the worst verdict of each concern that was judged of aws-node.
	Verdicts map[Concern]Verdict `json:"verdicts,omitempty"`
}

// Summary counts the results.
type Summary struct {
	Errors        int `json:"errors"`
	Warnings      int `json:"warnings"`
	Infos         int `json:"infos"`
	Depends       int `json:"depends"`
	Unknown       int `json:"unknown"`
	Passed        int `json:"passed"`
	NotApplicable int `json:"notApplicable"`
	// Explained counts results that only follow from another one and are shown under it.
	// They do not count above.
	Explained int `json:"explained,omitempty"`
	// Excepted and Known count failures that do not count above, as an exception holds
	// or the baseline has them.
	Excepted int `json:"excepted,omitempty"`
	Known    int `json:"known,omitempty"`
}

// Missing is a fact that could not be read, and what would make it readable.
type Missing struct {
	Fact       string `json:"fact"`
	Subject    string `json:"subject,omitempty"`
	Operation  string `json:"operation"`
	Permission string `json:"permission,omitempty"`
	Error      string `json:"error"`
	// Until is apply for a fact of infrastructure code that is known when the code has
	// been applied.
	Until string `json:"until,omitempty"`
}

// Summarize counts results by Weight and, where they have none, by status. What is
// shown under its cause counts as Explained alone.
func Summarize(results []Result) Summary {
	var s Summary
	under := Under(results)
	for i, r := range results {
		switch weight := r.Weight(); {
		case under[i] >= 0:
			s.Explained++
		case r.Failed() && r.Known:
			s.Known++
		case r.Failed() && weight == "":
			s.Excepted++
		case r.Status == Depends && weight == Warning:
			s.Depends++
		case weight == Error:
			s.Errors++
		case weight == Warning:
			s.Warnings++
		case weight == Info:
			s.Infos++
		case r.Status == Unknown:
			s.Unknown++
		case r.Status == Pass:
			s.Passed++
		case r.Status == NotApplicable:
			s.NotApplicable++
		}
	}
	return s
}

// Recount brings the order of the results, summary and verdicts up to the exceptions
// and severities in the results.
func (r *Report) Recount() {
	r.Sort()
	r.Summary = Summarize(r.Results)
	var ofClusterRole, ofAWSNode []*Result
	ofRole := map[string][]*Result{} // by ARN
	for i := range r.Results {
		res := &r.Results[i]
		switch {
		case !res.Failed():
			continue
		case res.Subject.Kind == SubjectClusterRole:
			ofClusterRole = append(ofClusterRole, res)
			continue
		case res.Subject.Kind == SubjectAWSNode:
			ofAWSNode = append(ofAWSNode, res)
		}
		ofRole[res.Subject.ARN] = append(ofRole[res.Subject.ARN], res)
	}
	for _, row := range r.NodeRoles {
		recountVerdicts(row.Verdicts, ofRole[row.ARN])
	}
	if r.ClusterRole != nil {
		recountVerdicts(r.ClusterRole.Verdicts, ofClusterRole)
	}
	recountVerdicts(r.AWSNode.Verdicts, ofAWSNode)
}

// recountVerdicts brings the verdicts on some subjects up to the failures about them.
func recountVerdicts(verdicts map[Concern]Verdict, failures []*Result) {
	for concern, v := range verdicts {
		worst, excepted, at := Verdict{}, false, 0
		for _, res := range failures {
			if res.Concern != concern {
				continue
			}
			if res.Excepted() {
				excepted = true
			} else if worst.Status == "" || place(*res) < at {
				worst, at = Verdict{Status: res.Status}, place(*res)
				if res.Status == Fail {
					worst.Severity = res.Severity
				}
			}
		}
		switch {
		case worst.Status != "":
			verdicts[concern] = worst
		case excepted:
			v.Excepted = true
			verdicts[concern] = v
		}
	}
}

// Worst returns the rank of the result with the greatest Weight; 0 for none.
func (r *Report) Worst() int {
	worst := 0
	for _, res := range r.Results {
		worst = max(worst, res.Weight().Rank())
	}
	return worst
}

// Complete reports whether every fact was read and every rule had an answer.
func (r *Report) Complete() bool { return len(r.Missing) == 0 && r.Summary.Unknown == 0 }

// DeepCopyObject returns a copy of the report's top level, for the printers of
// k8s.io/cli-runtime. They change nothing in it, so its slices are shared.
func (r *Report) DeepCopyObject() runtime.Object {
	c := *r
	return &c
}
