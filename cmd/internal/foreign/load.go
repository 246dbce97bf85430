package foreign

import (
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
)

// File is one file to import.
type File struct {
	Name string
	Data []byte
}

// Loading takes those documents out of a result that Firebreak would not load,
// and says why: what an importer writes is no more than meant to be right.
func Loading(r Result) Result {
	var shared, out []Document
	for _, d := range r.Documents {
		if d.Kind == "Rule" || d.Kind == respond.PlaybookKind {
			continue
		}
		shared = append(shared, d)
	}
	base, err := parse(shared)
	if err != nil {
		r.Problems = append(r.Problems, conf.Problems(err)...)
	}
	for _, d := range r.Documents {
		if d.Kind != "Rule" && d.Kind != respond.PlaybookKind {
			out = append(out, d)
			continue
		}
		docs, err := parse([]Document{d})
		if err == nil && d.Kind == respond.PlaybookKind {
			_, err = respond.ParsePlaybook(docs[0])
		} else if err == nil {
			_, err = detect.NewRuleSet(slices.Concat(base, docs))
		}
		if err != nil {
			why, _, _ := strings.Cut(err.Error(), "\n")
			r.Problems = append(r.Problems, &conf.Error{File: d.From, Line: d.Line, Column: 1, Msg: "the " + strings.ToLower(d.Kind) + " that was made of it can't be loaded: " + why})
			continue
		}
		out = append(out, d)
	}
	r.Documents = out
	return r
}

func parse(all []Document) ([]*conf.Document, error) {
	var out []*conf.Document
	for _, d := range all {
		docs, err := conf.Documents(d.Name, []byte(d.YAML()))
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}
