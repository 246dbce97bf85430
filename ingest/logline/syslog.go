package logline

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name: "syslog",
		Doc: "A line with a prefix of RFC 3164, RFC 5424 or rsyslog's files; what stands behind it is read by the program's own parser. " +
			"fields.host, fields.program and fields.pid are the prefix's, fields.repeated how often a line came.",
		Programs: []string{"syslog", "rsyslog", "syslog-ng", "rsyslogd"},
		Images:   []string{"rsyslog", "syslog-ng"},
		Order:    OrderProduct,
		First:    "<0123456789JFMASOND",
		Parse:    parseSyslog,
		Wrapper:  true,
	})
}

// syslogLine is a line's prefix, and what stands behind it.
type syslogLine struct {
	time, local    time.Time
	facility       string
	level          string
	host, program  string
	pid, messageID string
	text           string
}

func parseSyslog(text string) (Message, bool) {
	l, ok := syslogPrefix(text)
	if !ok {
		return Message{}, false
	}
	repeated := l.repeated()
	m, known := Within(l.program, l.text)
	if !known {
		m = Message{Text: l.text}
		if l.program == "kernel" {
			m = parseKernel(l.text)
		}
	}
	// An object's fields are shared with whoever decoded it.
	if m.Fields = maps.Clone(m.Fields); m.Fields == nil {
		m.Fields = map[string]any{}
	}
	for name, value := range map[string]string{
		"host": l.host, "program": l.program, "pid": l.pid, "facility": l.facility, "message_id": l.messageID,
	} {
		// What the program itself says of its host or a pid stays.
		if _, has := m.Fields[name]; !has {
			set(m.Fields, name, value)
		}
	}
	if repeated > 0 {
		m.Fields["repeated"] = repeated
	}
	if m.Level == "" {
		m.Level = l.level
	}
	if m.Time.IsZero() {
		m.Time = l.time
	}
	if m.Time.IsZero() && m.Local.IsZero() {
		m.Local = l.local
	}
	return m, true
}

// repeated takes "message repeated N times: [ TEXT]" apart, which rsyslog
// writes in place of N equal lines.
func (l *syslogLine) repeated() int64 {
	rest, ok := strings.CutPrefix(l.text, "message repeated ")
	number, rest, found := strings.Cut(rest, " times: [")
	text, closed := strings.CutSuffix(rest, "]")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || !found || !closed || err != nil || n < 1 {
		return 0
	}
	l.text = strings.TrimPrefix(text, " ")
	return n
}

func syslogPrefix(text string) (syslogLine, bool) {
	var l syslogLine
	priority := false
	if strings.HasPrefix(text, "<") {
		if text, priority = l.priority(text); !priority {
			return l, false
		}
		if rest, ok := strings.CutPrefix(text, "1 "); ok {
			return l, l.rfc5424(rest)
		}
	}
	if rest, ok := stamp3164(text); ok {
		l.local = local(clock3164, strings.TrimRight(text[:len(clock3164)], " "))
		return l, l.rfc3164(rest, priority)
	}
	stamp, rest := word(text)
	if len(stamp) < len("2006-01-02T15:04:05Z") || len(stamp) > 40 || stamp[10] != 'T' {
		return l, false
	}
	if l.time = plausible(time.Parse(time.RFC3339Nano, stamp)); l.time.IsZero() {
		return l, false
	}
	// A time in RFC 3339 begins most log lines of this world: only a program
	// with its pid, or the kernel, makes it syslog's.
	return l, l.rfc3164(rest, priority) && (priority || l.pid != "" || l.program == "kernel") && !isLevel(l.host)
}

// syslogLevels are the names of the severities of RFC 5424, by their number.
var syslogLevels = [8]string{"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"}

// priority reads <N>: facility × 8 + severity.
func (l *syslogLine) priority(text string) (string, bool) {
	number, _, ok := strings.Cut(text[1:min(len(text), 8)], ">")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || !digits(number) || n > 191 {
		return text, false
	}
	l.level, l.facility = syslogLevels[n%8], strconv.Itoa(n/8)
	return text[len(number)+2:], true
}

const clock3164 = "Jan _2 15:04:05"

// stamp3164 takes "Jan _2 15:04:05 " off, with or without a year behind it
// (Cisco's and rsyslog's), whose zone nobody knows: it gives no time.
func stamp3164(text string) (string, bool) {
	const form = clock3164
	if text == "" || text[0] < 'A' {
		return text, false
	}
	for _, n := range []int{len(form), len(form) - 1} {
		if len(text) > n && text[n] == ' ' {
			if _, err := time.Parse(form, text[:n]); err == nil {
				return text[n+1:], true
			}
		}
	}
	return text, false
}

// rfc3164 is HOST PROGRAM[PID]: TEXT. After a priority the host may be left
// out, as programs do that write to a local socket.
func (l *syslogLine) rfc3164(text string, priority bool) bool {
	text = strings.TrimLeft(text, " ")
	host, rest := word(text)
	rest = strings.TrimLeft(rest, " ")
	if l.tag(rest) && isSyslogHost(host) {
		l.host = host
		return true
	}
	return priority && l.tag(text)
}

// tag is PROGRAM[PID]: TEXT or PROGRAM: TEXT.
func (l *syslogLine) tag(text string) bool {
	const longest = 64
	end := strings.IndexAny(text[:min(len(text), longest)], ":[ ")
	if end <= 0 || text[end] == ' ' {
		return false
	}
	program, rest := text[:end], text[end:]
	pid := ""
	if rest[0] == '[' {
		i := strings.IndexByte(rest[:min(len(rest), 24)], ']')
		if i < 0 || !digits(rest[1:i]) {
			return false
		}
		pid, rest = rest[1:i], rest[i+1:]
	}
	if rest, ok := strings.CutPrefix(rest, ":"); ok && isProgram(program) && (rest == "" || rest[0] == ' ') {
		l.program, l.pid, l.text = program, pid, strings.TrimPrefix(rest, " ")
		return true
	}
	return false
}

// rfc5424 is TIME HOST PROGRAM PID MSGID STRUCTURED-DATA TEXT, behind the
// version.
func (l *syslogLine) rfc5424(text string) bool {
	var parts [5]string
	for i := range parts {
		parts[i], text = word(text)
		if parts[i] == "" || len(parts[i]) > 255 {
			return false
		}
	}
	if parts[0] != "-" {
		if l.time = plausible(time.Parse(time.RFC3339Nano, parts[0])); l.time.IsZero() {
			return false
		}
	}
	l.host, l.program, l.pid, l.messageID = dash(parts[1]), dash(parts[2]), dash(parts[3]), dash(parts[4])
	rest, ok := structured(text)
	l.text = strings.TrimPrefix(strings.TrimPrefix(rest, " "), "\ufeff")
	return ok
}

// structured takes STRUCTURED-DATA off: "-", or elements in brackets, whose
// values escape a closing bracket and a quote with a backslash.
func structured(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return rest, rest == "" || rest[0] == ' '
	}
	open, inside, quoted := 0, false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case inside && c == '"':
			quoted = !quoted
		case quoted:
		case !inside && c == '[':
			inside = true
			open++
		case inside && c == ']':
			inside = false
		case !inside:
			return text[i:], open > 0 && c == ' '
		}
	}
	return "", open > 0 && !inside
}

func isSyslogHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isWord(c) && c != '.' && c != '-' && c != ':' {
			return false
		}
	}
	return s != "" && len(s) <= 255 && !strings.HasSuffix(s, ":")
}

func isProgram(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isWord(c) && !strings.ContainsRune("./-()@+", rune(c)) {
			return false
		}
	}
	return s != ""
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// isLevel says whether a word is what programs call a level.
func isLevel(s string) bool {
	switch strings.ToLower(s) {
	case "trace", "debug", "info", "notice", "warn", "warning", "note", "system", "stdout", "stderr":
		return true
	}
	return IsError(s)
}
