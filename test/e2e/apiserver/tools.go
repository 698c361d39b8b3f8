//go:build tools

// Package apiserver pins the kube-apiserver and the kube-controller-manager that
// the end-to-end tests run.
package apiserver

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
