package logline

import "strings"

func init() {
	register(Parser{
		Name:     "uvicorn",
		Doc:      "The access log of uvicorn, as Python services write it: INFO:     ADDRESS:PORT - \"REQUEST\" STATUS REASON.",
		Programs: []string{"uvicorn", "litellm"},
		Images:   []string{"uvicorn", "litellm"},
		Order:    OrderShape,
		First:    "I",
		Parse:    parseUvicorn,
	})
}

func parseUvicorn(text string) (Message, bool) {
	rest, ok := strings.CutPrefix(text, "INFO:")
	if !ok {
		return Message{}, false
	}
	peer, rest := word(strings.TrimLeft(rest, " "))
	line, ok := strings.CutPrefix(rest, `- "`)
	// The request is percent-encoded by uvicorn, so the last quote ends it.
	end := strings.LastIndexByte(line, '"')
	if !ok || end < 0 || !hasPort(peer) && peer != "-" {
		return Message{}, false
	}
	code, _ := word(strings.TrimPrefix(line[end+1:], " "))
	m := Message{Address: address(peer), Level: "info", Fields: map[string]any{}}
	if m.HTTP.Status = status(code); m.HTTP.Status == 0 || m.Address == "" && peer != "-" {
		return Message{}, false
	}
	setRequest(&m, line[:end])
	finished(&m)
	return m, true
}
