package sketch

import (
	"encoding/binary"
	"errors"
)

var errCut = errors.New("encoding is cut short, or not the shortest")

// reader reads numbers until the first that is malformed.
type reader struct {
	b   []byte
	err error
}

// uvarint reads a number that is written in as few bytes as can be.
func (r *reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.err = errCut
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes reads that many bytes, of which the length comes first.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.err == nil && n > uint64(len(r.b)) {
		r.err = errCut
	}
	if r.err != nil {
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
