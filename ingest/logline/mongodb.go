package logline

import (
	"maps"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "mongodb",
		Doc: "MongoDB's log: JSON since 4.4, text before; logins, refused commands, connections and slow operations. " +
			"fields.duration is in seconds.",
		Programs: []string{"mongo", "mongod", "mongos", "mongodb"},
		Images:   []string{"mongo", "mongodb", "mongodb-community-server", "mongodb-enterprise-server", "percona-server-mongodb"},
		Order:    OrderProduct,
		First:    "0123456789",
		Parse:    parseMongo,
		Object:   mongoObject,
	})
}

// mongoObject reads {"t":{"$date":…},"s":…,"c":…,"id":…,"ctx":…,"msg":…,"attr":{…}}.
// https://www.mongodb.com/docs/manual/reference/log-messages/
func mongoObject(fields map[string]any) (Message, bool) {
	at, dated := fields["t"].(map[string]any)
	severity, graded := fields["s"].(string)
	said, ok := fields["msg"].(string)
	if !dated || !graded || !ok || fields["c"] == nil || len(severity) > 2 {
		return Message{}, false
	}
	attr, _ := fields["attr"].(map[string]any)
	m := Message{
		Text: said, Level: severity, Time: timeOf(at["$date"]), Fields: maps.Clone(fields),
		User:    textAt(attr, "principalName", "user", "authenticatedUser"),
		Address: firstAddress(attr, "remote", "client", "remoteAddr"),
	}
	set(m.Fields, "database", textAt(attr, "authenticationDatabase", "db"))
	set(m.Fields, "mechanism", textAt(attr, "mechanism"))
	mongoSaid(&m, attr)
	return m, true
}

// mongoSaid reads what a message means. Its text stands for its id, which
// differs between versions.
func mongoSaid(m *Message, attr map[string]any) {
	switch m.Text {
	case "Authentication failed", "Failed to authenticate", "Authentication failed due to a credentials error":
		m.login(event.OutcomeFailure)
		set(m.Fields, "error", textAt(attr, "error", "result"))
	case "Successful authentication", "Authentication succeeded", "Successfully authenticated":
		m.login(event.OutcomeSuccess)
	case "Connection accepted":
		m.Verb = verbConnect
	case "Connection ended":
		m.Verb = "disconnect"
	case "Checking authorization failed":
		m.Outcome = event.OutcomeDenied
		set(m.Fields, "error", mongoError(attr["error"]))
	case "Slow query":
		m.Verb = "query"
		took, ok := secondsOf(attr["durationMillis"], time.Millisecond)
		setSeconds(m.Fields, "duration", took, ok)
		set(m.Fields, "namespace", textAt(attr, "ns"))
		if code := textAt(attr, "errName"); code != "" {
			set(m.Fields, "error", code)
			if m.Outcome = event.OutcomeFailure; code == "Unauthorized" {
				m.Outcome = event.OutcomeDenied
			}
		}
	}
}

// mongoError is an error as a text, or as an object that says what it is.
func mongoError(v any) string {
	if o, ok := v.(map[string]any); ok {
		return textAt(o, "errmsg", "codeName")
	}
	return stringOf(v)
}

// parseMongo reads the form before 4.4: TIME SEVERITY COMPONENT [CONTEXT] TEXT.
// https://www.mongodb.com/docs/v4.2/reference/log-messages/
func parseMongo(text string) (Message, bool) {
	stamp, rest := word(text)
	if len(stamp) < 24 || len(stamp) > 30 {
		return Message{}, false
	}
	t := timeOf(stamp)
	severity, rest := word(rest)
	if t.IsZero() || len(severity) == 0 || len(severity) > 2 || strings.IndexByte("FEWID", severity[0]) < 0 || len(severity) == 2 && !digits(severity[1:]) {
		return Message{}, false
	}
	component, rest := word(rest)
	rest = strings.TrimLeft(rest, " ")
	context, said, ok := strings.Cut(rest, "] ")
	context, open := strings.CutPrefix(context, "[")
	if !ok || !open || len(context) > 64 || !isMongoComponent(component) {
		return Message{}, false
	}
	m := Message{Text: said, Level: severity, Time: t, Fields: map[string]any{}}
	set(m.Fields, "component", dash(component))
	set(m.Fields, "context", context)
	mongoText(&m, component, said)
	return m, true
}

func isMongoComponent(s string) bool {
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

// mongoText reads what the text of the old form means.
func mongoText(m *Message, component, s string) {
	const principal = "Successfully authenticated as principal "
	if rest, ok := strings.CutPrefix(s, principal); ok {
		m.login(event.OutcomeSuccess)
		mongoWho(m, rest)
		return
	}
	if mechanism, rest, ok := strings.Cut(s, " authentication failed for "); ok && component == "ACCESS" && len(mechanism) <= 40 {
		m.login(event.OutcomeFailure)
		set(m.Fields, "mechanism", strings.TrimPrefix(mechanism, "SASL "))
		mongoWho(m, rest)
		return
	}
	if rest, ok := strings.CutPrefix(s, "connection accepted from "); ok {
		peer, _ := word(rest)
		m.Verb, m.Address = verbConnect, address(peer)
		return
	}
	if rest, ok := strings.CutPrefix(s, "end connection "); ok {
		peer, _ := word(rest)
		m.Verb, m.Address = "disconnect", address(peer)
		return
	}
	if component == "ACCESS" && strings.HasPrefix(s, "Unauthorized: not authorized") {
		m.Outcome = event.OutcomeDenied
		return
	}
	if component == "COMMAND" || component == "WRITE" || component == "QUERY" {
		if _, took := lastWord(s); strings.HasSuffix(took, "ms") {
			v, ok := seconds(strings.TrimSuffix(took, "ms"), time.Millisecond)
			setSeconds(m.Fields, "duration", v, ok)
			m.Verb = "query"
		}
	}
}

// mongoWho is USER on DATABASE[ from client ADDRESS:PORT[ ; WHY]]. The name
// can hold these words: of several peers there is none to believe.
func mongoWho(m *Message, s string) {
	const from = " from client "
	who := s
	if n := strings.Count(s, from); n == 1 {
		name, peer, _ := strings.Cut(s, from)
		peer, _ = word(peer)
		who, m.Address = name, address(peer)
	} else if n > 1 {
		return
	}
	user, database, ok := cutLast(who, " on ")
	if ok {
		database, _ = word(database)
		m.User = user
		set(m.Fields, "database", database)
	}
}
