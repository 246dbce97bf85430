package respond

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// span is a duration, or the parameter of a step group that gives it. It is
// known before a run begins: people who are asked see how long a step would
// hold.
type span struct {
	fixed conf.Duration
	param string
}

var paramSpan = regexp.MustCompile(`^\$\{\s*params(?:\.([A-Za-z_][A-Za-z0-9_]*)|\["([a-z0-9-]+)"\])\s*\}$`)

// UnmarshalText reads a duration or ${params.NAME}.
func (s *span) UnmarshalText(text []byte) error {
	if m := paramSpan.FindSubmatch(text); m != nil {
		*s = span{param: string(m[1]) + string(m[2])}
		return nil
	}
	return s.fixed.UnmarshalText(text)
}

// Pattern is for the JSON Schema.
func (span) Pattern() string {
	return `^(([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*|\$\{\s*params(\.[A-Za-z_][A-Za-z0-9_]*|\["[a-z0-9-]+"\])\s*\})$`
}

// span is how long: what is written, or what the use of the group gives. It is
// 0 where that is not known, as in a group by itself without a default.
func (l *loader) span(path string, s span) conf.Duration {
	if s.param == "" {
		return s.fixed
	}
	if l.doc.Kind != GroupKind {
		l.problem(path, "params are those of a step group")
		return 0
	}
	spec, ok := l.params[s.param]
	if !ok {
		l.problem(path, "the step group has no parameter %q%s", s.param, conf.Suggest(s.param, slices.Sorted(maps.Keys(l.params))))
		return 0
	}
	value := spec.Default
	if l.use != nil {
		if value, ok = l.use.constants[s.param]; !ok {
			l.problem(path, "how long has to be known before a run: give the parameter %s a plain duration, without ${…}", s.param)
			return 0
		}
	}
	if value == nil {
		return 0
	}
	d, err := conf.ParseDuration(fmt.Sprint(value))
	switch {
	case err != nil:
		l.problem(path, "parameter %s: %v", s.param, err)
	case d == 0:
		l.problem(path, "parameter %s: it is no time at all", s.param)
	}
	return conf.Duration(d)
}
