package aws

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/trace"
)

// Config describes as whom and where to read. What is empty comes from the standard
// AWS configuration: environment, shared config and credentials files, SSO, web
// identity, container and instance roles.
type Config struct {
	Region string
	// Profile is an AWS profile that was named explicitly; it wins over
	// credentials in the environment.
	Profile string
	// RoleARN is a role to assume with those credentials, with ExternalID where its trust
	// policy asks for one.
	RoleARN, ExternalID string
	// Env is laid over the process's environment: the variables that a
	// kubeconfig gives its credential plugin. Of the AWS variables those are
	// known that select credentials, region, files, endpoints and retries.
	Env map[string]string
	// RequestTimeout is how long one request may take, answer included; zero
	// means 15 seconds.
	RequestTimeout time.Duration
	// Many is set where many clusters are read, so that fewer calls to EKS are made at once.
	Many bool
	// Trace records the calls; nil records none.
	Trace *trace.Recorder
	// Transport sends the requests; nil sends them over the network.
	Transport http.RoundTripper
	// Sleep waits until the budget of requests to IAM allows the next one, or until the
	// context ends, and returns its error then; nil waits in real time.
	Sleep func(context.Context, time.Duration) error
}

// The limits of one request. A service that does not answer within them is not
// asked again.
const (
	connectTimeout = 5 * time.Second
	requestTimeout = 15 * time.Second
)

// maxAttempts is how often a throttled or failed request is sent where
// AWS_MAX_ATTEMPTS does not say.
const maxAttempts = 5

// maxBackoff is the longest pause between two attempts.
const maxBackoff = 8 * time.Second

// lookup returns a variable of Env or else of the process's environment.
func (cfg Config) lookup(name string) string {
	return cmp.Or(cfg.Env[name], os.Getenv(name))
}

// profile returns the name of the profile in use, for messages.
func (cfg Config) profile() string {
	return cmp.Or(cfg.Profile, cfg.lookup("AWS_PROFILE"), cfg.lookup("AWS_DEFAULT_PROFILE"))
}

// endpoint returns the endpoint that Env gives a service, if any: the process's
// own environment is the SDK's business.
func (cfg Config) endpoint(service string) string {
	return cmp.Or(cfg.Env["AWS_ENDPOINT_URL_"+service], cfg.Env["AWS_ENDPOINT_URL"])
}

// stsEndpoint returns the endpoint for the calls of STS that get credentials:
// of the variables the SDK uses only AWS_ENDPOINT_URL_STS for these, because it
// makes their client before it has looked at AWS_ENDPOINT_URL.
// Source: aws-sdk-go-v2 config/config.go, the order of defaultAWSConfigResolvers.
func (cfg Config) stsEndpoint() string {
	if endpoint := cfg.endpoint("STS"); endpoint != "" {
		return endpoint
	}
	if strings.EqualFold(cfg.lookup("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return ""
	}
	return cmp.Or(os.Getenv("AWS_ENDPOINT_URL_STS"), os.Getenv("AWS_ENDPOINT_URL"))
}

// roleAt and webIdentityAt call STS at an endpoint.
type (
	roleAt struct {
		stscreds.AssumeRoleAPIClient
		endpoint string
	}
	webIdentityAt struct {
		stscreds.AssumeRoleWithWebIdentityAPIClient
		endpoint string
	}
)

// AssumeRole implements stscreds.AssumeRoleAPIClient.
func (c roleAt) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput, options ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	return c.AssumeRoleAPIClient.AssumeRole(ctx, in, append(options, at(c.endpoint))...)
}

// AssumeRoleWithWebIdentity implements stscreds.AssumeRoleWithWebIdentityAPIClient.
func (c webIdentityAt) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput, options ...func(*sts.Options)) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	return c.AssumeRoleWithWebIdentityAPIClient.AssumeRoleWithWebIdentity(ctx, in, append(options, at(c.endpoint))...)
}

func at(endpoint string) func(*sts.Options) {
	return func(o *sts.Options) { o.BaseEndpoint = &endpoint }
}

// load returns the SDK's configuration.
func load(ctx context.Context, cfg Config, shared *budget) (aws.Config, error) {
	if err := cfg.checkFiles(); err != nil {
		return aws.Config{}, err
	}
	options, err := cfg.options()
	if err != nil {
		return aws.Config{}, err
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, loadError(cfg.profile(), err)
	}
	if loaded.Region == "" {
		return aws.Config{}, &problem.Error{
			Problem: "no AWS region: neither the kubeconfig nor the AWS configuration names one",
			Next:    "name it with --region, or set AWS_REGION",
		}
	}
	loaded.Retryer = retryer(loaded, shared)
	if cfg.RoleARN != "" {
		loaded.Credentials = assumedRole(loaded, cfg)
	}
	loaded.Credentials = aws.NewCredentialsCache(explained{loaded.Credentials})
	return loaded, nil
}

// checkFiles returns the error of a file that the SDK would read to its end, and that is
// too large to be what it should be.
func (cfg Config) checkFiles() error {
	for _, name := range []string{
		cmp.Or(cfg.lookup("AWS_CONFIG_FILE"), config.DefaultSharedConfigFilename()),
		cmp.Or(cfg.lookup("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename()),
		cfg.lookup("AWS_CA_BUNDLE"), cfg.lookup("AWS_WEB_IDENTITY_TOKEN_FILE"), os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
	} {
		if err := files.Check(name, files.MaxKubeconfig); err != nil {
			return &problem.Error{Problem: err.Error(), Next: "correct the file or the variable that names it", Err: err}
		}
	}
	return nil
}

// options returns the SDK options for cfg.
func (cfg Config) options() ([]func(*config.LoadOptions) error, error) {
	options := []func(*config.LoadOptions) error{
		// The SDK would write to standard error; what fails is an error of the call.
		config.WithLogger(logging.Nop{}),
		config.WithHTTPClient(cfg.httpClient()),
		// Here, so that the SDK's own calls for credentials are checked too.
		config.WithAPIOptions([]func(*middleware.Stack) error{checkAnswers}),
	}
	add := func(o config.LoadOptionsFunc) { options = append(options, o) }

	if region := cmp.Or(cfg.Region, cfg.Env["AWS_REGION"], cfg.Env["AWS_DEFAULT_REGION"]); region != "" {
		add(config.WithRegion(region))
	}
	if file := cfg.Env["AWS_CONFIG_FILE"]; file != "" {
		add(config.WithSharedConfigFiles([]string{file}))
	}
	if file := cfg.Env["AWS_SHARED_CREDENTIALS_FILE"]; file != "" {
		add(config.WithSharedCredentialsFiles([]string{file}))
	}
	if file := cfg.Env["AWS_CA_BUNDLE"]; file != "" {
		bundle, err := os.ReadFile(file)
		if err != nil {
			return nil, &problem.Error{
				Problem: "the AWS_CA_BUNDLE of the kubeconfig cannot be read: " + collect.OneLine(err.Error()),
				Next:    "correct AWS_CA_BUNDLE under users[].user.exec.env of the kubeconfig",
				Err:     err,
			}
		}
		add(config.WithCustomCABundle(strings.NewReader(string(bundle))))
	}
	if strings.EqualFold(cfg.Env["AWS_USE_FIPS_ENDPOINT"], "true") {
		add(config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if strings.EqualFold(cfg.Env["AWS_USE_DUALSTACK_ENDPOINT"], "true") {
		add(config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}

	if mode := cfg.Env["AWS_RETRY_MODE"]; mode != "" {
		add(config.WithRetryMode(aws.RetryMode(strings.ToLower(mode))))
	}
	if attempts, err := strconv.Atoi(cfg.Env["AWS_MAX_ATTEMPTS"]); err == nil && attempts > 0 {
		add(config.WithRetryMaxAttempts(attempts))
	}

	if endpoint := cfg.stsEndpoint(); endpoint != "" {
		add(config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			if o.Client != nil {
				o.Client = roleAt{o.Client, endpoint}
			}
		}))
		add(config.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) {
			if o.Client != nil {
				o.Client = webIdentityAt{o.Client, endpoint}
			}
		}))
	}

	// The SDK's order: a profile named explicitly, keys, web identity, profile.
	switch {
	case cfg.Profile != "":
		add(config.WithSharedConfigProfile(cfg.Profile))
	case cfg.Env["AWS_ACCESS_KEY_ID"] != "" && cfg.Env["AWS_SECRET_ACCESS_KEY"] != "":
		add(config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			cfg.Env["AWS_ACCESS_KEY_ID"], cfg.Env["AWS_SECRET_ACCESS_KEY"], cfg.Env["AWS_SESSION_TOKEN"])))
	case os.Getenv("AWS_ACCESS_KEY_ID") != "" || os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		// The SDK reads them.
	case cfg.Env["AWS_PROFILE"] != "":
		add(config.WithSharedConfigProfile(cfg.Env["AWS_PROFILE"]))
	}
	return options, nil
}

// roleAssumer is the call by which the SDK gets the credentials of a role.
type roleAssumer interface {
	AssumeRole(context.Context, *sts.AssumeRoleInput, ...func(*sts.Options)) (*sts.AssumeRoleOutput, error)
}

var _ roleAssumer = (*stsCalls)(nil)

// assumedRole returns the credentials of cfg.RoleARN.
func assumedRole(base aws.Config, cfg Config) aws.CredentialsProvider {
	client := (*stsCalls)(sts.NewFromConfig(base, func(o *sts.Options) { override(&o.BaseEndpoint, cfg.endpoint("STS")) }))
	return stscreds.NewAssumeRoleProvider(client, cfg.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "kubectl-noderole"
		if cfg.ExternalID != "" {
			o.ExternalID = &cfg.ExternalID
		}
	})
}

// httpClient returns a client that does not wait for a dead endpoint.
func (cfg Config) httpClient() aws.HTTPClient {
	timeout := cmp.Or(cfg.RequestTimeout, requestTimeout)
	if cfg.Transport != nil {
		return &http.Client{Transport: cfg.Transport, Timeout: timeout}
	}
	return awshttp.NewBuildableClient().
		WithTimeout(timeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = connectTimeout
			t.MaxIdleConnsPerHost = callsInFlight // else the next calls open connections again
		})
}

// retryer returns what makes the one retryer of each service's client: the SDK's adaptive
// retries, or its standard ones where AWS_RETRY_MODE says so. The limits of one service do
// not slow down another. The pause before an attempt is anything up to twice the last
// one's limit, at most maxBackoff (full jitter). All clients send within one budget.
func retryer(cfg aws.Config, shared *budget) func() aws.Retryer {
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts = cmp.Or(cfg.RetryMaxAttempts, maxAttempts)
		o.MaxBackoff = maxBackoff
		o.Backoff = retry.NewExponentialJitterBackoff(maxBackoff)
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(worthRetrying)}, o.Retryables...)
	}
	return func() aws.Retryer {
		if cfg.RetryMode == aws.RetryModeStandard {
			return budgetedRetryer{retry.NewStandard(standard), shared}
		}
		return budgetedRetryer{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, standard)
		}), shared}
	}
}

// worthRetrying corrects the SDK's opinion. An answer that broke off is asked for
// again. An endpoint that cannot be reached, that stays silent, or whose answer takes
// longer than a request may, would only be waited for several times over, and
// credentials were retried where they were sought.
func worthRetrying(err error) aws.Ternary {
	var credentials *credentialsError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &credentials), errors.As(err, &certificate), errors.Is(err, http.ErrSchemeMismatch):
		return aws.FalseTernary
	case errors.As(err, &name) && name.IsTemporary && !name.IsTimeout:
		return aws.TrueTernary
	case isDial(err), errors.As(err, &network) && network.Timeout():
		return aws.FalseTernary
	case endedEarly(err):
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// isDial reports whether no connection was made, to the service or to a proxy.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// explained marks the errors of a credentials provider, so that they are not
// taken for the answer to a call.
type explained struct{ aws.CredentialsProvider }

func (e explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := e.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	return credentials, nil
}

// userAgent adds the program's name to the User-Agent header.
func userAgent(stack *middleware.Stack) error {
	return awsmiddleware.AddUserAgentKey("kubectl-noderole")(stack)
}

// countCalls counts and records every request that is sent, as the last step before it is.
func (a *Account) countCalls(stack *middleware.Stack) error {
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("NoteSubject",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(middleware.WithStackValue(ctx, subjectKey{}, subjectOf(in.Parameters)), in)
		}), middleware.Before)
	if err != nil {
		return err
	}
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CountCalls",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			a.mu.Lock()
			a.calls[operationOf(ctx)]++
			a.mu.Unlock()
			made := trace.Call{API: "AWS", Operation: operationOf(ctx), Start: time.Now()}
			made.Subject, _ = middleware.GetStackValue(ctx, subjectKey{}).(string)
			out, metadata, err := next.HandleDeserialize(ctx, in)
			made.End = time.Now()
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Response != nil {
				made.Status = response.StatusCode
			}
			a.settings.Trace.Add(made)
			if !isRead(operationOf(ctx)) {
				change.Sent(ctx, collect.Refused(made.Status))
			}
			return out, metadata, err
		}), middleware.After)
}

// isRead reports by its name whether an operation changes nothing.
func isRead(operation string) bool {
	_, action, _ := strings.Cut(operation, ":")
	return strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List") || strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Simulate") || strings.HasPrefix(action, "Generate")
}

type subjectKey struct{}

// subjects are the members of requests that say what is asked about. No other member is
// recorded.
var subjects = []string{
	"Name", "NodegroupName", "FargateProfileName", "AddonName", "AssociationId", "PrincipalArn", "RoleName", "PolicyName", "PolicyArn",
	"InstanceProfileName", "OpenIDConnectProviderArn", "PolicySourceArn", "LaunchTemplateId",
}

// subjectOf returns what a request asks about, as far as it has a name.
func subjectOf(request any) string {
	value := reflect.Indirect(reflect.ValueOf(request))
	if value.Kind() != reflect.Struct {
		return ""
	}
	var parts []string
	for _, name := range subjects {
		if field := value.FieldByName(name); field.IsValid() {
			if text, ok := field.Interface().(*string); ok && text != nil {
				parts = append(parts, *text)
			}
		}
	}
	return strings.Join(parts, " ")
}
