package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// setRequest fills the method and the path of a request line: METHOD TARGET
// PROTOCOL. A line that isn't one, as scanners send and servers log it, is
// kept as the field request. The path is the whole target, with its query.
func setRequest(m *Message, line string) {
	line = clean(line)
	if dash(line) == "" || line == "<BADREQ>" {
		return
	}
	method, target, ok := strings.Cut(line, " ")
	if i := strings.LastIndexByte(target, ' '); ok && i >= 0 && strings.HasPrefix(target[i+1:], "HTTP/") && len(target)-i < 12 {
		set(m.Fields, "protocol", target[i+1:])
		target = strings.TrimSpace(target[:i])
	} else if ok && !known(method) {
		ok = false
	}
	if !ok || !isMethod(method) {
		set(m.Fields, "request", line)
		return
	}
	m.HTTP.Method, m.HTTP.Path = method, dash(target)
}

// isMethod says whether s can be a method: the set is open, but a method is a
// short word.
func isMethod(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32 && s != "-"
}

// known says whether s is a method of RFC 9110, RFC 5789 or WebDAV.
func known(s string) bool {
	switch s {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
		"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PRI", "QUERY":
		return true
	}
	return false
}

// finished makes the message one of an HTTP request that was answered, and
// gives it its outcome: failure from status 500 on, denied for 401 and 403,
// else success; none where the line has no status.
func finished(m *Message) {
	m.Class = event.ClassHTTP
	m.Verb = strings.ToLower(m.HTTP.Method)
	switch s := m.HTTP.Status; {
	case s >= 500:
		m.Outcome = event.OutcomeFailure
	case s == 401 || s == 403:
		m.Outcome = event.OutcomeDenied
	case s != 0:
		m.Outcome = event.OutcomeSuccess
	}
}

// set adds a field that has a text.
func set(fields map[string]any, name, value string) {
	if value != "" {
		fields[name] = value
	}
}

// setSeconds adds a duration that is one.
func setSeconds(fields map[string]any, name string, value float64, ok bool) {
	if ok {
		fields[name] = value
	}
}
