package logline

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func init() {
	register(Parser{
		Name:  "logfmt",
		Doc:   "Pairs of KEY=VALUE and nothing else, among them one of level, msg, time and their kin; the names that json knows tell a request.",
		Order: OrderGeneral,
		First: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_",
		Parse: parseLogfmt,
	})
}

func parseLogfmt(text string) (Message, bool) {
	fields, ok := pairs(text)
	if !ok {
		return Message{}, false
	}
	m := describe(fields)
	if m.Fields == nil {
		m.Fields = fields
	}
	return m, true
}

// maxLogfmt is how many pairs of a line are read.
const maxLogfmt = 256

// pairs reads a line of logfmt. A value is a word, or quoted with the escapes
// of Go. Of a name that stands twice the first is kept.
//
// https://brandur.org/logfmt
func pairs(text string) (map[string]any, bool) {
	if i := strings.IndexAny(text, "= "); i < 1 || text[i] != '=' {
		return nil, false
	}
	fields := map[string]any{}
	s := text
	for n := 0; n < maxLogfmt; n++ {
		if s = strings.TrimLeft(s, " "); s == "" {
			break
		}
		i := strings.IndexAny(head(s, 129), "= ")
		if i < 1 || s[i] != '=' || !isName(s[:i]) {
			return nil, false
		}
		value, rest, ok := pairValue(s[i+1:])
		if !ok {
			return nil, false
		}
		if _, twice := fields[s[:i]]; !twice {
			fields[s[:i]] = value
		}
		s = rest
	}
	return fields, len(fields) > 1 && isLogged(fields)
}

func pairValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		value, rest = word(s)
		return value, rest, true
	}
	inner, rest, ok := quoted(s)
	if !ok || rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	if strings.IndexByte(inner, '\\') >= 0 {
		if v, err := strconv.Unquote(s[:len(inner)+2]); err == nil && utf8.ValidString(v) {
			inner = v
		}
	}
	return inner, rest, true
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("_.-@/", c) < 0 {
			return false
		}
	}
	return true
}

// isLogged says whether pairs have what only a log has.
func isLogged(fields map[string]any) bool {
	for _, name := range []string{"level", "lvl", "msg", "message", "time", "ts", "t", "timestamp", "severity", "caller", "logger", "log.level"} {
		if _, ok := fields[name]; ok {
			return true
		}
	}
	return fields["method"] != nil && fields["status"] != nil
}
