package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// position says how far a log file was read, and which file it is: inodes are
// used again, so the first bytes must be the same too.
type position struct {
	Path    string `json:"path"`
	Inode   uint64 `json:"inode"`
	Device  uint64 `json:"device"`
	Head    string `json:"head"`     // SHA-256 of the first HeadLen bytes
	HeadLen int    `json:"head_len"` // at most headMax
	// Offset and Ordinal are of the next line to read.
	Offset  int64 `json:"offset"`
	Ordinal int64 `json:"ordinal"`
	// Skip says that the rest of a line, past the bound, is left out.
	Skip   bool   `json:"skip,omitempty"`
	Format format `json:"format,omitempty"`
}

const headMax = 256

// headOf is the hash of the first n bytes of a file, or of as many as there
// are.
func headOf(f io.ReaderAt, n int) (string, int, error) {
	buf := make([]byte, n)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	sum := sha256.Sum256(buf[:n])
	return hex.EncodeToString(sum[:16]), n, nil
}

// is says whether f is the file of the position, and not shorter than what
// was read of it.
func (p position) is(f io.ReaderAt, size int64) bool {
	if size < p.Offset || size < int64(p.HeadLen) {
		return false
	}
	head, n, err := headOf(f, p.HeadLen)
	return err == nil && n == p.HeadLen && head == p.Head
}

type checkpoint struct {
	Version int        `json:"version"`
	Files   []position `json:"files"`
}

// loadCheckpoint reads the positions of the last run; none when there is no
// file.
func loadCheckpoint(path string) ([]position, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log checkpoint: %w", err)
	}
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("read log checkpoint %s: %w", path, err)
	}
	if c.Version != 1 {
		return nil, fmt.Errorf("read log checkpoint %s: version %d is unknown", path, c.Version)
	}
	return c.Files, nil
}

// saveCheckpoint replaces the file in one step, on disk before it returns. It
// makes the directory, which nobody else does where the streams are elsewhere.
func saveCheckpoint(path string, files []position) error {
	data, err := json.Marshal(checkpoint{Version: 1, Files: files})
	if err != nil {
		return fmt.Errorf("save log checkpoint: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save log checkpoint: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save log checkpoint: %w", err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save log checkpoint: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}
