// Package pack writes and reads the state of detectors: numbers, texts and
// bytes one after the other, without names or types. Who reads asks for the
// same things in the same order; what does not fit is one error at the end.
package pack

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrMalformed is what a [Reader] says of bytes that no [Writer] wrote.
var ErrMalformed = errors.New("malformed state")

// Writer appends to Data. The zero value is ready; not safe for concurrent use.
type Writer struct{ Data []byte }

// Uint writes a number.
func (w *Writer) Uint(v uint64) { w.Data = binary.AppendUvarint(w.Data, v) }

// Int writes a number that may be negative.
func (w *Writer) Int(v int64) { w.Data = binary.AppendVarint(w.Data, v) }

// Len writes a length or an index.
func (w *Writer) Len(n int) { w.Uint(uint64(max(n, 0))) } // #nosec G115 -- not negative

// Bool writes a truth value.
func (w *Writer) Bool(v bool) {
	if v {
		w.Uint(1)
	} else {
		w.Uint(0)
	}
}

// Float writes a number; whole ones that are small take little room.
func (w *Writer) Float(v float64) {
	if v >= 0 && v < 1<<48 && v == math.Trunc(v) && !math.Signbit(v) {
		w.Uint(uint64(v) + 1)
		return
	}
	w.Uint(0)
	w.Data = binary.LittleEndian.AppendUint64(w.Data, math.Float64bits(v))
}

// Fixed writes bytes whose number the reader knows.
func (w *Writer) Fixed(b []byte) { w.Data = append(w.Data, b...) }

// Bytes writes bytes and how many they are.
func (w *Writer) Bytes(b []byte) {
	w.Len(len(b))
	w.Data = append(w.Data, b...)
}

// Text writes a text.
func (w *Writer) Text(s string) {
	w.Len(len(s))
	w.Data = append(w.Data, s...)
}

// Reader reads what a [Writer] wrote. After the first thing that does not fit
// it gives zeros, and Err says so. Not safe for concurrent use.
type Reader struct {
	data []byte
	err  error
}

// NewReader reads data, which must not change while it is read.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Err is the first problem.
func (r *Reader) Err() error { return r.err }

// Done says what is wrong, also when something is left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.data) > 0 {
		return ErrMalformed
	}
	return r.err
}

// Fail says that what was read makes no sense.
func (r *Reader) Fail() {
	if r.err == nil {
		r.err = ErrMalformed
	}
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.data)
	return read(r, v, n)
}

// Int reads a number that may be negative.
func (r *Reader) Int() int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Varint(r.data)
	return read(r, v, n)
}

func read[T uint64 | int64](r *Reader, v T, n int) T {
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

// Count reads how many things follow, of which each takes at least one byte: so
// nobody makes room for more than there can be. It is at most limit.
func (r *Reader) Count(limit int) int {
	n := r.Len(limit)
	if n > len(r.data) {
		r.Fail()
		return 0
	}
	return n
}

// Len reads a length or an index of at most limit.
func (r *Reader) Len(limit int) int {
	n := r.Uint()
	if n > uint64(max(limit, 0)) { // #nosec G115 -- not negative
		r.Fail()
		return 0
	}
	return int(n) // #nosec G115 -- bounded
}

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	v := r.Uint()
	if v > 1 {
		r.Fail()
	}
	return v == 1
}

// Float reads a number.
func (r *Reader) Float() float64 {
	if v := r.Uint(); v > 0 || r.err != nil {
		return float64(max(v, 1) - 1)
	}
	b := r.Fixed(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// Fixed reads n bytes, which are not copied; nil when there are fewer.
func (r *Reader) Fixed(n int) []byte {
	if r.err != nil || n > len(r.data) {
		r.Fail()
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

// Bytes reads bytes, which are not copied.
func (r *Reader) Bytes() []byte { return r.Fixed(r.Count(math.MaxInt)) }

// Text reads a text.
func (r *Reader) Text() string { return string(r.Bytes()) }
