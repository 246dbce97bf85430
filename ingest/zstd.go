package ingest

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

var errZstd = errors.New("malformed zstd")

// maxWindow is the largest window of zstd that is read: what the encoders of
// shippers use at their best.
const maxWindow = 64 << 20

// unzstd decompresses a whole text of zstd (RFC 8878) within the bounds of a
// compressed body. It is not read as a stream: a frame says how large a window
// its reader must keep, and a text of ten bytes may ask for megabytes. Here
// what was decompressed is the window, and the room for it grows with what is
// really there.
func unzstd(data []byte, most int64) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("read zstd: %w", err)
	}
	defer d.Close()
	ratio := max(freeBytes, maxRatio*int64(len(data)))
	limit := min(most, ratio)
	for room := min(limit, freeBytes+4*int64(len(data))); ; room = min(limit, 4*room) {
		text, err := d.DecodeAll(data, make([]byte, 0, room))
		switch {
		case err == nil:
			return text, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return nil, errZstd
		case room < limit:
			continue
		case limit == most:
			return nil, errInflated
		}
		return nil, errRatio
	}
}
