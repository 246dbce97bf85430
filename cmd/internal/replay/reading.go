package replay

import "io"

// reading counts the bytes of all inputs while they are read.
type reading struct {
	o           *Options
	r           io.Reader
	done, total int64
	items       int
}

// of counts what is read from r, too.
func (r *reading) of(in io.Reader) io.Reader {
	r.r = in
	return r
}

// Read is of the input that is read now.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.done += int64(n)
	r.o.tell(Progress{Stage: "read", Done: r.done, Total: r.total, Events: r.items})
	return n, err
}
