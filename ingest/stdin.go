package ingest

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/firebreak-io/firebreak/ingest/tail"
)

// openStdin opens standard input as a source of one value a line. There are no
// positions: what comes while nobody reads is lost, so it is outside P1.
func openStdin(d Deps, in input) Source {
	r := d.Stdin
	if r == nil {
		r = os.Stdin
	}
	return Source{Run: func(ctx context.Context) error {
		s := &stdinSource{d: d, lines: make(chan stdinLine, stdinAhead), lineFile: lineFile{
			files: &files{d: d, batch: fileBatch{source: in.source}}, in: in,
		}}
		// Nothing can stop a read of a terminal or a pipe: the goroutine ends
		// with the process, or with its next line.
		go s.read(ctx, r)
		return s.run(ctx)
	}}
}

type stdinSource struct {
	lineFile
	d     Deps
	lines chan stdinLine
}

// stdinAhead is how many lines are read while the store is at work.
const stdinAhead = 64

type stdinLine struct {
	number int64
	text   []byte
	cut    bool
	err    error
}

// read gives lines until the end.
func (s *stdinSource) read(ctx context.Context, r io.Reader) {
	lines := newLineReader(r, MaxEvent)
	for number := int64(0); ; number++ {
		raw, err := lines.next()
		select {
		case s.lines <- stdinLine{number, append([]byte{}, raw.text...), raw.cut, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// run stores what comes, until ctx ends.
func (s *stdinSource) run(ctx context.Context) error {
	for {
		select {
		case l := <-s.lines:
			err := s.gather(l)
			if s.flush(ctx) != nil {
				return nil // ctx has ended
			}
			if err != nil {
				return s.ended(ctx, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// gather takes a line, and what else is there already.
func (s *stdinSource) gather(l stdinLine) error {
	for {
		if l.err != nil {
			return l.err
		}
		s.Line(tail.Line{Text: l.text, Cut: l.cut, Path: "stdin", Number: l.number})
		if s.files.Full() {
			return nil
		}
		select {
		case l = <-s.lines:
		default:
			return nil
		}
	}
}

// flush stores the batch, however long it takes.
func (s *stdinSource) flush(ctx context.Context) error {
	store := s.files.Take()
	if store == nil {
		return nil
	}
	return tail.Retry{Name: "standard input", Logger: s.d.Logger, Now: s.d.Now}.Do(ctx, store)
}

func (s *stdinSource) ended(ctx context.Context, err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if s.d.Logger != nil {
		s.d.Logger.WarnContext(ctx, "standard input has ended; nothing more comes from it")
	}
	<-ctx.Done()
	return nil
}
