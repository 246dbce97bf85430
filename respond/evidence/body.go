package evidence

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
)

// Body is what is kept, counted and hashed as it is read, up to a number of
// bytes.
type Body struct {
	from      io.Reader
	hash      hash.Hash
	size      int64
	most      int64
	begun     bool
	truncated bool
	end       func()
}

// Reading is the body that a reader gives, up to most bytes.
func Reading(from io.Reader, most int64) *Body {
	return &Body{from: from, hash: sha256.New(), most: most, end: func() {}}
}

// Writing is the body that a function writes, up to most bytes: then the
// function's context ends, and what it gives back does not count. The function
// runs once somebody reads; Close ends it.
func Writing(ctx context.Context, most int64, write func(ctx context.Context, w io.Writer) error) *Body {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	b := Reading(nil, most)
	done := make(chan struct{})
	begin := func() {
		go func() {
			defer close(done)
			_ = w.CloseWithError(write(ctx, w)) // never fails
		}()
	}
	b.from = &lazy{begin: begin, r: r}
	b.end = func() {
		cancel()
		_ = r.Close() // never fails
		if b.begun {
			<-done
		}
	}
	return b
}

type lazy struct {
	begin func()
	r     io.Reader
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.begin != nil {
		l.begin()
		l.begin = nil
	}
	return l.r.Read(p)
}

// Read gives the next bytes.
func (b *Body) Read(p []byte) (int, error) {
	b.begun = true
	if left := b.most - b.size; left <= 0 {
		// One byte more tells a body that is just as long from one that is cut.
		var more [1]byte
		n, err := b.from.Read(more[:])
		if n > 0 {
			b.truncated = true
			return 0, io.EOF
		}
		return 0, err
	} else if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.from.Read(p)
	b.hash.Write(p[:n])
	b.size += int64(n)
	return n, err
}

// Close ends what writes the body.
func (b *Body) Close() { b.end() }
