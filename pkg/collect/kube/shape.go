package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

// shapeError is an answer that is not the object that was asked for.
type shapeError struct {
	// got is what came.
	got string
	// want is the kind that was asked for.
	want schema.GroupVersionKind
}

func (e *shapeError) Error() string {
	return fmt.Sprintf("the response is %s, not of kind %s (%s)", collect.OneLine(e.got), e.want.Kind, e.want.GroupVersion())
}

// protobufPrefix is what an object in Kubernetes' protobuf encoding begins with.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
var protobufPrefix = []byte("k8s\x00")

// checkShape returns a *shapeError where an answer does not say that it is an object of
// a kind, and an error that wraps io.ErrUnexpectedEOF where it is cut off. client-go
// does not ask: it takes {} for a list without items. A list in JSON must have its
// items; protobuf has no sign for an empty list.
func checkShape(data []byte, want schema.GroupVersionKind) error {
	var object struct {
		Kind, APIVersion string
		Items            json.RawMessage
	}
	isProtobuf := bytes.HasPrefix(data, protobufPrefix)
	if isProtobuf {
		var envelope runtime.Unknown
		if err := envelope.Unmarshal(data[len(protobufPrefix):]); err != nil {
			return err
		}
		object.Kind, object.APIVersion = envelope.Kind, envelope.APIVersion
	} else {
		decoder := json.NewDecoder(bytes.NewReader(data))
		if err := decoder.Decode(&object); err != nil {
			switch {
			case errors.Is(err, io.EOF):
				return &shapeError{"empty", want}
			case errors.Is(err, io.ErrUnexpectedEOF):
				return fmt.Errorf("the JSON is cut off: %w", err)
			}
			return &shapeError{"not a JSON object", want}
		}
	}
	switch {
	case object.Kind == "" || object.APIVersion == "":
		return &shapeError{"an object without kind or apiVersion", want}
	case object.Kind != want.Kind || object.APIVersion != want.GroupVersion().String():
		return &shapeError{"of kind " + object.Kind + " (" + object.APIVersion + ")", want}
	case !isProtobuf && strings.HasSuffix(want.Kind, "List") && object.Items == nil:
		return &shapeError{"an object without items", want}
	}
	return nil
}

// shapeChecker is a codec factory whose decoders check the shape of every answer that
// is decoded into an object.
type shapeChecker struct {
	runtime.NegotiatedSerializer
	scheme *runtime.Scheme
}

func newShapeChecker(scheme *runtime.Scheme) shapeChecker {
	return shapeChecker{serializer.NewCodecFactory(scheme).WithoutConversion(), scheme}
}

// DecoderToVersion implements runtime.NegotiatedSerializer.
func (s shapeChecker) DecoderToVersion(d runtime.Decoder, gv runtime.GroupVersioner) runtime.Decoder {
	return shapeDecoder{s.NegotiatedSerializer.DecoderToVersion(d, gv), s.scheme}
}

type shapeDecoder struct {
	runtime.Decoder
	scheme *runtime.Scheme
}

// Decode implements runtime.Decoder. Without an object to decode into, the answer is
// an error's Status, whose kind client-go checks itself.
func (d shapeDecoder) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if into != nil {
		kinds, _, err := d.scheme.ObjectKinds(into)
		if err != nil {
			return nil, nil, err
		}
		if err := checkShape(data, kinds[0]); err != nil {
			return nil, nil, err
		}
	}
	return d.Decoder.Decode(data, defaults, into)
}

// limiter bounds how much of an answer is read.
type limiter struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limiter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err == nil {
		response.Body = collect.LimitAnswer(response.Body)
	}
	return response, err
}

// WrappedRoundTripper lets client-go find the transport that it must cancel.
func (l limiter) WrappedRoundTripper() http.RoundTripper { return l.next }

// isAbsent reports whether the API server says that an object does not exist. A 404
// without a Status comes from somewhere else.
func isAbsent(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err)
}

// isUnknownPath reports whether the API server does not serve a path: it answers then
// in plain text.
// Source: k8s.io/apiserver pkg/util/notfoundhandler/not_found_handler.go, which calls
// http.NotFound.
func isUnknownPath(err error) bool {
	status, ok := errorStatus(err)
	return ok && status.Code == http.StatusNotFound && status.Details != nil && len(status.Details.Causes) == 1 &&
		status.Details.Causes[0].Message == "404 page not found"
}
