package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "grafana",
		Doc:      "Grafana's log in logfmt and JSON: logins that failed and succeeded, requests, and the rest.",
		Programs: []string{"grafana"},
		Images:   []string{"grafana", "grafana-oss", "grafana-enterprise"},
		Order:    OrderProduct,
		First:    "lt",
		Parse:    parseGrafana,
		Object:   grafanaObject,
	})
}

func parseGrafana(text string) (Message, bool) {
	if !strings.HasPrefix(text, "logger=") && !strings.HasPrefix(text, "t=") || !strings.Contains(text, "logger=") {
		return Message{}, false
	}
	fields, ok := pairs(text)
	if !ok {
		return Message{}, false
	}
	m, ok := grafanaObject(fields)
	m.Fields = fields
	return m, ok
}

// grafanaObject takes the names that every line has for Grafana's.
func grafanaObject(fields map[string]any) (Message, bool) {
	for _, name := range []string{"logger", "t", "msg"} {
		if _, ok := fields[name].(string); !ok {
			return Message{}, false
		}
	}
	m := describe(fields)
	m.User = stringOf(fields["uname"])
	if m.Level == "eror" {
		m.Level = "error"
	}
	grafanaLogin(&m, fields)
	return m, true
}

// grafanaLogin knows what Grafana says of logins, which only the logger of
// requests says with an address: the authentication's own says it once more.
func grafanaLogin(m *Message, fields map[string]any) {
	reason := stringOf(fields["error"])
	switch {
	case m.Text == "Invalid username or password",
		m.Text == "Unauthorized" && strings.HasPrefix(reason, "[password-auth.failed]"):
		m.Class, m.Verb, m.Outcome = event.ClassLogin, "login", event.OutcomeFailure
	case m.Text == "Successful Login":
		m.Class, m.Verb, m.Outcome = event.ClassLogin, "login", event.OutcomeSuccess
	case m.Text == "Successful Logout":
		m.Class, m.Verb, m.Outcome = event.ClassLogin, "logout", event.OutcomeSuccess
	default:
		return
	}
	if user := textAt(fields, "User", "user", "userLogin"); user != "" {
		m.User = user
	}
}
