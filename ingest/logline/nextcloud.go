package logline

import (
	"maps"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "nextcloud",
		Doc:      "Nextcloud's nextcloud.log: logins that failed, brute force that it slowed down, hosts that it doesn't trust.",
		Programs: []string{"nextcloud"},
		Images:   []string{"nextcloud", "nextcloud-aio"},
		Order:    OrderProduct,
		Object:   nextcloudObject,
	})
}

// nextcloudObject reads one entry.
// https://docs.nextcloud.com/server/stable/admin_manual/configuration_server/logging_configuration.html
func nextcloudObject(fields map[string]any) (Message, bool) {
	said, ok := fields["message"].(string)
	if !ok || fields["reqId"] == nil || fields["remoteAddr"] == nil || fields["app"] == nil {
		return Message{}, false
	}
	m := Message{
		Text: said, Level: nextcloudLevel(fields["level"]), Time: timeOf(fields["time"]), Local: localOf(fields["time"]), Address: address(stringOf(fields["remoteAddr"])),
		UserAgent: dash(strings.Trim(stringOf(fields["userAgent"]), "-")), Fields: maps.Clone(fields),
	}
	if user := stringOf(fields["user"]); user != "--" {
		m.User = user
	}
	nextcloudSaid(&m, said)
	return m, true
}

func nextcloudSaid(m *Message, s string) {
	rest, ok := strings.CutPrefix(s, "Login failed: ")
	if !ok {
		rest, ok = strings.CutPrefix(s, "Two-factor challenge failed: ")
	}
	if ok {
		m.login(event.OutcomeFailure)
		m.Fields["kind"] = "failed"
		// The name is a stranger's, what follows it the server's.
		user, _, _ := cutLast(rest, " (Remote IP: ")
		m.User = strings.Trim(user, "'")
		return
	}
	if rest, ok := strings.CutPrefix(s, `Bruteforce attempt from "`); ok {
		_, action, _ := cutLast(rest, ` detected for action "`)
		action, _, _ = strings.Cut(action, `"`)
		m.Fields["kind"] = "bruteforce"
		set(m.Fields, "action", action)
		if action == verbLogin {
			m.login(event.OutcomeFailure)
		} else {
			m.Outcome = event.OutcomeFailure
		}
		return
	}
	if strings.HasPrefix(s, "Trusted domain error. ") {
		m.Fields["kind"] = "untrusted_domain"
		m.Outcome = event.OutcomeDenied
	}
}

// nextcloudLevel names the numbers of the levels.
func nextcloudLevel(v any) string {
	switch wordOf(v) {
	case "0":
		return "debug"
	case "1":
		return "info"
	case "2":
		return "warning"
	case "3":
		return "error"
	case "4":
		return "fatal"
	}
	return ""
}
