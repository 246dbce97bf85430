package logline

import (
	"slices"
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name: "w3c",
		Doc: "W3C's extended log format, as IIS and others write it. Which fields a line has stands in a #Fields line that another file may " +
			"hold: they are told by what they are.",
		Programs: []string{"iis", "w3svc"},
		Images:   []string{"windows/servercore/iis", "iis"},
		Order:    OrderShape,
		First:    "0123456789",
		Parse:    parseW3C,
	})
}

// parseW3C reads DATE TIME … METHOD STEM QUERY … STATUS …: the method and the
// path stand together. The client's address is the one behind them, and where
// there is none the one before: the server's stands before too, or isn't told.
// A space within a value is a +.
//
// https://www.w3.org/TR/WD-logfile and
// https://learn.microsoft.com/windows/win32/http/w3c-logging
func parseW3C(text string) (Message, bool) {
	w := strings.Split(head(text, 8192), " ")
	if len(w) < 8 || len(w) > maxTokens || len(w[0]) != 10 || len(w[1]) < 8 {
		return Message{}, false
	}
	at, err := time.Parse("2006-01-02 15:04:05", w[0]+" "+w[1])
	method := 2
	for method < len(w) && !known(w[method]) {
		method++
	}
	if err != nil || method > 10 || method > 2 && !slices.ContainsFunc(w[2:min(method, len(w))], isAddress) || method+4 > len(w) || w[method+1][:min(1, len(w[method+1]))] != "/" {
		return Message{}, false
	}
	m := Message{Time: plausible(at, nil), Fields: map[string]any{}}
	m.HTTP.Method, m.HTTP.Path = w[method], w[method+1]
	if q := dash(w[method+2]); q != "" && !isStatusAt(w, method+2) {
		m.HTTP.Path += "?" + q
	}
	if !w3cClient(&m, w, method) || !w3cAnswer(&m, w, method+2) {
		return Message{}, false
	}
	finished(&m)
	return m, true
}

// w3cClient finds the client: with the port before the user in IIS's order,
// with the user behind it in the older one.
func w3cClient(m *Message, w []string, method int) bool {
	for i := method + 3; i < min(len(w), method+8); i++ {
		if a := bareAddress(w[i]); a != "" {
			m.Address = a
			if !digits(w[i-1]) {
				m.User = clean(dash(w[i-1]))
			}
			m.UserAgent = agent(w[i+1:])
			return true
		}
	}
	for i := 2; i < method; i++ {
		if a := bareAddress(w[i]); a != "" {
			m.Address = a
			m.UserAgent = agent(w[method+3:])
			if next := w[i+1]; i+1 < method && bareAddress(next) == "" && !digits(next) {
				m.User = clean(dash(next))
			}
			return true
		}
	}
	return false
}

// agent is the first of the words that is no number and no protocol.
func agent(words []string) string {
	for _, s := range words {
		if dash(s) != "" && !digits(s) && !strings.HasPrefix(s, "HTTP/") {
			return clean(strings.ReplaceAll(s, "+", " "))
		}
	}
	return ""
}

// w3cAnswer finds the status: the first number of three digits from 100 on
// behind which numbers stand up to the end, or a few and then texts.
func w3cAnswer(m *Message, w []string, from int) bool {
	for i := from; i < len(w); i++ {
		if isStatusAt(w, i) {
			m.HTTP.Status = status(w[i])
			return true
		}
	}
	return false
}

// isStatusAt says whether a status stands at i: a port is followed by a name.
func isStatusAt(w []string, i int) bool {
	return len(w[i]) == 3 && status(w[i]) != 0 && (i+1 == len(w) || isCount(w[i+1], 20) && w[i+1] != "-" || i+2 >= len(w))
}

func isAddress(s string) bool { return bareAddress(s) != "" }

// bareAddress is address of a text that has no port.
func bareAddress(s string) string {
	if strings.Count(s, ":") == 1 {
		return ""
	}
	return address(s)
}
