package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// maxInflated is how many bytes a piece of a file may give that stands
// compressed in it.
const maxInflated = 16 << 20

var (
	errMuch  = errors.New("compressed records hold more than may be taken at a time: send fewer")
	errDense = errors.New("compressed record: post such to the source audit-firehose")
)

func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }

// inflate decompresses what stands compressed inside a body, within the bounds
// of a compressed body, and takes what it gives from room. It returns errMuch
// as it is when room is used up; then the body is to be refused whole.
func inflate(data []byte, room *int64) ([]byte, error) {
	text, err := gunzip(data, *room)
	*room = max(*room-int64(len(text)), 1) // 0 is no room from the beginning
	switch {
	case errors.Is(err, errInflated):
		return nil, errMuch
	case errors.Is(err, errRatio):
		return nil, errors.New("data is compressed too well to be true: more than one to 100")
	case err != nil:
		return nil, err
	}
	return text, nil
}

// gunzip decompresses a whole text, within the bounds of a compressed body.
// With an error it gives what came before it.
func gunzip(data []byte, most int64) ([]byte, error) {
	raw := &counter{r: bytes.NewReader(data)}
	z, err := gzip.NewReader(raw)
	if err != nil {
		return nil, errGzip
	}
	text, err := io.ReadAll(&inflater{r: z, raw: raw, max: most})
	if err != nil && !errors.Is(err, errInflated) && !errors.Is(err, errRatio) {
		return text, errGzip
	}
	return text, err
}

var errGzip = errors.New("malformed gzip")
