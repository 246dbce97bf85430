package conf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// source is the text of a file, to point into.
type source struct {
	file string
	text string
	// starts are the byte offsets of the lines.
	starts []int
}

func newSource(file, text string) *source {
	s := &source{file: file, text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

func (s *source) line(n int) string {
	if n < 1 || n > len(s.starts) {
		return ""
	}
	end := len(s.text)
	if n < len(s.starts) {
		end = s.starts[n] - 1
	}
	return strings.TrimSuffix(s.text[s.starts[n-1]:end], "\r")
}

// offset is the byte offset of a line and column, both from 1.
func (s *source) offset(line, column int) int {
	if line < 1 || line > len(s.starts) {
		return len(s.text)
	}
	at := s.starts[line-1]
	for ; column > 1 && at < len(s.text) && s.text[at] != '\n'; column-- {
		_, n := utf8.DecodeRuneInString(s.text[at:])
		at += n
	}
	return at
}

// place is the reverse of offset.
func (s *source) place(offset int) (line, column int) {
	offset = min(offset, len(s.text))
	line = 1
	for line < len(s.starts) && s.starts[line] <= offset {
		line++
	}
	return line, 1 + utf8.RuneCountInString(s.text[s.starts[line-1]:offset])
}

const snippetWidth = 100

// snippet shows a line, or the part of it around the column, and a caret.
// Control characters are shown as spaces: the text may be hostile.
func (s *source) snippet(line, column int) string {
	if line < 1 || line > len(s.starts) {
		return ""
	}
	text := []rune(strings.Map(visible, s.line(line)))
	from := 0
	if column > snippetWidth*3/4 {
		from = min(column-snippetWidth/2, len(text))
	}
	text = text[from:min(len(text), from+snippetWidth)]
	gutter := fmt.Sprintf("%5d | ", line)
	caret := strings.Repeat(" ", max(0, column-1-from))
	return gutter + strings.TrimRight(string(text), " ") + "\n" + strings.Repeat(" ", len(gutter)-2) + "| " + caret + "^"
}

func visible(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
		return ' '
	}
	return r
}

func (s *source) errorf(line, column int, format string, args ...any) *Error {
	e := &Error{File: s.file, Msg: fmt.Sprintf(format, args...)}
	if line > 0 {
		e.Line, e.Column = line, max(1, column)
		e.Snippet = s.snippet(line, e.Column)
	}
	return e
}
