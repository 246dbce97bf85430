package logline

import (
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "postgres",
		Doc: "PostgreSQL's log: stderr with the usual forms of log_line_prefix, csvlog, jsonlog, and CloudNativePG's records; logins, " +
			"connections, errors, durations and pgaudit. fields.duration is in seconds.",
		Programs: []string{"postgres", "postgresql", "timescaledb", "spilo"},
		Images:   []string{"postgres", "postgresql", "postgis", "timescaledb", "pgvector", "spilo-17", "spilo-16", "spilo-15"},
		Order:    OrderProduct,
		First:    "0123456789[LFPS",
		Parse:    parsePostgres,
		Object:   postgresObject,
	})
}

// The severities of postgres, elog.c; the texts that follow a message under
// the same prefix go by such a word too.
var postgresSeverities = []string{
	"LOG", "FATAL", "ERROR", "PANIC", "WARNING", "NOTICE", "INFO", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5",
	"DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE",
}

// maxPostgresPrefix is how long a prefix can be.
const maxPostgresPrefix = 1024

// parsePostgres reads PREFIX SEVERITY:  TEXT, or a line of csvlog.
func parsePostgres(text string) (Message, bool) {
	head := text[:min(len(text), maxPostgresPrefix)]
	at, severity := postgresMark(head)
	if at < 0 {
		return postgresCSV(text)
	}
	m := Message{Level: severity, Fields: map[string]any{}}
	if at == 0 {
		if severity != "LOG" && severity != "FATAL" && severity != "PANIC" && severity != "STATEMENT" {
			return Message{}, false
		}
	} else if !postgresPrefix(&m, text[:at]) {
		return postgresCSV(text)
	}
	m.Text = text[at+len(severity)+3:]
	// log_error_verbosity: verbose writes the SQLSTATE before the text.
	state := ""
	if i := strings.Index(m.Text[:min(len(m.Text), 7)], ": "); i == 5 && isSQLState(m.Text[:5]) {
		state, m.Text = m.Text[:5], m.Text[7:]
		set(m.Fields, "state_code", state)
	}
	if next, _ := postgresMark(head[min(len(head), at+len(severity)+3):]); next >= 0 && strings.ContainsAny(text[:at], "=@") {
		// A prefix holds names of strangers' choice, and this one may hold a
		// severity: which of the two is the server's nobody can tell.
		return Message{Text: text, Time: m.Time, Local: m.Local, Fields: map[string]any{}}, true
	}
	if m.Address != "" && strings.Contains(m.Text, m.Address) {
		// The text repeats the user's name, which could be where it is from.
		m.Address = ""
	}
	postgresSaid(&m, severity, state)
	return m, true
}

// isSQLState says whether a word of five is one: a digit first, or a letter
// of the classes that are no error of the client's.
func isSQLState(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s[0] <= '9' || s[0] == 'F' || s[0] == 'H' || s[0] == 'P' || s[0] == 'X'
}

// postgresMark finds the first severity.
func postgresMark(s string) (at int, severity string) {
	for from := 0; ; {
		i := strings.Index(s[from:], ":  ")
		if i < 0 {
			return -1, ""
		}
		end := from + i
		at := end
		for at > 0 && isWord(s[at-1]) {
			at--
		}
		if slices.Contains(postgresSeverities, s[at:end]) {
			return at, s[at:end]
		}
		from = end + 3
	}
}

// postgresSaid reads the text of a message. The state is its SQLSTATE, where
// the format has it: it tells what a translated text can't.
func postgresSaid(m *Message, severity, state string) {
	if severity == "LOG" {
		postgresLog(m)
		return
	}
	if severity != "ERROR" && severity != "FATAL" && severity != "PANIC" {
		return
	}
	m.Outcome = event.OutcomeFailure
	switch {
	case severity == "FATAL" && (postgresRefused(m) || strings.HasPrefix(state, "28")):
		m.login(m.Outcome)
	case state == "42501" || strings.HasPrefix(m.Text, "permission denied "):
		m.Outcome = event.OutcomeDenied
		m.Verb = "query"
	case severity == "ERROR":
		m.Verb = "query"
	}
}

// postgresObject reads a line of jsonlog, or CloudNativePG's around one.
// https://www.postgresql.org/docs/current/runtime-config-logging.html
func postgresObject(fields map[string]any) (Message, bool) {
	record := fields
	if inner, ok := fields["record"].(map[string]any); ok && (fields["logger"] == "postgres" || fields["logger"] == "pgaudit") {
		record = inner
	}
	severity, ok := record["error_severity"].(string)
	if !ok || record["message"] == nil && record["state_code"] == nil && record["sql_state_code"] == nil && record["audit"] == nil {
		return Message{}, false
	}
	m := Message{
		Level: severity, Text: stringOf(record["message"]), Time: postgresTime(textAt(record, "timestamp", "log_time")),
		Local: postgresLocal(textAt(record, "timestamp", "log_time")),
		User:  textAt(record, "user", "user_name"), Address: address(textAt(record, "remote_host")), Fields: maps.Clone(record),
	}
	if m.Address == "" {
		// connection_from is HOST:PORT in this form and in csvlog.
		m.Address = address(textAt(record, "connection_from"))
	}
	if audit, ok := record["audit"].(map[string]any); ok {
		m.Verb = strings.ToLower(stringOf(audit["command"]))
	}
	set(m.Fields, "database", textAt(record, "dbname", "database_name"))
	postgresSaid(&m, severity, textAt(record, "state_code", "sql_state_code"))
	return m, true
}
