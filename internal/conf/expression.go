package conf

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// origin is the place in a file that a text came from; the zero value is none.
type origin struct {
	part part
	node ast.Node
}

// errorf makes a problem at a byte offset of the text.
func (o origin) errorf(text string, offset int, format string, args ...any) *Error {
	if o.node == nil {
		src := newSource("", text)
		line, column := src.place(offset)
		return src.errorf(line, column, format, args...)
	}
	line, column := place(o.part, o.node)
	src := o.part.src
	if at, ok := locate(src, src.offset(line, column), o.node, text, offset); ok {
		line, column = src.place(at)
	}
	return src.errorf(line, column, format, args...)
}

// locate finds where in the file a byte of a scalar's text was written. It
// walks both, skipping what YAML takes away: quotes, backslashes, line breaks
// and indentation. It gives up where they don't agree (\u escapes).
func locate(src *source, at int, n ast.Node, text string, offset int) (int, bool) {
	if _, block := n.(*ast.LiteralNode); block {
		line, _ := src.place(at)
		if line >= len(src.starts) {
			return 0, false
		}
		at = src.starts[line]
	}
	for i, r := range text {
		if i > offset {
			break
		}
		if strings.ContainsRune(" \t\n\r", r) {
			if i == offset {
				return at, true
			}
			continue
		}
		for {
			if at >= len(src.text) {
				return 0, false
			}
			got, size := utf8.DecodeRuneInString(src.text[at:])
			if got == r {
				if i == offset {
					return at, true
				}
				at += size
				break
			}
			if !strings.ContainsRune(" \t\n\r'\"\\", got) {
				return 0, false
			}
			at += size
		}
	}
	return at, true // at the end
}

// Expression is an expression in a document. It knows its place, so that what
// is wrong with it is shown where it is written.
type Expression struct {
	Text string
	at   origin
}

func (e *Expression) decodeNode(d *decoder, n ast.Node) {
	e.Text, e.at = d.ownText(n), origin{d.part, n}
}

// ownText is the text of a scalar; true and 1 are expressions too.
func (d *decoder) ownText(n ast.Node) string {
	value, ok := plainScalar(n)
	switch text := value.(type) {
	case string:
		return text
	case nil:
	default:
		if ok {
			return n.GetToken().Value
		}
	}
	d.errorf(n, "expected text, got %s", describe(n))
	return ""
}

// IsZero says that there is no expression.
func (e Expression) IsZero() bool { return strings.TrimSpace(e.Text) == "" }

// Errorf makes a problem at the expression.
func (e Expression) Errorf(format string, args ...any) *Error {
	return e.at.errorf(e.Text, 0, format, args...)
}

// ErrorfAt makes a problem at a byte of the expression.
func (e Expression) ErrorfAt(offset int, format string, args ...any) *Error {
	return e.at.errorf(e.Text, offset, format, args...)
}

// MarshalJSON is the text.
func (e Expression) MarshalJSON() ([]byte, error) { return json.Marshal(e.Text) }

// UnmarshalJSON reads a text without a place.
func (e *Expression) UnmarshalJSON(data []byte) error {
	*e = Expression{}
	return json.Unmarshal(data, &e.Text)
}

// Compile checks the expression against env, a struct with expr tags (its
// value is not looked at), and compiles it.
//
// What an expression may do is bounded: 8 KiB of text, 1,000 nodes, one loop
// inside another at most and that only over a part of the outer's item, no
// ranges, no function that makes its argument larger, constant patterns of
// bounded size, no clock. The error joins [*Error].
func (e Expression) Compile(env any, kind Kind, funcs ...Func) (*Program, error) {
	return compile(e.at, e.Text, 0, e.Text, env, kind, funcs)
}

// Compile compiles an expression that is not in a file; see
// [Expression.Compile].
func Compile(env any, text string, kind Kind, funcs ...Func) (*Program, error) {
	return Expression{Text: text}.Compile(env, kind, funcs...)
}
