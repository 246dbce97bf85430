package ingest

import (
	"io"
	"net/http"
	"time"
)

const (
	// maxDrain is how much of a refused body is read, drainTimeout how long,
	// and maxDrains how many at a time.
	maxDrain     = 32 << 20
	drainTimeout = 2 * time.Second
	maxDrains    = 16
)

// drains lets so many bodies be drained at a time.
type drains chan struct{}

func newDrains() drains { return make(drains, maxDrains) }

// drain reads the rest of a body that is refused, and throws it away: a client
// that is still writing when its connection is closed sees a reset, often
// without the answer, and an API server sends the same body again then. Of
// HTTP/2 the protocol takes care. A body that is far too long, comes slowly or
// with many others is not waited for.
func (d drains) drain(w http.ResponseWriter, req *http.Request) {
	if req.ProtoMajor >= 2 || req.ContentLength == 0 || req.ContentLength > maxDrain {
		return
	}
	select {
	case d <- struct{}{}:
		defer func() { <-d }()
	default:
		return
	}
	// A server without deadlines (a test's) says so; then there is none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTimeout))
	_, _ = io.CopyN(io.Discard, req.Body, maxDrain) // what is missing is not needed
}
