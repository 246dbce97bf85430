package logline

import (
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name:     "haproxy",
		Doc:      "HAProxy's HTTP, HTTPS and TCP log formats, with captured headers, its lines about refused connections and the plain one.",
		Programs: []string{"haproxy", "haproxy-ingress", "kubernetes-ingress-controller"},
		Images:   []string{"haproxy", "haproxy-ingress", "haproxytech/kubernetes-ingress", "haproxy-router"},
		Order:    OrderProduct,
		First:    "0123456789abcdefABCDEF:uC[",
		Parse:    parseHAProxy,
	})
}

// parseHAProxy reads CLIENT:PORT [TIME] FRONTEND and what stands behind it.
// The time has no zone.
//
// https://docs.haproxy.org/3.2/configuration.html#8.2
func parseHAProxy(text string) (Message, bool) {
	if m, ok := haproxyPlain(text); ok {
		return m, true
	}
	peer, rest := word(head(text, 400))
	if !hasPort(peer) {
		return Message{}, false
	}
	// An IPv6 address stands without brackets: its last part is the port.
	at := address(strings.Trim(peer[:strings.LastIndexByte(peer, ':')], "[]"))
	if at == "" && !strings.HasPrefix(peer, "unix:") {
		return Message{}, false
	}
	stamp, _, ok := bracketed(rest)
	if _, err := time.Parse("02/Jan/2006:15:04:05.000", stamp); !ok || err != nil {
		return Message{}, false
	}
	rest, ok = strings.CutPrefix(text[len(peer):], " ["+stamp+"] ")
	if !ok {
		return Message{}, false
	}
	m := Message{Address: at, Local: local("02/Jan/2006:15:04:05.000", stamp), Fields: map[string]any{}}
	frontend, rest := word(rest)
	if name, bind, _ := strings.Cut(frontend, "/"); strings.HasSuffix(frontend, ":") {
		set(m.Fields, "frontend", strings.TrimSuffix(name, ":"))
		set(m.Fields, "bind", strings.TrimSuffix(bind, ":"))
		m.Text, m.Level = rest, "error"
		return m, true
	}
	set(m.Fields, "frontend", frontend)
	server, rest := word(rest)
	backend, name, ok := strings.Cut(server, "/")
	if !ok {
		return Message{}, false
	}
	set(m.Fields, "backend", backend)
	set(m.Fields, "server", name)
	timers, rest := word(rest)
	t := strings.Split(head(timers, 128), "/")
	if len(t) == 5 {
		return haproxyHTTP(m, t, rest)
	}
	return haproxyTCP(m, t, rest)
}

// hasPort says whether a peer has a port: all have one here, which sets the
// line apart from the access logs of others.
func hasPort(peer string) bool {
	i := strings.LastIndexByte(peer, ':')
	return i > 0 && isPort(peer[i:])
}

// haproxyHTTP reads STATUS BYTES COOKIE COOKIE STATE CONNS QUEUES {HEADERS}
// {HEADERS} "REQUEST" behind the five timers, of which the last is the whole
// time, in milliseconds; -1 is an aborted one and + one that went on.
func haproxyHTTP(m Message, timers []string, s string) (Message, bool) {
	var w [7]string
	for i := range w {
		w[i], s = word(s)
	}
	if !isTimers(timers) || !isCount(strings.TrimPrefix(w[1], "+"), 20) || strings.Count(w[5], "/") != 4 || strings.Count(w[6], "/") != 1 {
		return Message{}, false
	}
	m.HTTP.Status, m.HTTP.Bytes = status(w[0]), size(strings.TrimPrefix(w[1], "+"))
	m.HTTP.Duration, _ = seconds(strings.TrimPrefix(timers[4], "+"), time.Millisecond)
	set(m.Fields, "termination", w[4])
	// HAProxy writes a quote as #22; a long line ends without one.
	captured, request, ok := strings.Cut(s, `"`)
	haproxyCaptured(&m, strings.TrimSpace(captured))
	if ok {
		request, _, _ = strings.Cut(request, `"`)
		setRequest(&m, haproxyClean(request))
	}
	finished(&m)
	return m, true
}

// haproxyCaptured takes the {HEADERS} of the request and those of the
// response, which show that they are when both stand there.
func haproxyCaptured(m *Message, s string) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return
	}
	request, response, _ := strings.Cut(s[1:len(s)-1], "} {")
	set(m.Fields, "captured_request", request)
	set(m.Fields, "captured_response", response)
}

// haproxyTCP reads BYTES STATE CONNS QUEUES behind three timers.
func haproxyTCP(m Message, timers []string, s string) (Message, bool) {
	var w [4]string
	for i := range w {
		w[i], s = word(s)
	}
	if len(timers) != 3 || !isTimers(timers) || !isCount(strings.TrimPrefix(w[0], "+"), 20) || strings.Count(w[2], "/") != 4 || strings.Count(w[3], "/") != 1 {
		return Message{}, false
	}
	if n := size(strings.TrimPrefix(w[0], "+")); n > 0 {
		m.Fields["bytes"] = n
	}
	v, ok := seconds(strings.TrimPrefix(timers[2], "+"), time.Millisecond)
	setSeconds(m.Fields, "seconds", v, ok)
	set(m.Fields, "termination", w[1])
	return m, true
}

func isTimers(list []string) bool {
	for _, t := range list {
		if t != "-1" && !digits(strings.TrimPrefix(t, "+")) {
			return false
		}
	}
	return true
}

// haproxyClean takes HAProxy's escapes (#HH) of printable characters out.
func haproxyClean(s string) string {
	if strings.IndexByte(s, '#') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '#' && i+2 < len(s) {
			if h, ok := hexByte("x" + s[i+1:i+3]); ok && h >= ' ' && h < 0x7f {
				c, i = h, i+2
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// haproxyPlain reads "Connect from ADDRESS to ADDRESS (FRONTEND/MODE)", what
// a frontend without a log format writes.
func haproxyPlain(text string) (Message, bool) {
	rest, ok := strings.CutPrefix(text, "Connect from ")
	if !ok || len(text) > 512 {
		return Message{}, false
	}
	peer, rest, _ := strings.Cut(rest, " to ")
	_, name, both := strings.Cut(rest, " (")
	frontend, mode, _ := strings.Cut(strings.TrimSuffix(name, ")"), "/")
	if m := (Message{Address: address(peer), Fields: map[string]any{"frontend": frontend}}); both && m.Address != "" && (mode == "HTTP" || mode == "TCP") {
		return m, true
	}
	return Message{}, false
}
