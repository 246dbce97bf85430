package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// sshdAhead reads a peer that the rest begins with.
func sshdAhead(m *Message, rest string) bool {
	s, ok := spotAt(rest)
	if ok {
		m.at(s)
	}
	return ok
}

// sshdPeer is a peer, and what is said of it.
func sshdPeer(m *Message, rest string) bool {
	m.Fields["preauth"] = strings.Contains(rest, "[preauth]")
	return sshdAhead(m, rest)
}

func sshdConnection(m *Message, rest string) bool {
	m.Verb = verbConnect
	return sshdAhead(m, rest) && m.Fields["port"] != nil
}

// sshdRefusal is a connection that ended before any login.
func sshdRefusal(m *Message, rest string) bool {
	m.Verb, m.Outcome = verbConnect, event.OutcomeFailure
	return sshdAhead(m, rest)
}

// sshdLastPeer is something that the peer sent, and " from " the peer.
func sshdLastPeer(m *Message, rest string) bool {
	s, ok := lastSpot(spots(rest, " from "))
	if !ok || !sshdSuffix(s.after) {
		return false
	}
	m.Verb, m.Outcome = verbConnect, event.OutcomeFailure
	m.at(s)
	return true
}

func sshdNoPeer(*Message, string) bool { return true }

// sshdClosed is [[authenticating |invalid ]user USER ]ADDRESS port N [preauth].
// Before a login that named a user it is a login that failed; after one a
// logout; without a user neither.
func sshdClosed(m *Message, rest string) bool {
	rest = strings.TrimRight(rest, " ")
	rest, preauth := strings.CutSuffix(rest, " [preauth]")
	m.Fields["preauth"] = preauth
	named, before := sshdNamed(rest)
	if named == "" {
		m.Verb = verbConnect
		return sshdAhead(m, rest) && (preauth || m.Fields["port"] != nil)
	}
	s, ok := lastSpot(spots(named, " "))
	if !ok || s.after != "" {
		return false
	}
	m.at(s)
	m.User = s.before
	switch {
	case before || preauth:
		m.login(event.OutcomeFailure)
	default:
		m.Verb = verbLogout
	}
	if strings.HasPrefix(rest, "invalid ") {
		m.Fields["invalid_user"] = true
	}
	return true
}

// sshdNamed gives what stands behind the words that announce a user, and
// whether the user had not logged in.
func sshdNamed(rest string) (named string, before bool) {
	for _, words := range []string{"authenticating user ", "invalid user "} {
		if named, ok := strings.CutPrefix(rest, words); ok {
			return named, true
		}
	}
	named, _ = strings.CutPrefix(rest, "user ")
	if len(named) == len(rest) {
		return "", false
	}
	return named, false
}

// sshdDisconnecting is [authenticating |invalid ]user USER ADDRESS port N: WHY.
// Both the name and the reason can hold what the peer sent, so a line that
// names two peers has none.
func sshdDisconnecting(m *Message, rest string) bool {
	named, _ := sshdNamed(rest)
	if named == "" {
		return sshdAhead(m, rest)
	}
	found := spots(named, " ")
	if len(found) == 0 {
		return false
	}
	m.login(event.OutcomeFailure)
	if len(found) == 1 {
		m.at(found[0])
		m.User = found[0].before
		set(m.Fields, "reason", strings.TrimPrefix(strings.TrimSuffix(found[0].after, " [preauth]"), ": "))
	}
	return true
}

// sshdDropped is N from [ADDRESS]:PORT on [ADDRESS]:PORT WHY.
func sshdDropped(m *Message, rest string) bool {
	number, rest, ok := strings.Cut(rest, " from ")
	if !ok || !digits(number) {
		return false
	}
	m.Verb, m.Outcome = verbConnect, event.OutcomeDenied
	token, _ := word(rest)
	m.Address = address(token)
	return m.Address != ""
}

// sshdWrapped is HOST (ADDRESS), as TCP wrappers write it; the host's name is
// the peer's choice.
func sshdWrapped(m *Message, rest string) bool {
	rest = strings.TrimRight(rest, " ")
	i := strings.LastIndexByte(rest, '(')
	m.Verb, m.Outcome = verbConnect, event.OutcomeDenied
	if i < 0 || !strings.HasSuffix(rest, ")") {
		return sshdAhead(m, rest)
	}
	m.Address = address(rest[i+1 : len(rest)-1])
	return m.Address != ""
}

// sshdMapping is HOST [ADDRESS] failed.
func sshdMapping(m *Message, rest string) bool {
	i, j := strings.LastIndexByte(rest, '['), strings.LastIndexByte(rest, ']')
	if i < 0 || j < i {
		return false
	}
	m.Address = address(rest[i+1 : j])
	return m.Address != ""
}

// sshdSession is …USER from ADDRESS port N id N: a session of who is logged
// in. A command that is run stands before it.
func sshdSession(m *Message, rest string) bool {
	s, ok := lastSpot(spots(rest, " from "))
	id, isID := strings.CutPrefix(s.after, " id ")
	if !ok || !isID || !digits(id) {
		return false
	}
	m.at(s)
	m.User = s.before
	if i := strings.LastIndex(s.before, " for "); i >= 0 {
		m.User = s.before[i+5:]
	}
	return true
}
