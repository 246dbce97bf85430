package detect

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// carryDecided goes on with what people decided, as far as it still means
// something, and keeps what became of it.
func (m *modeller) carryDecided(data []byte, now time.Time) {
	said := event.ModelAnew{Since: now, Gone: []string{"what it had learned: it warms up again"}}
	m.decided.Anew = &said
	if len(data) == 0 {
		said.Gone = append(said.Gone, "pins, verdicts and approvals: they were saved by a version of Firebreak that did not keep them apart")
		return
	}
	s, err := readDecided(data)
	if err != nil {
		said.Gone = append(said.Gone, "pins, verdicts and approvals: "+err.Error())
		return
	}
	if s.Pinned || s.Own.Anew != nil && s.Own.Anew.Unpinned {
		said.Unpinned = true
		said.Gone = append(said.Gone, "the pin: what it was pinned to can't be read, so that it learns again: pin it when it is ready and you have looked at it, or unpin it to say that it may learn")
	}
	if !s.Own.Approved.IsZero() || s.Anchored && m.d.Spec.Forest.Anchors == anchorApproved {
		said.Gone = append(said.Gone, "the approval"+ofTime(s.Own.Approved)+": its trees are gone; approve it again when it is ready")
	}
	waiting := append(s.Own.Kept, s.Waiting...)
	if s.Entity != m.entityDigest() {
		if n := s.Verdicts.Right + s.Verdicts.Wrong; n > 0 {
			said.Gone = append(said.Gone, amount(n, "verdict")+": the model's entities are others")
		}
		if len(waiting) > 0 {
			said.Gone = append(said.Gone, amount(uint64(len(waiting)), "finding")+" on which a verdict could come: the model's entities are others")
		}
		return
	}
	m.budget.TakeVerdicts(s.Verdicts)
	m.wait.said = s.Said
	m.keep(waiting)
	said.Kept = m.decided.words(s)
}

// keep keeps findings, with the values that still are of something.
func (m *modeller) keep(waiting []kept) {
	names := m.categoryNames()
	for _, k := range waiting[max(0, len(waiting)-maxWaiting):] {
		for name := range k.Values {
			if !slices.Contains(names, name) {
				delete(k.Values, name)
			}
		}
		m.decided.Kept = append(m.decided.Kept, k)
	}
}

// words are what still holds.
func (d *decided) words(s decidedState) (all []string) {
	if v := s.Verdicts; v.Right+v.Wrong > 0 {
		all = append(all, fmt.Sprintf("verdicts: %d right, %s; entities whose threshold they still move: %d", v.Right, amount(v.Wrong, "false alarm"), len(v.Entities)))
	}
	if n := d.waiting(); n > 0 {
		all = append(all, amount(uint64(n), "finding")+" without a verdict: what was new in them is not learned until somebody says what it was, or it waited long enough") // #nosec G115 -- not negative
	}
	if n := d.attacks(); n > 0 {
		all = append(all, amount(uint64(n), "finding")+" that were right: what was new in them is not learned before it waited long enough") // #nosec G115 -- not negative
	}
	return all
}

// attacks is how many of the findings were right.
func (d *decided) attacks() (n int) {
	for _, k := range d.Kept {
		if k.Right {
			n++
		}
	}
	return n
}

func amount(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func ofTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " of " + t.UTC().Format(time.RFC3339)
}

// logAnew logs which models began anew, each once in a life of the worker.
func (w *Worker) logAnew(ctx context.Context, all []event.ModelState, logged map[string]time.Time) map[string]time.Time {
	now := map[string]time.Time{}
	for _, s := range all {
		if s.Anew == nil {
			continue
		}
		now[s.Name] = s.Anew.Since
		if last, known := logged[s.Name]; known && last.Equal(s.Anew.Since) {
			continue
		}
		level, what := slog.LevelWarn, "model began anew"
		if s.Anew.Unpinned {
			level, what = slog.LevelError, "model was pinned and learns again: pin or unpin it"
		}
		w.Telemetry.Logger().Log(ctx, level, what, "model", s.Name, "since", s.Anew.Since, "kept", strings.Join(s.Anew.Kept, "; "), "gone", strings.Join(s.Anew.Gone, "; "))
	}
	return now
}
