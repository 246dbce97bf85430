package logline

import (
	"strings"
	"time"
)

func init() {
	register(Parser{
		Name:     "ingress-nginx",
		Doc:      "The access log of ingress-nginx in its default format (log-format-upstream), and nginx's error log.",
		Programs: []string{"ingress-nginx", "ingress-nginx-controller", "nginx-ingress-controller"},
		Images:   []string{"ingress-nginx/controller", "ingress-nginx-controller", "nginx-ingress-controller"},
		Order:    OrderProduct,
		First:    accessFirst,
		Parse:    parseIngress,
		Chosen:   true,
	})
}

func parseIngress(text string) (Message, bool) {
	a, ok := scanAccess(text)
	if !ok {
		return Message{}, false
	}
	return ingressMessage(&a, a.tail())
}

// ingressMessage reads what the controller puts behind the combined format:
// request length, request time, [upstream], [alternative upstream], and of
// each upstream that was asked address, length, time and status, then the
// request's id.
// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/
func ingressMessage(a *access, tail []token) (Message, bool) {
	if len(tail) < 6 || tail[2].kind != 'w' || !digits(tail[2].text) || !isNginxTime(tail[3].text) || tail[4].kind != '[' {
		return Message{}, false
	}
	m := a.message()
	tail = m.agents(tail)
	if !a.sure {
		return m, true
	}
	m.HTTP.Duration, _ = seconds(tail[1].text, time.Second)
	if n := size(tail[0].text); n > 0 {
		m.Fields["request_bytes"] = n
	}
	set(m.Fields, "upstream_name", dash(tail[2].text))
	tail = tail[3:]
	if len(tail) > 0 && tail[0].kind == '[' {
		set(m.Fields, "alternative_upstream_name", dash(tail[0].text))
		tail = tail[1:]
	}
	lists := upstreamLists(tail)
	if len(lists) < 4 {
		return m, true
	}
	set(m.Fields, "upstream", dash(newest(lists[0])))
	v, ok := seconds(newest(lists[2]), time.Second)
	setSeconds(m.Fields, "upstream_seconds", v, ok)
	if s := status(newest(lists[3])); s != 0 {
		m.Fields["upstream_status"] = int64(s)
	}
	if len(lists) > 4 {
		set(m.Fields, "request_id", dash(lists[4][0]))
	}
	return m, true
}

// upstreamLists joins what commas (one upstream after another failed) and
// colons (after an internal redirect) hold together.
func upstreamLists(tail []token) [][]string {
	var lists [][]string
	open := false
	for _, t := range tail {
		text, more := strings.CutSuffix(t.text, ",")
		switch {
		case t.text == ":" && len(lists) > 0:
			open = true
			continue
		case open:
			lists[len(lists)-1] = append(lists[len(lists)-1], text)
		default:
			lists = append(lists, []string{text})
		}
		open = more
	}
	return lists
}

func newest(list []string) string { return list[len(list)-1] }
