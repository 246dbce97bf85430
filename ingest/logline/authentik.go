package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "authentik",
		Doc:      "authentik's server, worker and outposts, in JSON: logins and requests.",
		Programs: []string{"authentik", "authentik-server", "authentik-worker"},
		Images:   []string{"goauthentik/server", "goauthentik/proxy", "goauthentik/ldap", "goauthentik/radius"},
		Order:    OrderProduct,
		Object:   authentikObject,
	})
}

// authentikObject reads a line of structlog, or of the outposts in Go. The
// server's times have no zone.
func authentikObject(fields map[string]any) (Message, bool) {
	logger := stringOf(fields["logger"])
	said, ok := fields["event"].(string)
	if !ok || !strings.HasPrefix(logger, "authentik.") {
		return Message{}, false
	}
	m := Message{
		Text: said, Level: stringOf(fields["level"]), Time: timeOf(fields["timestamp"]),
		Address: firstAddress(fields, "client_ip", "remote"), UserAgent: stringOf(fields["user_agent"]),
	}
	m.User = textAt(fields, "context.username", "identifier", "username", "user.username", "user")
	action := stringOf(fields["action"])
	switch {
	case said == "invalid_login" || action == "login_failed" || action == "invalid_identifier":
		m.login(event.OutcomeFailure)
	case action == "login":
		m.login(event.OutcomeSuccess)
		m.User = textAt(fields, "user.username", "context.username", "username", "user")
	case action == "logout":
		m.Verb, m.Outcome = verbLogout, event.OutcomeSuccess
	case fields["status"] != nil && fields["method"] != nil:
		m.HTTP.Method, m.HTTP.Status, m.HTTP.Path = methodOf(fields["method"]), statusOf(fields["status"]), said
		m.HTTP.Bytes = sizeOf(fields["size"])
		m.HTTP.Duration, _ = secondsOf(fields["runtime"], time.Millisecond)
		finished(&m)
	default:
		m.Verb = action
	}
	return m, true
}
