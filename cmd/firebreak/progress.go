package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
)

// progress is a line on a terminal that says how far something is. It goes away
// before anything else is written, and in the end.
type progress struct {
	w     io.Writer
	now   func() time.Time
	began time.Time
	next  time.Time
	stage string
	shown bool
}

// progressEvery is how often the line changes, and progressAfter how long
// nothing is shown: what is done by then needs no line.
const (
	progressEvery = 100 * time.Millisecond
	progressAfter = 500 * time.Millisecond
)

// newProgress is nil where w is no terminal.
func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) { // #nosec G115 -- a file descriptor
		return nil
	}
	return &progress{w: w, now: time.Now}
}

// tell shows how far it is.
func (p *progress) tell(now replay.Progress) {
	at := p.now()
	if now.Stage != p.stage {
		p.stage, p.began, p.next = now.Stage, at, at.Add(progressAfter)
	}
	if at.Before(p.next) {
		return
	}
	p.next, p.shown = at.Add(progressEvery), true
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(now, at.Sub(p.began)))
}

func (p *progress) line(now replay.Progress, took time.Duration) string {
	out := now.Stage
	if now.Total > 0 {
		out += fmt.Sprintf(" %3d %%", min(100, 100*now.Done/now.Total))
	}
	out += fmt.Sprintf(", %d events, %.0f a second", now.Events, float64(now.Events)/took.Seconds())
	if now.Total > now.Done && now.Done > 0 {
		left := time.Duration(float64(took) * float64(now.Total-now.Done) / float64(now.Done))
		out += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return out
}

// clear takes the line away.
func (p *progress) clear() {
	if p != nil && p.shown {
		p.shown = false
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// before clears the line before w is written to.
func (p *progress) before(w io.Writer) io.Writer {
	if p == nil {
		return w
	}
	return clearing{p, w}
}

type clearing struct {
	p *progress
	w io.Writer
}

// Write clears the line, and writes.
func (c clearing) Write(data []byte) (int, error) {
	c.p.clear()
	return c.w.Write(data)
}
