package logline

import (
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name:     "traefik",
		Doc:      "Traefik's access log, in its common form with router, server and duration behind it, and in JSON.",
		Programs: []string{"traefik"},
		Images:   []string{"traefik"},
		Order:    OrderProduct,
		First:    accessFirst,
		Parse:    parseTraefik,
		Chosen:   true,
		Object:   traefikObject,
	})
}

func parseTraefik(text string) (Message, bool) {
	if !strings.HasSuffix(text, "ms") {
		return Message{}, false
	}
	a, ok := scanAccess(text)
	if !ok {
		return Message{}, false
	}
	return traefikMessage(&a, text)
}

// traefikMessage reads what Traefik puts behind the combined format: a
// request counter, "router", "server" and the duration in milliseconds.
// Traefik escapes no quotes, so the end is read from the right, where the
// text is its own, and the request again by what follows it.
// https://doc.traefik.io/traefik/observe/logs-and-access-logs/
func traefikMessage(a *access, text string) (Message, bool) {
	rest, took := lastWord(a.rest)
	milliseconds, ok := strings.CutSuffix(took, "ms")
	if !ok || !digits(milliseconds) {
		return Message{}, false
	}
	rest, server, ok := lastQuoted(rest)
	if !ok {
		return Message{}, false
	}
	rest, router, ok := lastQuoted(rest)
	if !ok {
		return Message{}, false
	}
	rest, count := lastWord(rest)
	if !isCount(count, 20) || !strings.HasSuffix(rest, `"`) {
		return Message{}, false
	}
	if _, many := requestEnd(text[strings.Index(text, `] "`)+3:], isAnswer); many {
		a.sure = false
	}
	m := a.message()
	if a.sure {
		m.HTTP.Duration, _ = seconds(milliseconds, time.Millisecond)
	}
	set(m.Fields, "router", dash(router))
	set(m.Fields, "server", dash(server))
	if referer, agent, ok := strings.Cut(rest, `" "`); ok && a.sure {
		set(m.Fields, "referer", dash(strings.TrimPrefix(referer, `"`)))
		m.UserAgent = dash(strings.TrimSuffix(agent, `"`))
	}
	return m, true
}

// lastQuoted cuts a quoted text off the end of s.
func lastQuoted(s string) (rest, inner string, ok bool) {
	if !strings.HasSuffix(s, `"`) {
		return s, "", false
	}
	s = s[:len(s)-1]
	i := strings.LastIndexByte(s, '"')
	if i < 1 || s[i-1] != ' ' {
		return s, "", false
	}
	return s[:i-1], s[i+1:], true
}

// traefikObject reads an access log line in JSON. Its durations are in
// nanoseconds; ClientHost is the forwarded chain where there is one.
func traefikObject(fields map[string]any) (Message, bool) {
	code, ok := fields["DownstreamStatus"]
	if !ok || fields["ClientAddr"] == nil && fields["ClientHost"] == nil {
		return Message{}, false
	}
	m := Message{
		Text: stringOf(fields["msg"]), Level: stringOf(fields["level"]), User: dash(stringOf(fields["ClientUsername"])),
		UserAgent: stringOf(fields["request_User-Agent"]), Address: address(stringOf(fields["ClientAddr"])),
	}
	m.HTTP.Method, m.HTTP.Path = methodOf(fields["RequestMethod"]), stringOf(fields["RequestPath"])
	m.HTTP.Status, m.HTTP.Bytes = statusOf(code), sizeOf(fields["DownstreamContentSize"])
	m.HTTP.Duration, _ = secondsOf(fields["Duration"], time.Nanosecond)
	if host := chain(stringOf(fields["ClientHost"])); m.Address == "" || len(host) > 1 || len(host) == 1 && address(host[0]) != m.Address {
		m.Forwarded = host
	}
	if m.Address == "" {
		m.Address, m.Forwarded = hops(stringOf(fields["ClientHost"]))
	}
	for _, name := range []string{"StartUTC", "StartLocal", "time"} {
		if m.Time = timeOf(fields[name]); !m.Time.IsZero() {
			break
		}
	}
	finished(&m)
	return m, true
}
