package detect

import (
	"reflect"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// place gives a measure its place in what is remembered, or says why it can't be
// measured.
func (m *modeller) place(c *measure) (why string) {
	if n := modelArguments[c.Name]; len(c.Args) < n[0] || len(c.Args) > n[1] {
		return "takes " + arguments(n) + ", not " + text(len(c.Args))
	}
	switch {
	case accumulates(c.Name):
		c.cell, m.cells = m.cells, m.cells+1
	case c.Name == fnSurprisal || c.Name == fnNovelty:
		c.category, m.categories = m.categories, m.categories+1
		if m.d.Spec.Every != 0 {
			c.cell, m.cells = m.cells, m.cells+1
		}
	case c.Name == fnRel || c.Name == fnJump:
		c.number, m.numbers = m.numbers, m.numbers+1
	case c.Name == fnTrail:
		c.sum, m.sums = m.sums, m.sums+1
	}
	if m.d.Spec.Every == 0 {
		if !m.unending && (accumulates(c.Name) || c.Name == fnTrail) {
			m.unending = true // said once
			return "is of an interval: say how long it is, as in every: 1m"
		}
	} else if (c.number >= 0 || c.sum >= 0) && !c.Nests() {
		return c.Args[0].Source() + " is of an event, not of an interval: say which, as in avg(" + c.Args[0].Source() + ")"
	}
	if c.Name == "quantile" {
		q, ok := c.Constants[1].(float64)
		if c.q = q; !ok || !(q >= 0 && q <= 1) {
			return "the second argument has to be a constant from 0 to 1"
		}
	}
	return misfit(c.Aggregate, false)
}

// misfit says why a call can't be given its first argument, as far as that is known
// before anything happens: a number of what is text is never one. It is empty if it
// may be. In a window a rate is of a condition, or of how much an event counts.
func misfit(call conf.Aggregate, window bool) string {
	if len(call.Args) == 0 {
		return ""
	}
	gives := call.Args[0].Gives()
	number := gives == reflect.Interface || gives == reflect.Bool || gives >= reflect.Int && gives <= reflect.Float64
	switch call.Name {
	case "sum", "avg", "min", "max", "quantile", fnRel, fnJump, fnTrail:
		if !number {
			return "is of a number, and its argument is " + kindName(gives)
		}
	case "rate", "baseline_ratio":
		if window && number {
			return ""
		}
		fallthrough
	case "count", "ratio":
		if gives != reflect.Bool && gives != reflect.Interface {
			return "is of a condition, as in http.status >= 500, and its argument is " + kindName(gives)
		}
	}
	return ""
}

// arguments says how many there may be.
func arguments(n [2]int) string {
	switch {
	case n[1] == 0:
		return "no arguments"
	case n[0] == n[1] && n[0] == 1:
		return "1 argument"
	case n[0] == n[1]:
		return text(n[0]) + " arguments"
	}
	return text(n[0]) + " to " + text(n[1]) + " arguments"
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "neither text nor a number"
	}
	return "a number"
}
