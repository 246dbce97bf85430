package conf

import (
	"encoding/json"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/goccy/go-yaml/ast"
)

// Template is text with expressions in `${…}`; `$${` is a plain `${`.
type Template struct {
	Text string
	at   origin
}

func (t *Template) decodeNode(d *decoder, n ast.Node) {
	t.Text, t.at = d.ownText(n), origin{d.part, n}
}

// IsZero says that there is no text.
func (t Template) IsZero() bool { return t.Text == "" }

// Errorf makes a problem at the template.
func (t Template) Errorf(format string, args ...any) *Error {
	return t.at.errorf(t.Text, 0, format, args...)
}

// MarshalJSON is the text.
func (t Template) MarshalJSON() ([]byte, error) { return json.Marshal(t.Text) }

// UnmarshalJSON reads a text without a place.
func (t *Template) UnmarshalJSON(data []byte) error {
	*t = Template{}
	return json.Unmarshal(data, &t.Text)
}

// Text is a compiled [Template]. It is safe for concurrent use.
type Text struct {
	parts []textPart
}

// textPart is plain text, or a program.
type textPart struct {
	plain   string
	program *Program
}

// maxTemplateParts bounds the expressions of one template.
const maxTemplateParts = 64

// Compile compiles the expressions against env; see [Expression.Compile].
func (t Template) Compile(env any, funcs ...Func) (*Text, error) { return t.compile(env, funcs) }

func (t Template) compile(env any, funcs []Func, more ...expr.Option) (*Text, error) {
	out := &Text{}
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			out.parts = append(out.parts, textPart{plain: plain.String()})
			plain.Reset()
		}
	}
	var problems []*Error
	for i := 0; i < len(t.Text); {
		rest := t.Text[i:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			plain.WriteString("${")
			i += 3
		case strings.HasPrefix(rest, "${"):
			flush()
			n := closing(rest[2:])
			if n < 0 {
				return nil, t.at.errorf(t.Text, i, "${ is not closed by }")
			}
			if len(out.parts) > maxTemplateParts {
				return nil, t.at.errorf(t.Text, i, "more than %d expressions", maxTemplateParts)
			}
			program, err := compileWith(t.at, t.Text, i+2, rest[2:2+n], env, Any, funcs, more...)
			problems = append(problems, Problems(err)...)
			out.parts = append(out.parts, textPart{program: program})
			i += n + 3
		default:
			plain.WriteByte(t.Text[i])
			i++
		}
	}
	flush()
	if len(problems) > 0 {
		return nil, joinErrors(problems)
	}
	return out, nil
}

// closing is the place of the } that ends an expression, or -1.
func closing(text string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

// Render evaluates to text of at most 64 KiB. Each value is at most that long
// itself; nil is empty.
func (t *Text) Render(env any) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.plain)
			continue
		}
		text, err := p.program.Text(env)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		if b.Len() > maxText {
			return "", errText
		}
	}
	return b.String(), nil
}

// Value is as [Text.Render], but a template that is one expression alone keeps
// the type of its value.
func (t *Text) Value(env any) (any, error) {
	if len(t.parts) == 1 && t.parts[0].program != nil {
		return t.parts[0].program.Any(env)
	}
	return t.Render(env)
}
