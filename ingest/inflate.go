package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// maxInflated is how many bytes all compressed pieces of one body may give.
const maxInflated = 16 << 20

func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }

// inflate decompresses what stands compressed inside a body, within the bounds
// of a compressed body, and takes what it gives from room.
func inflate(data []byte, room *int64) ([]byte, error) {
	raw := &counter{r: bytes.NewReader(data)}
	z, err := gzip.NewReader(raw)
	if err != nil {
		return nil, errors.New("malformed gzip")
	}
	text, err := io.ReadAll(&inflater{r: z, raw: raw, max: *room})
	*room -= int64(len(text))
	switch {
	case errors.Is(err, errInflated):
		*room = 0
		return nil, fmt.Errorf("compressed data has more than %d bytes in all", maxInflated)
	case errors.Is(err, errRatio):
		return nil, errors.New("data is compressed too well to be true: more than one to 100")
	case err != nil:
		return nil, errors.New("malformed gzip")
	}
	return text, nil
}
