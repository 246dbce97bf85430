package respond

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// AlarmLocked is the kind of alarm that somebody tried to decide whom a run locks
// out: their credential is in other hands, or they do not know yet.
const AlarmLocked = "locked-out"

// triedAgain is how long what somebody tried is not told again.
const triedAgain = time.Hour

// Tried notes that somebody tried to decide on something whom a run locks out, and
// says whether that is news: the same is told once an hour of each run, in whose
// record it is to stand.
func (c *Control) Tried(ctx context.Context, user, what, run string, now time.Time) (news bool, err error) {
	err = set(ctx, c.kv, "people."+event.HashID("person", user), func(h habits) (habits, error) {
		kept, of := map[string]time.Time{}, 0
		for k, at := range h.Tried {
			if now.Sub(at) < triedAgain {
				kept[k] = at
				if strings.HasPrefix(k, run+" ") {
					of++
				}
			}
		}
		key := run + " " + what
		_, known := kept[key]
		if news = !known && of < maxTried; news {
			kept[key] = now
		}
		h.Tried = kept
		return h, nil
	})
	if err != nil || !news {
		return false, err
	}
	return true, set(ctx, c.kv, keyAlarms, func(all []PeopleAlarm) ([]PeopleAlarm, error) {
		all = append(all, PeopleAlarm{User: user, Kind: AlarmLocked, Text: fmt.Sprintf("locked out by run %s, tried to %s", event.Shorten(run, 12), what), Time: now})
		return all[max(len(all)-maxAlarms, 0):], nil
	})
}

// maxTried is how many different things are told that one person tried in an hour
// while one run locked them out.
const maxTried = 24

// lockedOut are those whom the runs lock out that are moved here.
func (w *Worker) lockedOut() []event.Identity {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []event.Identity
	for _, run := range w.live {
		if !run.State.Terminal() {
			all = append(all, run.Denies...)
		}
	}
	return all
}

// tried pages people when a record is about to say that somebody tried to decide
// whom the run locks out: about each person once, under one key.
func (w *Worker) tried(ctx context.Context, before, next event.Run) error {
	if len(next.Said) <= len(before.Said) {
		return nil
	}
	s := next.Said[len(next.Said)-1]
	if s.Kind != event.InputRefused {
		return nil
	}
	for _, old := range before.Said {
		if old.Kind == event.InputRefused && old.User == s.User {
			return nil
		}
	}
	w.logger.WarnContext(ctx, "SOMEBODY WHO IS LOCKED OUT TRIED TO DECIDE", "run", next.ID, "user", s.User, "what", s.Reason)
	w.tel.Metrics().Fatigue(ctx, AlarmLocked)
	note := fmt.Sprintf("%s is locked out by playbook %s and tried to decide (%s): it was refused. The credential may be in other hands.", s.User, next.Playbook, s.Reason)
	return w.executor.page(ctx, next.ID+"/locked-out-"+event.HashID("person", s.User)[:8], note, next, w.now())
}
