package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// ReadsSummaries says whether the model can measure summaries of log lines that
// tell writers apart by these (workload, pod, container): it has an interval, and
// its entity and some of what it looks at can be told of them.
func (d *Model) ReadsSummaries(by []string) bool {
	if d.Spec.Every == 0 || !slices.Contains(d.sources, event.SourceLog) || !newSharing(&d.Spec, lineKind.domain).reads {
		return false
	}
	return !slices.ContainsFunc(slices.Concat(d.Spec.Entity, d.Spec.Peers), func(x conf.Expression) bool {
		return x.Tell(func(path string) conf.Domain { return groupedDomain(path, by) }) == conf.Open
	})
}

// groupedDomain is what is known of a writer where summaries tell some of it.
func groupedDomain(path string, by []string) conf.Domain {
	pod := !slices.Contains(by, "workload")
	switch path {
	case "object.container":
		if !slices.Contains(by, "container") {
			return conf.Domain{}
		}
	case "object.workload.name": // there is one, or else it is as by pod
		if !pod {
			return conf.Among("a workload")
		}
	case "object.name", "object.uid", "object.kind", "object.group", "object.resource", "object.node":
		if !pod {
			return conf.Domain{}
		}
	}
	return writerDomain(path)
}

// LostOnSummaries says, each with its place, what of the model's features can't
// be told of summaries, and so is lost of lines that a source with such a filter
// does not store.
func (d *Model) LostOnSummaries(stored conf.Expression) (all []*conf.Error) {
	if stored.IsZero() {
		return nil
	}
	m, err := openModel(d, Limits{Groups: 1})
	if err != nil {
		return nil
	}
	for _, f := range m.features {
		for _, c := range m.measures[f.from:f.to] {
			if c.cell < 0 {
				continue
			}
			var kinds kindSet
			for i, k := range m.share.kinds {
				untold := !c.told.of.has(i) || c.Name == "ratio" && !c.told.against.has(i)
				if untold && !m.share.stores(&d.Spec, k, stored) {
					kinds.add(i)
				}
			}
			if words := m.share.words(kinds); len(words) > 0 {
				x := d.Spec.Features[f.name]
				all = append(all, x.Errorf("feature %s: %s can't be told of summaries for %s", f.name, c.Text, strings.Join(words, ", ")))
			}
		}
	}
	return all
}

// words are kinds of lines for people, those that lines of logs are of.
func (sh *sharing) words(kinds kindSet) (out []string) {
	for i, k := range sh.kinds {
		word := k.words
		switch k.class {
		case event.ClassHTTP, event.ClassLogin:
			if sh.these(func(o lineKind) bool { return o.class == k.class }).within(kinds) {
				word = map[string]string{event.ClassHTTP: "requests", event.ClassLogin: "logins"}[k.class]
			}
		case event.ClassLogLine, event.ClassLogError, event.ClassSyscall:
		default:
			continue
		}
		if kinds.has(i) && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// stores says whether all lines of a kind that the model selects are stored.
func (sh *sharing) stores(s *ModelSpec, k lineKind, stored conf.Expression) bool {
	if sh.tell(stored, k) == conf.Always {
		return true
	}
	return conf.Implies([]conf.Expression{s.When, {Text: fmt.Sprintf("class == %q", k.class)}}, stored)
}

// FitsInterval says what is wrong with the model's interval where summaries are of
// that one, with its place; nil when nothing is.
func (d *Model) FitsInterval(interval time.Duration) *conf.Error {
	every := d.Spec.Every.Std()
	if !d.ReadsSummaries(nil) && !d.ReadsSummaries([]string{"container"}) {
		return nil
	}
	// Intervals begin at multiples since the year 1 there, and here since 1970.
	if epoch := time.Unix(0, 0); interval > 0 && every%interval == 0 && epoch.Truncate(interval).Equal(epoch) {
		return nil
	}
	return d.doc.Errorf("spec.every", "an interval of %s is no multiple of the summaries' interval of %s", d.Spec.Every, conf.Duration(interval))
}
