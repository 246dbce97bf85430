package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// The lengths of texts of others, in characters.
const (
	maxName  = 120
	maxLine  = 500
	maxBlock = 64 << 10
)

// line is one line of somebody else's text: without control characters, those
// that turn the direction of text or have no width, and heaps of marks over one
// letter; at most n characters.
func line(s string, n int) string {
	return cut(strings.Join(strings.Fields(tame(s, 16*n)), " "), n)
}

// lines are [line] for each, and how many are left out after the first most.
func lines(list []string, n, most int) []string {
	var out []string
	for i, s := range list {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(list)-most))
		}
		out = append(out, line(s, n))
	}
	return out
}

// tame takes out what changes how the rest is shown.
func tame(s string, limit int) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > 4 {
				return -1
			}
			return r
		}
		marks = 0
		if unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, telemetry.Tame(s, limit))
}

func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// block is JSON as people read it, or the text as it is where it is none. What
// is over its bound is said.
func block(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	var out bytes.Buffer
	text := string(data)
	if err := json.Indent(&out, data, "", "  "); err == nil {
		text = out.String()
	}
	more := len(text) - maxBlock
	text = tame(text, maxBlock)
	if more > 0 {
		text += fmt.Sprintf("\n(%d bytes more are not shown: firebreak runs -o json has them)", more)
	}
	return text
}

// short is the beginning of an id, enough to name it.
func short(id string) string { return line(id[:min(len(id), 12)], 12) }

// word is a name of a closed set as people read it.
func word[T ~string](s T) string { return line(strings.ReplaceAll(string(s), "_", " "), 40) }

// stamp is a moment: the machine's form and the people's.
type stamp struct{ Machine, Text string }

func at(t time.Time) stamp {
	if t.IsZero() {
		return stamp{Text: "never"}
	}
	t = t.UTC()
	return stamp{t.Format(time.RFC3339), t.Format("2006-01-02 15:04:05 UTC")}
}

// span is a duration in its two largest units.
func span(d time.Duration) string {
	d = max(d.Round(time.Second), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour && d%time.Minute == 0:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}
