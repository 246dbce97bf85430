package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// maxRatio is how many times larger than compressed a body may be.
// The first freeBytes are not counted: short texts compress well.
const (
	maxRatio  = 100
	freeBytes = 64 << 10
)

// readBody reads a body of at most max bytes, JSON or of one of the types,
// decompressed if it is gzip or zstd. The error is a *refusal, with the beginning of what came.
func readBody(w http.ResponseWriter, req *http.Request, max int64, types []string) ([]byte, error) {
	in := http.MaxBytesReader(w, req.Body, max)
	if no := checkType(req.Header, types); no != nil {
		no.data = head(in)
		return nil, no
	}
	encoding := strings.ToLower(req.Header.Get("Content-Encoding"))
	if !strings.HasSuffix(encoding, "gzip") {
		data, err := readAll(in, min(max, req.ContentLength))
		if err == nil && encoding == "zstd" {
			data, err = unzstd(data, max)
		}
		if err != nil {
			return nil, bodyError(err, max, data)
		}
		return withoutMark(data), nil
	}
	raw := &counter{r: in}
	z, err := gzip.NewReader(raw)
	if err != nil {
		return nil, bodyError(err, max, []byte("<not gzip>"))
	}
	data, err := io.ReadAll(&inflater{r: z, raw: raw, max: max})
	if err != nil {
		return nil, bodyError(err, max, data)
	}
	return withoutMark(data), nil
}

// readAll reads to the end of what is of so many bytes by the client's word,
// for which they are counted already; below 0 it says nothing.
func readAll(r io.Reader, size int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, max(size, 0)+bytes.MinRead))
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// withoutMark leaves out the byte order mark that some programs write before
// their JSON. What is binary never begins with one.
func withoutMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// checkType accepts JSON, and no type at all. Falco says application/json
// when its json_output is on, and text/plain when it sends no JSON.
func checkType(h http.Header, types []string) *refusal {
	switch strings.ToLower(h.Get("Content-Encoding")) {
	case "", "identity", "gzip", "x-gzip", "zstd":
	default:
		return &refusal{
			status: http.StatusUnsupportedMediaType, class: telemetry.ReasonUnsupported, reason: "content encoding is neither gzip nor zstd",
		}
	}
	text := h.Get("Content-Type")
	if text == "" {
		return nil
	}
	// What is wrong with its parameters is no reason to lose the body.
	kind, _, err := mime.ParseMediaType(text)
	if (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json") || slices.Contains(types, kind)) {
		return nil
	}
	return &refusal{
		status: http.StatusUnsupportedMediaType, class: telemetry.ReasonUnsupported, reason: "content type is not " + strings.Join(append([]string{"application/json"}, types...), ", "),
	}
}

var (
	errInflated = errors.New("body is too large after decompression")
	errRatio    = errors.New("body is compressed too well to be true")
)

// bodyError says what is wrong with a body.
func bodyError(err error, max int64, data []byte) error {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over), errors.Is(err, errInflated), errors.Is(err, errRatio):
		reason := fmt.Sprintf("body is larger than %d bytes", max)
		if errors.Is(err, errRatio) {
			reason = errRatio.Error()
		}
		return refuseBody(http.StatusRequestEntityTooLarge, telemetry.ReasonTooLarge, reason, data)
	case errors.Is(err, errZstd):
		return refuseBody(http.StatusBadRequest, telemetry.ReasonMalformed, err.Error(), []byte("<not zstd>"))
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return refuseBody(http.StatusBadRequest, telemetry.ReasonMalformed, "malformed gzip", data)
	}
	return refuseBody(http.StatusBadRequest, telemetry.ReasonMalformed, "body is cut off or malformed", data)
}

func refuseBody(status int, class, reason string, data []byte) *refusal {
	return &refusal{status: status, class: class, reason: reason, data: cutHead(data)}
}

// cutHead keeps the beginning; never nil, so that a reject is kept.
func cutHead(data []byte) []byte {
	return append([]byte{}, data[:min(len(data), event.MaxRejected+16<<10)]...)
}

// head reads the beginning of a body that is refused.
func head(r io.Reader) []byte {
	data, _ := io.ReadAll(io.LimitReader(r, event.MaxRejected))
	return cutHead(data)
}

// counter counts the bytes that were read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// inflater bounds what comes out of a decompressor.
type inflater struct {
	r   io.Reader
	raw *counter
	max int64
	n   int64
}

func (i *inflater) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.n += int64(n)
	switch {
	case i.n > i.max:
		return n, errInflated
	case i.n > freeBytes && i.n > maxRatio*i.raw.n:
		return n, errRatio
	}
	return n, err
}
