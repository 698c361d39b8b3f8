// Package files reads and writes the files that the user names. Reading has a size limit and
// can be interrupted; writing leaves a complete file or none.
package files

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"unicode/utf16"
	"unicode/utf8"
)

// The sizes in bytes that files of each kind may have. A snapshot of a cluster with
// 15,000 nodes has some 10 MB.
const (
	MaxSnapshot = 64 << 20 // snapshots, reports and journals
	MaxConfig   = 1 << 20  // configuration, plans, policy documents and templates
	// MaxPlan is for the JSON text of Terraform plans and states. A plan of 2,000 resources
	// has some 20 MB.
	MaxPlan = 128 << 20
	// MaxKubeconfig is for kubeconfig files and the AWS configuration. A kubeconfig with
	// 2,000 clusters has some 5 MB.
	MaxKubeconfig = 8 << 20
)

// Error describes what is wrong with a file.
type Error struct {
	// Name is the name that the user gave; "-" is standard input.
	Name string
	// Problem is a clause, such as "cannot be read: permission denied".
	Problem string
	err     error
}

// Error returns NAME: PROBLEM.
func (e *Error) Error() string { return e.Name + ": " + e.Problem }

// Unwrap returns the cause, such as fs.ErrNotExist.
func (e *Error) Unwrap() error { return e.err }

// Read returns the text of a file, or of standard input where the name is "-"; without a
// standard input that name is an error. It reads no more than limit bytes. A text in UTF-16 with a byte order mark becomes UTF-8, and
// the byte order mark of UTF-8 is left out. When the context ends first, its error is
// returned at once, also where the file is a pipe that nobody writes to. All other
// errors are *Error.
func Read(ctx context.Context, name string, stdin io.Reader, limit int64) ([]byte, error) {
	type answer struct {
		text []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := read(name, stdin, limit)
		done <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-done:
		return a.text, a.err
	}
}

func read(name string, stdin io.Reader, limit int64) ([]byte, error) {
	if name == "-" && stdin == nil {
		return nil, &Error{Name: name, Problem: "standard input is not read here; name a file, such as ./-"}
	}
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, unreadable(name, err)
		}
		defer func() { _ = file.Close() }() // it was only read
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > limit {
			return nil, tooLarge(name, limit)
		}
		stdin = file
	}
	text, err := readAll(stdin, limit)
	switch {
	case err != nil:
		return nil, unreadable(name, err)
	case text == nil:
		return nil, tooLarge(name, limit)
	}
	return decode(name, text)
}

// readAll returns what r has, or nil where that is more than limit bytes. It reads in
// pieces, so that a text that is too large takes no more memory than its limit.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	var pieces [][]byte
	next := int64(32 << 10) // most files are small
	for size := int64(0); size <= limit; next = min(2*next, 1<<20) {
		piece := make([]byte, min(limit+1-size, next))
		n, err := io.ReadFull(r, piece)
		pieces = append(pieces, piece[:n])
		size += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return bytes.Join(append(pieces, []byte{}), nil), nil
		case err != nil:
			return nil, err
		}
	}
	return nil, nil
}

// Gunzip returns a text that is compressed with gzip as it was before, and any other text
// as it is. A text that is cut off or damaged, or longer than limit bytes, is an *Error.
func Gunzip(name string, text []byte, limit int64) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return text, nil
	}
	var out []byte
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err == nil {
		out, err = io.ReadAll(io.LimitReader(z, limit+1))
	}
	switch {
	case err != nil:
		return nil, &Error{Name: name, Problem: "cannot be decompressed: " + err.Error(), err: err}
	case int64(len(out)) > limit:
		return nil, tooLarge(name, limit)
	}
	return out, nil
}

// Check returns an *Error where a library would read more of a file than limit bytes: the
// file is larger, or it is not a regular file, whose size is not known. A file that cannot
// be looked at passes, as reading it has an error of its own, and so does os.DevNull.
func Check(name string, limit int64) error {
	info, err := os.Stat(name)
	switch {
	case err != nil || name == os.DevNull || info.IsDir():
		return nil
	case !info.Mode().IsRegular():
		return &Error{Name: name, Problem: "is not a regular file; save its content in one"}
	case info.Size() > limit:
		return tooLarge(name, limit)
	}
	return nil
}

func unreadable(name string, err error) error {
	cause := err
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		cause = pathErr.Err
	}
	return &Error{Name: name, Problem: "cannot be read: " + cause.Error(), err: err}
}

func tooLarge(name string, limit int64) error {
	return &Error{Name: name, Problem: fmt.Sprintf("is larger than %d MiB, the most that is read of such a file", limit>>20)}
}

// decode turns the text of an editor or of PowerShell into UTF-8 without a byte order
// mark.
func decode(name string, text []byte) ([]byte, error) {
	begins := func(mark ...byte) bool { return len(text) >= len(mark) && string(text[:len(mark)]) == string(mark) }
	switch {
	case begins(0xEF, 0xBB, 0xBF):
		return text[3:], nil
	case begins(0xFF, 0xFE, 0, 0), begins(0, 0, 0xFE, 0xFF):
		return nil, &Error{Name: name, Problem: "is in UTF-32; save it as UTF-8"}
	case begins(0xFF, 0xFE), begins(0xFE, 0xFF):
		return fromUTF16(name, text[2:], text[0] == 0xFF)
	case len(text) >= 2 && (text[0] == 0) != (text[1] == 0):
		return nil, &Error{Name: name, Problem: "is in UTF-16 without a byte order mark; save it as UTF-8"}
	}
	return text, nil
}

func fromUTF16(name string, text []byte, little bool) ([]byte, error) {
	if len(text)%2 != 0 {
		return nil, &Error{Name: name, Problem: "is in UTF-16 and ends in the middle of a character"}
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 0; i < len(text); i += 2 {
		a, b := uint16(text[i]), uint16(text[i+1])
		if little {
			a, b = b, a
		}
		units = append(units, a<<8|b)
	}
	out := make([]byte, 0, len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// Private is the mode of a file that describes an account's permissions.
const Private fs.FileMode = 0o600

// Write writes a file at once: readers see the old text or the new one,
// and of two writers at once one leaves a whole file. A file that is there keeps its
// mode, a new one gets mode, as the user's umask allows. A symbolic link is followed to
// the file that it names. What is not a regular file, such as /dev/stdout, is written to
// as it is.
func Write(name string, text []byte, mode fs.FileMode) (err error) {
	kept := false
	target, err := filepath.EvalSymlinks(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		target = name
	case err != nil:
		return err
	}
	if info, err := os.Lstat(target); err == nil {
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("write %s: it is a symbolic link to a file that does not exist", name)
		}
		if !info.Mode().IsRegular() {
			return os.WriteFile(target, text, mode)
		}
		mode, kept = info.Mode().Perm(), true
	}
	tmp, err := createBeside(target, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(tmp.Name()))
		}
	}()
	if _, err = tmp.Write(text); err == nil && kept {
		err = tmp.Chmod(mode) // past the umask
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}

// createBeside creates a file beside another one, under a name that nobody can guess and
// that no file or link has. os.CreateTemp would do, but for the user's umask.
func createBeside(name string, mode fs.FileMode) (*os.File, error) {
	for try := 0; ; try++ {
		beside := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%016x", filepath.Base(name), rand.Uint64()))
		file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) && try < 100 {
			continue
		}
		return file, err
	}
}

// Same reports whether two names are of one file or folder that exists.
func Same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
