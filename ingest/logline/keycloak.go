package logline

import (
	"maps"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "keycloak",
		Doc: "Keycloak's events as its jboss-logging listener writes them, on WildFly and Quarkus, as text and as JSON: logins, logouts, " +
			"registrations, tokens, and what administrators did.",
		Programs: []string{"keycloak", "rhbk", "rhsso"},
		Images:   []string{"keycloak", "keycloak-x", "rhbk/keycloak-rhel9", "sso76-openshift-rhel8"},
		Order:    OrderProduct,
		First:    "0123456789t",
		Parse:    parseKeycloak,
		Object:   keycloakObject,
	})
}

// parseKeycloak reads [DATE TIME ]LEVEL  [LOGGER] (THREAD) TEXT. The time is
// local. Other programs on the same server write the same form: it is
// Keycloak's by its logger, or by the event behind it.
func parseKeycloak(text string) (Message, bool) {
	const form = "2006-01-02 15:04:05"
	rest := text
	var clock time.Time
	if len(text) > len(form)+5 && text[len(form)] == ',' {
		if _, err := time.Parse(form, text[:len(form)]); err == nil {
			_, rest = word(text[len(form):])
			clock = local(form, text[:len(form)])
		}
	} else if len(text) > 13 && text[8] == ',' && text[2] == ':' && text[5] == ':' {
		_, rest = word(text)
	}
	if len(rest) == len(text) {
		return Message{}, false
	}
	m := Message{Local: clock, Fields: map[string]any{}}
	level, rest := word(rest)
	logger, rest, ok := bracketed(strings.TrimLeft(rest, " "))
	if !ok || !isLevel(level) || len(logger) > 200 {
		return m, false
	}
	if strings.HasPrefix(rest, "(") {
		_, rest, ok = strings.Cut(rest, ") ")
		if !ok {
			return m, false
		}
	}
	m.Level, m.Text = level, rest
	set(m.Fields, "logger", logger)
	known := keycloakEvent(&m, rest)
	return m, known || isKeycloak(logger)
}

// isKeycloak knows the logger's name, also with its parts shortened.
func isKeycloak(logger string) bool {
	return strings.HasPrefix(logger, "org.keycloak.") || strings.HasPrefix(logger, "org.key.") || strings.HasPrefix(logger, "o.k.")
}

// keycloakObject reads Quarkus' and WildFly's JSON form of such a line.
func keycloakObject(fields map[string]any) (Message, bool) {
	logger, text := stringOf(fields["loggerName"]), stringOf(fields["message"])
	if logger == "" || text == "" {
		return Message{}, false
	}
	m := Message{Text: text, Level: stringOf(fields["level"]), Time: timeOf(fields["timestamp"]), Fields: maps.Clone(fields)}
	known := keycloakEvent(&m, text)
	return m, known || isKeycloak(logger)
}

// keycloakEvent reads NAME=VALUE or NAME="VALUE", with commas between: an
// event of a user begins with its type, one of an administrator with its
// operation.
func keycloakEvent(m *Message, s string) bool {
	user := strings.HasPrefix(s, "type=")
	if !user && !strings.HasPrefix(s, "operationType=") {
		return false
	}
	pairs := keycloakPairs(s)
	kind, peer := pairs["type"]+pairs["operationType"], pairs["ipAddress"]
	if kind == "" || len(kind) > 64 || pairs["realmId"] == "" && pairs["realmName"] == "" {
		return false
	}
	for name, value := range pairs {
		if _, has := m.Fields[name]; !has {
			set(m.Fields, name, value)
		}
	}
	m.Address = address(peer)
	if m.User = pairs["username"]; m.User == "" {
		m.User = pairs["userId"]
	}
	name, failed := strings.CutSuffix(kind, "_ERROR")
	if failed = failed || pairs["error"] != ""; failed {
		m.Outcome = event.OutcomeFailure
	} else {
		m.Outcome = event.OutcomeSuccess
	}
	m.Verb = strings.ToLower(name)
	switch name {
	case "LOGIN", "CLIENT_LOGIN", "IDENTITY_PROVIDER_LOGIN", "FEDERATED_IDENTITY_LOGIN":
		m.login(m.Outcome)
	}
	return true
}

// keycloakPairs reads the pairs. The form without quotes escapes nothing and
// the other didn't always, so what a stranger typed can look like a pair. A
// value ends where the next name begins, of names that come twice the first
// stays, and an address that is said twice differently is none.
func keycloakPairs(s string) map[string]string {
	pairs := map[string]string{}
	quote := ""
	if _, value, _ := strings.Cut(s[:min(len(s), 64)], "="); strings.HasPrefix(value, `"`) {
		quote = `"`
	}
	for s != "" && len(pairs) < 64 {
		name, rest, ok := strings.Cut(s, "="+quote)
		if !ok || !isPairName(name) {
			break
		}
		var value string
		value, s = keycloakValue(rest, quote)
		if value == "null" {
			value = ""
		}
		if old, has := pairs[name]; !has {
			pairs[name] = value
		} else if name == "ipAddress" && old != value {
			pairs[name] = ""
		}
	}
	return pairs
}

// keycloakValue cuts a value off: it ends before ", NAME=", with the quotes of
// its form, or with the text.
func keycloakValue(s, quote string) (value, rest string) {
	end := quote + ", "
	for at := 0; ; {
		i := strings.Index(s[at:], end)
		if i < 0 {
			return unescaped(strings.TrimSuffix(s, quote), quote), ""
		}
		next := at + i + len(end)
		name := s[next:min(len(s), next+64)]
		if eq := strings.IndexByte(name, '='); eq > 0 && isPairName(name[:eq]) && strings.HasPrefix(s[next+eq+1:], quote) {
			return unescaped(s[:at+i], quote), s[next:]
		}
		at = next
	}
}

func unescaped(s, quote string) string {
	if quote == "" {
		return s
	}
	return strings.ReplaceAll(s, `\"`, `"`)
}

func isPairName(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '.' && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
