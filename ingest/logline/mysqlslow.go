package logline

import (
	"strings"
	"time"
)

// mysqlSlow reads the head of a slow query's entry: lines of comments, alone
// or several in one text, and then the statement.
func mysqlSlow(text string) (Message, bool) {
	m := Message{Text: text, Fields: map[string]any{}}
	known := false
	rest := text
	for range 16 {
		line, after, _ := strings.Cut(rest, "\n")
		body, ok := strings.CutPrefix(line, "# ")
		if !ok {
			break
		}
		known = mysqlSlowLine(&m, body) || known
		rest = after
	}
	if !known {
		return Message{}, false
	}
	set(m.Fields, "statement", strings.TrimSpace(rest))
	return m, true
}

func mysqlSlowLine(m *Message, s string) bool {
	if stamp, ok := strings.CutPrefix(s, "Time: "); ok {
		rest, known := mysqlTime(m, stamp+" ")
		return known && strings.TrimSpace(rest) == ""
	}
	if who, ok := strings.CutPrefix(s, "User@Host: "); ok {
		return mysqlWho(m, who)
	}
	if !strings.HasPrefix(s, "Query_time: ") && !strings.HasPrefix(s, "Thread_id: ") {
		return false
	}
	words := strings.Fields(s[:min(len(s), 4096)])
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "Query_time:":
			took, ok := seconds(words[i+1], time.Second)
			setSeconds(m.Fields, "duration", took, ok)
			m.Verb = "query"
		case "Lock_time:":
			took, ok := seconds(words[i+1], time.Second)
			setSeconds(m.Fields, "lock_time", took, ok)
		case "Rows_sent:":
			set(m.Fields, "rows_sent", words[i+1])
		case "Rows_examined:":
			set(m.Fields, "rows_examined", words[i+1])
		case "Schema:":
			if !strings.HasSuffix(words[i+1], ":") {
				set(m.Fields, "database", words[i+1])
			}
		case "Thread_id:":
			set(m.Fields, "thread", words[i+1])
		}
	}
	return m.Verb == "query" || m.Fields["thread"] != nil
}

// mysqlWho is PRIVILEGED[USER] @ HOST [ADDRESS]  Id: N.
func mysqlWho(m *Message, s string) bool {
	names, host, ok := cutLast(s, "] @ ")
	if !ok {
		return false
	}
	_, m.User, _ = cutLast(names, "[")
	if i, j := strings.IndexByte(host, '['), strings.IndexByte(host, ']'); i >= 0 && j > i {
		m.Address = address(host[i+1 : j])
	}
	return true
}

// mysqlGeneral is what the general log writes of connections: Connect
// USER@HOST on DATABASE using KIND, or why one was refused. The thread came
// before.
func mysqlGeneral(m *Message, s string) (Message, bool) {
	rest, ok := strings.CutPrefix(s, "Connect")
	if !ok || m.Fields["thread"] == nil {
		return Message{}, false
	}
	m.Text = strings.TrimLeft(rest, " \t")
	if len(m.Text) == len(rest) {
		return Message{}, false
	}
	if mysqlSaid(m); m.Class != "" {
		return *m, true
	}
	account, target, ok := cutLast(m.Text, " on ")
	if !ok {
		return Message{}, false
	}
	user, host, ok := cutLast(account, "@")
	if !ok {
		return Message{}, false
	}
	// The line is written before the password is looked at.
	m.Verb, m.User, m.Address = verbConnect, user, address(host)
	if database, _, ok := cutLast(target, " using "); ok {
		set(m.Fields, "database", database)
	}
	return *m, true
}
