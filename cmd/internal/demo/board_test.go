package demo

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func newBoard(color bool) (*board, *bytes.Buffer) {
	var out bytes.Buffer
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	return &board{painter: painter(color), w: &out, now: func() time.Time { return at }}, &out
}

// perform writes one of everything.
func perform(b *board) int {
	b.scene("A scene")
	b.row("attack", "somebody did %d things", 2)
	b.rowAt(time.Date(2026, 1, 2, 13, 4, 5, 0, time.FixedZone("x", 3600)), "finding", "at its own time")
	b.below("what stands behind it")
	b.prove("This holds", "as was read", nil)
	b.prove("This doesn't", "not shown", errors.New("it is red"))
	return b.summary(1234 * time.Millisecond)
}

func TestBoardPlain(t *testing.T) {
	b, out := newBoard(false)
	if failed := perform(b); failed != 1 {
		t.Errorf("%d failed, want 1", failed)
	}
	want := `
1  A scene ` + strings.Repeat("─", 89) + `
03:04:05.678  attack     somebody did 2 things
12:04:05.000  finding    at its own time
                         what stands behind it
03:04:05.678  cluster    ✓ This holds
                         as was read
03:04:05.678  cluster    ✗ This doesn't
                         it is red

What was proved, each line read back from the API server:
  ✓ This holds
  ✗ This doesn't: it is red
1 of 2 do not hold, in 1.2s.
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// With colours the text is the same.
func TestBoardColour(t *testing.T) {
	colours, out := newBoard(true)
	perform(colours)
	plain, bare := newBoard(false)
	perform(plain)
	text := out.String()
	if !strings.Contains(text, "\x1b[31mattack   \x1b[0m") || !strings.Contains(text, "\x1b[32m✓\x1b[0m This holds") {
		t.Errorf("not painted:\n%q", text)
	}
	for _, s := range []style{bold, dim, red, green, yellow, blue, violet, cyan} {
		text = strings.ReplaceAll(text, "\x1b["+string(s)+"m", "")
	}
	if text = strings.ReplaceAll(text, "\x1b[0m", ""); text != bare.String() {
		t.Errorf("got:\n%s\nwant:\n%s", text, bare.String())
	}
}

// What others wrote can't steer the terminal, begin a row of its own, or make
// a claim.
func TestBoardTames(t *testing.T) {
	b, out := newBoard(false)
	hostile := "web\x1b[2J\r\n03:04:05.678  cluster    ✓ all is well\x07"
	b.row("event", "%s", hostile)
	b.below("%s", hostile)
	b.text(hostile)
	b.prove("Claim", hostile, nil)
	if text := out.String(); strings.ContainsAny(text, "\x1b\x07\r") || strings.Contains(text, "\n03:04:05.678  cluster    ✓ all") {
		t.Errorf("got %q", text)
	}
	out.Reset()
	b.row("event", "%s", strings.Repeat("x", 1<<20))
	if out.Len() > 1000 {
		t.Errorf("a row of %d bytes", out.Len())
	}
}
