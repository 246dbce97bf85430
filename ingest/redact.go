package ingest

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Redacted stands where a secret was.
const Redacted = "<redacted>"

// pattern finds one form of secret. A text in which none of the hints occurs
// (in lower case) isn't searched.
type pattern struct {
	hints   []string
	find    *regexp.Regexp
	replace string
}

const secretWord = `(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key(?:[_-]id)?|secret[_-]?key|private[_-]?key|credentials?)`

var patterns = []pattern{
	{[]string{"-----begin"},
		regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`), Redacted},
	{[]string{"eyj"}, regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}`), Redacted},
	{[]string{"akia", "asia"}, regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), Redacted},
	{[]string{"authorization"},
		regexp.MustCompile(`(?i)(authorization\\*["']?\s*[:=]\s*\\*["']?)(?:(?:bearer|basic|digest|token|negotiate|aws4-hmac-sha256)\s+)?[^\s"'\\]+`), "${1}" + Redacted},
	{[]string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}`), "${1} " + Redacted},
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*):[^\s/@"']+@`), "${1}:" + Redacted + "@"},
	{[]string{"gh"}, regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`), Redacted},
	{[]string{"glpat-", "xox", "sk_live", "rk_live", "npm_", "aiza", "sk-"},
		regexp.MustCompile(`\b(?:glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|[sr]k_live_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{30,}|AIza[A-Za-z0-9_-]{30,}|sk-[A-Za-z0-9_-]{20,})`), Redacted},
	{[]string{"pass", "pwd", "secret", "token", "key", "credential"},
		regexp.MustCompile(`(?i)([a-z0-9_.-]*` + secretWord + `)(=|\\*["']\s*:\s*\\*["']|=\\*["'])[^\s"'&,;\\]+`), "${1}${2}" + Redacted},
}

// redactText replaces what looks like a secret.
func redactText(s string) string {
	if len(s) < 8 {
		return s
	}
	lower := strings.ToLower(s)
	for _, p := range patterns {
		if slices.ContainsFunc(p.hints, func(h string) bool { return strings.Contains(lower, h) }) {
			s = p.find.ReplaceAllString(s, p.replace)
		}
	}
	return s
}

// redactValue replaces secrets in all strings of a value, names too, and in
// place. A string under a name that says that it is a secret goes whole.
func redactValue(v any) any {
	switch v := v.(type) {
	case string:
		return redactText(v)
	case []any:
		for i := range v {
			v[i] = redactValue(v[i])
		}
	case map[string]any:
		redactMap(v)
	}
	return v
}

var secretName = regexp.MustCompile(`(?i)(?:^|[_.-])` + secretWord + `$|(?:password|passwd|secret|token|apikey)$|^(?:set-)?cookie$|^authorization$`)

// isSecretName says whether a name is one of a secret. Most names are told
// apart by the cheap test.
func isSecretName(name string) bool {
	lower := strings.ToLower(name)
	for _, hint := range secretHints {
		if strings.Contains(lower, hint) {
			return secretName.MatchString(name)
		}
	}
	return false
}

var secretHints = []string{"pass", "pwd", "secret", "token", "key", "credential", "cookie", "authorization"}

func redactMap(m map[string]any) {
	hideVariable(m)
	for name, v := range m {
		if s, ok := v.(string); ok && s != "" && isSecretName(name) && !boring(s) {
			m[name] = Redacted
			continue
		}
		m[name] = redactValue(v)
		if clean := redactText(name); clean != name {
			m[clean] = m[name]
			delete(m, name)
		}
	}
}

// hideVariable takes the value out of {name: DB_PASSWORD, value: …}, the
// shape of a container's environment.
func hideVariable(m map[string]any) {
	name, _ := m["name"].(string)
	value, _ := m["value"].(string)
	if value != "" && isSecretName(name) {
		m["value"] = Redacted
	}
}

// boring values of a secret's name carry none: rules look at them.
func boring(s string) bool {
	switch s {
	case "true", "false", "<NA>", "YES", "NO":
		return true
	}
	return false
}

// redactEvent takes secrets out of every text of an event.
func redactEvent(e *event.Event) {
	for _, s := range []*string{
		&e.Message, &e.Rule, &e.Actor.User, &e.Actor.Impersonated, &e.Actor.UserAgent, &e.Actor.Process,
		&e.Actor.Address, &e.HTTP.Path, &e.Object.Name, &e.Object.Image, &e.Verb, &e.Priority,
		&e.Object.Namespace, &e.Object.Resource, &e.Object.Subresource, &e.Object.Node, &e.Object.Container,
	} {
		*s = redactText(*s)
	}
	for i := range e.Actor.Groups {
		e.Actor.Groups[i] = redactText(e.Actor.Groups[i])
	}
	for i := range e.Tags {
		e.Tags[i] = redactText(e.Tags[i])
	}
	redactMap(e.Fields)
}

// redactData is what is kept of rejected input: printable as it was, secrets
// out, at most [event.MaxRejected] bytes. A secret that crosses the end is
// still seen, because some more than that is searched.
func redactData(source event.Source, data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	s := string(data[:min(len(data), event.MaxRejected+16<<10)])
	if source == event.SourceAudit {
		s = dropBodies(s)
	}
	s = redactText(s)
	if len(s) > event.MaxRejected {
		s = clipAny(s, event.MaxRejected)
	}
	return []byte(s)
}

func clipAny(s string, n int) string {
	if c := clip(s, n); len(c) > n-utf8.UTFMax {
		return c
	}
	return s[:n]
}

var bodies = regexp.MustCompile(`"(?:requestObject|responseObject|data|stringData|binaryData)"\s*:\s*`)

// dropBodies cuts the objects out of the text of a rejected audit event: they
// may be secrets, and text that could not be parsed can't be told apart.
func dropBodies(s string) string {
	var b strings.Builder
	for {
		at := bodies.FindStringIndex(s)
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
