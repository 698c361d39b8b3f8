package aws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// errorClass is what an AWS error code means to this program.
type errorClass int

const (
	otherClass errorClass = iota
	denied
	absent
	throttled
	expiredCredentials
	badCredentials
	clockSkew
	optInRequired
)

// errorClasses are the error codes of the APIs in use that mean something to this
// program.
// Source: "Common Error Types" of the API references of EKS, IAM, EC2 and STS;
// for throttling aws-sdk-go-v2 aws/retry/standard.go.
var errorClasses = map[string]errorClass{
	"AccessDenied":                 denied,
	"AccessDeniedException":        denied,
	"NotAuthorized":                denied,
	"UnauthorizedOperation":        denied,
	"Client.UnauthorizedOperation": denied,

	"NoSuchEntity":              absent,
	"ResourceNotFoundException": absent,

	"RegistryPolicyNotFoundException":   absent,
	"RepositoryNotFoundException":       absent,
	"RepositoryPolicyNotFoundException": absent,

	"Throttling":               throttled,
	"ThrottlingException":      throttled,
	"ThrottledException":       throttled,
	"TooManyRequestsException": throttled,
	"RequestLimitExceeded":     throttled,
	"RequestThrottled":         throttled,
	"SlowDown":                 throttled,

	"ExpiredToken":          expiredCredentials,
	"ExpiredTokenException": expiredCredentials,
	"TokenRefreshRequired":  expiredCredentials,

	"AuthFailure":                 badCredentials,
	"IncompleteSignature":         badCredentials,
	"InvalidClientTokenId":        badCredentials,
	"InvalidSignatureException":   badCredentials,
	"MissingAuthenticationToken":  badCredentials,
	"SignatureDoesNotMatch":       badCredentials,
	"UnrecognizedClientException": badCredentials,

	"RequestExpired":       clockSkew,
	"RequestInTheFuture":   clockSkew,
	"RequestTimeTooSkewed": clockSkew,

	"OptInRequired":        optInRequired,
	"SubscriptionRequired": optInRequired,
}

// explain turns the SDK's error into a *collect.CallError or, where nothing
// else can be read either, into a *problem.Error. An ended context is returned
// as such.
func (s *site) explain(ctx context.Context, operation string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var credentials *credentialsError
	if errors.As(err, &credentials) {
		return s.explainCredentials(credentials.err)
	}
	if endedEarly(err) {
		return &collect.CallError{Operation: operation, Message: collect.ErrAnswerEndedEarly.Error(), Err: err}
	}
	if errors.Is(err, collect.ErrAnswerTooLarge) {
		return &collect.CallError{Operation: operation, Message: collect.ErrAnswerTooLarge.Error(), Err: err}
	}
	if other := nonAWSResponse(operation, err); other != nil {
		return &collect.CallError{Operation: operation, Message: other.Error(), Err: err}
	}
	if httpResponse(err) != nil {
		s.answered.Store(true)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return s.explainCode(operation, api, err)
	}
	var network net.Error
	if httpResponse(err) != nil && errors.As(err, &network) && network.Timeout() {
		return &collect.CallError{Operation: operation, Message: "the response was not complete in time", Err: err}
	}
	if why, is := cannotReach(err); is {
		return s.unreachable(operation, why)
	}
	return &collect.CallError{Operation: operation, Message: innermost(err), Err: err}
}

// endedEarly reports whether an answer broke off, in its header or in its body.
func endedEarly(err error) bool {
	return errors.Is(err, collect.ErrAnswerEndedEarly) || errors.Is(err, io.ErrUnexpectedEOF)
}

// explainCode explains an error that the API answered with.
func (s *site) explainCode(operation string, api smithy.APIError, err error) error {
	message := answerText(api, err)
	switch kind := classOf(api); kind {
	case denied:
		return &collect.CallError{Operation: operation, Permission: operation, Message: message, Err: err}
	case absent:
		return &collect.CallError{Operation: operation, Message: message, Err: fmt.Errorf("%w: %w", collect.ErrNotFound, err)}
	case throttled:
		return &collect.CallError{Operation: operation, Message: "throttled repeatedly: " + message, Err: err}
	case expiredCredentials, badCredentials, clockSkew, optInRequired:
		return s.callerProblem(kind, message, err)
	case otherClass:
	}
	return &collect.CallError{Operation: operation, Message: message, Err: err}
}

// callerProblem returns the error for a problem that every call would have.
func (s *site) callerProblem(kind errorClass, message string, err error) error {
	out := &problem.Error{Err: err}
	switch kind {
	case expiredCredentials:
		out.Problem = "the AWS credentials" + s.ofProfile() + " have expired (" + message + ")"
		out.Next = "get new ones, for example with: aws sso login" + s.profileFlag()
	case clockSkew:
		out.Problem = "AWS refuses this computer's clock (" + message + ")"
		out.Next = "set the clock, then try again"
	case optInRequired:
		out.Problem = "the account is not signed up for this service in " + s.region + " (" + message + ")"
		out.Next = "check the region, or name it with --region"
	case badCredentials, otherClass, denied, absent, throttled:
		out.Problem = "AWS does not accept the credentials" + s.ofProfile() + " (" + message + ")"
		out.Next = "see who you are with: aws sts get-caller-identity" + s.profileFlag() +
			"; another profile is named with --profile, and a region that is not enabled refuses every credential"
	}
	return out
}

// credentialsError is an error in getting credentials, not the answer to a call.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// explainCredentials says why there are no credentials.
func (s *site) explainCredentials(err error) error {
	out := &problem.Error{Err: err}
	var api smithy.APIError
	hasCode := errors.As(err, &api)
	why, cut := cannotReach(err)
	service := innermostService(err)
	var token *ssocreds.InvalidTokenError
	var process *processcreds.ProviderError
	var other *nonAWSResponseError
	switch {
	case errors.As(err, &other):
		out.Problem = "no AWS credentials" + s.ofProfile() + ": " + other.Error()
		out.Next = "check the network, the proxy (HTTPS_PROXY), the region (" + s.region + ") and AWS_ENDPOINT_URL"
	case errors.As(err, &token), service == "SSO", service == "SSO OIDC", strings.Contains(err.Error(), "SSO token"):
		if cut {
			return s.noEndpoint("AWS SSO", why)
		}
		out.Problem = "the AWS SSO session" + s.ofProfile() + " has expired or was never opened"
		out.Next = "log in with: aws sso login" + s.profileFlag()
	case service == "Signin", strings.Contains(err.Error(), "login"):
		out.Problem = "the AWS login session" + s.ofProfile() + " has expired or was never opened"
		out.Next = "log in with: aws login" + s.profileFlag()
	case errors.As(err, &process):
		out.Problem = "the credential_process" + s.ofProfile() + " failed: " + innermost(err)
		out.Next = "run it directly and correct it; it is configured in ~/.aws/config"
	case service == "STS" && hasCode:
		switch kind := classOf(api); kind {
		case expiredCredentials, badCredentials, clockSkew:
			return s.callerProblem(kind, answerText(api, err), err)
		case otherClass, denied, absent, throttled, optInRequired:
		}
		out.Problem = "the role" + s.ofProfile() + " cannot be assumed (" + answerText(api, err) + ")"
		out.Next = "check the role's trust policy and who you are: aws sts get-caller-identity" + s.profileFlag()
	case service == "STS" && cut:
		return s.noEndpoint("AWS STS", why)
	case strings.Contains(err.Error(), "IMDS") || service == "ec2imds" || strings.Contains(err.Error(), "static credentials are empty"):
		out.Problem = "no AWS credentials" + s.ofProfile() + " were found"
		out.Next = "log in, for example with: aws sso login" + s.profileFlag() + "; or name a profile with --profile or AWS_PROFILE"
	default:
		out.Problem = "no AWS credentials" + s.ofProfile() + ": " + innermost(err)
		out.Next = "compare with the AWS CLI: aws sts get-caller-identity" + s.profileFlag()
	}
	return out
}

// loadError explains why the AWS configuration cannot be loaded.
func loadError(profile string, err error) error {
	out := &problem.Error{Err: err}
	var absentProfile config.SharedConfigProfileNotExistError
	var unreadable config.SharedConfigLoadError
	var mfa config.AssumeRoleTokenProviderNotSetError
	switch {
	case errors.As(err, &absentProfile):
		out.Problem = fmt.Sprintf("the AWS configuration has no profile %q", absentProfile.Profile)
		out.Next = "list the profiles with: aws configure list-profiles"
	case errors.As(err, &unreadable):
		out.Problem = "the AWS configuration file " + unreadable.Filename + " cannot be read: " + innermost(err)
		out.Next = "correct the file"
	case errors.As(err, &mfa):
		out.Problem = fmt.Sprintf("the AWS profile %q wants an MFA code, which cannot be asked for here", profile)
		out.Next = "open a session first (aws sts get-session-token, or aws sso login) and name its profile with --profile"
	default:
		out.Problem = "the AWS configuration cannot be used: " + innermost(err)
		out.Next = "compare with the AWS CLI: aws configure list"
	}
	return out
}

// unreachable is why a service gives no answer.
type unreachable struct {
	host string // may be empty
	why  string
	dial bool // no connection at all, as opposed to no answer in time
	err  error
}

func (u unreachable) String() string {
	if u.host == "" {
		return u.why
	}
	return u.host + ": " + u.why
}

// unreachable notes that a service cannot be reached, so that the other calls
// to it do not wait too. It ends the run where nothing has answered yet; later
// only the facts of that service are missing.
func (s *site) unreachable(operation string, why unreachable) error {
	service, _, _ := strings.Cut(operation, ":")
	if why.dial {
		s.mu.Lock()
		s.down[service] = why
		s.mu.Unlock()
	}
	if !s.answered.Load() {
		return s.noEndpoint("AWS ("+operation+")", why)
	}
	message := why.String()
	if why.host != "" {
		message = "cannot reach " + message
	}
	return &collect.CallError{Operation: operation, Message: message, Err: why.err}
}

func (s *site) noEndpoint(what string, why unreachable) error {
	return &problem.Error{
		Problem: "cannot reach " + what + " at " + why.String(),
		Next:    "check the network, the proxy (HTTPS_PROXY), the region (" + s.region + ") and AWS_ENDPOINT_URL",
		Err:     why.err,
	}
}

// cannotReach reports whether an error means that there was no answer, and why.
func cannotReach(err error) (unreachable, bool) {
	out := unreachable{err: err}
	var send *url.Error
	if errors.As(err, &send) {
		if at, parseErr := url.Parse(send.URL); parseErr == nil {
			out.host = at.Scheme + "://" + at.Host
		}
	}
	var dns *net.DNSError
	var op *net.OpError
	var hostname x509.HostnameError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		out.why, out.dial = "no such host", true
		if !dns.IsNotFound {
			out.why = "the name cannot be resolved"
		}
	case errors.As(err, &hostname), errors.As(err, &verification):
		out.why, out.dial = innermost(err), true
	case isDial(err) && errors.As(err, &op):
		out.why, out.dial = innermost(op), true
		if op.Op == "proxyconnect" {
			out.why = "the proxy does not answer: " + out.why
		}
		if op.Timeout() {
			out.why = "no connection within " + connectTimeout.String()
		}
	case send != nil && send.Timeout(), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		out.why = "no answer in time"
	case send != nil && errors.Is(send, io.EOF):
		out.why = "the connection was closed without an answer"
	case send != nil:
		out.why = innermost(send)
	default:
		return unreachable{}, false
	}
	return out, true
}

// nonAWSResponse returns what is wrong where an error is about an answer that does not come
// from the service, and nil elsewhere: an answer of the wrong shape, an HTML page, or an
// error that the SDK cannot read.
func nonAWSResponse(operation string, err error) *nonAWSResponseError {
	var other *nonAWSResponseError
	if errors.As(err, &other) {
		return other
	}
	response := httpResponse(err)
	var undecodable *smithy.DeserializationError
	if response == nil || mediaType(response) != htmlType && !errors.As(err, &undecodable) {
		return nil
	}
	return &nonAWSResponseError{operation, response, innermost(err)}
}

// httpResponse returns the answer that an error is about, or nil where there
// was none: the SDK then has one without a status.
func httpResponse(err error) *http.Response {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.HTTPStatusCode() != 0 {
		return response.Response.Response
	}
	return nil
}

// classOf returns what an API's error means. Some services say by the message
// that it is the clock which they do not like.
func classOf(api smithy.APIError) errorClass {
	kind := errorClasses[api.ErrorCode()]
	message := api.ErrorMessage()
	if kind == badCredentials && (strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current")) {
		return clockSkew
	}
	return kind
}

// answerText is an API's error in one line, without request ids and without
// EC2's encoded message.
func answerText(api smithy.APIError, err error) string {
	message, _, _ := strings.Cut(api.ErrorMessage(), " Encoded authorization failure message:")
	message = collect.OneLine(message)
	code := api.ErrorCode()
	if code == "" || code == "UnknownError" {
		if response := httpResponse(err); response != nil {
			code = fmt.Sprintf("status %d", response.StatusCode)
			if response.StatusCode/100 == 3 {
				code += ", a redirect that is not followed (a proxy, or a wrong endpoint)"
			}
		}
	}
	if message == "" || message == "UnknownError" || message == code {
		return code
	}
	return code + ": " + message
}

// innermostService is the SDK's name of the service whose call failed first.
func innermostService(err error) string {
	var service string
	for op := new(smithy.OperationError); errors.As(err, &op); err = op.Err {
		service = op.ServiceID
	}
	return service
}

// innermost is the text of the first cause, in one line: what wraps it tells of
// the SDK's layers, and holds request ids.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return collect.OneLine(err.Error())
		}
		err = next
	}
}

// present returns what an answer must hold, or an error where an endpoint left
// it out.
func present[T any](operation string, part *T) (*T, error) {
	if part == nil {
		err := errors.New("the response is empty")
		return nil, &collect.CallError{Operation: operation, Message: err.Error(), Err: err}
	}
	return part, nil
}

// ofProfile and profileFlag put the profile's name into a message.
func (s *site) ofProfile() string {
	if s.profile == "" {
		return ""
	}
	return fmt.Sprintf(" of profile %q", s.profile)
}

func (s *site) profileFlag() string {
	if s.profile == "" {
		return ""
	}
	return " --profile " + command.Quote(s.profile)
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
