package finding

import "k8s.io/apimachinery/pkg/runtime/schema"

// Header begins every versioned object. Together with DeepCopyObject it makes the object
// printable by the printers of k8s.io/cli-runtime.
type Header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// GetObjectKind returns the header itself.
func (h *Header) GetObjectKind() schema.ObjectKind { return h }

// SetGroupVersionKind is part of schema.ObjectKind.
func (h *Header) SetGroupVersionKind(gvk schema.GroupVersionKind) {
	h.APIVersion, h.Kind = gvk.ToAPIVersionAndKind()
}

// GroupVersionKind is part of schema.ObjectKind.
func (h *Header) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(h.APIVersion, h.Kind)
}
