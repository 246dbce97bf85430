package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "sshd",
		Doc: "OpenSSH's server: logins that were accepted, failed or refused, and what a connection did before it logged in. " +
			"fields.kind says which line it is: one failed attempt can write several (invalid_user, pam, failed, closed).",
		Programs: []string{"sshd", "sshd-session", "sshd-auth", "openssh-server"},
		Images:   []string{"openssh-server", "sshd", "openssh"},
		Order:    OrderProduct,
		First:    "ABCDFIMNPRSTUbdefiprs",
		Parse:    parseSSHD,
	})
}

// verbs of what isn't a request.
const (
	verbLogin   = "login"
	verbLogout  = "logout"
	verbConnect = "connect"
	verbExec    = "exec"
)

// sshdForm is one kind of line: what it begins with, and what reads the rest.
// The texts are those of OpenSSH's auth.c, packet.c, kex.c, sshd.c and
// sshd-session.c.
type sshdForm struct {
	begin, kind string
	read        func(m *Message, rest string) bool
}

var sshdForms = []sshdForm{
	{"Accepted ", "accepted", sshdAccepted},
	{"Failed ", "failed", sshdFailed},
	{"Partial ", "partial", sshdStep},
	{"Postponed ", "postponed", sshdStep},
	{"Invalid user ", "invalid_user", sshdInvalid},
	{"Illegal user ", "invalid_user", sshdInvalid},
	{"User ", "not_allowed", sshdNotAllowed},
	{"ROOT LOGIN REFUSED FROM ", "not_allowed", sshdRootRefused},
	{"maximum authentication attempts exceeded for ", "max_attempts", sshdTooMany},
	{"Disconnecting ", "disconnecting", sshdDisconnecting},
	{"Disconnected from ", "disconnected", sshdClosed},
	{"Connection closed by ", "closed", sshdClosed},
	{"Connection reset by ", "reset", sshdClosed},
	{"Received disconnect from ", "disconnect", sshdPeer},
	{"Connection from ", "connection", sshdConnection},
	{"Unable to negotiate with ", "negotiation", sshdRefusal},
	{"ssh_dispatch_run_fatal: Connection from ", "protocol", sshdRefusal},
	{"banner exchange: Connection from ", "protocol", sshdRefusal},
	{"Protocol major versions differ for ", "protocol", sshdRefusal},
	{"Did not receive identification string from ", "no_identification", sshdRefusal},
	{"Timeout before authentication for connection from ", "timeout", sshdRefusal},
	{"Timeout before authentication for ", "timeout", sshdRefusal},
	{"Bad protocol version identification ", "protocol", sshdLastPeer},
	{"Magic value check failed ", "protocol", sshdLastPeer},
	{"kex_exchange_identification: ", "protocol", sshdNoPeer},
	{"drop connection #", "dropped", sshdDropped},
	{"refused connect from ", "refused", sshdWrapped},
	{"Starting session: ", "session_start", sshdSession},
	{"Close session: user ", "session_close", sshdSession},
	{"PAM: Authentication failure for ", "pam", sshdPAM},
	{"PAM ", "pam", pamMore},
	{"pam_", "pam", pamSSHD},
	{"Server listening on ", "listening", sshdNoPeer},
	{"reverse mapping checking getaddrinfo for ", "reverse_mapping", sshdMapping},
}

func parseSSHD(text string) (Message, bool) {
	if rest, ok := strings.CutPrefix(text, "sshd"); ok {
		text = sshdTag(rest)
	}
	said := text
	level, rest, _ := strings.Cut(text[:min(len(text), 16)], ": ")
	switch level {
	case "error", "fatal", "info", "debug1", "debug2", "debug3":
		if len(rest) > 0 {
			said = text[len(level)+2:]
		}
	default:
		level = ""
	}
	for _, f := range sshdForms {
		rest, ok := strings.CutPrefix(said, f.begin)
		if !ok {
			continue
		}
		m := Message{Text: text, Level: level, Fields: map[string]any{"kind": f.kind}}
		if f.read(&m, rest) {
			return m, true
		}
	}
	return Message{}, false
}

// sshdTag takes off what is left of "sshd[12]: " or "sshd-session[12]: ".
func sshdTag(rest string) string {
	tag, text, ok := strings.Cut(rest, ": ")
	if !ok || len(tag) > 32 || strings.ContainsAny(tag, " \"") {
		return ""
	}
	return text
}

// login makes the message one of a login and how it ended.
func (m *Message) login(outcome event.Outcome) {
	m.Class, m.Verb, m.Outcome = event.ClassLogin, verbLogin, outcome
}

// at fills the peer.
func (m *Message) at(s spot) {
	m.Address = s.address
	set(m.Fields, "port", s.port)
}
