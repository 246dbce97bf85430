package conf

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// part is the text of one document in a file, which starts after so many lines.
type part struct {
	src   *source
	text  string
	lines int
	// lib is what its expressions may name, if it was given one.
	lib *Library
	// nested is of the argument of an aggregate, in which others have been put
	// in place of their calls.
	nested bool
}

// split cuts a file at its `---` lines, so that one document that can't be
// parsed doesn't hide the problems of the others. Parts without content are
// left out.
func split(file string, data []byte) ([]part, *Error) {
	if len(data) > MaxFileBytes {
		return nil, &Error{File: file, Msg: fmt.Sprintf("file has %d bytes, more than %d", len(data), MaxFileBytes)}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	src := newSource(file, text)
	if !utf8.ValidString(text) {
		at := 0
		for r, n := utf8.DecodeRuneInString(text); r != utf8.RuneError || n != 1; r, n = utf8.DecodeRuneInString(text[at:]) {
			at += n
		}
		line, _ := src.place(at)
		return nil, src.errorf(line, 1, "text is not valid UTF-8")
	}
	var parts []part
	begin := 0 // line index
	flush := func(end int) {
		from, to := src.starts[begin], len(text)
		if end < len(src.starts) {
			to = src.starts[end]
		}
		if p := (part{src: src, text: text[from:to], lines: begin}); hasContent(p.text) {
			parts = append(parts, p)
		}
	}
	for i := range src.starts {
		rest, marker := documentMarker(src.line(i + 1))
		if !marker {
			continue
		}
		if rest != "" && rest[0] != '#' {
			return nil, src.errorf(i+1, 5, "nothing may follow --- on its line")
		}
		flush(i)
		begin = i + 1
		if len(parts) > MaxDocuments {
			return nil, src.errorf(i+1, 1, "more than %d documents in one file", MaxDocuments)
		}
	}
	if begin < len(src.starts) {
		flush(len(src.starts))
	}
	return parts, nil
}

// documentMarker says whether a line begins or ends a document, and what
// follows on it.
func documentMarker(line string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(line, "---"); !ok {
		rest, ok = strings.CutPrefix(line, "...")
	}
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

func hasContent(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' {
			return true
		}
	}
	return false
}

// parse gives the body of a part, after its bounds are checked. The library's
// panics are errors.
func (p part) parse() (body ast.Node, problem *Error) {
	defer func() {
		if r := recover(); r != nil {
			body, problem = nil, p.src.errorf(p.lines+1, 1, "can't be parsed: %v", r)
		}
	}()
	tokens := lexer.Tokenize(p.text)
	if t, why := beyond(tokens); t != nil {
		return nil, p.errorAt(t, "%s", why)
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, p.parseError(err)
	}
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, p.errorAt(doc.Body.GetToken(), "a second document without --- before it")
		}
		body = doc.Body
	}
	if body == nil {
		return nil, p.src.errorf(p.lines+1, 1, "empty document")
	}
	return body, nil
}

// beyond is the first token at which a bound is passed, or a feature used that
// is refused: anchors, aliases, tags, directives.
func beyond(tokens token.Tokens) (*token.Token, string) {
	flow := 0
	var columns []int // of the block collections that are open
	for i, t := range tokens {
		if i > MaxTokens {
			return t, fmt.Sprintf("document is too large: more than %d tokens", MaxTokens)
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return t, "anchors, aliases and merge keys are not supported"
		case token.TagType:
			return t, "tags are not supported"
		case token.DirectiveType:
			return t, "directives are not supported"
		case token.MappingKeyType:
			return t, "complex keys (?) are not supported"
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(0, flow-1)
		}
		if flow == 0 && (t.Type == token.SequenceEntryType || t.Next != nil && t.Next.Type == token.MappingValueType) {
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		if flow+len(columns) > MaxDepth {
			return t, fmt.Sprintf("nested more than %d deep", MaxDepth)
		}
	}
	return nil, ""
}

func (p part) errorAt(t *token.Token, format string, args ...any) *Error {
	if t == nil || t.Position == nil {
		return p.src.errorf(p.lines+1, 1, format, args...)
	}
	return p.src.errorf(t.Position.Line+p.lines, t.Position.Column, format, args...)
}

func (p part) parseError(err error) *Error {
	var y yaml.Error
	if errors.As(err, &y) {
		if strings.Contains(y.GetMessage(), "found character '\t'") {
			return p.errorAt(y.GetToken(), "a tab can't indent in YAML; use spaces")
		}
		return p.errorAt(y.GetToken(), "%s", y.GetMessage())
	}
	return p.src.errorf(p.lines+1, 1, "%s", strings.SplitN(err.Error(), "\n", 2)[0])
}
