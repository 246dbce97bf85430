package conf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Metadata names a document.
type Metadata struct {
	// Name is a DNS-1123 label.
	Name        string            `yaml:"name,required"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Document is one document of a file: its header, and the spec still to be
// decoded by who knows the kind.
type Document struct {
	APIVersion string
	Kind       string
	Metadata   Metadata
	// File and Line say where it begins.
	File string
	Line int

	part part
	body ast.Node
	spec ast.Node
}

type header struct {
	APIVersion string   `yaml:"apiVersion,required"`
	Kind       string   `yaml:"kind,required"`
	Metadata   Metadata `yaml:"metadata,required"`
	Spec       Raw      `yaml:"spec,required"`
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// IsName says whether s is a DNS-1123 label: at most 63 of a-z, 0-9 and -,
// with a letter or digit at both ends. Every document's name is one.
func IsName(s string) bool { return dnsLabel.MatchString(s) }

// Documents reads the headers of all documents of a file. The error joins the
// problems of all of them; what is returned beside it are the documents without
// problems, for callers that check more.
func Documents(file string, data []byte) ([]*Document, error) {
	parts, problem := split(file, data)
	if problem != nil {
		return nil, problem
	}
	var docs []*Document
	var problems []*Error
	for _, p := range parts {
		doc, errs := p.document()
		if len(errs) > 0 {
			problems = append(problems, errs...)
			continue
		}
		docs = append(docs, doc)
	}
	return docs, joinErrors(problems)
}

func (p part) document() (*Document, []*Error) {
	body, problem := p.parse()
	if problem != nil {
		return nil, []*Error{problem}
	}
	var h header
	if errs := decode(p, body, &h); len(errs) > 0 {
		return nil, errs
	}
	d := &Document{
		APIVersion: h.APIVersion, Kind: h.Kind, Metadata: h.Metadata,
		File: p.src.file, part: p, body: body, spec: h.Spec.node,
	}
	d.Line, _ = place(p, body)
	if h.APIVersion != APIVersion {
		return nil, []*Error{d.Errorf("apiVersion", "apiVersion %q is not supported%s", h.APIVersion, Suggest(h.APIVersion, []string{APIVersion}))}
	}
	if !IsName(h.Metadata.Name) {
		return nil, []*Error{d.Errorf("metadata.name", "name %q is not a DNS-1123 label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends", h.Metadata.Name)}
	}
	return d, nil
}

// Decode reads the spec into the struct that into points to. The error joins
// all problems.
func (d *Document) Decode(into any) error {
	return joinErrors(decode(d.part, d.spec, into))
}

// Digest is the SHA-256 of the document's text, and of the lists and macros
// that it names ([Document.Use]), in hexadecimal.
func (d *Document) Digest() string {
	sum := sha256.New()
	sum.Write([]byte(d.part.text))
	for _, used := range d.Uses() {
		fmt.Fprintf(sum, "\x00%s\x00%s", used, d.part.lib.definition(used))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Use lets the expressions of the document name the lists and macros of a
// library. It comes before [Document.Decode], and may be called once more.
func (d *Document) Use(lib *Library) { d.part.lib = lib }

// Uses are the lists and macros that the document names, and those that these
// macros name, as in lists.trusted and macros.allowed; in order.
func (d *Document) Uses() []string { return d.part.lib.reach(d.part.text) }

// Text is the document as it was written.
func (d *Document) Text() string { return d.part.text }

// Errorf makes a problem at the value that path leads to, as in
// "spec.steps[2].action"; where the path ends early, at the last node there is.
func (d *Document) Errorf(path, format string, args ...any) *Error {
	line, column := place(d.part, d.nearest(path))
	return d.part.src.errorf(line, column, format, args...)
}

// Absent stands for a mapping that path leads to and that is left out: nothing,
// whose problems are told at the last node of the path that there is.
func (d *Document) Absent(path string) Raw {
	return Raw{part: d.part, node: &ast.NullNode{BaseNode: &ast.BaseNode{}, Token: beginning(d.nearest(path))}}
}

// nearest is the node that path leads to, or the last one on the way.
func (d *Document) nearest(path string) ast.Node {
	at := d.body
	for _, step := range pathSteps(path) {
		next := child(at, step)
		if next == nil {
			break
		}
		at = next
	}
	return at
}

// Has says whether a value stands where path leads to.
func (d *Document) Has(path string) bool {
	at := d.body
	for _, step := range pathSteps(path) {
		if at = child(at, step); at == nil {
			return false
		}
	}
	return true
}

func pathSteps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

func child(n ast.Node, step string) ast.Node {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		for _, v := range entries(n) {
			if keyText(v) == step {
				return v.Value
			}
		}
	case *ast.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Values) {
			return n.Values[i]
		}
	}
	return nil
}

// Decode reads a file of one plain mapping, without a header, into the struct
// that into points to. The error joins all problems.
func Decode(file string, data []byte, into any) error {
	parts, problem := split(file, data)
	if problem != nil {
		return problem
	}
	if len(parts) != 1 {
		return &Error{File: file, Msg: fmt.Sprintf("has %d documents, want one", len(parts))}
	}
	body, problem := parts[0].parse()
	if problem != nil {
		return problem
	}
	return joinErrors(decode(parts[0], body, into))
}
