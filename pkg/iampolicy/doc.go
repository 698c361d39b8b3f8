// Package iampolicy parses IAM policy documents and decides what they allow,
// with reasons.
//
// A caller parses documents with [Parse], gathers what applies to a principal
// in [Policies], prepares them once and asks as often as it likes. An answer is
// allowed, denied, or depends: where the answer hangs on what is not known of
// the request, it says on which conditions and resources.
//
// The package is pure. It never calls AWS, never reads files, the environment
// or the clock, and never guesses: a policy that could not be read may say
// anything, and a condition key of which nothing is known may have any value or
// none. The rules that it follows, with their sources, are written down in
// docs/iam-evaluation.md.
package iampolicy
