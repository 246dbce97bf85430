package ingest

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/event"
)

// redactData is what is kept of rejected input: printable as it was, secrets
// out, at most [event.MaxRejected] bytes. A secret that crosses the end is
// still seen, because some more than that is searched.
//
// Of data that breaks off the last word goes, since it may be the beginning of
// a secret that is too short to be known for one.
func redactData(source event.Source, data []byte, breaksOff bool) []byte {
	if len(data) == 0 {
		return nil
	}
	s := string(data[:min(len(data), event.MaxRejected+16<<10)])
	if breaksOff {
		s = dropLastWord(s)
	}
	s = dropBodies(s, bodies)
	if source == event.SourceAudit {
		s = dropBodies(s, cloudBodies)
	}
	s = redactText(s)
	if len(s) > event.MaxRejected {
		s = clipAny(s, event.MaxRejected)
	}
	return []byte(s)
}

// unfinished says that a text was rejected because its end is missing.
func unfinished(reason string) bool {
	return strings.Contains(reason, "cut off") || strings.Contains(reason, "malformed gzip")
}

func dropLastWord(s string) string {
	at := strings.LastIndexAny(s, " \t\r\n\"'&=,{}[]")
	if len(s)-at-1 < 4 {
		return s
	}
	return s[:at+1] + Redacted
}

func clipAny(s string, n int) string {
	if c := clip(s, n); len(c) > n-utf8.UTFMax {
		return c
	}
	return s[:n]
}

// Members that may hold secrets by their kind; cloudBodies are Google's names,
// and those of envelopes. The names may be quoted again, inside of a text.
var (
	bodies      = regexp.MustCompile(`\\*"(?:[rR]equestObject|[rR]esponseObject|data|stringData|binaryData)\\*"\s*:\s*`)
	cloudBodies = regexp.MustCompile(`\\*"(?:request|response)\\*"\s*:\s*`)
	kindSecret  = regexp.MustCompile(`\\*"kind\\*"\s*:\s*\\*"(?:Secret|SecretList|TokenReview|TokenRequest|ConfigMap|ConfigMapList)\\*"|\\*"(?:[rR]equestObject|[rR]esponseObject|stringData)\\*"\s*:`)
)

// dropSecretBodies cuts out of a text what may be an object that is secret by
// its kind: an audit event that was written to a log, say.
func dropSecretBodies(s string) string {
	if !kindSecret.MatchString(s) {
		return s
	}
	return dropBodies(s, bodies)
}

// dropBodies cuts the objects out of the text of a rejected event: they may be
// secrets, and text that could not be parsed can't be told apart.
func dropBodies(s string, names *regexp.Regexp) string {
	var b strings.Builder
	for {
		at := names.FindStringIndex(s)
		if at == nil {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at[1]])
		b.WriteString(`"` + Redacted + `"`)
		s = s[at[1]+valueEnd(s[at[1]:]):]
	}
}

// valueEnd is the length of the JSON value that s begins with, or of all of s
// when it doesn't end.
func valueEnd(s string) int {
	var n nesting
	for i := range len(s) {
		if !n.inString && n.depth == 0 && (s[i] == ',' || s[i] == '}' || s[i] == ']') {
			return i
		}
		n.over([]byte{s[i]})
	}
	return len(s)
}
