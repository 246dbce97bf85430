package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "pam",
		Doc:      "What PAM's modules write for su, sudo, login and others: failed logins, sessions. For sshd it is sshd's own.",
		Programs: []string{"su", "sudo", "login"},
		Order:    OrderProduct,
		First:    "p",
		Parse:    parsePAM,
	})
}

func parsePAM(text string) (Message, bool) {
	rest, ok := strings.CutPrefix(text, "pam_")
	if !ok {
		return Message{}, false
	}
	m := Message{Text: text, Fields: map[string]any{"kind": "pam"}}
	return m, pamLine(&m, rest) && m.Fields["pam_service"] != "sshd"
}

// pamSSHD is a module's line of which the service is sshd.
func pamSSHD(m *Message, rest string) bool {
	return pamLine(m, rest) && m.Fields["pam_service"] == "sshd"
}

// pamLine is what stands behind "pam_": MODULE(SERVICE:TYPE): TEXT.
func pamLine(m *Message, rest string) bool {
	module, rest, ok := strings.Cut(rest, "(")
	service, text, closed := strings.Cut(rest, "): ")
	if !ok || !closed || len(module) > 32 || len(service) > 64 || strings.ContainsAny(module+service, " \"") {
		return false
	}
	set(m.Fields, "pam_module", "pam_"+module)
	service, stage, _ := strings.Cut(service, ":")
	set(m.Fields, "pam_service", service)
	set(m.Fields, "pam_type", stage)
	switch {
	case strings.HasPrefix(text, "authentication failure; "):
		m.login(event.OutcomeFailure)
		pamPairs(m, text)
	case strings.HasPrefix(text, "session opened for user "):
		m.Verb = "session_open"
		m.User = pamUser(strings.TrimPrefix(text, "session opened for user "))
	case strings.HasPrefix(text, "session closed for user "):
		m.Verb = verbLogout
		m.User = pamUser(strings.TrimPrefix(text, "session closed for user "))
	}
	return true
}

// pamMore is N more authentication failures; PAIRS.
func pamMore(m *Message, rest string) bool {
	number, rest, ok := strings.Cut(rest, " more authentication failure")
	if !ok || !digits(number) {
		return false
	}
	set(m.Fields, "failures", number)
	m.login(event.OutcomeFailure)
	pamPairs(m, rest)
	return true
}

// pamPairs reads "… rhost=HOST  user=USER": the user is last and may hold
// anything, the host may be a name.
func pamPairs(m *Message, text string) {
	_, rest, ok := strings.Cut(text, " rhost=")
	if !ok {
		return
	}
	host, rest := word(rest)
	m.Address = address(host)
	if _, user, ok := strings.Cut(rest, "user="); ok {
		m.User = user
	}
}

// pamUser is USER[(uid=N)][ by WHO]. The name ends at the last of these,
// since it may hold what looks like them.
func pamUser(s string) string {
	if i := strings.LastIndex(s, " by "); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndex(s, "(uid="); i >= 0 && strings.HasSuffix(s, ")") {
		s = s[:i]
	}
	return s
}
