package tail

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
)

// fileKey tells a file from the others that exist.
type fileKey struct{ device, inode uint64 }

// position says how far a file was read, and which file it is: inodes are used
// again, so the bytes at its beginning and before the offset must be the same
// too.
type position struct {
	Group  string `json:"group"`
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	// Head is a hash of the first HeadLen bytes, Tail of the TailLen bytes
	// before Offset; at most hashMax of each.
	Head    string `json:"head"`
	HeadLen int    `json:"head_len"`
	Tail    string `json:"tail,omitempty"`
	TailLen int    `json:"tail_len,omitempty"`
	// Offset and Number are of the next line to read.
	Offset int64 `json:"offset"`
	Number int64 `json:"number"`
	// Skip says that the rest of a line, past the bound, is left out; Hole
	// that nothing but zeros were read yet.
	Skip bool `json:"skip,omitempty"`
	Hole bool `json:"hole,omitempty"`
	// Truncated and Lost are for the next line to say.
	Truncated bool  `json:"truncated,omitempty"`
	Lost      int64 `json:"lost,omitempty"`
	// Copy says that it is a copy of another file that is read itself.
	Copy  bool   `json:"copy,omitempty"`
	State string `json:"state,omitempty"`
}

const hashMax = 256

// hashOf is the hash of n bytes of a file from an offset on, or of as many as
// there are.
func hashOf(f io.ReaderAt, offset int64, n int) (string, int, error) {
	var buf [hashMax]byte
	n, err := f.ReadAt(buf[:n], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	sum := sha256.Sum256(buf[:n])
	return hex.EncodeToString(sum[:16]), n, nil
}

// headIs says whether the file still begins as it did.
func (p *position) headIs(f io.ReaderAt) bool {
	if p.HeadLen == 0 {
		return true
	}
	head, n, err := hashOf(f, 0, p.HeadLen)
	return err == nil && n == p.HeadLen && head == p.Head
}

// is says whether f is the file of the position, and not shorter than what was
// read of it.
func (p *position) is(f io.ReaderAt, size int64) bool {
	if size < p.Offset || size < int64(p.HeadLen) || !p.headIs(f) {
		return false
	}
	if p.TailLen == 0 {
		return true
	}
	tail, n, err := hashOf(f, p.Offset-int64(p.TailLen), p.TailLen)
	return err == nil && n == p.TailLen && tail == p.Tail
}

// learnHead takes in how the file begins, as far as it is written.
func (p *position) learnHead(f io.ReaderAt) {
	if p.HeadLen >= hashMax {
		return
	}
	if head, n, err := hashOf(f, 0, hashMax); err == nil && n >= p.HeadLen {
		p.Head, p.HeadLen = head, n
	}
}

// learnTail takes in what stands before the offset.
func (p *position) learnTail(f io.ReaderAt) {
	n := int(min(p.Offset, hashMax))
	tail, got, err := hashOf(f, p.Offset-int64(n), n)
	if err != nil || got != n {
		tail, n = "", 0
	}
	p.Tail, p.TailLen = tail, n
}
