// Package talon makes rules and playbooks of the rules of Falco Talon
// (https://docs.falco-talon.org/docs/rules/): what a rule matches becomes a
// rule over Falco's alerts, what it does the steps of a playbook. What can't be
// said is shown with its place, and the nearest that there is stands in its
// place.
package talon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
)

// maxRules bounds the rules of a file.
const maxRules = 1000

type importer struct {
	result foreign.Result
	names  foreign.Names
	// actions are those that rules name: as often as they are said, as in an
	// override, each over what was said before.
	actions map[string][]conf.Value
}

// Import reads the rules and actions of files. As with Talon, an action may be
// named by a rule of another file.
func Import(files []foreign.File) foreign.Result {
	im := &importer{names: foreign.Names{}, actions: map[string][]conf.Value{}}
	var rules []rule
	for _, f := range files {
		docs, err := conf.Values(f.Name, f.Data)
		im.problem(err)
		for _, doc := range docs {
			for _, v := range doc.Items() {
				switch {
				case v.Get("rule").Text() != "":
					if i := slices.IndexFunc(rules, func(r rule) bool { return r.v.Get("rule").Text() == v.Get("rule").Text() }); i >= 0 {
						rules[i].more = append(rules[i].more, v)
						continue
					}
					if rules = append(rules, rule{file: f.Name, v: v}); len(rules) > maxRules {
						im.problem(v.Errorf("more than %d rules", maxRules))
						return im.result
					}
				case v.Get("action").Text() != "":
					name := v.Get("action").Text()
					im.actions[name] = append(im.actions[name], v)
				default:
					im.problem(v.Errorf("neither rule nor action"))
				}
			}
		}
	}
	for i, r := range rules {
		im.result.Read++
		im.rule(r, i)
	}
	return im.result
}

type rule struct {
	file string
	v    conf.Value
	// more are what was said of the rule again, as in an override.
	more []conf.Value
}

// last is what was said last of a key, all what was said of it each time.
func (r rule) last(key string) conf.Value { return last(append([]conf.Value{r.v}, r.more...), key) }

func (r rule) all(key string) (items []conf.Value) {
	for _, v := range append([]conf.Value{r.v}, r.more...) {
		items = append(items, v.Get(key).Items()...)
	}
	return items
}

// match are the parts of the rule's match: of lists all, of what is one the last.
func (r rule) match() (parts []part) {
	for _, v := range append([]conf.Value{r.v}, r.more...) {
		for _, p := range v.Get("match").Pairs() {
			i := slices.IndexFunc(parts, func(o part) bool { return o.Key == p.Key })
			switch {
			case i < 0:
				parts = append(parts, part{p, p.Value.Items()})
			case p.Key == "priority" || p.Key == "source":
				parts[i].Pair = p
			default:
				parts[i].items = append(parts[i].items, p.Value.Items()...)
			}
		}
	}
	return parts
}

// part is a key of a match, and its values.
type part struct {
	conf.Pair
	items []conf.Value
}

func (im *importer) problem(err error) {
	im.result.Problems = append(im.result.Problems, conf.Problems(err)...)
}

func (im *importer) note(n *conf.Error) { im.result.Notes = append(im.result.Notes, n) }

func (im *importer) rule(r rule, i int) {
	title := r.v.Get("rule").Text()
	name := im.names.Unique("talon " + title)
	when, ok := im.match(r.match())
	if !ok {
		return
	}
	if when == "" {
		im.problem(r.v.Errorf("the rule matches every alert; say which"))
		return
	}
	mode := "ask"
	if r.last("dry_run").Text() == "true" {
		mode = "observe"
	} else {
		im.note(r.v.Errorf("Talon acts by itself; the playbook asks people first. Say mode: act to do as Talon does"))
	}
	book := foreign.Document{Kind: respond.PlaybookKind, Name: name, From: r.file, Line: r.v.Line()}
	s := steps{Steps: foreign.NewSteps(&book), im: im}
	for _, a := range r.all("actions") {
		s.action(a)
	}
	for _, n := range r.all("notifiers") {
		s.notify(n, foreign.Name(n.Text()))
	}
	if len(s.All) == 0 {
		im.problem(r.v.Errorf("the rule has no action that could be imported"))
		return
	}
	if r.last("continue").Text() == "false" {
		im.note(r.last("continue").Errorf("continue: false is left out: each playbook that applies runs, in its order"))
	}
	book.Spec = []foreign.Entry{
		{Key: "title", Value: foreign.Template(title)}, {Key: "when", Value: foreign.Expression("finding.rule == " + foreign.Literal(name))},
		{Key: "order", Value: min(100+i, 1000)}, {Key: "mode", Value: mode}, {Key: "steps", Value: s.All},
	}
	im.result.Documents = append(im.result.Documents, foreign.Document{
		Kind: "Rule", Name: name, From: r.file, Line: r.v.Line(),
		Spec: []foreign.Entry{
			{Key: "title", Value: title}, {Key: "description", Value: r.last("description").Text()}, {Key: "severity", Value: "high"},
			{Key: "source", Value: "falco"}, {Key: "when", Value: foreign.Expression(when)},
			{Key: "suppress", Value: []foreign.Entry{{Key: "by", Value: []string{"rule", "object.namespace", "object.name"}}, {Key: "for", Value: "5m"}}},
		},
	}, book)
}

// match is the condition of a rule's match: all of its parts.
func (im *importer) match(parts []part) (when string, ok bool) {
	var all []string
	ok = true
	for _, p := range parts {
		part, err := matched(p)
		if err != nil {
			im.problem(err)
			ok = false
		} else if part != "" {
			all = append(all, part)
		}
	}
	return strings.Join(all, " and "), ok
}

func matched(p part) (string, error) {
	switch p.Key {
	case "rules":
		var names []string
		for _, v := range p.items {
			names = append(names, v.Text())
		}
		return "rule in " + foreign.Literals(names), nil
	case "priority":
		return priority(p.Value)
	case "source":
		if s := p.Value.Text(); s != "syscall" && s != "syscalls" {
			return "", p.Value.Errorf("alerts of source %q can't be told from others: match their rules", s)
		}
		return "", nil // nearly all are
	case "tags":
		return alternatives(p.items, func(_ conf.Value, tag string) (string, error) { return foreign.Literal(tag) + " in tags", nil })
	case "output_fields":
		return alternatives(p.items, outputField)
	}
	return "", p.At.Errorf("%q can't be matched: rules, priority, source, tags, output_fields", p.Key)
}

// alternatives are texts of which one has to hold; each is parts with commas,
// which all have to.
func alternatives(items []conf.Value, term func(at conf.Value, part string) (string, error)) (string, error) {
	var any []string
	for _, item := range items {
		var all []string
		for _, part := range strings.Split(item.Text(), ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			text, err := term(item, part)
			if err != nil {
				return "", err
			}
			all = append(all, text)
		}
		if len(all) > 0 {
			any = append(any, strings.Join(all, " and "))
		}
	}
	if len(any) < 2 {
		return strings.Join(any, ""), nil
	}
	return "(" + strings.Join(any, " or ") + ")", nil
}

// outputField is NAME=VALUE or NAME!=VALUE.
func outputField(at conf.Value, text string) (string, error) {
	for _, op := range []string{"!=", "="} {
		if name, value, found := strings.Cut(text, op); found {
			return fmt.Sprintf("%s %s %s", field(strings.TrimSpace(name)), strings.Replace(op, "=", "==", 1)[:2], foreign.Literal(strings.TrimSpace(strings.ReplaceAll(value, `"`, "")))), nil
		}
	}
	return "", at.Errorf("%q is neither NAME=VALUE nor NAME!=VALUE", text)
}

// field is a field of Falco's output. What names the pod is found out where the
// alert does not say it.
func field(name string) string {
	switch name {
	case "k8s.ns.name":
		return "object.namespace"
	case "k8s.pod.name":
		return "object.name"
	}
	return "fields[" + foreign.Literal(name) + "]"
}

// priorities are Falco's, the most urgent first.
func priorities() []string {
	return []string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}
}

// priority is one, or one with an operator: > is more urgent.
func priority(v conf.Value) (string, error) {
	text := strings.ToLower(strings.TrimSpace(v.Text()))
	operator := ""
	for _, op := range []string{">=", "<=", ">", "<", "="} {
		if rest, found := strings.CutPrefix(text, op); found {
			operator, text = op, strings.TrimSpace(rest)
			break
		}
	}
	if text == "info" {
		text = "informational"
	}
	at := -1
	for i, p := range priorities() {
		if strings.EqualFold(p, text) {
			at = i
		}
	}
	if at < 0 {
		return "", v.Errorf("there is no priority %q%s", text, conf.Suggest(text, priorities()))
	}
	var in []string
	for i, p := range priorities() {
		if operator == ">=" && i <= at || operator == ">" && i < at || operator == "<=" && i >= at || operator == "<" && i > at || len(operator) < 2 && operator != ">" && operator != "<" && i == at {
			in = append(in, p)
		}
	}
	if len(in) == 0 {
		return "", v.Errorf("no priority is %s", v.Text())
	}
	return "priority in " + foreign.Literals(in), nil
}
