package logline

import (
	"encoding/csv"
	"slices"
	"strings"
	"time"
)

// postgresTime reads the time of a prefix. A zone that isn't UTC is an
// abbreviation, which several zones share: it gives no time.
func postgresTime(s string) time.Time {
	for _, zone := range []string{" UTC", " GMT"} {
		if at, ok := strings.CutSuffix(s, zone); ok {
			return plausible(time.Parse("2006-01-02 15:04:05.999999", at))
		}
	}
	if len(s) > 40 {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999 -07", "2006-01-02 15:04:05.999999 -07:00", "2006-01-02 15:04:05.999999 -0700"} {
		if t := plausible(time.Parse(layout, s)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// postgresLocal is the time without its zone.
func postgresLocal(stamp string) time.Time {
	return local("2006-01-02 15:04:05.999999", stamp[:max(0, strings.LastIndexByte(stamp, ' '))])
}

// postgresStamp cuts "2006-01-02 15:04:05.000 ZONE" off.
func postgresStamp(s string) (stamp, rest string, ok bool) {
	const plain = "2006-01-02 15:04:05"
	if len(s) < len(plain) {
		return "", s, false
	}
	if _, err := time.Parse(plain, s[:len(plain)]); err != nil {
		return "", s, false
	}
	end := len(plain)
	for end < len(s) && (s[end] == '.' || s[end] >= '0' && s[end] <= '9') {
		end++
	}
	if end >= len(s) || s[end] != ' ' {
		return "", s, false
	}
	zone := end + 1
	for end = zone; end < len(s) && (isWord(s[end]) || end == zone && (s[end] == '+' || s[end] == '-')); end++ {
	}
	// An offset may have minutes; the colon behind a name is the prefix's.
	if end+2 < len(s) && s[end] == ':' && (s[zone] == '+' || s[zone] == '-') && digits(s[end+1:end+3]) {
		end += 3
	}
	if end == zone || end-zone > 8 {
		return "", s, false
	}
	name := s[zone:end]
	if digits(name) || isLevel(name) || slices.Contains(postgresSeverities, name) {
		return "", s, false
	}
	return s[:end], s[end:], true
}

// postgresPrefix reads what stands before the severity: log_line_prefix of
// the server's default, of Debian's, of pgBadger's manual, of RDS and of Azure. It is
// false where it begins with no time and no process.
func postgresPrefix(m *Message, prefix string) bool {
	stamp, rest, ok := postgresStamp(prefix)
	if ok {
		if m.Time = postgresTime(stamp); m.Time.IsZero() {
			m.Local = postgresLocal(stamp)
		}
	} else if !strings.HasPrefix(rest, "[") || strings.IndexByte(rest, ']') < 2 || !digits(rest[1:strings.IndexByte(rest, ']')]) {
		return false
	}
	if strings.HasPrefix(rest, ":") {
		postgresRDS(m, rest[1:])
		return true
	}
	if session, ok := strings.CutPrefix(rest, "-"); ok {
		session, _, _ = strings.Cut(session, "-")
		set(m.Fields, "session", session)
		return true
	}
	if i := strings.IndexByte(rest, '['); i >= 0 {
		pid, _, _ := strings.Cut(rest[i+1:], "]")
		pid, _, _ = strings.Cut(pid, "-")
		if len(pid) < 20 && digits(pid) {
			set(m.Fields, "pid", pid)
		}
	}
	if strings.Contains(rest, "=") {
		postgresPairs(m, rest)
		return true
	}
	for part := range strings.FieldsSeq(rest) {
		if user, database, ok := strings.Cut(part, "@"); ok && m.User == "" && user != "" {
			m.User = unknown(user)
			set(m.Fields, "database", unknown(strings.TrimSuffix(database, ":")))
		} else if a := postgresAddress(part); a != "" && m.User == "" {
			m.Address = a
		}
	}
	return true
}

// postgresPairs reads user=U,db=D,app=A,client=H in any order. Names are of
// strangers' choice: a word that comes twice says nothing. Where the server's
// own prefix has no address, an application's name can still forge one.
func postgresPairs(m *Message, s string) {
	value := func(names ...string) string {
		count, found := 0, ""
		for _, name := range names {
			if n := strings.Count(s, name+"="); n > 0 {
				_, found, _ = strings.Cut(s, name+"=")
				count += n
			}
		}
		if count != 1 {
			return ""
		}
		found, _, _ = strings.Cut(found, ",")
		found, _, _ = strings.Cut(found, " ")
		return unknown(found)
	}
	m.User = value("user", "usr")
	set(m.Fields, "database", value("db", "database"))
	set(m.Fields, "application", value("app", "application"))
	m.Address = postgresAddress(value("client", "host", "remote"))
}

// postgresRDS reads HOST(PORT):USER@DATABASE:[PID]:.
func postgresRDS(m *Message, s string) {
	host, rest, ok := strings.Cut(s, "(")
	if ok {
		m.Address = address(host)
		_, rest, _ = strings.Cut(rest, ")")
	} else {
		_, rest, _ = strings.Cut(s, ":")
	}
	rest = strings.TrimPrefix(rest, ":")
	if i := strings.LastIndex(rest, ":["); i >= 0 {
		pid, _, _ := strings.Cut(rest[i+2:], "]")
		if digits(pid) && len(pid) < 20 {
			set(m.Fields, "pid", pid)
		}
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i > 0 {
		m.User = unknown(rest[:i])
		set(m.Fields, "database", unknown(rest[i+1:]))
	}
}

// postgresAddress reads HOST or HOST(PORT), also in braces.
func postgresAddress(s string) string {
	host, port, ok := strings.Cut(strings.Trim(s, "{}<>:,;|"), "(")
	if ok && !strings.HasSuffix(port, ")") {
		return ""
	}
	return address(host)
}

// unknown is empty for what postgres writes where there is no name yet.
func unknown(s string) string {
	if s == "[unknown]" {
		return ""
	}
	return s
}

// postgresCSV reads a line of csvlog, whose columns are those of file_fdw's
// example in the manual.
func postgresCSV(text string) (Message, bool) {
	stamp, rest, ok := postgresStamp(text[:min(len(text), maxPostgresPrefix)])
	if !ok || !strings.HasPrefix(rest, ",") {
		return Message{}, false
	}
	row, whole := postgresRow(text)
	if len(row) < 14 || whole && len(row) < 23 || len(row) > 40 || !slices.Contains(postgresSeverities, row[11]) {
		return Message{}, false
	}
	m := Message{
		Time: postgresTime(stamp), Local: postgresLocal(stamp), User: row[1], Address: address(row[4]), Level: row[11], Text: row[13], Fields: map[string]any{},
	}
	for i, name := range map[int]string{
		2: "database", 3: "pid", 5: "session", 7: "command", 12: "state_code", 14: "detail", 19: "statement", 22: "application",
	} {
		if i < len(row) {
			set(m.Fields, name, row[i])
		}
	}
	postgresSaid(&m, row[11], row[12])
	return m, true
}

// postgresRow gives the columns. One may hold line breaks: then the line ends
// within it, and the row is not whole.
func postgresRow(text string) (row []string, whole bool) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	row, err := r.Read()
	if err == nil {
		return row, true
	}
	if strings.Count(text, `"`)%2 == 0 {
		return nil, false
	}
	r = csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	if row, err = r.Read(); err != nil {
		return nil, false
	}
	return row, false
}
