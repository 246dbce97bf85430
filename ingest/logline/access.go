package logline

import (
	"strings"
	"time"
)

// access is a line of the access logs that go back to NCSA's common log
// format, as nginx, Apache, Traefik and others write them:
//
//	[VHOST ]HOST IDENT USER [TIME] "REQUEST" STATUS BYTES REST
type access struct {
	vhost, host, user, stamp string
	request                  string
	status, bytes            string
	rest                     string // what stands behind the bytes
	// sure is false when a quote that somebody sent makes it doubtful where
	// the request ends: then status and bytes are not to be believed.
	sure bool
}

// accessFirst are the bytes that such a line can begin with: those of an
// address or a host name.
const accessFirst = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_["

func scanAccess(text string) (access, bool) {
	open := strings.Index(text, `] "`)
	if open < 0 || strings.Count(text[:open], `"`) != strings.Count(text[:open], `\"`) {
		return access{}, false
	}
	start := strings.LastIndexByte(text[:open], '[')
	if start < 2 || open-start > 48 {
		return access{}, false
	}
	a := access{stamp: text[start+1 : open]}
	if len(a.stamp) < 8 || a.stamp[0] < '0' || a.stamp[0] > '9' || strings.IndexByte(a.stamp, ':') < 0 {
		return access{}, false
	}
	return a, a.head(text[:start]) && a.answer(text[open+3:])
}

// head reads what stands before the time. The user may hold anything.
func (a *access) head(s string) bool {
	s = strings.TrimSuffix(s, " ")
	if who, user, ok := strings.Cut(s+" ", " - "); ok {
		a.user = strings.TrimSuffix(user, " ")
		if again, rest, ok := strings.Cut(a.user, "] - "); ok && address(strings.TrimPrefix(again, "[")) != "" {
			// Older ingress-nginx repeats the address: ADDR - [ADDR] - USER.
			a.user = rest
		}
		if vhost, host, two := strings.Cut(who, " "); two && !strings.HasSuffix(vhost, ",") {
			if a.vhost, who = vhost, host; address(host) == "" {
				return false
			}
		}
		a.host = who
	} else {
		var rest string
		a.host, rest = word(s)
		_, a.user = word(rest)
		if address(a.host) == "" || a.user == "" {
			return false
		}
	}
	a.user = dash(a.user)
	if strings.IndexByte(a.host, ' ') >= 0 && strings.IndexByte(a.host, ',') < 0 {
		return false
	}
	return isHostName(a.host, ", ") && (a.vhost == "" || isHostName(a.vhost, ""))
}

// isHostName says whether s can be an address or a host name, or what else is
// allowed besides.
func isHostName(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte(".:-_[]%", c) < 0 && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 2048
}

// answer reads the request, the status and the bytes. Most servers escape
// quotes in what was sent: the first that isn't escaped ends the request.
// Where it is followed by something else, or the request has no protocol, the
// server doesn't escape, and there must be no second place that could be the
// end.
func (a *access) answer(s string) bool {
	inner, rest, ok := quotedRest(s)
	if ok = ok && isAnswer(rest); ok && strings.Contains(inner[max(0, len(inner)-12):], " HTTP/") {
		a.request, a.sure = inner, true
		a.numbers(rest)
		return true
	}
	end, many := requestEnd(s, isAnswer)
	if end < 0 {
		return false
	}
	if !ok {
		inner, rest = s[:end], s[end+1:]
	}
	a.request, a.sure = inner, !many
	a.numbers(rest)
	return true
}

// tail splits what stands behind the bytes. A quote within a word is one that
// the server didn't escape.
func (a *access) tail() []token {
	list := tokens(a.rest)
	for _, t := range list {
		if t.kind == 'w' && strings.IndexByte(t.text, '"') >= 0 && strings.IndexByte(t.text, '=') < 0 {
			a.sure = false
		}
	}
	return list
}

// numbers cuts the status and the bytes off.
func (a *access) numbers(s string) {
	a.status, s = word(s[1:])
	a.bytes, a.rest = word(s)
}

// requestEnd finds the first quote in s that is followed by an answer, and
// says whether there is another one. It is -1 when there is none.
func requestEnd(s string, answer func(string) bool) (end int, many bool) {
	end = -1
	for i := 0; ; i++ {
		next := strings.IndexByte(s[i:], '"')
		if next < 0 {
			return end, false
		}
		i += next
		if answer(s[i+1:]) {
			if end >= 0 {
				return end, true
			}
			end = i
		}
	}
}

// isAnswer says whether s begins with a status and a number of bytes.
func isAnswer(s string) bool {
	if s == "" || s[0] != ' ' {
		return false
	}
	first, rest := word(head(s[1:], 48))
	second, _ := word(rest)
	return isCount(first, 9) && isCount(second, 24)
}

func head(s string, n int) string { return s[:min(n, len(s))] }

// isCount says whether s is a number of at most so many digits, or the dash
// of a missing one.
func isCount(s string, most int) bool {
	return s == "-" || len(s) <= most && digits(s)
}

// message is what the line says up to its bytes. Its fields are host, where
// the address isn't known, vhost, protocol, and request for a request line
// that isn't one.
func (a *access) message() Message {
	m := Message{User: clean(a.user), Time: accessTime(a.stamp), Fields: map[string]any{}}
	if m.Time.IsZero() {
		m.Local = local("02/Jan/2006:15:04:05", a.stamp)
	}
	m.Address, m.Forwarded = hops(a.host)
	if m.Address == "" {
		set(m.Fields, "host", a.host)
	}
	set(m.Fields, "vhost", a.vhost)
	setRequest(&m, a.request)
	if a.sure {
		m.HTTP.Status, m.HTTP.Bytes = status(a.status), size(a.bytes)
	} else {
		m.Fields["doubtful"] = true
	}
	finished(&m)
	return m
}

// agents takes the referer and the user agent off the front of a tail, where
// the combined format has them.
func (m *Message) agents(tail []token) []token {
	if len(tail) < 2 || tail[0].kind != '"' || tail[1].kind != '"' {
		return tail
	}
	set(m.Fields, "referer", clean(dash(tail[0].text)))
	m.UserAgent = clean(dash(tail[1].text))
	return tail[2:]
}

// accessTime reads the time of an access log; one without its zone is none.
func accessTime(s string) time.Time {
	for _, layout := range []string{"02/Jan/2006:15:04:05 -0700", "02/Jan/2006:15:04:05.999999999 -0700", time.RFC3339Nano} {
		if t := plausible(time.Parse(layout, s)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
