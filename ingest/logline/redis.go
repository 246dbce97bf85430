package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "redis",
		Doc: "The log of Redis and Valkey: PID:ROLE TIME LEVEL TEXT. Refused requests, replication that somebody turned on, and modules " +
			"that were loaded are told apart by fields.kind. It writes no failed logins.",
		Programs: []string{"redis", "redis-server", "redis-sentinel", "valkey", "valkey-server", "sentinel"},
		Images:   []string{"redis", "redis-stack", "redis-stack-server", "valkey", "redis-cluster", "redis-sentinel", "valkey-cluster"},
		Order:    OrderProduct,
		First:    "0123456789[",
		Parse:    parseRedis,
	})
}

// parseRedis reads "1:M 02 Jan 2026 03:04:05.678 * TEXT" of 3.0 and later,
// and "[1] 02 Jan 03:04:05.678 * TEXT" of earlier ones. The time is local.
func parseRedis(text string) (Message, bool) {
	head, rest := word(text)
	if len(head) > 24 || strings.IndexByte(head, ':') < 0 && !strings.HasPrefix(head, "[") {
		return Message{}, false
	}
	m := Message{Fields: map[string]any{}}
	form := "02 Jan 2006 15:04:05.000"
	if pid, ok := strings.CutPrefix(head, "["); ok {
		pid, ok = strings.CutSuffix(pid, "]")
		if !ok || !digits(pid) || len(pid) > 10 {
			return m, false
		}
		form = "02 Jan 15:04:05.000"
		set(m.Fields, "pid", pid)
	} else {
		pid, role, ok := strings.Cut(head, ":")
		if !ok || !digits(pid) || len(pid) > 10 || redisRole(role) == "" {
			return m, false
		}
		set(m.Fields, "pid", pid)
		set(m.Fields, "role", redisRole(role))
	}
	rest, ok := redisTime(&m, rest, form)
	if !ok {
		return m, false
	}
	level, said, ok := strings.Cut(rest, " ")
	if m.Level = redisLevel(level); m.Level == "" || !ok {
		return m, false
	}
	m.Text = said
	redisSaid(&m, said)
	return m, true
}

// redisTime cuts the time off: of the form, or with Valkey's
// log-timestamp-format as ISO 8601, which alone has a zone.
func redisTime(m *Message, s, form string) (rest string, ok bool) {
	if stamp, rest := word(s); len(stamp) > len("2006-01-02T") && stamp[10] == 'T' {
		m.Time = timeOf(stamp)
		return rest, !m.Time.IsZero()
	}
	if len(s) < len(form)+2 || s[len(form)] != ' ' {
		return s, false
	}
	_, err := time.Parse(form, s[:len(form)])
	m.Local = local(form, s[:len(form)])
	return s[len(form)+1:], err == nil
}

func redisRole(s string) string {
	switch s {
	case "M":
		return "master"
	case "S":
		return "replica"
	case "C":
		return "child"
	case "X":
		return "sentinel"
	case "signal-handler":
		return "signal"
	}
	return ""
}

// redisLevel names the marks of redis.conf's loglevel.
func redisLevel(s string) string {
	switch s {
	case ".":
		return "debug"
	case "-":
		return "verbose"
	case "*":
		return "notice"
	case "#":
		return "warning"
	}
	return ""
}

// redisSaid reads the lines that say who did what.
func redisSaid(m *Message, s string) {
	kind := func(name string) { m.Fields["kind"] = name }
	switch {
	case strings.HasPrefix(s, "Possible SECURITY ATTACK detected."):
		kind("security_attack")
		m.Verb, m.Outcome = verbConnect, event.OutcomeDenied
		if _, peer, ok := cutLast(s, " Connection from "); ok {
			peer, _ = word(peer)
			m.Address = address(peer)
		}
	case strings.HasPrefix(s, "Accepted "):
		kind("accepted")
		m.Verb, m.Address = verbConnect, address(s[len("Accepted "):])
	case strings.HasPrefix(s, "Client closed connection"):
		kind("closed")
		m.Verb = "disconnect"
		redisClient(m, s)
	case strings.HasPrefix(s, "REPLICAOF "), strings.HasPrefix(s, "SLAVE OF "), strings.HasPrefix(s, "MASTER MODE enabled"):
		kind("replicaof")
		m.Verb = "replicaof"
		redisMaster(m, s)
	case strings.HasPrefix(s, "Connecting to MASTER "):
		kind("replication")
		set(m.Fields, "master", s[len("Connecting to MASTER "):])
	case strings.HasPrefix(s, "Module '"):
		kind("module")
		if name, path, ok := strings.Cut(s[len("Module '"):], "' loaded from "); ok {
			m.Verb = "module_load"
			set(m.Fields, "module", name)
			set(m.Fields, "path", path)
		}
	case strings.HasPrefix(s, "User requested shutdown"):
		kind("shutdown")
	}
}

// redisMaster is … HOST:PORT enabled (user request from 'CLIENT').
func redisMaster(m *Message, s string) {
	what, client, ok := strings.Cut(s, " (user request from '")
	if ok {
		redisClient(m, client)
	}
	for _, words := range []string{"REPLICAOF ", "SLAVE OF "} {
		if rest, ok := strings.CutPrefix(what, words); ok {
			master, _ := word(rest)
			set(m.Fields, "master", master)
		}
	}
}

// redisClient reads addr= and user= of CLIENT LIST's form. A client chooses
// its name and its library's, which can't hold spaces.
func redisClient(m *Message, s string) {
	for part := range strings.FieldsSeq(s[:min(len(s), 2048)]) {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case name == "addr" && m.Address == "":
			m.Address = address(value)
		case name == "user" && m.User == "":
			m.User = strings.TrimRight(value, "')")
		}
	}
}
