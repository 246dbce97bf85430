// Package sigma makes rules of Firebreak of Sigma's
// (https://github.com/SigmaHQ/sigma-specification, version 2): detections,
// modifiers and conditions become the expression of a rule, correlations its
// window or sequence. What can't be said is a problem at its place, and its
// rule is left out.
package sigma

import (
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// rule is one rule of Sigma's.
type rule struct {
	doc  conf.Value
	file string
	name string
	// when is its expression over the events of logs; of a correlation there is
	// none.
	when string
	logs *logsource
	err  error
	// used says that a correlation is made of it, which then speaks for it.
	used bool
}

type importer struct {
	rules  []*rule
	names  foreign.Names
	result foreign.Result
}

// Import reads all rules of files; a correlation may name those of another
// file.
func Import(files []foreign.File) foreign.Result {
	im := &importer{names: foreign.Names{}}
	for _, f := range files {
		docs, err := conf.Values(f.Name, f.Data)
		im.result.Problems = append(im.result.Problems, conf.Problems(err)...)
		for _, doc := range docs {
			im.rules = append(im.rules, &rule{doc: doc, file: f.Name, name: im.names.Unique("sigma " + doc.Get("title").Text())})
		}
	}
	for _, r := range im.rules {
		im.result.Read++
		r.detect()
	}
	var out []foreign.Document
	for _, r := range im.rules {
		if r.doc.Get("correlation").IsMapping() {
			spec, logs, err := im.correlate(r.doc)
			if r.err = err; err == nil {
				out = append(out, r.document(spec, logs))
				im.spoken(r.doc.Get("correlation"))
			}
		}
		im.result.Problems = append(im.result.Problems, conf.Problems(r.err)...)
	}
	for _, r := range im.rules {
		if r.err == nil && r.logs != nil && !r.used {
			out = append(out, r.document([]foreign.Entry{
				{Key: "source", Value: r.logs.source}, {Key: "when", Value: foreign.Expression(r.when)},
			}, r.logs))
		}
	}
	im.result.Documents = out
	return im.result
}

// detect writes the expression of a rule that is no correlation.
func (r *rule) detect() {
	switch {
	case r.doc.Get("correlation").IsMapping():
		return
	case !r.doc.Get("filter").IsZero():
		r.err = r.doc.Get("filter").Errorf("filters can't be said; write an Exception")
		return
	case !r.doc.Get("detection").IsMapping():
		r.err = r.doc.Errorf("neither detection nor correlation: this is no rule of Sigma")
		return
	}
	logs, problem := sourceOf(r.doc.Get("logsource"))
	if problem != nil {
		if problem.Line == 0 {
			problem = r.doc.Errorf("%s", problem.Msg)
		}
		r.err = problem
		return
	}
	r.when, r.err = detection(r.doc.Get("detection"), logs)
	r.logs = logs
	if r.err == nil && len(r.when) > conf.MaxExpressionBytes {
		r.err = r.doc.Get("detection").Errorf("the expression has %d bytes, more than %d", len(r.when), conf.MaxExpressionBytes)
	}
}

// find is the rule of a name or an id.
func (im *importer) find(name string) *rule {
	i := slices.IndexFunc(im.rules, func(r *rule) bool {
		return name != "" && (r.doc.Get("name").Text() == name || r.doc.Get("id").Text() == name)
	})
	if i < 0 {
		return nil
	}
	return im.rules[i]
}

// spoken marks the rules that a correlation speaks for, unless it says that
// they speak for themselves too.
func (im *importer) spoken(c conf.Value) {
	if generate, _ := c.Get("generate").Scalar(); generate == true {
		return
	}
	for _, v := range c.Get("rules").Items() {
		if r := im.find(v.Text()); r != nil {
			r.used = true
		}
	}
}

var severities = map[string]string{
	"informational": "info", "low": "low", "medium": "medium", "high": "high", "critical": "critical", "": "medium",
}

var technique = regexp.MustCompile(`^attack\.(t[0-9]{4}(?:\.[0-9]{3})?)$`)

// document puts what a rule says to people around what it looks for.
func (r *rule) document(spec []foreign.Entry, logs *logsource) foreign.Document {
	doc := r.doc
	severity, ok := severities[strings.ToLower(doc.Get("level").Text())]
	if !ok {
		severity = "medium"
	}
	var attack []string
	for _, tag := range doc.Get("tags").Items() {
		if m := technique.FindStringSubmatch(strings.ToLower(tag.Text())); m != nil {
			attack = append(attack, strings.ToUpper(m[1]))
		}
	}
	title := doc.Get("title").Text()
	if title == "" {
		title = r.name
	}
	entries := []foreign.Entry{
		{Key: "title", Value: title},
		{Key: "description", Value: strings.TrimSpace(doc.Get("description").Text())},
		{Key: "severity", Value: severity},
		{Key: "attack", Value: attack},
	}
	entries = append(entries, spec...)
	entries = append(entries,
		foreign.Entry{Key: "message", Value: logs.message},
		foreign.Entry{Key: "false_positives", Value: texts(doc.Get("falsepositives"))},
		foreign.Entry{Key: "references", Value: texts(doc.Get("references"))},
	)
	if status := doc.Get("status").Text(); status == "deprecated" || status == "unsupported" {
		entries = append(entries, foreign.Entry{Key: "enabled", Value: false})
	}
	notes := map[string]string{}
	for _, key := range []string{"id", "author", "license"} {
		if s := doc.Get(key).Text(); s != "" {
			notes["sigma/"+key] = s
		}
	}
	return foreign.Document{Kind: "Rule", Name: r.name, Annotations: notes, Spec: entries, From: r.file, Line: doc.Line()}
}

func texts(v conf.Value) []string {
	var out []string
	for _, item := range v.Items() {
		if s := item.Text(); s != "" {
			out = append(out, s)
		}
	}
	return out
}
