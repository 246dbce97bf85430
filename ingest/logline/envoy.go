package logline

import (
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name: "envoy",
		Doc: "Envoy's access log: its default text format, Istio's with all that stands behind it, and JSON under the names that Istio, " +
			"Envoy Gateway and Contour use.",
		Programs: []string{"envoy", "istio-proxy", "istio-ingressgateway", "istio-egressgateway"},
		Images:   []string{"envoy", "istio/proxyv2", "proxyv2", "envoyproxy/envoy"},
		Order:    OrderProduct,
		First:    "[",
		Parse:    parseEnvoy,
		Object:   envoyObject,
	})
}

// envoyLine is a line of the default text format,
//
//	[TIME] "METHOD PATH PROTOCOL" STATUS FLAGS RECEIVED SENT DURATION
//	UPSTREAM-TIME "FORWARDED" "AGENT" "ID" "AUTHORITY" "UPSTREAM"
//
// or of Istio's, which has behind the flags DETAILS TERMINATION "FAILURE" (in
// older versions two quoted texts), and at the end CLUSTER LOCAL
// DOWNSTREAM-LOCAL DOWNSTREAM-REMOTE SERVER-NAME ROUTE.
//
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#default-format-string
type envoyLine struct {
	time    time.Time
	request string
	before  []token // what stands before the five quoted texts
	quoted  []token // these, or nothing where a quote too many was sent
	after   []string
}

// parseEnvoy reads a line in text. Envoy escapes no quotes; one with more
// than its form has tells only what is beyond doubt: time, request, and at
// Istio's end the address.
func parseEnvoy(text string) (Message, bool) {
	if m, ok := envoySelf(text); ok {
		return m, true
	}
	l, ok := scanEnvoy(text)
	if !ok {
		return Message{}, false
	}
	m := Message{Time: l.time, Fields: map[string]any{}}
	if len(l.after) == 6 {
		for i, name := range []string{"upstream_cluster", "", "downstream_local", "", "server_name", "route"} {
			if name != "" {
				set(m.Fields, name, dash(l.after[i]))
			}
		}
		m.Address = address(l.after[3])
	}
	if l.quoted == nil {
		m.Fields["doubtful"] = true
	} else {
		l.sure(&m)
	}
	if l.request == "- - -" {
		// A TCP connection, which has times and addresses but no request.
		if m.HTTP.Duration > 0 {
			m.Fields["seconds"] = m.HTTP.Duration
		}
		m.HTTP.Duration, m.HTTP.Bytes = 0, 0
		return m, true
	}
	setRequest(&m, l.request)
	finished(&m)
	return m, true
}

func scanEnvoy(text string) (envoyLine, bool) {
	if text == "" || text[0] != '[' {
		return envoyLine{}, false
	}
	stamp, rest, ok := strings.Cut(text[1:], `] "`)
	if !ok || len(stamp) > 40 {
		return envoyLine{}, false
	}
	l := envoyLine{time: plausible(time.Parse(time.RFC3339Nano, stamp))}
	end, _ := requestEnd(rest, isEnvoyAnswer)
	if l.time.IsZero() || end < 0 {
		return envoyLine{}, false
	}
	l.request, rest = rest[:end], rest[end+1:]
	tail := rest[strings.LastIndexByte(rest, '"')+1:]
	if len(tail) < 4096 {
		l.after = strings.Fields(tail)
	}
	count := strings.Count(rest, `"`)
	if count != 10 && (len(l.after) == 0 || count != 12 && count != 14) {
		return l, count > 10
	}
	all := rawTokens(rest)
	all = all[:len(all)-len(l.after)]
	if len(all) < 11 || len(l.after) != 0 && len(l.after) != 6 {
		return l, false
	}
	l.before, l.quoted = all[:len(all)-5], all[len(all)-5:]
	for _, t := range l.quoted {
		if t.kind != '"' {
			l.quoted = nil
			break
		}
	}
	return l, true
}

// envoySelf reads a line of Envoy about itself: [TIME][THREAD][LEVEL][LOGGER]
// TEXT. Its time has no zone, and is left out.
func envoySelf(text string) (Message, bool) {
	stamp, rest, _ := bracketed(text)
	thread, rest, _ := bracketed(rest)
	level, rest, _ := bracketed(rest)
	logger, said, ok := bracketed(rest)
	if _, err := time.Parse("2006-01-02 15:04:05.000", stamp); err != nil || !ok || !digits(thread) || logger == "" {
		return Message{}, false
	}
	switch level {
	case "trace", "debug", "info", "warning", "error", "critical":
	default:
		return Message{}, false
	}
	return Message{Level: level, Text: said, Fields: map[string]any{"logger": logger}}, true
}

// rawTokens splits a text at spaces and at quotes that nothing escapes.
func rawTokens(s string) []token {
	var list []token
	for i, part := range strings.SplitN(s, `"`, maxTokens) {
		if i%2 == 1 {
			list = append(list, token{part, '"'})
			continue
		}
		for w := range strings.FieldsSeq(part) {
			if list = append(list, token{w, 'w'}); len(list) > 4*maxTokens {
				return list
			}
		}
	}
	return list
}

// isEnvoyAnswer says whether s begins with a status, which is 0 where there
// was no answer, and response flags.
func isEnvoyAnswer(s string) bool {
	if s == "" || s[0] != ' ' {
		return false
	}
	code, rest := word(head(s[1:], 160))
	flags, _ := word(rest)
	for i := range len(flags) {
		if c := flags[i]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != ',' && c != '_' {
			return false
		}
	}
	return flags != "" && isCount(code, 9)
}

// sure reads what no sent quote makes doubtful. In the default format the
// peer is the chain's last entry, which Envoy at the edge adds itself.
func (l *envoyLine) sure(m *Message) {
	m.HTTP.Status = status(l.before[0].text)
	set(m.Fields, "flags", dash(l.before[1].text))
	if n := len(l.before); n >= 9 {
		set(m.Fields, "details", dash(l.before[2].text))
		set(m.Fields, "termination", dash(l.before[3].text))
		set(m.Fields, "transport_failure", dash(l.before[n-5].text))
	}
	numbers := l.before[len(l.before)-4:]
	m.HTTP.Bytes = size(numbers[1].text)
	m.HTTP.Duration, _ = seconds(numbers[2].text, time.Millisecond)
	v, ok := seconds(numbers[3].text, time.Millisecond)
	setSeconds(m.Fields, "upstream_seconds", v, ok)
	if n := size(numbers[0].text); n > 0 {
		m.Fields["request_bytes"] = n
	}
	m.claimed(dash(l.quoted[0].text))
	if len(l.after) == 0 && len(m.Forwarded) > 0 {
		m.Address, m.Forwarded = hops(l.quoted[0].text)
	}
	m.UserAgent = dash(l.quoted[1].text)
	set(m.Fields, "request_id", dash(l.quoted[2].text))
	set(m.Fields, "authority", dash(l.quoted[3].text))
	set(m.Fields, "upstream", dash(l.quoted[4].text))
}

// envoyObject reads JSON of the operators' default and common formats: the
// command operators in lower case, header names with _ or -.
func envoyObject(fields map[string]any) (Message, bool) {
	code, ok := fields["response_code"]
	if !ok || pick(fields, "start_time", "response_flags", "upstream_host", "downstream_remote_address") == nil {
		return Message{}, false
	}
	m := Message{
		Time:      timeOf(pick(fields, "start_time", "@timestamp", "timestamp")),
		Address:   address(stringOf(pick(fields, "downstream_remote_address", "downstream_direct_remote_address", "downstream_remote_address_without_port"))),
		UserAgent: dash(stringOf(pick(fields, "user_agent", "user-agent"))),
	}
	if forwarded := stringOf(pick(fields, "x_forwarded_for", "x-forwarded-for")); m.Address != "" {
		m.Forwarded = chain(forwarded)
	} else {
		m.Address, m.Forwarded = hops(forwarded)
	}
	if m.HTTP.Method = methodOf(pick(fields, "method", ":method")); m.HTTP.Method == "" {
		return m, true
	}
	m.HTTP.Status = statusOf(code)
	m.HTTP.Path = dash(stringOf(pick(fields, "x-envoy-original-path", "x_envoy_original_path", "x-envoy-origin-path", "path", ":path")))
	m.HTTP.Bytes = sizeOf(fields["bytes_sent"])
	m.HTTP.Duration, _ = secondsOf(fields["duration"], time.Millisecond)
	finished(&m)
	return m, true
}

// pick is the first of the names that has a value other than null and "-".
func pick(fields map[string]any, names ...string) any {
	for _, name := range names {
		if v := fields[name]; v != nil && v != "-" && v != "" {
			return v
		}
	}
	return nil
}
