package event

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of a frame: how many events, and how many bytes of them, travel in
// one message of the EVENTS stream. One event alone may be larger than
// MaxFrameBytes, up to MaxEventBytes.
const (
	MaxFrameEvents = 512
	MaxFrameBytes  = 256 << 10
	MaxEventBytes  = 1<<20 - 4<<10
)

const frameVersion = 1

var errFrame = errors.New("malformed frame")

// EncodeFrame writes a frame: a version byte, then each event as a
// four-byte big-endian length and its JSON. Encoded holds events as
// [json.Marshal] gives them.
func EncodeFrame(encoded [][]byte) []byte {
	size := 1
	for _, e := range encoded {
		size += 4 + len(e)
	}
	frame := append(make([]byte, 0, size), frameVersion)
	for _, e := range encoded {
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(e)))
		frame = append(frame, e...)
	}
	return frame
}

// DecodeFrame reads what [EncodeFrame] wrote. Events that are not valid JSON
// are an error for the whole frame: a frame is our own writing.
func DecodeFrame(frame []byte) ([]Event, error) {
	if len(frame) == 0 || frame[0] != frameVersion {
		return nil, fmt.Errorf("decode frame: %w: unknown version", errFrame)
	}
	var events []Event
	for rest := frame[1:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, fmt.Errorf("decode frame: %w: cut length", errFrame)
		}
		n := uint64(binary.BigEndian.Uint32(rest))
		if n > uint64(len(rest)-4) {
			return nil, fmt.Errorf("decode frame: %w: event %d is cut", errFrame, len(events))
		}
		var e Event
		if err := json.Unmarshal(rest[4:4+n], &e); err != nil {
			return nil, fmt.Errorf("decode frame: event %d: %w", len(events), err)
		}
		events = append(events, e)
		rest = rest[4+n:]
	}
	return events, nil
}
