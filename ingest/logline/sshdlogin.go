package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// METHOD for [invalid user ]USER from ADDRESS port N ssh2[: KEY].
func sshdAttempt(m *Message, rest string) bool {
	method, rest, ok := strings.Cut(rest, " for ")
	if !ok || !isSSHMethod(method) {
		return false
	}
	s, ok := sshdEnd(spots(rest, " from "))
	if !ok || s.address != "" && s.port == "" {
		return false
	}
	m.at(s)
	sshdUser(m, s.before)
	set(m.Fields, "method", method)
	if key, ok := strings.CutPrefix(s.after, " ssh2: "); ok {
		kind, print := word(key)
		print, _ = word(print)
		set(m.Fields, "key_type", kind)
		set(m.Fields, "key", print)
	}
	return true
}

// isSSHMethod knows the methods of RFC 4252, 4256 and 4462, with the device
// that OpenSSH writes behind one, and what it calls a probe.
func isSSHMethod(s string) bool {
	method, device, _ := strings.Cut(s, "/")
	switch method {
	case "password", "publickey", "none", "hostbased", "unknown", "keyboard-interactive", "challenge-response", "gssapi-with-mic", "gssapi-keyex", "gssapi", "kerberos":
		return len(device) <= 32 && !strings.Contains(device, " ")
	}
	return false
}

// sshdEnd finds the peer that sshd itself wrote. A user's name stands before
// it and can say anything; behind it stands at most a key's fingerprint. A
// certificate's name, which a stranger chooses too, stands behind it: where
// such a line names more than one peer there is none to believe.
func sshdEnd(found []spot) (spot, bool) {
	s, ok := lastSpot(found)
	if !ok {
		return s, false
	}
	if len(found) > 1 && (strings.Contains(s.after, " CA ") || !sshdSuffix(s.after)) {
		return spot{}, true
	}
	return s, sshdSuffix(s.after)
}

func sshdSuffix(s string) bool {
	s = strings.TrimSuffix(strings.TrimRight(s, " "), " [preauth]")
	return s == "" || s == " ssh1" || s == " ssh2" || strings.HasPrefix(s, " ssh2: ")
}

func sshdUser(m *Message, user string) {
	if name, ok := strings.CutPrefix(user, "invalid user "); ok {
		m.Fields["invalid_user"], user = true, name
	} else if name, ok := strings.CutPrefix(user, "illegal user "); ok {
		m.Fields["invalid_user"], user = true, name
	}
	m.User = user
}

func sshdAccepted(m *Message, rest string) bool {
	m.login(event.OutcomeSuccess)
	return sshdAttempt(m, rest)
}

func sshdFailed(m *Message, rest string) bool {
	m.login(event.OutcomeFailure)
	return sshdAttempt(m, rest)
}

// sshdStep is part of a login that goes on.
func sshdStep(m *Message, rest string) bool {
	m.Verb = verbLogin
	return sshdAttempt(m, rest)
}

// sshdInvalid is USER from ADDRESS[ port N], of any user name.
func sshdInvalid(m *Message, rest string) bool {
	m.login(event.OutcomeFailure)
	if rest = strings.TrimRight(rest, " "); strings.HasPrefix(rest, "from ") {
		rest = " " + rest // the empty name
	}
	s, ok := lastSpot(spots(rest, " from "))
	if !ok || !sshdSuffix(s.after) {
		return false
	}
	m.at(s)
	m.User = s.before
	m.Fields["invalid_user"] = true
	return true
}

// sshdNotAllowed is USER[ from HOST] not allowed because REASON.
func sshdNotAllowed(m *Message, rest string) bool {
	const because = " not allowed because "
	i := strings.LastIndex(rest, because)
	if i < 0 {
		return false
	}
	m.login(event.OutcomeDenied)
	m.User = rest[:i]
	set(m.Fields, "reason", rest[i+len(because):])
	// With UseDNS the host is a name, which is no address.
	if from := strings.LastIndex(m.User, " from "); from >= 0 && !strings.Contains(m.User[from+6:], " ") {
		m.Address, m.User = address(m.User[from+6:]), m.User[:from]
	}
	return true
}

func sshdRootRefused(m *Message, rest string) bool {
	m.login(event.OutcomeDenied)
	m.User = "root"
	return sshdAhead(m, rest)
}

func sshdTooMany(m *Message, rest string) bool {
	s, ok := sshdEnd(spots(rest, " from "))
	if !ok {
		return false
	}
	m.login(event.OutcomeFailure)
	m.at(s)
	sshdUser(m, s.before)
	return true
}

// sshdPAM is [illegal user ]USER from HOST.
func sshdPAM(m *Message, rest string) bool {
	i := strings.LastIndex(rest, " from ")
	if i < 0 {
		return false
	}
	m.login(event.OutcomeFailure)
	m.Address = address(rest[i+6:])
	sshdUser(m, rest[:i])
	return true
}
