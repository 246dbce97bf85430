package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Directory keeps objects as files below it. It is for one process alone, or for
// a file system that several share.
type Directory string

// Where is the directory.
func (d Directory) Where() string { return "file://" + string(d) }

// Put writes a file beside, and gives it its name once all is on the disk.
func (d Directory) Put(_ context.Context, name string, body io.Reader) (err error) {
	to := filepath.Join(string(d), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	if _, err := os.Lstat(to); err == nil {
		return ErrExists
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // the file has its name by then
	_, err = io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	if err := os.Link(f.Name(), to); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return syncDirectory(filepath.Dir(to))
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get opens the file.
func (d Directory) Get(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return f, err
}
