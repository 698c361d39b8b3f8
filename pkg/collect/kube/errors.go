package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
)

// explain turns client-go's error into a *collect.CallError or, where nothing
// else can be read either, into a *locate.Error. An ended context is returned
// as such.
func (c *Client) explain(ctx context.Context, operation string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return &locate.Error{
			Problem: "the Kubernetes API server " + c.server + " does not accept the credentials of the kubeconfig (Unauthorized)",
			Next:    "see whether kubectl gets in: kubectl get nodes" + c.contextFlag(),
			Err:     err,
		}
	case apierrors.IsForbidden(err):
		return &collect.CallError{Operation: operation, Permission: operation, Message: collect.OneLine(err.Error()), Err: err}
	}
	if why, is := cannotReach(err); is {
		return &locate.Error{
			Problem: "cannot reach the Kubernetes API server " + c.server + ": " + why,
			Next:    "see whether kubectl gets through: kubectl cluster-info" + c.contextFlag(),
			Err:     err,
		}
	}
	var send *url.Error
	if _, answered := errorStatus(err); !answered && errors.As(err, &send) && !broken(err) {
		// Neither an answer nor the network: the kubeconfig's credential plugin,
		// a client certificate.
		return &locate.Error{
			Problem: "cannot call the Kubernetes API server " + c.server + ": " + collect.OneLine(send.Err.Error()),
			Next:    "see whether kubectl can: kubectl get nodes" + c.contextFlag(),
			Err:     err,
		}
	}
	message := collect.OneLine(err.Error())
	switch {
	case strings.Contains(message, "serializer for text/html"): // client-go has no type for it
		message = "the answer is text/html, not of the Kubernetes API (a proxy)"
	case broken(err):
		message = "the answer broke off"
	}
	return &collect.CallError{Operation: operation, Message: message, Err: err}
}

// configError says that a kubeconfig cannot be used.
func (c *Client) configError(err error) error {
	return &locate.Error{
		Problem: "the kubeconfig cannot be used: " + collect.OneLine(err.Error()),
		Next:    "see whether kubectl can use it: kubectl cluster-info" + c.contextFlag(),
		Err:     err,
	}
}

// broken tells whether an answer had begun and broke off.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) // client-go does not wrap it
}

// cannotReach tells whether an error means that there is no connection to the
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

func (c *Client) contextFlag() string {
	if c.context == "" {
		return ""
	}
	return " --context " + c.context
}
