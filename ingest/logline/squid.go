package logline

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name:     "squid",
		Doc:      "Squid's own access log: who asked for which address on the internet, and what the proxy said to it.",
		Programs: []string{"squid"},
		Images:   []string{"squid", "squid-proxy"},
		Order:    OrderProduct,
		First:    "0123456789",
		Parse:    parseSquid,
	})
}

// parseSquid reads TIME ELAPSED CLIENT RESULT/STATUS BYTES METHOD URL USER
// HIERARCHY/PEER TYPE, with milliseconds in TIME and ELAPSED. In its place
// Squid writes spaces of names as %20.
//
// https://wiki.squid-cache.org/Features/LogFormat
func parseSquid(text string) (Message, bool) {
	list := tokens(head(text, 8192))
	if len(list) < 9 {
		return Message{}, false
	}
	w := make([]string, 10)
	for i := range min(len(list), len(w)) {
		w[i] = list[i].text
	}
	result, code, ok := strings.Cut(w[3], "/")
	stamp, err := strconv.ParseFloat(w[0], 64)
	if !ok || err != nil || strings.Count(w[0], ".") != 1 || !isTimers(w[1:2]) || !isSquidResult(result) || !isCount(code, 3) || !isCount(w[4], 20) || strings.IndexByte(w[8], '/') < 0 {
		return Message{}, false
	}
	m := Message{Address: address(w[2]), User: clean(percentFree(dash(w[7]))), Time: epoch(stamp, int64(stamp)), Fields: map[string]any{"result": result}}
	if m.Time.IsZero() {
		return Message{}, false
	}
	if m.Address == "" {
		set(m.Fields, "host", w[2])
	}
	m.HTTP.Status, m.HTTP.Bytes = status(code), size(w[4])
	m.HTTP.Duration, _ = seconds(w[1], time.Millisecond)
	if isMethod(w[5]) {
		m.HTTP.Method, m.HTTP.Path = w[5], dash(w[6])
	}
	hierarchy, peer, _ := strings.Cut(w[8], "/")
	set(m.Fields, "hierarchy", hierarchy)
	set(m.Fields, "upstream", dash(peer))
	set(m.Fields, "content_type", dash(w[9]))
	finished(&m)
	return m, true
}

// isSquidResult says whether s is a result of Squid: TCP_MISS, NONE_NONE.
func isSquidResult(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return len(s) > 3 && len(s) < 64
}

// percentFree takes the %HH of a name out, where they are right.
func percentFree(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
