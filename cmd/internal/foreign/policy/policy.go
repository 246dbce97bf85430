// Package policy makes playbooks of a ConfigMap security-response-policy: rules
// of a condition and actions. What an action asks for that Firebreak has no
// action for is said with its place, and the nearest that there is stands in
// its place: a label that says what was wanted, and a Kubernetes Event.
package policy

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
)

// Name is that of the ConfigMap.
const Name = "security-response-policy"

// maxRules bounds the rules of a file.
const maxRules = 1000

type importer struct {
	result  foreign.Result
	names   foreign.Names
	options Options
}

// Import reads the policies of files: ConfigMaps that hold them, or the text
// alone.
func Import(files []foreign.File, o Options) foreign.Result {
	im := &importer{names: foreign.Names{}, options: o}
	for _, f := range files {
		docs, err := conf.Values(f.Name, f.Data)
		im.problem(err)
		for _, doc := range docs {
			im.document(f, doc)
		}
	}
	return im.result
}

func (im *importer) problem(err error) {
	im.result.Problems = append(im.result.Problems, conf.Problems(err)...)
}

func (im *importer) note(n *conf.Error) { im.result.Notes = append(im.result.Notes, n) }

func (im *importer) document(f foreign.File, doc conf.Value) {
	if items := doc.Get("items"); strings.HasSuffix(doc.Get("kind").Text(), "List") && !items.IsZero() {
		im.list(f, doc, items)
		return
	}
	if !im.read(f, doc) {
		im.problem(doc.Errorf("no response_rules, neither by themselves nor in the data of a ConfigMap %s", Name))
	}
}

// list reads the policies of a List, which may hold other things.
func (im *importer) list(f foreign.File, doc, items conf.Value) {
	found := false
	for _, item := range items.Items() {
		found = im.read(f, item) || found
	}
	if !found {
		im.problem(doc.Errorf("no item of the list is a ConfigMap %s with response_rules", Name))
	}
}

func (im *importer) read(f foreign.File, doc conf.Value) bool {
	found := im.rules(f, doc)
	if doc.Get("kind").Text() == "ConfigMap" {
		for _, p := range doc.Get("data").Pairs() {
			if p.Key == "response_rules" {
				found = im.embedded(f, p.Value, true) || found
			} else {
				found = im.embedded(f, p.Value, false) || found
			}
		}
	}
	return found
}

// embedded reads a policy that is the text of a value. Its lines keep their
// numbers.
func (im *importer) embedded(f foreign.File, v conf.Value, list bool) bool {
	text := v.Text()
	if !list && !strings.Contains(text, "response_rules") {
		return false
	}
	line := v.Line()
	if !strings.Contains(text, "\n") {
		line--
	}
	docs, err := conf.Values(f.Name, []byte(strings.Repeat("\n", max(line, 0))+text))
	im.problem(err)
	found := false
	for _, doc := range docs {
		if list {
			im.each(f, doc)
			found = true
			continue
		}
		found = im.rules(f, doc) || found
	}
	return found
}

func (im *importer) rules(f foreign.File, doc conf.Value) bool {
	rules := doc.Get("response_rules")
	if rules.IsZero() {
		return false
	}
	im.each(f, rules)
	return true
}

func (im *importer) each(f foreign.File, rules conf.Value) {
	for i, rule := range rules.Items() {
		if i >= maxRules {
			im.problem(rule.Errorf("more than %d rules", maxRules))
			return
		}
		im.result.Read++
		im.rule(f, rule, i)
	}
}

// rule makes a playbook, and a rule where a condition counts what no rule that
// comes with Firebreak counts.
func (im *importer) rule(f foreign.File, v conf.Value, i int) {
	at := v.Get("condition")
	if at.IsZero() {
		im.problem(v.Errorf("the rule has no condition"))
		return
	}
	c, err := readCondition(at)
	if err != nil {
		im.problem(err)
		return
	}
	title := v.Get("name").Text()
	if title == "" {
		title = "policy" + c.words
	}
	d := foreign.Document{Kind: respond.PlaybookKind, Name: im.names.Unique(title), From: f.Name, Line: v.Line()}
	d.Comments = append([]string{"Condition: " + at.Text()}, c.notes...)
	for _, n := range c.notes {
		im.note(at.Errorf("%s", n))
	}
	s := steps{Steps: foreign.NewSteps(&d), im: im}
	for _, a := range v.Get("actions").Items() {
		s.read(a)
	}
	if len(s.All) == 0 {
		im.problem(v.Errorf("the rule has no action that could be imported"))
		return
	}
	d.Spec = []foreign.Entry{
		{Key: "title", Value: foreign.Template(title)}, {Key: "when", Value: foreign.Expression(c.when)}, {Key: "order", Value: min(100+i, 1000)},
		{Key: "mode", Value: "ask"}, {Key: "steps", Value: s.All},
	}
	if c.rule != nil {
		c.rule.From, c.rule.Line = f.Name, at.Line()
		if im.names[c.rule.Name] == 0 {
			im.names[c.rule.Name]++
			im.result.Documents = append(im.result.Documents, *c.rule)
		}
	}
	im.result.Documents = append(im.result.Documents, d)
}

func sprint(format string, args ...any) string { return fmt.Sprintf(format, args...) }
