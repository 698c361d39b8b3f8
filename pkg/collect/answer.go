package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// MaxAnswer is how much of one answer is read, in bytes. The largest answers are
// pages of a thousand instances or of five hundred pods, some ten MiB.
const MaxAnswer = 64 << 20

// ErrAnswerTooLarge is what a body of LimitAnswer ends with after MaxAnswer bytes;
// test with errors.Is.
var ErrAnswerTooLarge = fmt.Errorf("the response is larger than %d MiB", MaxAnswer>>20)

// ErrAnswerEndedEarly is what a body of LimitAnswer ends with where its connection breaks
// before its end, whoever closed it; test with errors.Is.
var ErrAnswerEndedEarly = errors.New("the response ended early")

// LimitAnswer returns an answer's body that fails with ErrAnswerTooLarge where it is
// longer than MaxAnswer bytes, and with ErrAnswerEndedEarly where it is cut off. The error
// of a time limit stays as it is.
func LimitAnswer(body io.ReadCloser) io.ReadCloser {
	return &limitedBody{ReadCloser: body, left: MaxAnswer}
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	// One byte more than is left tells a body of MaxAnswer bytes from a longer one.
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		n, err = b.left, ErrAnswerTooLarge
	}
	b.left -= n
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, ErrAnswerTooLarge) && !timedOut(err) {
		err = fmt.Errorf("%w: %w", ErrAnswerEndedEarly, err)
	}
	return n, err
}

// timedOut reports whether reading ended because of a time limit or because the run ended.
func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// The reasons why the next page of a list is not read.
var (
	errNoPageToken       = errors.New("the response has no token for the next page, although there are more pages")
	errRepeatedPageToken = errors.New("the response repeats the token of an earlier page, so that the list would never end")
)

// PageTokens holds the tokens of the pages of one list. The zero value is ready for use.
type PageTokens struct {
	seen map[string]bool
}

// Next takes the token of the next page. It returns an error where the token is empty
// or is the token of an earlier page.
func (t *PageTokens) Next(token string) error {
	switch {
	case token == "":
		return errNoPageToken
	case t.seen[token]:
		return errRepeatedPageToken
	}
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[token] = true
	return nil
}

// Refused reports whether an HTTP status, zero for none, says that a request was not carried
// out.
func Refused(status int) bool {
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusRequestTimeout
}
