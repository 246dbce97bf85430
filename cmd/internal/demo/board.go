package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// board is what people see: scenes, rows of a timeline, and in the end the
// proofs. Text that others wrote is tamed. It may be used concurrently. Write
// errors are the terminal's and are not reported.
type board struct {
	painter
	mu     sync.Mutex
	w      io.Writer
	scenes int
	proofs []proof
	now    func() time.Time
}

// proof is one claim, and whether it held when the API server was asked.
type proof struct {
	claim string
	err   error
}

const (
	labelWidth = 9
	indent     = "                         " // below the text of a row
	maxRow     = 600
)

// scene begins a part of the story.
func (b *board) scene(title string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scenes++
	head := fmt.Sprintf("%d  %s ", b.scenes, title)
	rule := strings.Repeat("─", max(0, 100-utf8.RuneCountInString(head)))
	fmt.Fprintf(b.w, "\n%s\n", b.paint(bold, head)+b.paint(dim, rule))
}

// row is a line of the timeline of now.
func (b *board) row(label, format string, args ...any) {
	b.rowAt(b.now(), label, format, args...)
}

// rowAt is a line of the timeline.
func (b *board) rowAt(at time.Time, label, format string, args ...any) {
	b.line(at, label, "", fmt.Sprintf(format, args...))
}

// line writes a row; mark is ours, text may be of others.
func (b *board) line(at time.Time, label, mark, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	padded := fmt.Sprintf("%-*s", labelWidth, label)
	fmt.Fprintf(b.w, "%s  %s  %s%s\n", b.paint(dim, at.UTC().Format("15:04:05.000")), b.paint(styles(label), padded), mark, tame(text, maxRow))
}

// below is a line that belongs to the row above.
func (b *board) below(format string, args ...any) {
	text := tame(fmt.Sprintf(format, args...), maxRow)
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.w, "%s%s\n", indent, b.paint(dim, text))
}

// prove notes a claim with what was read back, or why it does not hold.
func (b *board) prove(claim, detail string, err error) {
	b.line(b.now(), "cluster", b.mark(err), claim)
	if err != nil {
		detail = err.Error()
	}
	if detail != "" {
		b.below("%s", detail)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.proofs = append(b.proofs, proof{claim, err})
}

// mark is that of a claim.
func (p painter) mark(err error) string {
	if err != nil {
		return p.paint(red, "✗") + " "
	}
	return p.paint(green, "✓") + " "
}

// text is a block of the text of others, as it is.
func (b *board) text(block string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(telemetry.Tame(block, 64<<10)) {
		fmt.Fprintf(b.w, "  %s\n", strings.TrimRight(line, "\n"))
	}
}

// summary lists the proofs and says how many failed.
func (b *board) summary(took time.Duration) (failed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.w, "\n%s\n", b.paint(bold, "What was proved, each line read back from the API server:"))
	for _, p := range b.proofs {
		why := ""
		if p.err != nil {
			failed++
			why = ": " + tame(p.err.Error(), 300)
		}
		fmt.Fprintf(b.w, "  %s%s%s\n", b.mark(p.err), p.claim, why)
	}
	verdict := b.paint(green, fmt.Sprintf("%d of %d hold", len(b.proofs)-failed, len(b.proofs)))
	if failed > 0 {
		verdict = b.paint(red, fmt.Sprintf("%d of %d do not hold", failed, len(b.proofs)))
	}
	fmt.Fprintf(b.w, "%s, in %s.\n", verdict, took.Round(100*time.Millisecond))
	return failed
}

// tame makes one line of text of others, at most n bytes.
func tame(s string, n int) string {
	return strings.Join(strings.Fields(telemetry.Tame(s, n)), " ")
}
