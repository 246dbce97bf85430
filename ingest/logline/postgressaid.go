package logline

import (
	"encoding/csv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// postgresRefused reads why a session did not begin, and sets the outcome.
// Names in it stand in quotes that nothing escapes: a host stands first.
func postgresRefused(m *Message) bool {
	s, _, _ := strings.Cut(m.Text, "\n")
	if method, user, ok := strings.Cut(s, " authentication failed for user "); ok && len(method) <= 40 {
		set(m.Fields, "method", strings.ToLower(method))
		m.User = inQuotes(user)
		return true
	}
	for _, words := range []string{"no pg_hba.conf entry for ", "pg_hba.conf rejects "} {
		if rest, ok := strings.CutPrefix(s, words); ok {
			m.Outcome = event.OutcomeDenied
			postgresNobody(m, rest)
			return true
		}
	}
	if rest, ok := strings.CutPrefix(s, "role "); ok {
		for _, why := range []string{" does not exist", " is not permitted to log in"} {
			if user, ok := strings.CutSuffix(rest, why); ok {
				m.User = inQuotes(user)
				return true
			}
		}
	}
	if rest, ok := strings.CutPrefix(s, "database "); ok && strings.HasSuffix(rest, " does not exist") {
		set(m.Fields, "database", inQuotes(strings.TrimSuffix(rest, " does not exist")))
		return true
	}
	if rest, ok := strings.CutPrefix(s, "permission denied for database "); ok {
		m.Outcome = event.OutcomeDenied
		set(m.Fields, "database", inQuotes(rest))
		return true
	}
	return false
}

// postgresNobody reads [replication ]connection from |host "H", user "U",
// database "D", …, with each name up to where the next word stands last.
func postgresNobody(m *Message, s string) {
	_, rest, ok := strings.Cut(s, `host "`)
	host, rest, closed := strings.Cut(rest, `", user "`)
	if !ok || !closed {
		return
	}
	m.Address = address(host)
	user, tail, ok := cutLast(rest, `", database "`)
	if !ok {
		user, _, _ = cutLast(rest, `", `)
	}
	m.User = user
	if database, _, ok := cutLast(tail, `", `); ok {
		tail = database
	}
	set(m.Fields, "database", strings.TrimSuffix(tail, `"`))
}

// cutLast cuts around the last occurrence of sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// inQuotes is what stands between the first quote and the last.
func inQuotes(s string) string {
	i, j := strings.IndexByte(s, '"'), strings.LastIndexByte(s, '"')
	if i < 0 || j <= i {
		return ""
	}
	return s[i+1 : j]
}

// postgresLog reads what the server says of connections and statements.
func postgresLog(m *Message) {
	s := m.Text
	if rest, ok := strings.CutPrefix(s, "connection received: host="); ok {
		host, _ := word(rest)
		m.Verb, m.Address = verbConnect, address(host)
		return
	}
	if rest, ok := strings.CutPrefix(s, "connection authenticated: "); ok {
		m.Verb = "authenticate"
		if identity, method, ok := cutLast(rest, " method="); ok {
			set(m.Fields, "identity", inQuotes(identity))
			method, _ = word(method)
			set(m.Fields, "method", method)
		}
		return
	}
	s = strings.TrimPrefix(s, "replication ")
	if rest, ok := strings.CutPrefix(s, "connection authorized: user="); ok {
		m.login(event.OutcomeSuccess)
		postgresNames(m, rest)
		return
	}
	if rest, ok := strings.CutPrefix(s, "disconnection: session time: "); ok {
		m.Verb = verbLogout
		if _, names, ok := strings.Cut(rest, " user="); ok {
			names, host, _ := cutLast(names, " host=")
			host, _ = word(host)
			m.Address = address(host)
			postgresNames(m, names)
		}
		return
	}
	if rest, ok := strings.CutPrefix(s, "AUDIT: "); ok {
		postgresAudit(m, rest)
		return
	}
	postgresStatement(m, s)
}

// postgresNames is USER[ database=D][ application_name=A][ SSL enabled …].
func postgresNames(m *Message, s string) {
	for _, end := range []string{" SSL enabled (", " application_name="} {
		if i := strings.Index(s, end); i >= 0 {
			s = s[:i]
		}
	}
	user, database, _ := strings.Cut(s, " database=")
	m.User = user
	set(m.Fields, "database", database)
}

// postgresStatement is [duration: N ms  ][statement|execute NAME|…: SQL].
func postgresStatement(m *Message, s string) {
	if rest, ok := strings.CutPrefix(s, "duration: "); ok {
		number, rest, ok := strings.Cut(rest, " ms")
		if !ok {
			return
		}
		took, known := seconds(number, time.Millisecond)
		setSeconds(m.Fields, "duration", took, known)
		m.Verb = "query"
		s = strings.TrimLeft(rest, " ")
	}
	if sql, ok := strings.CutPrefix(s, "statement: "); ok {
		m.Verb = "query"
		set(m.Fields, "statement", sql)
	} else if rest, ok := strings.CutPrefix(s, "execute "); ok {
		if _, sql, ok := strings.Cut(rest, ": "); ok {
			m.Verb = "query"
			set(m.Fields, "statement", sql)
		}
	}
}

// postgresAudit reads pgaudit's columns: type, two numbers, class, command,
// kind and name of the object, statement, parameters.
// https://github.com/pgaudit/pgaudit#format
func postgresAudit(m *Message, s string) {
	r := csv.NewReader(strings.NewReader(s))
	r.FieldsPerRecord = -1
	row, err := r.Read()
	if err != nil || len(row) < 8 {
		return
	}
	m.Verb = strings.ToLower(row[4])
	for i, name := range map[int]string{0: "audit_type", 3: "audit_class", 4: "command", 5: "object_type", 6: "object_name", 7: "statement"} {
		set(m.Fields, name, row[i])
	}
}
