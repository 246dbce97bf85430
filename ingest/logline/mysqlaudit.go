package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// mysqlAudit reads a line of the audit plugin of MariaDB, which RDS and Aurora
// write too: TIME,SERVER,USER,HOST,CONNECTION,QUERY,OPERATION,DATABASE,OBJECT,CODE
// (https://mariadb.com/kb/en/mariadb-audit-plugin-log-format/). A user's name
// may hold commas, so that a line is read from its end where it can be.
func mysqlAudit(text string) (Message, bool) {
	stamp, rest, ok := strings.Cut(text, ",")
	if !ok || len(stamp) > 20 {
		return Message{}, false
	}
	m := Message{Text: text, Fields: map[string]any{}}
	if len(stamp) == 16 && digits(stamp) {
		at, _ := seconds(stamp, time.Microsecond)
		m.Time = plausible(time.Unix(int64(at), 0).UTC(), nil)
	} else if m.Local = local("20060102 15:04:05", stamp); m.Local.IsZero() {
		return Message{}, false
	}
	server, rest, ok := strings.Cut(rest, ",")
	if !ok || len(server) > 255 {
		return Message{}, false
	}
	return m, mysqlAuditLogin(&m, rest) || mysqlAuditDeed(&m, rest)
}

// mysqlAuditLogin reads USER,HOST,CONNECTION,QUERY,OPERATION,DATABASE,,CODE of
// a connection. The line of a statement ends with a quote and the code, so
// nothing in a statement can look like it.
func mysqlAuditLogin(m *Message, s string) bool {
	var columns [6]string // from the connection on
	for i := len(columns) - 1; i >= 0; i-- {
		before, column, ok := cutLast(s, ",")
		if !ok {
			return false
		}
		s, columns[i] = before, column
	}
	if !digits(columns[0]) || !digits(columns[1]) || columns[4] != "" || !digits(columns[5]) {
		return false
	}
	switch columns[2] {
	case "CONNECT":
		m.login(event.OutcomeSuccess)
	case "FAILED_CONNECT":
		m.login(event.OutcomeFailure)
	case "DISCONNECT":
		m.Verb = verbLogout
	default:
		return false
	}
	user, host, ok := cutLast(s, ",")
	if !ok {
		return false
	}
	m.User, m.Address = user, address(host)
	if user == "" {
		// Nobody said who they are: a probe of the port.
		m.Class, m.Outcome, m.Verb = "", "", verbConnect
	}
	set(m.Fields, "thread", columns[0])
	set(m.Fields, "database", columns[3])
	if columns[5] != "0" {
		set(m.Fields, "code", columns[5])
	}
	return true
}

// mysqlAuditDeed reads the same of a statement or of a table that it touched.
func mysqlAuditDeed(m *Message, s string) bool {
	columns := strings.SplitN(s, ",", 7)
	if len(columns) != 7 || !digits(columns[2]) || !digits(columns[3]) || !isMySQLDeed(columns[4]) {
		return false
	}
	m.Verb, m.User, m.Address = "query", columns[0], address(columns[1])
	set(m.Fields, "thread", columns[2])
	set(m.Fields, "command", columns[4])
	set(m.Fields, "database", columns[5])
	object, code, ok := cutLast(columns[6], ",")
	if !ok {
		return false
	}
	if statement, ok := strings.CutPrefix(object, "'"); ok {
		set(m.Fields, "statement", strings.TrimSuffix(statement, "'"))
	} else {
		set(m.Fields, "table", object)
	}
	if digits(code) && code != "0" {
		m.Outcome = event.OutcomeFailure
		set(m.Fields, "code", code)
	}
	return true
}

func isMySQLDeed(s string) bool {
	switch s {
	case "QUERY", "QUERY_DDL", "QUERY_DML", "QUERY_DCL", "READ", "WRITE", "CREATE", "ALTER", "RENAME", "DROP", "TABLE":
		return true
	}
	return false
}
