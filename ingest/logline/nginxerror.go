package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// nginxError reads a line of the error log: YYYY/MM/DD HH:MM:SS [LEVEL]
// PID#TID: *CONNECTION TEXT, client: ADDRESS, server: …, request: "…", ….
// Its time has no zone.
func nginxError(text string) (Message, bool) {
	const at = len("2006/01/02 15:04:05 [")
	if len(text) < at+8 || text[4] != '/' || text[10] != ' ' || text[at-1] != '[' {
		return Message{}, false
	}
	if _, err := time.Parse("2006/01/02 15:04:05", text[:at-2]); err != nil {
		return Message{}, false
	}
	level, rest, _ := strings.Cut(head(text[at:], 64), "] ")
	ids, _, ok := strings.Cut(rest, ": ")
	pid, tid, hash := strings.Cut(ids, "#")
	if !ok || !hash || !digits(pid) || !digits(tid) || !nginxLevel(level) {
		return Message{}, false
	}
	said := text[at+len(level)+len("] ")+len(ids)+len(": "):]
	m := Message{Level: level, Local: local("2006/01/02 15:04:05", text[:19]), Fields: map[string]any{}}
	if w, after := word(said); len(w) > 1 && w[0] == '*' && digits(w[1:]) {
		set(m.Fields, "connection", w[1:])
		said = after
	}
	m.Text = said
	nginxContext(&m, said)
	nginxLogin(&m)
	return m, true
}

func nginxLevel(s string) bool {
	switch s {
	case "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg":
		return true
	}
	return false
}

// nginxContext reads what nginx adds to an error. The text before it and the
// request in it may repeat what was sent, so where the client seems to stand
// twice nothing of it is believed.
func nginxContext(m *Message, said string) {
	const label = ", client: "
	at := -1
	for i := strings.Index(said, label); i >= 0; {
		client, _, _ := strings.Cut(head(said[i+len(label):], 80), ", server: ")
		if address(client) != "" {
			if at >= 0 {
				return
			}
			at = i
		}
		next := strings.Index(said[i+1:], label)
		if next < 0 {
			break
		}
		i += 1 + next
	}
	if at < 0 {
		return
	}
	m.Text = said[:at]
	client, rest, _ := strings.Cut(said[at+len(label):], ", server: ")
	m.Address = address(client)
	server, rest, more := strings.Cut(rest, `, request: "`)
	set(m.Fields, "server", strings.TrimSpace(server))
	if !more {
		return
	}
	end, _ := requestEnd(rest, func(s string) bool { return s == "" || isNginxPart(s) })
	if end < 0 {
		return
	}
	setRequest(m, rest[:end])
	nginxParts(m, rest[end+1:])
}

func isNginxPart(s string) bool {
	for _, name := range nginxPartNames() {
		if strings.HasPrefix(s, ", "+name+": ") {
			return true
		}
	}
	return false
}

func nginxPartNames() []string { return []string{"subrequest", "upstream", "host", "referrer"} }

// nginxParts reads the quoted parts behind the request.
func nginxParts(m *Message, s string) {
	for strings.HasPrefix(s, ", ") {
		name, rest, ok := strings.Cut(s[2:], `: "`)
		if !ok || !isNginxPart(s) {
			return
		}
		inner, after, ok := strings.Cut(rest, `"`)
		if !ok {
			return
		}
		set(m.Fields, name, inner)
		s = after
	}
}

// nginxLogin knows what the module for basic authentication says.
func nginxLogin(m *Message) {
	rest, ok := strings.CutPrefix(m.Text, `user "`)
	if !ok {
		return
	}
	user, mismatch := strings.CutSuffix(rest, `": password mismatch`)
	if !mismatch {
		i := strings.LastIndex(rest, `" was not found in "`)
		if i < 0 {
			return
		}
		user = rest[:i]
	}
	m.Class, m.Verb, m.User, m.Outcome = event.ClassLogin, "login", user, event.OutcomeFailure
}
