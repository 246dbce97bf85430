package conf

// Truth is whether something holds, or that it is not known.
type Truth int

// The truths. The zero value says nothing.
const (
	Unknown Truth = iota
	False
	True
)

// Text is how people and JSON read it: true, false or unknown.
func (t Truth) String() string { return [...]string{"unknown", "false", "true"}[t] }

// MarshalText is [Truth.String].
func (t Truth) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Trace is what became of a condition: each part is asked, whether the whole
// needed it or not.
type Trace struct {
	*Condition
	Truth Truth
	// Error says why a test could not be evaluated.
	Error error
	// Values are what a test looked at. They are the event's own: not to be
	// changed, and of any size.
	Values []Reading
	Parts  []Trace
}

// Reading is one value, and how it is written in the expression.
type Reading struct {
	Text  string
	Value any
}

// Trace asks each part about env.
func (c *Condition) Trace(env any) Trace {
	t := Trace{Condition: c}
	for _, part := range c.Parts {
		t.Parts = append(t.Parts, part.Trace(env))
	}
	switch c.Op {
	case "":
		t.test(env)
	case OpNot:
		t.Truth = [...]Truth{Unknown, True, False}[t.Parts[0].Truth]
	case OpAnd:
		t.Truth = weakest(t.Parts, False, True)
	default: // one of the expressions of a macro is enough
		t.Truth = weakest(t.Parts, True, False)
	}
	return t
}

// weakest is that one where a part is, and other where all are.
func weakest(parts []Trace, one, other Truth) Truth {
	out := other
	for _, p := range parts {
		switch p.Truth {
		case one:
			return one
		case Unknown:
			out = Unknown
		}
	}
	if len(parts) == 0 {
		return Unknown
	}
	return out
}

func (t *Trace) test(env any) {
	v, ok, err := t.program.value(env)
	t.Error = err
	if ok {
		b, _ := v.(bool)
		t.Truth = truthOf(b)
	}
	for _, r := range t.reads {
		if v, ok, _ := r.value(env); ok {
			t.Values = append(t.Values, Reading{r.text, v})
		}
	}
}
