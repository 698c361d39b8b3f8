package files_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

func TestReadDecodes(t *testing.T) {
	utf16 := func(order string) []byte {
		var b bytes.Buffer
		for _, r := range "\ufeffa: é\n" {
			if order == "little" {
				b.Write([]byte{byte(r), byte(r >> 8)})
			} else {
				b.Write([]byte{byte(r >> 8), byte(r)})
			}
		}
		return b.Bytes()
	}
	for _, test := range []struct {
		name string
		in   []byte
		want string // or part of the error
		bad  bool
	}{
		{"plain", []byte("a: é\n"), "a: é\n", false},
		{"UTF-8 with a mark", []byte("\ufeffa: é\n"), "a: é\n", false},
		{"UTF-16, little", utf16("little"), "a: é\n", false},
		{"UTF-16, big", utf16("big"), "a: é\n", false},
		{"UTF-16 without a mark", utf16("little")[2:], "UTF-16 without a byte order mark; save it as UTF-8", true},
		{"UTF-16, cut", utf16("little")[:5], "ends in the middle of a character", true},
		{"UTF-32", []byte{0xFF, 0xFE, 0, 0, 'a', 0, 0, 0}, "UTF-32; save it as UTF-8", true},
		{"empty", nil, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := files.Read(t.Context(), "-", bytes.NewReader(test.in), 100)
			switch {
			case test.bad && (err == nil || !strings.HasPrefix(err.Error(), "-: ") || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got error %v, want one with %q", err, test.want)
			case !test.bad && (err != nil || string(got) != test.want):
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestReadIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(file, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]io.Reader{file: nil, "-": neverEnds{}} {
		_, err := files.Read(t.Context(), name, in, 1<<20)
		var fileErr *files.Error
		if !errors.As(err, &fileErr) || fileErr.Name != name || !strings.Contains(err.Error(), "is larger than 1 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := files.Read(t.Context(), "-", nil, 1); err == nil || err.Error() != "-: standard input is not read here; name a file, such as ./-" {
		t.Errorf("no standard input: %v", err)
	}
	if _, err := files.Read(t.Context(), file+"x", nil, 1); !errors.Is(err, fs.ErrNotExist) || err.Error() != file+"x: cannot be read: no such file or directory" {
		t.Errorf("a file that is not there: %v", err)
	}
}

// neverEnds is a stream without an end.
type neverEnds struct{}

func (neverEnds) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestReadIsInterrupted: a pipe that nobody writes to does not hold a run.
func TestReadIsInterrupted(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	for name, in := range map[string]io.Reader{fifo: nil, "-": reader} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := files.Read(ctx, name, in, 100)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The goroutine that opens the FIFO ends when somebody else opens it.
	if f, err := os.OpenFile(fifo, os.O_RDWR, 0); err == nil {
		_ = f.Close()
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file, link, lost := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "lost")
	for _, to := range [][2]string{{file, link}, {filepath.Join(dir, "none"), lost}} {
		if err := os.Symlink(to[0], to[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Write(file, []byte("one"), files.Private); err != nil {
		t.Fatal(err)
	}
	mode(t, file, 0o600)
	umask := syscall.Umask(0o027)
	defer syscall.Umask(umask)
	if err := files.Write(file+"2", []byte("one"), 0o666); err != nil {
		t.Fatal(err)
	}
	mode(t, file+"2", 0o640)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := files.Write(link, []byte("two"), files.Private); err != nil {
		t.Fatal(err)
	}
	mode(t, file, 0o640)
	if text, _ := os.ReadFile(file); string(text) != "two" {
		t.Errorf("the file that the link names has %q", text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if err := files.Write(lost, []byte("x"), files.Private); err == nil {
		t.Error("a link to a file that is not there was written through")
	}
	if err := files.Write(filepath.Join(dir, "no", "folder"), nil, files.Private); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := files.Write(os.DevNull, []byte("x"), files.Private); err != nil {
		t.Errorf("%s: %v", os.DevNull, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 4 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func mode(t *testing.T, name string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != want {
		t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
	}
}

// TestWriteByTwo: of writers at once one leaves a whole file.
func TestWriteByTwo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := files.Write(file, bytes.Repeat([]byte{'a' + byte(i)}, 100_000), files.Private); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	text, err := os.ReadFile(file)
	if err != nil || len(text) != 100_000 || strings.Trim(string(text), string(text[:1])) != "" {
		t.Errorf("%d bytes of several writers, %v", len(text), err)
	}
}

func TestYAML(t *testing.T) {
	const n = 50_000
	block := func(depth int) string {
		var b strings.Builder
		for i := range depth {
			fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
		}
		return b.String()
	}
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: 1\n", i)
		}
		return b.String()
	}
	for _, test := range []struct{ name, text, want string }{
		{"a mapping", "a: {b: [1, 2]}\nc:\n  - d: e\n  - f\n", ""},
		{"JSON", `{"a": {"b": ["c"]}}`, ""},
		{"long and flat", strings.Repeat("- a\n", n), ""},
		{"brackets in texts", "a: '" + strings.Repeat("[", n) + "'\nb: |\n  " + strings.Repeat("{", n) + "\n", ""},
		{"brackets", strings.Repeat("[", n), "line 1: is nested deeper than 64 levels"},
		{"braces", strings.Repeat("{a: ", n), "line 1: is nested deeper than 64 levels"},
		{"closed brackets", strings.Repeat("[", n) + strings.Repeat("]", n), "line 1: is nested deeper than 64 levels"},
		{"entries in one line", strings.Repeat("- ", n), "line 1: is nested deeper than 64 levels"},
		{"keys in one line", strings.Repeat("? ", n), "line 1: is nested deeper than 64 levels"},
		{"indented mappings", block(500), "line 65: is nested deeper than 64 levels"},
		{"as deep as may be", block(60), ""},
		{"many entries", keys(2_000), ""},
		{"too many entries", keys(250_000), "line 200001: has mappings with more than 200000 entries"},
		{"too many entries in two levels", keys(150_000) + "a:\n" + strings.ReplaceAll("\n"+keys(60_000), "\nk", "\n  k"), "line 200002: has mappings with more than 200000 entries"},
		{"many documents", strings.Repeat("---\na: 1\n", 1000), ""},
		{"too many documents", strings.Repeat("---\na: 1\n", 20_000), "line 20001: has more than 10000 documents"},
		{"another encoding", "a: b\nc: Gr\xf6\xdfe\n", "line 2: is not UTF-8 text: save it as UTF-8"},
		{"an alias", "a: &x 1\nb: *x\n", "line 2: aliases are not supported: write the value itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := files.YAML([]byte(test.text))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || err.Error() != test.want):
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestCheckYAMLOfManyMappings: the entries of mappings that are not around each other do not
// count together.
func TestCheckYAMLOfManyMappings(t *testing.T) {
	if err := files.CheckYAML([]byte(strings.Repeat("- a: 1\n  b: 2\n", 105_000))); err != nil {
		t.Error(err)
	}
}

// TestSame: two names of one file are the same, and a name of nothing is the same as none.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	a, b, link := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "link")
	for _, name := range []string{a, b} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(a, link); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for _, tt := range []struct {
		a, b string
		want bool
	}{{a, a, true}, {a, link, true}, {a, dir + "/./a", true}, {a, b, false}, {a, none, false}, {none, none, false}} {
		if got := files.Same(tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}
