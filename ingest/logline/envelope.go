package logline

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Line is one line of a container's log file, out of its envelope.
type Line struct {
	// Time is zero when the envelope has none.
	Time time.Time
	// Stamp is the time as it is written, for an id.
	Stamp string
	// Stream is stdout, stderr or, where the envelope doesn't say, empty.
	Stream string
	// Partial says that the message goes on in the stream's next line.
	Partial bool
	// Text is the message, without its line end.
	Text []byte
}

var errCRI = errors.New("not a CRI log line")

// CRI reads a line of the Container Runtime Interface's log format
// (KEP design "CRI: log management for container stdout/stderr streams"):
// TIME STREAM TAGS MESSAGE, where the tags, colon-separated, begin with F for
// a full line or P for a partial one. Text is part of line, not a copy.
func CRI(line []byte) (Line, error) {
	stamp, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(stamp) < 20 || len(stamp) > 40 {
		return Line{}, fmt.Errorf("%w: no time", errCRI)
	}
	t, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil || t.Year() < 1970 || t.Year() > 2199 {
		return Line{}, fmt.Errorf("%w: time is not RFC 3339", errCRI)
	}
	stream, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok || string(stream) != "stdout" && string(stream) != "stderr" {
		return Line{}, fmt.Errorf("%w: stream is neither stdout nor stderr", errCRI)
	}
	tags, text, _ := bytes.Cut(rest, []byte(" "))
	tag, _, _ := bytes.Cut(tags, []byte(":"))
	if string(tag) != "F" && string(tag) != "P" {
		return Line{}, fmt.Errorf("%w: tag is neither F nor P", errCRI)
	}
	return Line{
		Time: t.UTC(), Stamp: string(stamp), Stream: string(stream), Partial: string(tag) == "P", Text: text,
	}, nil
}

var errDocker = errors.New("not a line of Docker's json-file log")

// Docker reads a line of Docker's json-file log driver: an object with log,
// stream and time. A log without a line end goes on in the next line; the
// driver splits at 16 KiB.
func Docker(line []byte) (Line, error) {
	if len(line) == 0 || line[0] != '{' {
		return Line{}, errDocker
	}
	var v struct {
		Log    *string `json:"log"`
		Stream string  `json:"stream"`
		Time   string  `json:"time"`
	}
	if err := json.Unmarshal(line, &v, jsontext.AllowInvalidUTF8(true)); err != nil || v.Log == nil {
		return Line{}, errDocker
	}
	l := Line{Stamp: v.Time, Stream: v.Stream, Text: []byte(strings.TrimSuffix(*v.Log, "\n"))}
	l.Partial = len(l.Text) == len(*v.Log)
	if len(l.Stream) > 16 || len(l.Stamp) > 40 {
		return Line{}, fmt.Errorf("%w: stream or time is too long", errDocker)
	}
	if t, err := time.Parse(time.RFC3339Nano, v.Time); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
		l.Time = t.UTC()
	}
	return l, nil
}
