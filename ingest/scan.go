package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/internal/event"
)

// scan reads a file of JSON values in any layout: one a line, spread over
// lines, in arrays and lists of any size, with other text between them. What
// is no JSON is rejected with its line, and the reading goes on at the next
// line: a value that breaks off does not take those after it along.
func (f input) scan(name string, r io.Reader, o Origin, yield func(Item) error) (Counts, error) {
	s := &scanner{feed: newFeed(r, f.depth), input: f, name: name, origin: o, yield: yield}
	s.walker = walker{dec: jsontext.NewDecoder(s.feed, lenient()...), src: s.feed, lists: f.lists, yield: s.piece}
	err := s.run()
	if err == nil {
		err = s.settle(0)
	}
	return s.feed.close(), err
}

type scanner struct {
	feed   *feed
	walker walker
	input  input
	name   string
	origin Origin
	yield  func(Item) error

	stopped error // of yield
	line    int   // of the last rejects
	rejects int   // on that line
}

func (s *scanner) run() error {
	for {
		first, more := s.feed.next()
		if s.feed.broken != nil {
			return fmt.Errorf("scan %s: %w", s.name, s.feed.broken)
		}
		if !more {
			return nil
		}
		if first != '{' && first != '[' {
			if err := s.plain(); err != nil {
				return err
			}
			continue
		}
		s.feed.start()
		s.walker.dec.Reset(s.feed, lenient()...)
		err := s.walker.value()
		switch {
		case s.stopped != nil:
			return s.stopped
		case s.feed.broken != nil:
			return fmt.Errorf("scan %s: %w", s.name, s.feed.broken)
		case err == nil:
			s.feed.end(s.walker.dec.InputOffset())
		default:
			if err := s.giveUp(err); err != nil {
				return err
			}
		}
	}
}

// plain takes a line that is no JSON, or the beginning of one that is none.
func (s *scanner) plain() error {
	if s.input.text == nil {
		return s.drop("not JSON")
	}
	f := s.feed
	o := s.origin
	o.From = at(s.name, f.line)
	skip, known := s.input.text(bytes.TrimRight(f.rest(), "\r"), o)
	switch {
	case skip > 0:
		f.pass(f.base + int64(skip))
		return nil
	case known == nil:
		return s.drop("not JSON")
	case known.err != nil:
		return s.drop(known.err.Error())
	}
	if err := s.give(f.line, *known); err != nil {
		return err
	}
	f.skipLine()
	return nil
}

// piece takes the text of a piece, which begins at the feed's base.
func (s *scanner) piece(p piece) error {
	line := s.feed.line
	o := s.origin
	o.From = at(s.name, line)
	return s.input.open(p, o, func(f found) error { return s.give(line, f) })
}

// give gives what was found on a line.
func (s *scanner) give(line int, f found) error {
	if f.err != nil {
		s.feed.count(lineRejected)
		s.stopped = s.reject(line, f.err.Error(), f.raw)
		return s.stopped
	}
	s.feed.count(lineBegun)
	s.feed.counts.Events++
	s.stopped = s.yield(Item{Event: &f.event, Line: line})
	return s.stopped
}

// giveUp rejects the line on which a value that can't be read begins, or, in
// a list, the line of the fault between two events.
func (s *scanner) giveUp(err error) error {
	f := s.feed
	var syntactic *jsontext.SyntacticError
	if !f.open && errors.As(err, &syntactic) {
		f.pass(min(f.origin+syntactic.ByteOffset, f.base+int64(len(f.buf))))
	}
	if errors.Is(f.fault, errLarge) && s.input.source == event.SourceAudit {
		o := s.origin
		o.From = at(s.name, f.line)
		// As much as the reader of files takes, so that it is the same event.
		if e, ok := s.input.cutAudit(f.buf[:min(len(f.buf), maxAuditLine)], o); ok {
			if err := s.give(f.line, found{event: e}); err != nil {
				return err
			}
			f.skipLine()
			return nil
		}
	}
	return s.drop(s.reason(err))
}

// drop rejects the rest of the line of base, and moves to the next.
func (s *scanner) drop(reason string) error {
	f := s.feed
	data, line := f.rest(), f.line
	if len(data) == 0 && !f.inside && f.eof {
		line-- // the fault is the end of the file
	} else {
		f.count(lineRejected)
	}
	err := s.reject(line, reason, data)
	f.skipLine()
	return err
}

func (s *scanner) reason(err error) string {
	if s.feed.fault != nil {
		return s.feed.fault.Error()
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return syntaxWord(syntactic)
	}
	return err.Error()
}

// reject gives a reject; of one line at most [maxRejects], and one more that
// counts the others.
func (s *scanner) reject(line int, reason string, data []byte) error {
	if err := s.settle(line); err != nil {
		return err
	}
	if s.rejects++; s.rejects > maxRejects {
		return nil
	}
	return s.bury(line, reason, data)
}

// settle says how many rejects of the line before were not given.
func (s *scanner) settle(line int) error {
	if line == s.line {
		return nil
	}
	more, last := s.rejects-maxRejects, s.line
	s.line, s.rejects = line, 0
	if more <= 0 {
		return nil
	}
	return s.bury(last, fmt.Sprintf("and %d more on the same line", more), nil)
}

func (s *scanner) bury(line int, reason string, data []byte) error {
	s.feed.counts.Rejects++
	rejected := reject(s.input.source, at(s.name, line), reason, data)
	return s.yield(Item{Rejected: &rejected, Line: line})
}

func at(name string, line int) string { return name + ":" + strconv.Itoa(line) }
