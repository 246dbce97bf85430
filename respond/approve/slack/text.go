package slack

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// maxText is how many characters of one text of others are shown.
const maxText = 300

// escaper replaces the three characters that begin markup in Slack; see
// https://docs.slack.dev/messaging/formatting-message-text#escaping.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Text is one line of somebody else's text, fit for Slack: without control
// characters and those that turn the direction of text or have no width, at
// most n characters, and escaped.
func Text(s string, n int) string {
	return escaper.Replace(line(s, n))
}

// line is [Text] before it is escaped.
func line(s string, n int) string {
	return cut(strings.Join(strings.Fields(tame(s)), " "), n)
}

// tame takes out what changes how the rest is shown.
func tame(s string) string {
	const most = 64 << 10
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Variation_Selector, unicode.Zs) && r != ' ' {
			return ' '
		}
		return r
	}, telemetry.Tame(s, most))
}

// cut leaves n characters, the last of which says that there were more.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(n-1, 0)]) + "…"
}

// fit joins lines that are escaped already as far as they are at most n
// characters together, and says how many it left out.
func fit(lines []string, n int) string {
	const room = 40 // for what is said of the rest
	var out strings.Builder
	used := 0
	for i, l := range lines {
		size := utf8.RuneCountInString(l) + 1
		if used+size > n-room {
			if i == 0 {
				return cutEscaped(l, n)
			}
			return out.String() + "\n… and " + count(len(lines)-i, "more line")
		}
		if i > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(l)
		used += size
	}
	return out.String()
}

// cutEscaped cuts text that is escaped without leaving half an entity.
func cutEscaped(s string, n int) string {
	s = cut(s, n)
	if at := strings.LastIndexByte(s, '&'); at >= 0 && !strings.Contains(s[at:], ";") {
		s = s[:at] + "…"
	}
	return s
}
