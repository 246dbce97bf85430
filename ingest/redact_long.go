package ingest

import "github.com/firebreak-io/firebreak/internal/event"

// beyond is how much more than what is kept of a text is searched for secrets. A
// program that writes long lines must not take a second of a processor for each;
// a secret that is cut by this is in what is not kept.
const beyond = 16 << 10

// shortenLong cuts texts of which far less is kept than there is, and marks them
// as cut. Once the event is redacted, the function that it gives takes away what
// is behind the last secret that may have been cut.
func shortenLong(e *event.Event) (trim func()) {
	c, ends := cutter{cut: e.Cut}, []func(){}
	for _, t := range []struct {
		part string
		s    *string
		n    int
	}{
		{"message", &e.Message, maxField}, {"http.path", &e.HTTP.Path, maxText}, {"actor.user_agent", &e.Actor.UserAgent, maxText},
		{"actor.user", &e.Actor.User, maxText}, {"actor.address", &e.Actor.Address, maxText}, {"actor.process", &e.Actor.Process, maxProcess},
		{"http.method", &e.HTTP.Method, maxText},
	} {
		if len(*t.s) > t.n+beyond {
			*t.s = clip(*t.s, t.n+beyond)
			c.mark(t.part)
			ends = append(ends, func() { *t.s = withoutEnd(*t.s) })
		}
	}
	for name, v := range e.Fields {
		if s, ok := v.(string); ok && len(s) > maxField+beyond {
			e.Fields[name] = clip(s, maxField+beyond)
			c.mark("fields." + name)
			ends = append(ends, func() {
				if s, ok := e.Fields[name].(string); ok {
					e.Fields[name] = withoutEnd(s)
				}
			})
		}
	}
	e.Cut = c.cut
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// withoutEnd is a text that was cut without as much as was searched beyond what
// is kept of it.
func withoutEnd(s string) string { return clip(s, max(0, len(s)-beyond)) }
