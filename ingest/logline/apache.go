package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "apache",
		Doc: "Apache httpd's access log (common, combined, vhost_combined, each also with %D behind it, in microseconds) and the error log of 2.4. " +
			"Unless chosen it is recognised by what nginx doesn't write.",
		Programs: []string{"apache", "apache2", "httpd"},
		Images:   []string{"httpd", "apache", "apache2"},
		Order:    OrderShape,
		First:    accessFirst,
		Parse:    parseApache,
		Chosen:   true,
	})
}

func parseApache(text string) (Message, bool) {
	if m, ok := apacheError(text); ok {
		return m, true
	}
	a, ok := scanAccess(text)
	if !ok {
		return Message{}, false
	}
	return apacheMessage(&a, a.tail()), true
}

// ofApache says whether a line is Apache's rather than nginx's: it has a port
// with its virtual host, a dash for no bytes, nothing behind the bytes, or
// one whole number behind the combined format (%D).
func ofApache(a *access, tail []token) bool {
	_, port, ok := strings.Cut(a.vhost, ":")
	if ok && digits(port) || a.bytes == "-" || len(tail) == 0 {
		return true
	}
	return len(tail) == 3 && tail[1].kind == '"' && tail[2].kind == 'w' && digits(tail[2].text)
}

// apacheMessage reads what stands behind the combined format, where it is one
// time: %D, %T/%D, or a number with its unit. More numbers are %I and %O, and
// tell nothing by themselves.
func apacheMessage(a *access, tail []token) Message {
	m := a.message()
	tail = m.agents(tail)
	if len(tail) > 0 && tail[0].kind == '"' {
		m.claimed(dash(tail[0].text))
		tail = tail[1:]
	}
	if len(tail) != 1 || !a.sure {
		return m
	}
	s := strings.Trim(tail[0].text, "*")
	if _, value, ok := strings.Cut(s, "="); ok {
		s = value
	}
	if whole, micro, ok := strings.Cut(s, "/"); ok && digits(whole) {
		s = micro
	}
	if digits(s) {
		m.HTTP.Duration, _ = seconds(s, time.Microsecond)
	} else if v, ok := duration(s); ok {
		m.HTTP.Duration = v
	}
	return m
}

// apacheError reads a line of the error log of 2.4: [TIME] [MODULE:LEVEL]
// [pid N:tid N] [client ADDRESS:PORT] CODE: TEXT. Its time has no
// zone.
func apacheError(text string) (Message, bool) {
	stamp, rest, ok := bracketed(text)
	if !ok || len(stamp) > 40 {
		return Message{}, false
	}
	const form = "Mon Jan 02 15:04:05.999999 2006"
	if _, err := time.Parse(form, stamp); err != nil {
		return Message{}, false
	}
	grade, rest, ok := bracketed(rest)
	module, level, both := strings.Cut(grade, ":")
	if !both {
		// Before 2.4 there were no modules.
		module, level = "", grade
	}
	if !ok || !apacheLevel(level) || len(grade) > 64 {
		return Message{}, false
	}
	m := Message{Level: level, Local: local(form, stamp), Fields: map[string]any{}}
	set(m.Fields, "module", dash(module))
	if pid, after, ok := bracketed(rest); ok && strings.HasPrefix(pid, "pid ") {
		pid, _, _ = strings.Cut(pid[len("pid "):], ":")
		set(m.Fields, "pid", pid)
		rest = after
	}
	if strings.HasPrefix(rest, "(") {
		// The system's error stands before the client, in words of its own.
		reason, after, found := strings.Cut(rest, ": [")
		if found && !strings.ContainsAny(reason, "[]") {
			set(m.Fields, "reason", reason)
			rest = "[" + after
		}
	}
	if client, after, ok := bracketed(rest); ok {
		if at, ok := strings.CutPrefix(client, "client "); ok {
			m.Address = address(at)
			rest = after
		}
	}
	m.Text = rest
	if code, _, ok := strings.Cut(head(rest, 12), ": "); ok && strings.HasPrefix(code, "AH") && digits(code[2:]) {
		set(m.Fields, "code", code)
		m.Text = rest[len(code)+2:]
		apacheLogin(&m, code)
	} else if !both {
		apacheLogin(&m, "")
	}
	return m, true
}

func apacheLevel(s string) bool {
	return nginxLevel(s) || strings.HasPrefix(s, "trace") && len(s) == 6
}

// bracketed takes a text in brackets off the front; an address of IPv6 has
// none of its own there.
func bracketed(s string) (inner, rest string, ok bool) {
	if s == "" || s[0] != '[' {
		return "", s, false
	}
	inner, rest, ok = strings.Cut(s[1:], "]")
	return inner, strings.TrimPrefix(rest, " "), ok
}

// apacheLogin knows the codes of basic and digest authentication that failed:
// a wrong password, an unknown user.
func apacheLogin(m *Message, code string) {
	user, ok := strings.CutPrefix(m.Text, "user ")
	if !ok {
		return
	}
	i := -1
	switch code {
	case "AH01617", "AH01790", "AH01792", "":
		i = strings.LastIndex(user, ": authentication failure for ")
		i = max(i, strings.LastIndex(user, ": password mismatch: "))
	}
	switch code {
	case "AH01618", "AH01788", "":
		i = max(i, strings.LastIndex(user, " not found: "))
	}
	if i >= 0 {
		user = strings.Trim(user[:i], "`'")
		m.Class, m.Verb, m.User, m.Outcome = event.ClassLogin, "login", user, event.OutcomeFailure
	}
}
