package logline

import (
	"maps"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "mysql",
		Doc: "MySQL's and MariaDB's error log, as text and as JSON, their slow query log and general log, and MariaDB's audit plugin: " +
			"logins, those that are refused or fail, aborted connections, slow queries. fields.duration is in seconds.",
		Programs: []string{"mysql", "mysqld", "mariadb", "mariadbd", "percona"},
		Images:   []string{"mysql", "mysql-server", "mariadb", "mariadb-galera", "percona", "percona-server", "percona-xtradb-cluster"},
		Order:    OrderProduct,
		First:    "0123456789#\t",
		Parse:    parseMySQL,
		Object:   mysqlObject,
	})
}

// parseMySQL reads TIME [THREAD] [LEVEL] [CODE] [PART] TEXT, where older
// servers have no code, and MariaDB no zone; or a slow query's head.
func parseMySQL(text string) (Message, bool) {
	if strings.HasPrefix(text, "#") {
		return mysqlSlow(text)
	}
	if m, ok := mysqlAudit(text); ok {
		return m, true
	}
	var m Message
	if rest, ok := strings.CutPrefix(text, "\t\t"); ok {
		// MariaDB's general log writes the time once a second.
		m.Fields = map[string]any{}
		thread, rest := word(strings.TrimLeft(rest, " "))
		if !digits(thread) || len(thread) > 20 {
			return Message{}, false
		}
		set(m.Fields, "thread", thread)
		return mysqlGeneral(&m, strings.TrimLeft(rest, " "))
	}
	rest, ok := mysqlTime(&m, text)
	if !ok {
		return Message{}, false
	}
	m.Fields = map[string]any{}
	thread, after := word(strings.TrimLeft(rest, " \t"))
	if digits(thread) && len(thread) < 20 {
		set(m.Fields, "thread", thread)
		rest = after
	}
	rest = strings.TrimLeft(rest, " ")
	if !strings.HasPrefix(rest, "[") {
		return mysqlGeneral(&m, rest)
	}
	// Many programs write a time and a level: these write a thread between
	// them, but for the images' entrypoint and MySQL 5.5 with its short year.
	if m.Fields["thread"] == nil && !strings.Contains(rest[:min(len(rest), 24)], "] [Entrypoint]") && !digits(text[:min(len(text), 6)]) {
		return Message{}, false
	}
	level, rest, ok := bracketed(rest)
	if !ok || !isMySQLLevel(level) {
		return Message{}, false
	}
	m.Level = level
	for _, name := range []string{"code", "subsystem"} {
		inner, after, ok := bracketed(strings.TrimLeft(rest, " "))
		if !ok || len(inner) > 32 {
			break
		}
		set(m.Fields, name, inner)
		rest = after
	}
	m.Text = strings.TrimPrefix(strings.TrimLeft(rest, " "), ": ")
	mysqlSaid(&m)
	return m, true
}

func isMySQLLevel(s string) bool {
	switch s {
	case "Note", "Warning", "Warn", "ERROR", "Error", "System", "Info":
		return true
	}
	return false
}

// mysqlTime cuts the time off: RFC 3339 since 5.7.2, else the server's local
// time, with a year of four digits or of two.
func mysqlTime(m *Message, text string) (rest string, ok bool) {
	if stamp, rest, ok := mysqlStamp(text); ok {
		if m.Time = plausible(time.Parse(time.RFC3339Nano, stamp)); !m.Time.IsZero() {
			return rest, true
		}
	}
	for _, form := range []string{"2006-01-02 15:04:05", "060102 15:04:05"} {
		if len(text) <= len(form) || text[len(form)] != ' ' && text[len(form)] != '\t' {
			continue
		}
		// An hour of one digit has a space in front.
		stamp := []byte(text[:len(form)])
		if hour := len(form) - len("15:04:05"); stamp[hour] == ' ' {
			stamp[hour] = '0'
		}
		if _, err := time.Parse(form, string(stamp)); err == nil {
			m.Local = local(form, string(stamp))
			return text[len(form)+1:], true
		}
	}
	// The entrypoint of the images writes a zone behind a space.
	const zoned = "2006-01-02 15:04:05Z07:00"
	if n := len("2006-01-02 15:04:05+00:00"); len(text) > n && text[n] == ' ' {
		if m.Time = plausible(time.Parse(zoned, text[:n])); !m.Time.IsZero() {
			return text[n+1:], true
		}
	}
	return text, false
}

// mysqlStamp cuts a first word off that a space or a tabulator ends.
func mysqlStamp(text string) (stamp, rest string, ok bool) {
	i := strings.IndexAny(text[:min(len(text), 40)], " \t")
	if i < len("2006-01-02T15:04:05Z") {
		return "", text, false
	}
	return text[:i], text[i+1:], true
}

// mysqlObject reads a line of the JSON error log.
// https://dev.mysql.com/doc/refman/8.4/en/error-log-json.html
func mysqlObject(fields map[string]any) (Message, bool) {
	text, said := fields["msg"].(string)
	label, named := fields["label"].(string)
	if _, coded := fields["err_symbol"]; !said || !named || !coded && fields["err_code"] == nil {
		return Message{}, false
	}
	m := Message{Text: text, Level: label, Time: timeOf(fields["time"]), Fields: maps.Clone(fields)}
	mysqlSaid(&m)
	return m, true
}

// mysqlSaid reads what the text of a message means.
func mysqlSaid(m *Message) {
	if i := strings.Index(m.Text, "Access denied for user '"); i >= 0 && i < 64 {
		mysqlDenied(m, m.Text[i+len("Access denied for user '"):])
		return
	}
	if rest, ok := strings.CutPrefix(m.Text, "Aborted connection "); ok {
		mysqlAborted(m, rest)
		return
	}
	if rest, ok := strings.CutPrefix(m.Text, "Host '"); ok {
		if host, _, ok := strings.Cut(rest, "' is blocked because of many connection errors"); ok {
			m.Verb, m.Outcome, m.Address = verbConnect, event.OutcomeDenied, address(host)
		}
	}
}

// mysqlDenied is USER'@'HOST' (using password: YES), or … to database 'D'.
// A name can hold quotes. Where it failed to log in, the name is a stranger's
// and all behind the last quotes is the server's; where it lacks a right, the
// name is an account and the database a stranger's word.
func mysqlDenied(m *Message, s string) {
	m.login(event.OutcomeFailure)
	for _, used := range []string{"YES", "NO"} {
		name, ok := strings.CutSuffix(strings.TrimRight(s, " \n"), "' (using password: "+used+")")
		if !ok {
			continue
		}
		m.Fields["password"] = used == "YES"
		user, host, _ := cutLast(name, "'@'")
		m.User, m.Address = user, address(host)
		return
	}
	m.login(event.OutcomeDenied)
	user, rest, ok := strings.Cut(s, "'@'")
	host, database, closed := strings.Cut(rest, "'")
	if !ok || !closed {
		return
	}
	m.User, m.Address = user, address(host)
	if database, ok = strings.CutPrefix(database, " to database '"); ok {
		set(m.Fields, "database", strings.TrimSuffix(database, "'"))
	}
}

// mysqlAborted is N to db: 'D' user: 'U' host: 'H' (WHY). Names are of
// strangers' choice before the login, so words that come twice say nothing.
func mysqlAborted(m *Message, s string) {
	m.Verb = "disconnect"
	if strings.Count(s, "' host: '") != 1 || strings.Count(s, "' user: '") != 1 {
		return
	}
	database, rest, _ := strings.Cut(s, "' user: '")
	if _, database, ok := strings.Cut(database, " to db: '"); ok && database != "unconnected" {
		set(m.Fields, "database", database)
	}
	user, rest, _ := strings.Cut(rest, "' host: '")
	if user != "unauthenticated" {
		m.User = user
	}
	host, why, _ := strings.Cut(rest, "'")
	m.Address = address(host)
	set(m.Fields, "reason", strings.Trim(why, " ()"))
}
