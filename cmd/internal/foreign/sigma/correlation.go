package sigma

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/logic"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// correlate writes what a correlation rule says of other rules.
func (im *importer) correlate(doc conf.Value) ([]foreign.Entry, *logsource, error) {
	c := doc.Get("correlation")
	var base []*rule
	for _, v := range c.Get("rules").Items() {
		r := im.find(v.Text())
		if r == nil {
			return nil, nil, v.Errorf("there is no rule %q", v.Text())
		}
		if r.err != nil {
			return nil, nil, v.Errorf("rule %q could not be imported", v.Text())
		}
		base = append(base, r)
	}
	if len(base) == 0 {
		return nil, nil, c.Errorf("correlation names no rules")
	}
	by, err := im.groups(c, base)
	if err != nil {
		return nil, nil, err
	}
	span, err := timespan(c.Get("timespan"))
	if err != nil {
		return nil, nil, err
	}
	kind := c.Get("type").Text()
	if kind == "temporal" || kind == "temporal_ordered" {
		return sequence(base, by, span, kind == "temporal_ordered"), base[0].logs, nil
	}
	for _, r := range base[1:] {
		if r.logs.source != base[0].logs.source {
			return nil, nil, c.Errorf("%s over different sources can't be said", kind)
		}
	}
	having, err := having(c, kind, base[0].logs)
	if err != nil {
		return nil, nil, err
	}
	var when []string
	for _, r := range base {
		when = append(when, r.when)
	}
	return []foreign.Entry{
		{Key: "source", Value: base[0].logs.source},
		{Key: "when", Value: foreign.Expression(logic.Join(when, "or"))},
		{Key: "window", Value: []foreign.Entry{{Key: "by", Value: by}, {Key: "over", Value: span}, {Key: "having", Value: having}}},
		{Key: "suppress", Value: []foreign.Entry{{Key: "by", Value: by}, {Key: "for", Value: span}}},
	}, base[0].logs, nil
}

func sequence(base []*rule, by []string, span string, ordered bool) []foreign.Entry {
	var steps [][]foreign.Entry
	var sources []string
	for _, r := range base {
		steps = append(steps, []foreign.Entry{
			{Key: "name", Value: r.name}, {Key: "source", Value: r.logs.source}, {Key: "when", Value: foreign.Expression(r.when)},
		})
		sources = append(sources, r.logs.source)
	}
	slices.Sort(sources)
	order := "any"
	if ordered {
		order = "strict"
	}
	return []foreign.Entry{
		{Key: "sources", Value: slices.Compact(sources)},
		{Key: "sequence", Value: []foreign.Entry{
			{Key: "by", Value: by}, {Key: "within", Value: span}, {Key: "order", Value: order}, {Key: "steps", Value: steps},
		}},
	}
}

// groups are the fields of group-by; they have to be the same in all rules.
func (im *importer) groups(c conf.Value, base []*rule) ([]string, error) {
	var by []string
	for _, v := range c.Get("group-by").Items() {
		same := ""
		for _, r := range base {
			name := v.Text()
			if alias := c.Get("aliases").Get(name); !alias.IsZero() {
				for _, p := range alias.Pairs() {
					if im.find(p.Key) == r {
						name = p.Value.Text()
					}
				}
			}
			f, err := r.logs.field(name)
			if err != nil {
				return nil, v.Errorf("%v", err)
			}
			if f.kind == list || same != "" && same != f.expr {
				return nil, v.Errorf("grouping by %q can't be said: it is a list, or not the same field in all rules", v.Text())
			}
			same = f.expr
		}
		by = append(by, same)
	}
	return by, nil
}

var spanText = regexp.MustCompile(`^([1-9][0-9]{0,5})([smhd])$`)

func timespan(v conf.Value) (string, error) {
	m := spanText.FindStringSubmatch(v.Text())
	if m == nil {
		return "", v.Errorf("timespan %q is none of seconds, minutes, hours or days, as in 5m", v.Text())
	}
	return m[0], nil
}

// having is the condition of a correlation over the events of its rules.
func having(c conf.Value, kind string, l *logsource) (string, error) {
	condition := c.Get("condition")
	if !condition.IsMapping() {
		return "", c.Errorf("a correlation of type %s needs a condition", kind)
	}
	value := "count()"
	name := condition.Get("field")
	if kind != "event_count" {
		f, err := l.field(name.Text())
		if err != nil {
			return "", name.Errorf("%v", err)
		}
		switch kind {
		case "value_count":
			value = "distinct(" + f.expr + ")"
		case "value_sum":
			value = "sum(" + f.expr + ")"
		case "value_avg":
			value = "avg(" + f.expr + ")"
		default:
			return "", c.Get("type").Errorf("correlation type %q can't be said", kind)
		}
	}
	var all []string
	for _, p := range condition.Pairs() {
		operator, ok := map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}[p.Key]
		if !ok {
			if p.Key != "field" {
				return "", p.At.Errorf("condition %q can't be said", p.Key)
			}
			continue
		}
		switch n, _ := p.Value.Scalar(); n.(type) {
		case int64, float64:
			all = append(all, fmt.Sprintf("%s %s %s", value, operator, p.Value.Text()))
		default:
			return "", p.Value.Errorf("want a number")
		}
	}
	if len(all) == 0 {
		return "", condition.Errorf("condition compares with nothing")
	}
	return strings.Join(all, " and "), nil
}
