package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the most bytes of one line of a log; what is more is cut.
const maxLine = 256 << 10

// lineReader reads lines of any length in bounded memory.
type lineReader struct {
	r   *bufio.Reader
	buf []byte
	max int
}

func newLineReader(r io.Reader, max int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), max: max}
}

// rawLine is one line as it stands in a file.
type rawLine struct {
	text []byte // without its line end; valid until the next line is read
	cut  bool   // longer than the bound
	size int64  // bytes in the file, line end included
	full bool   // a line end follows
}

// next reads a line. The error is io.EOF after the last one. A last line
// without a line end is given with full unset.
func (l *lineReader) next() (rawLine, error) {
	l.buf = l.buf[:0]
	var line rawLine
	for {
		piece, err := l.r.ReadSlice('\n')
		line.size += int64(len(piece))
		line.full = err == nil
		keep := min(len(piece), l.max+2-len(l.buf))
		l.buf = append(l.buf, piece[:max(keep, 0)]...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if !errors.Is(err, io.EOF) || line.size == 0 {
				return rawLine{}, err
			}
			break
		}
		if err == nil {
			break
		}
	}
	line.text = bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte("\n")), []byte("\r"))
	if len(line.text) > l.max {
		line.text, line.cut = line.text[:l.max], true
	}
	return line, nil
}
