package logline

import (
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name: "nginx",
		Doc: "nginx's access log (common, combined, main and those with times and upstreams behind them) and its error log. " +
			"The combined form is Apache's too: a line that nothing tells apart is called nginx.",
		Programs: []string{"nginx", "nginx-proxy", "openresty"},
		Images:   []string{"nginx", "nginx-unprivileged", "openresty"},
		Order:    OrderShape,
		First:    accessFirst,
		Parse:    parseNginx,
		Guess:    guessAccess,
	})
}

func parseNginx(text string) (Message, bool) {
	if m, ok := nginxError(text); ok {
		return m, true
	}
	a, ok := scanAccess(text)
	if !ok {
		return Message{}, false
	}
	return nginxMessage(&a, a.tail()), true
}

// guessAccess reads a line of any of those that write access logs in the
// common form, and says whose it is.
func guessAccess(text string) (Message, bool) {
	if m, ok := nginxError(text); ok {
		return m, true
	}
	if m, ok := apacheError(text); ok {
		m.Format = "apache"
		return m, true
	}
	a, ok := scanAccess(text)
	if !ok {
		return Message{}, false
	}
	if m, ok := traefikMessage(&a, text); ok {
		m.Format = "traefik"
		return m, true
	}
	tail := a.tail()
	if m, ok := ingressMessage(&a, tail); ok {
		m.Format = "ingress-nginx"
		return m, true
	}
	if ofApache(&a, tail) {
		m := apacheMessage(&a, tail)
		m.Format = "apache"
		return m, true
	}
	return nginxMessage(&a, tail), true
}

// nginxMessage reads what stands behind the combined format: the forwarded
// chain of the image's main format, then request and upstream times, labelled
// (rt=0.005) or as nginx prints them, in seconds with three decimals.
func nginxMessage(a *access, tail []token) Message {
	m := a.message()
	tail = m.agents(tail)
	if len(tail) > 0 && tail[0].kind == '"' && !isNginxTime(tail[0].text) {
		m.claimed(dash(tail[0].text))
		tail = tail[1:]
	}
	if !a.sure {
		return m
	}
	timed := false
	for i, t := range tail {
		label, value, labelled := strings.Cut(strings.TrimSuffix(t.text, ","), "=")
		switch {
		case !labelled && isNginxTime(t.text) && !timed:
			unit := time.Second
			if i+1 < len(tail) && tail[i+1].text == "ms" {
				unit = time.Millisecond // as Express's morgan has it
			}
			m.HTTP.Duration, timed = seconds(t.text, unit)
		case !labelled && isNginxTime(t.text):
			v, ok := seconds(t.text, time.Second)
			setSeconds(m.Fields, "upstream_seconds", v, ok)
		case labelled && t.kind == 'w':
			m.labelled(label, value)
		}
	}
	return m
}

// labelled takes the labels that configurations commonly give.
func (m *Message) labelled(label, value string) {
	switch strings.ToLower(label) {
	case "rt", "request_time", "reqtime", "request_duration":
		if v, ok := seconds(value, time.Second); ok {
			m.HTTP.Duration = v
		}
	case "urt", "upstream_response_time":
		v, ok := seconds(value, time.Second)
		setSeconds(m.Fields, "upstream_seconds", v, ok)
	case "ua", "upstream", "upstream_addr":
		set(m.Fields, "upstream", dash(value))
	case "xff", "x_forwarded_for", "http_x_forwarded_for":
		m.claimed(dash(value))
	case "request_id", "req_id", "rid":
		set(m.Fields, "request_id", dash(value))
	}
}

// claimed takes a forwarded chain. One whose last entry, which the neighbour
// added, is no address is only kept as a field.
func (m *Message) claimed(value string) {
	list := chain(value)
	if len(list) > 0 && address(list[len(list)-1]) != "" {
		m.Forwarded = list
		return
	}
	set(m.Fields, "forwarded_for", clean(value))
}

// isNginxTime says whether s is seconds as nginx prints them, or as gunicorn
// does, with six decimals.
func isNginxTime(s string) bool {
	i := strings.IndexByte(s, '.')
	return i > 0 && i <= 9 && (len(s) == i+4 || len(s) == i+7) && digits(s[:i]) && digits(s[i+1:])
}
