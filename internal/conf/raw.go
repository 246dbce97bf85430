package conf

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Raw is a part of a document that is decoded later, when its type is known:
// the `with:` of a step. Texts in it may hold `${…}`.
//
// It marshals to JSON and back; what was unmarshalled from JSON has lost its
// place in the file. It is safe for concurrent use once [Raw.Check] returned.
type Raw struct {
	part  part
	node  ast.Node
	texts map[ast.Node]*Text
}

func (r *Raw) decodeNode(d *decoder, n ast.Node) {
	r.part, r.node = d.part, n
}

// IsZero says that there is nothing.
func (r Raw) IsZero() bool { return r.node == nil || r.node.Type() == ast.NullType }

// Errorf makes a problem at the place where it begins.
func (r Raw) Errorf(format string, args ...any) *Error {
	if r.part.src == nil {
		return &Error{Msg: fmt.Sprintf(format, args...)}
	}
	line, column := place(r.part, r.node)
	return r.part.src.errorf(line, column, format, args...)
}

// Decode is strict, as all decoding is; `${…}` stays as it is written. Nothing
// at all is an empty mapping.
func (r Raw) Decode(into any) error {
	return r.run(into, nil)
}

func (r Raw) run(into any, text func(ast.Node, string) (any, bool, *Error)) error {
	node := r.node
	if r.IsZero() {
		node = &ast.MappingNode{BaseNode: &ast.BaseNode{}, Start: beginning(r.node)}
		if r.part.src == nil {
			r.part.src = newSource("", "")
		}
	}
	d := &decoder{part: r.part, text: text}
	d.run(node, into)
	return joinErrors(d.problems)
}

// Check is for the time when the file is loaded: it decodes into into, but
// values whose text holds `${…}` are only compiled against env, and left zero.
func (r *Raw) Check(env any, into any, funcs ...Func) error {
	texts := map[ast.Node]*Text{}
	err := r.run(into, func(n ast.Node, text string) (any, bool, *Error) {
		if !strings.Contains(text, "${") {
			return text, true, nil
		}
		t := Template{text, origin{r.part, n}}
		compiled, err := t.Compile(env, funcs...)
		if err != nil {
			return nil, false, Problems(err)[0]
		}
		texts[n] = compiled
		return nil, false, nil
	})
	r.texts = texts
	return err
}

// Fill decodes into into with each `${…}` evaluated against env. A text that is
// nothing but one `${…}` takes the type of its value. [Raw.Check] comes first.
func (r *Raw) Fill(env any, into any) error {
	texts := maps.Clone(r.texts)
	return r.run(into, func(n ast.Node, text string) (any, bool, *Error) {
		if !strings.Contains(text, "${") {
			return text, true, nil
		}
		t := texts[n]
		if t == nil {
			return nil, false, r.Errorf("%q was not checked before it is filled in", text)
		}
		value, err := t.Value(env)
		if err != nil {
			return nil, false, Problems(err)[0]
		}
		return value, true, nil
	})
}

// MarshalJSON writes it as it was written, `${…}` included.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r.IsZero() {
		return []byte("null"), nil
	}
	d := &decoder{part: r.part}
	return json.Marshal(d.plain(r.node))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Raw) UnmarshalJSON(data []byte) error {
	*r = Raw{}
	if string(data) == "null" {
		return nil
	}
	p := part{src: newSource("", string(data)), text: string(data)}
	node, problem := p.parse()
	if problem != nil {
		return problem
	}
	r.part, r.node = p, node
	return nil
}
