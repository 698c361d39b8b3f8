package awsauth

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write testdata's outputs")

const (
	role     = "arn:aws:iam::111122223333:role/eksNodeRole"
	withPath = "arn:aws:iam::111122223333:role/team/eksNodeRole"
	newRole  = "arn:aws:iam::111122223333:role/newNodeRole"
	nodeName = "system:node:{{EC2PrivateDNSName}}"
)

func linux(arn string) Mapping {
	return Mapping{RoleARN: arn, Username: nodeName, Groups: []string{"system:bootstrappers", "system:nodes"}}
}

func windows(arn string) Mapping {
	m := linux(arn)
	m.Groups = append(m.Groups, "eks:kube-proxy-windows")
	return m
}

// Each file of testdata is a shape of mapRoles that people and tools write, and
// what three edits make of it: a new role, eksNodeRole (with or without a path)
// as a role of Windows nodes, and eksNodeRole gone. -update writes the outputs.
func TestShapes(t *testing.T) {
	edits := []struct {
		name string
		edit func(string) (string, error)
	}{
		{"add newNodeRole", func(text string) (string, error) { return Set(text, newRole, linux(newRole)) }},
		{"set eksNodeRole", func(text string) (string, error) { return Set(text, withPath, windows(role)) }},
		{"remove eksNodeRole", func(text string) (string, error) { return Remove(text, role) }},
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files in testdata: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(archive.Files[0].Data)
			got := &txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1:1]}
			for _, e := range edits {
				out, err := e.edit(text)
				switch {
				case err != nil:
					out = fmt.Sprintf("error: %v\n", err)
				case out == text:
					out = "unchanged\n"
				}
				got.Files = append(got.Files, txtar.File{Name: e.name, Data: []byte(out)})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" && !*update {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
