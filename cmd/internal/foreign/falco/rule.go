package falco

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

var severities = map[string]string{
	"emergency": "critical", "alert": "critical", "critical": "critical", "error": "high", "warning": "medium",
	"notice": "low", "informational": "info", "info": "info", "debug": "info",
}

var technique = regexp.MustCompile(`^[Tt][0-9]{4}(\.[0-9]{3})?$`)

// rule makes the document of a rule.
func (im *importer) rule(x *item, n names, taken foreign.Names) (foreign.Document, error) {
	source := x.parts["source"]
	if s := source.Text(); s != "k8s_audit" {
		if source.IsZero() {
			s, source = "syscall", x.at
		}
		return foreign.Document{}, source.Errorf("rule %q is of source %s: that is Falco's to find, and Firebreak reads its alerts", x.name, s)
	}
	when, err := x.expression(n)
	if err != nil {
		return foreign.Document{}, err
	}
	if err := im.usable(when, n, 0); err != nil {
		why := conf.Problems(err)[0]
		return foreign.Document{}, x.at.Errorf("rule %q needs %s, at %s:%d:%d", x.name, why.Msg, why.File, why.Line, why.Column)
	}
	if len(when) > conf.MaxExpressionBytes {
		return foreign.Document{}, x.at.Errorf("the expression has %d bytes, more than %d", len(when), conf.MaxExpressionBytes)
	}
	unless, err := x.unless(n)
	if err != nil {
		return foreign.Document{}, err
	}
	severity, ok := severities[strings.ToLower(x.parts["priority"].Text())]
	if !ok {
		severity = "medium"
	}
	var attack []string
	for _, tag := range x.parts["tags"].Items() {
		if technique.MatchString(tag.Text()) {
			attack = append(attack, strings.ToUpper(tag.Text()))
		}
	}
	d := foreign.Document{Kind: "Rule", Name: taken.Unique("falco " + x.name), From: x.file, Line: x.at.Line(), Spec: []foreign.Entry{
		{Key: "title", Value: x.name},
		{Key: "description", Value: strings.Join(strings.Fields(x.parts["desc"].Text()), " ")},
		{Key: "severity", Value: severity},
		{Key: "attack", Value: attack},
		{Key: "source", Value: "audit"},
		{Key: "when", Value: foreign.Expression(when)},
		{Key: "unless", Value: foreign.Expression(unless)},
		{Key: "message", Value: output(x.parts["output"].Text())},
	}}
	if on, ok := x.parts["enabled"].Scalar(); ok && on == false {
		d.Spec = append(d.Spec, foreign.Entry{Key: "enabled", Value: false})
	}
	return d, nil
}

var outputField = regexp.MustCompile(`%([a-z][a-z0-9_.]*(?:\[[^\]]*\])?)`)

// output makes a message of an output; what can't be said is left out of it.
func output(s string) string {
	return outputField.ReplaceAllStringFunc(foreign.Template(s), func(name string) string {
		f, err := fieldOf(strings.TrimRight(name[1:], "."))
		if err != nil {
			return "?"
		}
		if f.list {
			return "${join(" + f.expr + `, ",")}`
		}
		return "${" + f.expr + "}"
	})
}

// unless is true where one of the values of an exception holds.
func (x *item) unless(n names) (string, error) {
	type exception struct {
		fields, comps []string
		values        []conf.Value
	}
	all := map[string]*exception{}
	var order []string
	for _, v := range x.exceptions {
		name := v.Get("name").Text()
		if all[name] == nil {
			all[name] = &exception{}
			order = append(order, name)
		}
		e := all[name]
		for _, f := range v.Get("fields").Items() {
			e.fields = append(e.fields, f.Text())
		}
		for _, c := range v.Get("comps").Items() {
			e.comps = append(e.comps, c.Text())
		}
		e.values = append(e.values, v.Get("values").Items()...)
	}
	var any []string
	for _, name := range order {
		e := all[name]
		for _, v := range e.values {
			one, err := row(e.fields, e.comps, v, n)
			if err != nil {
				return "", v.Errorf("exception %q: %v", name, err)
			}
			any = append(any, one)
		}
	}
	return strings.Join(any, " or "), nil
}

// row is one row of values of an exception.
func row(fields, comps []string, v conf.Value, n names) (string, error) {
	values := v.Items()
	if len(fields) == 1 && (len(comps) == 0 || comps[0] == "in") && !v.IsList() {
		comps = []string{"="}
	}
	if len(fields) == 0 || len(values) != len(fields) || len(comps) > 0 && len(comps) != len(fields) {
		return "", errors.New("fields, comps and values don't fit together")
	}
	var all []string
	for i, name := range fields {
		f, err := fieldOf(name)
		if err != nil {
			return "", err
		}
		comp := "="
		if len(comps) > 0 {
			comp = comps[i]
		}
		one, err := f.test(comp, values[i], n)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	return "(" + strings.Join(all, " and ") + ")", nil
}

// test compares a field with a value of an exception.
func (f field) test(comp string, v conf.Value, n names) (string, error) {
	switch comp {
	case "in", "intersects", "pmatch":
		var values, lists []string
		for _, item := range v.Items() {
			if s := item.Text(); comp == "pmatch" && n.lists[s] != nil {
				values = append(values, n.lists[s]...)
			} else if n.lists[s] != nil {
				lists = append(lists, s)
			} else {
				values = append(values, s)
			}
		}
		return f.among(comp, values, lists), nil
	}
	if v.IsList() || v.IsMapping() {
		return "", fmt.Errorf("%s takes one value", comp)
	}
	return f.single(comp, v.Text())
}
