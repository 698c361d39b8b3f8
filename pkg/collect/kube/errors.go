package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// explain turns client-go's error into a *collect.CallError or, where nothing
// else can be read either, into a *problem.Error. An ended context is returned
// as such.
func (c *Client) explain(ctx context.Context, operation string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case apierrors.IsUnauthorized(err) && c.context == "":
		return &problem.Error{
			Problem: "the Kubernetes API server " + c.server + " does not accept the AWS credentials (Unauthorized)",
			Next:    "give the role an access entry: kubectl noderole policy reader --rbac prints what it needs in the cluster",
			Err:     err,
		}
	case apierrors.IsUnauthorized(err):
		return &problem.Error{
			Problem: "the Kubernetes API server " + c.server + " does not accept the credentials of the kubeconfig (Unauthorized)",
			Next:    "see whether kubectl gets in: kubectl get nodes" + c.contextFlags(),
			Err:     err,
		}
	case isRedirect(err):
		return &collect.CallError{Operation: operation, Message: "the response is a redirect, which is not followed (a proxy)", Err: err}
	case isForeign(err):
		status, _ := errorStatus(err)
		return &collect.CallError{Operation: operation, Message: fmt.Sprintf("the response %d has no Status, so it is not of the Kubernetes API (a proxy)", status.Code), Err: err}
	case apierrors.IsForbidden(err):
		return &collect.CallError{Operation: operation, Permission: operation, Message: collect.OneLine(err.Error()), Err: err}
	}
	if why, is := cannotReach(err); is {
		return &problem.Error{
			Problem: "cannot reach the Kubernetes API server " + c.server + ": " + why,
			Next:    "see whether kubectl gets through: kubectl cluster-info" + c.contextFlags(),
			Err:     err,
		}
	}
	var send *url.Error
	if _, answered := errorStatus(err); !answered && errors.As(err, &send) && !broken(err) {
		// Neither an answer nor the network: the kubeconfig's credential plugin,
		// a client certificate.
		return &problem.Error{
			Problem: "cannot call the Kubernetes API server " + c.server + ": " + withoutOutput(collect.OneLine(send.Err.Error())),
			Next:    "see whether kubectl can: kubectl get nodes" + c.contextFlags(),
			Err:     err,
		}
	}
	return &collect.CallError{Operation: operation, Message: answerProblem(err), Err: err}
}

// withoutOutput is client-go's message about a credential plugin without the plugin's
// output, which may have a token.
func withoutOutput(message string) string {
	if before, _, found := strings.Cut(message, "decoding stdout: "); found {
		return before + "the credential plugin's output is not an ExecCredential object"
	}
	return message
}

// answerProblem returns in one line what is wrong with an answer. client-go has no types
// for an unknown content type and for an empty body.
func answerProblem(err error) string {
	message := collect.OneLine(err.Error())
	var shape *shapeError
	switch {
	case errors.As(err, &shape):
		return shape.Error()
	case errors.Is(err, collect.ErrAnswerTooLarge):
		return collect.ErrAnswerTooLarge.Error()
	case broken(err):
		return collect.ErrAnswerEndedEarly.Error()
	case strings.HasPrefix(message, "0-length response"):
		return "the response is empty, not an object of the Kubernetes API"
	}
	if after, found := strings.CutPrefix(message, "serializer for "); found {
		contentType, _, _ := strings.Cut(after, " ")
		return "the response is " + strings.TrimSuffix(contentType, ";") + ", not of the Kubernetes API (a proxy)"
	}
	return message
}

// isForeign reports whether an error is a 403 or 404 without a Status. With one, they say
// that a permission or an object is missing; a proxy that sends them does not say that.
func isForeign(err error) bool {
	return apierrors.IsUnexpectedServerError(err) && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err))
}

// configError says that a kubeconfig cannot be used.
func (c *Client) configError(err error) error {
	return &problem.Error{
		Problem: "the kubeconfig cannot be used: " + collect.OneLine(err.Error()),
		Next:    "see whether kubectl can use it: kubectl cluster-info" + c.contextFlags(),
		Err:     err,
	}
}

// isRedirect reports whether the answer is a redirect that sameHost does not follow.
func isRedirect(err error) bool {
	status, ok := errorStatus(err)
	return ok && status.Code/100 == 3
}

// broken reports whether an answer had begun and broke off.
func broken(err error) bool {
	return errors.Is(err, collect.ErrAnswerEndedEarly) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) // client-go does not wrap it
}

// cannotReach reports whether an error means that there is no connection to the
// API server, and why.
func cannotReach(err error) (why string, is bool) {
	var dns *net.DNSError
	var op *net.OpError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var verification *tls.CertificateVerificationError
	var send *url.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host", true
	case errors.As(err, &dns):
		return "the name cannot be resolved", true
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &verification):
		return innermost(err), true
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return "no connection within " + connectTimeout.String(), true
	case errors.As(err, &op) && op.Op == "dial":
		return innermost(op), true
	case errors.As(err, &send) && send.Timeout():
		return "no answer in time", true
	}
	return "", false
}

func errorStatus(err error) (metav1.Status, bool) {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status(), true
	}
	return metav1.Status{}, false
}

func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return collect.OneLine(err.Error())
		}
		err = next
	}
}

func (c *Client) contextFlags() string {
	flags := ""
	if c.kubeconfig != "" {
		flags += " --kubeconfig " + command.Quote(c.kubeconfig)
	}
	if c.context != "" {
		flags += " --context " + command.Quote(c.context)
	}
	return flags
}
