package detect

import (
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// lineKind is a kind of log line that summaries count apart from others:
// requests by the hundreds of their status, logins by how they ended, all else
// by class.
type lineKind struct {
	class    string
	hundreds int
	// outcomes are those that lines of the kind may have.
	outcomes []event.Outcome
	words    string // for people
}

// lineKinds are all of them.
func lineKinds() []lineKind {
	const (
		ok, failed      = event.OutcomeSuccess, event.OutcomeFailure
		allowed, denied = event.OutcomeAllowed, event.OutcomeDenied
	)
	all := []lineKind{
		{event.ClassHTTP, 0, []event.Outcome{""}, "requests without a status"},
		{event.ClassHTTP, 1, []event.Outcome{ok}, "requests answered 1xx"},
		{event.ClassHTTP, 2, []event.Outcome{ok}, "requests answered 2xx"},
		{event.ClassHTTP, 3, []event.Outcome{ok}, "requests answered 3xx"},
		{event.ClassHTTP, 4, []event.Outcome{ok, denied}, "requests answered 4xx"},
		{event.ClassHTTP, 5, []event.Outcome{failed}, "requests answered 5xx"},
		{event.ClassLogin, 0, []event.Outcome{ok, allowed}, "logins that succeeded"},
		{event.ClassLogin, 0, []event.Outcome{failed, denied}, "logins that failed"},
		{event.ClassLogin, 0, []event.Outcome{""}, "logins of which it is not known how they ended"},
	}
	for _, class := range event.Classes() {
		switch class {
		case event.ClassHTTP, event.ClassLogin, event.ClassLogSummary, event.ClassControl:
		default:
			all = append(all, lineKind{class, 0, []event.Outcome{""}, "lines of class " + class})
		}
	}
	return all
}

// has says whether a line of the class is of the kind.
func (k lineKind) has(e *event.Event) bool {
	switch k.class {
	case event.ClassHTTP:
		return k.hundreds == sketch.Hundreds(e.HTTP.Status)
	case event.ClassLogin:
		return slices.Contains(k.outcomes, e.Outcome)
	}
	return true
}

// count is how many lines of the kind a summary has.
func (k lineKind) count(s *sketch.Summary) uint64 {
	switch {
	case k.class == event.ClassHTTP:
		return s.Status[k.hundreds]
	case k.class != event.ClassLogin:
		return s.Classes[k.class]
	case k.outcomes[0] == event.OutcomeSuccess:
		return s.Logins
	case k.outcomes[0] == event.OutcomeFailure:
		return s.FailedLogins
	}
	return s.Classes[k.class] - min(s.Classes[k.class], s.Logins+s.FailedLogins)
}

// domain is what is known of a name for all lines of the kind that a summary
// counts together: what lines of one writer share, and what the kind says.
func (k lineKind) domain(path string) conf.Domain {
	switch path {
	case "class":
		return conf.Among(k.class)
	case "outcome":
		if k.class != event.ClassHTTP && k.class != event.ClassLogin {
			return conf.Domain{} // of what else it may be is not counted
		}
		var texts []string
		for _, o := range k.outcomes {
			texts = append(texts, string(o))
		}
		return conf.Among(texts...)
	case "http.status":
		switch {
		case k.class == event.ClassHTTP && k.hundreds > 0:
			return conf.Between(float64(100*k.hundreds), float64(100*k.hundreds+99))
		default: // only requests have one
			return conf.Between(0, 0)
		}
	case "http.bytes", "http.duration":
		if k.class != event.ClassHTTP {
			return conf.Between(0, 0)
		}
	}
	return writerDomain(path)
}

// writerDomain is of what all lines of a writer share.
func writerDomain(path string) conf.Domain {
	switch path {
	case "source":
		return conf.Among(string(event.SourceLog))
	case "cluster", "object.namespace", "object.name", "object.uid", "object.kind", "object.group", "object.resource", "object.container", "object.node":
		return conf.Given()
	}
	if path == "object.workload" || strings.HasPrefix(path, "object.workload.") {
		return conf.Given()
	}
	return conf.Domain{}
}

// kindSet is a set of kinds of lines, by their number.
type kindSet uint32

func (s kindSet) has(kind int) bool     { return kind >= 0 && s&(1<<kind) != 0 }
func (s *kindSet) add(kind int)         { *s |= 1 << kind }
func (s kindSet) within(o kindSet) bool { return s&^o == 0 }
