// Package problem has the error that a user can solve: what is wrong, and what to do
// about it.
package problem

// Error is a problem that the user can solve.
type Error struct {
	// Problem says what is wrong; Next says what to type or to check, and may be empty.
	Problem, Next string
	// Err is the cause, nil for none.
	Err error
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.Err }
