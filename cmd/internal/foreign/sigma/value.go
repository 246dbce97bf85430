package sigma

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/logic"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// mark is one character of a pattern, or a wildcard.
type mark struct {
	r    rune
	wild bool
}

// marks reads Sigma's wildcards: * is any text, ? one character, and \ takes
// the meaning of one of them, or of itself, away.
func marks(s string) []mark {
	var out []mark
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		if r == '\\' && i+1 < len(runes) && strings.ContainsRune(`*?\`, runes[i+1]) {
			i++
			out = append(out, mark{runes[i], false})
			continue
		}
		out = append(out, mark{r, r == '*' || r == '?'})
	}
	return out
}

// literal is the text of marks without wildcards.
func literal(all []mark) (string, bool) {
	var b strings.Builder
	for _, m := range all {
		if m.wild {
			return "", false
		}
		b.WriteRune(m.r)
	}
	return b.String(), true
}

func star(m mark) bool { return m.wild && m.r == '*' }

// like compares the text expression x with a pattern.
func like(x string, all []mark, cased bool) string {
	lower := func(s string) (string, string) {
		if cased {
			return x, foreign.Literal(s)
		}
		return "lower(" + x + ")", foreign.Literal(strings.ToLower(s))
	}
	if s, ok := literal(all); ok {
		left, right := lower(s)
		return left + " == " + right
	}
	if !slices.ContainsFunc(all, func(m mark) bool { return !star(m) }) {
		return x + ` != ""`
	}
	from, to := 0, len(all)
	for from < to && star(all[from]) {
		from++
	}
	for to > from && star(all[to-1]) {
		to--
	}
	if s, ok := literal(all[from:to]); ok {
		left, right := lower(s)
		switch {
		case from > 0 && to < len(all):
			return left + " contains " + right
		case from > 0:
			return left + " endsWith " + right
		}
		return left + " startsWith " + right
	}
	return x + " matches " + foreign.Literal(pattern(all, cased))
}

// pattern is the regular expression of a pattern.
func pattern(all []mark, cased bool) string {
	var b strings.Builder
	b.WriteString("(?s")
	if !cased {
		b.WriteString("i")
	}
	b.WriteString(")^")
	for _, m := range all {
		switch {
		case star(m):
			b.WriteString(".*")
		case m.wild:
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(m.r)))
		}
	}
	return b.String() + "$"
}

// dashes are what windash takes a - at the start of an option for.
var dashes = []string{"-", "/", "–", "—", "―"}

var option = regexp.MustCompile(`(^|\s)[-/]`)

func windash(s string) []string {
	var out []string
	for _, d := range dashes {
		out = append(out, option.ReplaceAllString(s, "${1}"+d))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// base64Offsets are the parts of the Base64 of a longer text that are the same
// wherever in it s begins.
func base64Offsets(s string) []string {
	var out []string
	for skip := range 3 {
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, skip), s...))
		begin := []int{0, 2, 3}[skip]
		end := len(encoded) - []int{0, 3, 2}[(len(s)+skip)%3]
		if begin < end {
			out = append(out, encoded[begin:end])
		}
	}
	return out
}

// wide is s as UTF-16, little endian.
func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// match is a value with its modifiers.
type match struct {
	modifiers []string
	cased     bool
}

func (m match) has(name string) bool { return slices.Contains(m.modifiers, name) }

// known are the modifiers that are understood.
var known = []string{
	"contains", "startswith", "endswith", "all", "re", "i", "m", "s", "cidr", "base64", "base64offset", "utf16", "utf16le", "wide",
	"windash", "exists", "gt", "gte", "lt", "lte", "neq", "fieldref", "cased",
}

// texts are the patterns that a value stands for, its encodings applied.
func (m match) texts(s string) (out [][]mark, cased bool) {
	plain := []string{s}
	if m.has("windash") {
		plain = windash(s)
	}
	for _, s := range plain {
		encoded := []string{s}
		if m.has("utf16") || m.has("utf16le") || m.has("wide") {
			encoded[0], cased = wide(s), true
		}
		switch {
		case m.has("base64"):
			encoded, cased = []string{base64.StdEncoding.EncodeToString([]byte(encoded[0]))}, true
		case m.has("base64offset"):
			encoded, cased = base64Offsets(encoded[0]), true
		}
		for _, s := range encoded {
			out = append(out, m.around(marks(s)))
		}
	}
	return out, cased || m.cased
}

// around puts wildcards where contains, startswith and endswith have them.
func (m match) around(all []mark) []mark {
	if m.has("contains") || m.has("endswith") {
		all = append([]mark{{'*', true}}, all...)
	}
	if m.has("contains") || m.has("startswith") {
		all = append(all, mark{'*', true})
	}
	return all
}

// expression compares the text expression x, of a kind, with one value.
func (m match) expression(x string, k kind, v conf.Value, l *logsource) (string, error) {
	value, ok := v.Scalar()
	if !ok {
		return "", v.Errorf("want a single value")
	}
	asText := x
	if k != text {
		asText = "string(" + x + ")"
	}
	switch {
	case m.has("exists"):
		is, ok := value.(bool)
		if !ok {
			return "", v.Errorf("exists takes true or false")
		}
		return map[bool]string{true: asText + ` != ""`, false: asText + ` == ""`}[is], nil
	case m.has("fieldref"):
		return m.reference(asText, v, l)
	case m.has("re"):
		return m.regular(asText, v)
	case m.has("cidr"):
		return "cidr(" + x + ", " + foreign.Literal(v.Text()) + ")", nil
	}
	for name, operator := range map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<="} {
		if m.has(name) {
			switch value.(type) {
			case int64, float64:
				return x + " " + operator + " " + v.Text(), nil
			}
			return "", v.Errorf("%s takes a number", name)
		}
	}
	if value == nil || value == "" {
		return asText + ` == ""`, nil
	}
	if _, whole := value.(int64); whole && k == number {
		return x + " == " + v.Text(), nil
	}
	var any []string
	all, cased := m.texts(v.Text())
	for _, one := range all {
		any = append(any, like(asText, one, cased))
	}
	return logic.Join(any, "or"), nil
}

func (m match) reference(x string, v conf.Value, l *logsource) (string, error) {
	other, err := l.field(v.Text())
	if err != nil {
		return "", v.Errorf("%v", err)
	}
	if other.kind == list {
		return "", v.Errorf("fieldref to a list can't be said")
	}
	y := other.expr
	if other.kind != text {
		y = "string(" + y + ")"
	}
	for name, operator := range map[string]string{"contains": "contains", "startswith": "startsWith", "endswith": "endsWith"} {
		if m.has(name) {
			return fmt.Sprintf("lower(%s) %s lower(%s)", x, operator, y), nil
		}
	}
	return fmt.Sprintf("lower(%s) == lower(%s)", x, y), nil
}

func (m match) regular(x string, v conf.Value) (string, error) {
	flags := ""
	for _, f := range []string{"i", "m", "s"} {
		if m.has(f) {
			flags += f
		}
	}
	re := v.Text()
	if flags != "" {
		re = "(?" + flags + ")" + re
	}
	if _, err := conf.Pattern(re); err != nil {
		return "", v.Errorf("pattern can't be said in RE2: %v", err)
	}
	return x + " matches " + foreign.Literal(re), nil
}
