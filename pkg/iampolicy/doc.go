// Package iampolicy parses IAM policy documents and decides what they allow,
// with reasons.
//
// A caller parses documents with [Parse], puts the policies of a principal and a
// resource into [Policies], prepares them once with [Prepare] and asks any number of
// [Request] values. An answer is allowed, denied, or depends: where the answer
// depends on what is not known, it says on which conditions, resources and policies.
// A request that nobody can send is a [RequestError].
//
// The package is pure. It never calls AWS, never reads files, the environment or
// the clock, and never guesses: a policy that could not be read can allow or deny
// anything, and an unknown condition key may have any value or none. Where AWS
// does not document the outcome, the answer is depends and says so. The rules, with
// their sources, are in docs/iam-evaluation.md.
package iampolicy
