package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	source := `package aws

type EKS interface {
	B(context.Context, *eks.BInput, ...func(*eks.Options)) (*eks.BOutput, error)
	other(int) error
}

type EKSWrites interface {
	A(context.Context, *eks.AInput, ...func(*eks.Options)) (*eks.AOutput, error)
}
`
	if err := os.WriteFile(filepath.Join(dir, "api.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(got), "package aws\n")
	want := `
import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/eks"
)

// The SDK's clients, with the calls in use as their only methods.
type (
	eksCalls eks.Client
)

func (c *eksCalls) A(ctx context.Context, in *eks.AInput, o ...func(*eks.Options)) (*eks.AOutput, error) {
	return (*eks.Client)(c).A(ctx, in, o...)
}

func (c *eksCalls) B(ctx context.Context, in *eks.BInput, o ...func(*eks.Options)) (*eks.BOutput, error) {
	return (*eks.Client)(c).B(ctx, in, o...)
}
`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGenerateFindsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "api.go"), []byte("package aws\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := generate(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error that names the folder", err)
	}
}

// TestLinkedIsCurrent: go generate ./pkg/collect/aws would write the file as it is.
func TestLinkedIsCurrent(t *testing.T) {
	dir := filepath.Join("..", "..", "pkg", "collect", "aws")
	want, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, output))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("pkg/collect/aws/linked.go is not current: run go generate ./pkg/collect/aws\n%s", diff)
	}
}
