package ingest

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Redacted stands where a secret was.
const Redacted = "<redacted>"

// pattern finds one form of secret. A text in which none of the hints occurs
// (in lower case) isn't searched, nor one in which behind each of them, and
// behind the letters, _ and - that follow it, comes none of the bytes of then,
// nor one without one of each list of needs. So these have to be in all that is
// found.
type pattern struct {
	hints   []string
	find    *regexp.Regexp
	replace string
	then    string
	needs   [][]string
}

const (
	// keyWord is a key by what it is for.
	keyWord = `(?:api|access|secret|private|account|signing|encryption|master|license|client|shared|deploy)[_-]?key(?:[_-]?id)?`
	// secretWord is what names of secrets end with.
	secretWord = `(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|` + keyWord + `)`
	// quoted is the rest of a quoted value; what was quoted twice ends with
	// its backslash.
	quoted = `(?:[^"\\]|\\[^"\\])+`
)

// What comes behind a name: a value, its quotes, or their backslashes.
const (
	space   = " \t\n\f\r"
	quotes  = `\"'`
	value   = quotes + space + ":="
	header  = quotes + space + ":"
	inQuote = `\"`
)

var wordHints = []string{"pass", "pwd", "secret", "token", "key", "credential"}

var patterns = []pattern{
	{[]string{"-----begin"},
		regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`), Redacted, "", nil},
	// The same in base64, and a token in base64.
	{[]string{"ls0tls1crudjti", "zxlk"}, regexp.MustCompile(`(?:LS0tLS1CRUdJTi|ZXlK)[A-Za-z0-9+/_-]{16,}={0,2}`), Redacted, "", nil},
	{[]string{"eyj"}, regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}`), Redacted, "", [][]string{{"."}}},
	{[]string{"akia", "asia"}, regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), Redacted, "", nil},
	{[]string{"authorization"},
		regexp.MustCompile(`(?i)(authorization\\*["']?\s*[:=]\s*\\*["']?)(?:(?:bearer|basic|digest|token|negotiate|aws4-hmac-sha256)\s+)?[^\s"'\\]+`), "${1}" + Redacted, value, nil},
	{[]string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}`), "${1} " + Redacted, space, nil},
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*):[^\s/@"']+@`), "${1}:" + Redacted + "@", "", [][]string{{"@"}}},
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
		regexp.MustCompile(`(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`), Redacted, "", nil},
	{[]string{"glpat-", "xox", "xapp-", "sk_live", "rk_live", "npm_", "aiza", "sk-", "ya29.", "gocspx-"},
		regexp.MustCompile(`(?:glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|[sr]k_live_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{30,}|` +
			`AIza[A-Za-z0-9_-]{30,}|\bsk-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})`), Redacted, "", nil},
	{[]string{"hvs.", "hvb.", "sg.", "dop_v1_", "dckr_pat_", "pypi-ag", "age-secret-key-", "shpat_", "atatt3x"},
		regexp.MustCompile(`(?:\bhv[sb]\.[A-Za-z0-9_-]{20,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{32,}|dckr_pat_[A-Za-z0-9_-]{20,}|` +
			`pypi-Ag[A-Za-z0-9_-]{30,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|shpat_[A-Fa-f0-9]{20,}|ATATT3x[A-Za-z0-9_=-]{20,})`), Redacted, "", nil},
	{[]string{"hooks.slack.com/"}, regexp.MustCompile(`(hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9_/+-]+`), "${1}" + Redacted, "", nil},
	{[]string{"sig=", "signature="}, regexp.MustCompile(`(?i)([?&](?:sig|signature|x-(?:amz|goog)-signature)=)[^\s&"'\\]+`), "${1}" + Redacted, "", nil},
	// Headers that carry a secret, as they stand in the text of a command. The
	// value ends with the quote that it stands in, or where the flag of another
	// argument or a URL begins; a cookie has several parts.
	{[]string{"cookie", "x-", "private-token"},
		regexp.MustCompile(`(?i)\b((?:x-[a-z-]*(?:token|key|secret|auth)|private-token)\\*["']?\s*:\s*\\*["']?)(?:(?:bearer|basic|token)\s+)?[^\s"'\\]+`), "${1}" + Redacted, header, nil},
	{[]string{"cookie"},
		regexp.MustCompile(`(?i)\b((?:set-)?cookie\\*["']?\s*:\s*\\*["']?)[^\s"';,\\]+(?:[;,]\s*[^\s"';,=\\]+=[^\s"';,\\]*)*`), "${1}" + Redacted, header, nil},
	// What a statement of SQL sets as a password.
	{[]string{"password", "identified"},
		regexp.MustCompile(`(?i)\b((?:password|identified\s+(?:with\s+\S+\s+)?by)\s*\(?\s*\\*')(?:[^'\\]|''|\\+[^'])*`), "${1}" + Redacted, space + `(\'`, [][]string{{"'"}}},
	// The credentials of a registry in Docker's configuration.
	{[]string{`"auth\`, `"auth"`}, regexp.MustCompile(`("auth\\*"\s*:\s*\\*")[^"\\]+`), "${1}" + Redacted, "", [][]string{{":"}}},
	{wordHints, regexp.MustCompile(`(?i)([a-z0-9_.-]*` + secretWord + `\\*["']?\s*[:=]\s*\\*")` + quoted), "${1}" + Redacted, value, [][]string{{`"`}}},
	{wordHints, regexp.MustCompile(`(?i)([a-z0-9_.-]*` + secretWord + `\\*["']?\s*[:=]\s*\\*')[^'\\]+`), "${1}" + Redacted, value, [][]string{{"'"}}},
	{wordHints, regexp.MustCompile(`(?i)([a-z0-9_.-]*` + secretWord + `=)[^\s"'&\\]+`), "${1}" + Redacted, "=", nil},
	// Of YAML: a line of its own, or a value that is no word of a sentence.
	{wordHints, regexp.MustCompile(`(?im)((?:^|\\n)[ \t]*(?:- )?[a-z0-9_.-]*` + secretWord + `:[ \t]+)[^\s"'\\]+([ \t]*(?:$|["']|\\[nr]))`), "${1}" + Redacted + "${2}", ":", nil},
	{wordHints, regexp.MustCompile(`(?i)([a-z0-9_.-]*` + secretWord + `:[ \t]+)[^\s"'\\]*[0-9!@#$%^&*+/=][^\s"'\\]*`), "${1}" + Redacted, ":", nil},
	{wordHints, regexp.MustCompile(`(?i)((?:^|[^A-Za-z0-9_-])--?[a-z0-9-]*` + secretWord + `[ \t]+)(?:"[^"]*"|'[^']*'|[^\s"'-][^\s"']*)`), "${1}" + Redacted, " \t", [][]string{{"-"}}},
	// Arguments in a list of JSON, in text that could not be read.
	{wordHints, regexp.MustCompile(`(?i)("--?[a-z0-9-]*` + secretWord + `\\*"\s*,\s*\\*")[^"\\-][^"\\]*`), "${1}" + Redacted, inQuote, [][]string{{","}, {"-"}}},
	{[]string{"mysql", "mariadb", "sshpass", "mongo"},
		regexp.MustCompile(`((?:mysql|mariadb|sshpass|mongo)[a-z-]*\\*"(?:\s*,\s*\\*"[^"\\]*\\*")*?\s*,\s*\\*"-p)[^"\\]+`), "${1}" + Redacted, inQuote, [][]string{{","}, {"-p"}}},
	{[]string{"curl", "wget"},
		regexp.MustCompile(`((?:curl|wget)\\*"(?:\s*,\s*\\*"[^"\\]*\\*")*?\s*,\s*\\*"(?:-u|-U|--user|--proxy-user)\\*"\s*,\s*\\*"[^":\\]*:)[^"\\]+`), "${1}" + Redacted, inQuote, [][]string{{","}, {"-u", "-U"}, {":"}}},
	// The short flags of clients that take a password so.
	{[]string{"mysql", "mariadb", "sshpass", "mongo"},
		regexp.MustCompile(`(\b(?:mysql|mariadb|sshpass|mongo)[a-z-]*\b[^|;&\n]*?\s-p)(?:["']?[^\s"'-][^\s"']*| ["']?[^\s"'-][^\s"']*)`), "${1}" + Redacted, "", [][]string{{"-p"}}},
	{[]string{"redis-cli"}, regexp.MustCompile(`(\bredis-cli\b[^|;&\n]*?\s-a\s*)\S+`), "${1}" + Redacted, "", [][]string{{"-a"}}},
	{[]string{"curl", "wget"},
		regexp.MustCompile(`(\b(?:curl|wget)\b[^|;&\n]*?\s(?:-u|-U|--user|--proxy-user)[ =]?["']?[^\s:"']+:)[^\s"']+`), "${1}" + Redacted, "", [][]string{{"-u", "-U"}, {":"}}},
}

var patternHints = newHints(hintsOf(patterns)).guard(thenOf(patterns))

func thenOf(list []pattern) []string {
	then := make([]string, 0, len(list))
	for _, p := range list {
		then = append(then, p.then)
	}
	return then
}

// possible says whether a text has what the pattern needs.
func (p *pattern) possible(s string) bool {
	for _, either := range p.needs {
		if !slices.ContainsFunc(either, func(need string) bool { return strings.Contains(s, need) }) {
			return false
		}
	}
	return true
}

func hintsOf(list []pattern) [][]string {
	words := make([][]string, 0, len(list)+4)
	for _, p := range list {
		words = append(words, p.hints)
	}
	return append(words, []string{"%2", "%3", "%5", "%7"}, []string{"requestobject", "responseobject", "stringdata", "secret"}, []string{"command="}, []string{"\u212a", "\u017f"})
}

// execs is the query of an exec in a text; in JSON its & may be escaped.
var (
	execs     = regexp.MustCompile(`\?(?:[^\s"'\\]|\\+u0026)*command=(?:[^\s"'\\]|\\+u0026)*`)
	ampersand = regexp.MustCompile(`\\+u0026`)
)

func redactExec(query string) string {
	plain := ampersand.ReplaceAllString(query, "&")
	if clean := redactQuery(plain); clean != plain {
		return clean
	}
	return query
}

// redactText replaces what looks like a secret.
func redactText(s string) string {
	if len(s) < 8 {
		return s
	}
	found := patternHints.in(s)
	if found&(1<<(len(patterns)+3)) != 0 {
		// Letters that are k and s in another case: no word was seen that has them.
		found = 1<<(len(patterns)+3) - 1
	}
	if found != 0 {
		return redactFound(s, found)
	}
	return s
}

// redactFound is of a text in which the words of these patterns are.
func redactFound(s string, found uint64) string {
	if found&(1<<(len(patterns)+1)) != 0 && strings.Contains(s, "{") {
		s = dropSecretBodies(s)
	}
	if found&(1<<(len(patterns)+2)) != 0 {
		s = execs.ReplaceAllStringFunc(s, redactExec)
	}
	for i := range patterns {
		if p := &patterns[i]; found&(1<<i) != 0 && p.possible(s) {
			s = p.find.ReplaceAllString(s, p.replace)
		}
	}
	if found&(1<<len(patterns)) != 0 {
		s = escaped.ReplaceAllStringFunc(s, redactEscaped)
	}
	return s
}

// escaped is a piece of a URL with escapes in it: a value of its query, say.
var escaped = regexp.MustCompile(`[^\s?&"'<>=]*(?:=[^\s?&"'<>]*)?%[0-9A-Fa-f]{2}[^\s?&"'<>]*`)

// redactEscaped hides an escaped text that would be redacted if it were not.
// The name before the first = stays.
func redactEscaped(piece string) string {
	name, value, ok := strings.Cut(piece, "=")
	if !ok {
		name, value = "", piece
	}
	plain, err := url.QueryUnescape(value)
	if err != nil {
		plain = lenientUnescape(value)
	}
	if plain == value || redactText(plain) == plain && redactText(name+"="+plain) == name+"="+plain {
		return piece
	}
	if !ok {
		return Redacted
	}
	return name + "=" + Redacted
}

// lenientUnescape leaves what is no escape as it is.
func lenientUnescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
