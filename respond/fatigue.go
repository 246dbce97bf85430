package respond

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// FatigueRules say when somebody seems to approve without looking. A zero number
// switches its alarm off.
type FatigueRules struct {
	// Many approvals of one person within an hour.
	Many int `yaml:"many"`
	// Hasty is how soon after the question an approval is hasty, HastyMany how
	// many such within an hour.
	Hasty     conf.Duration `yaml:"hasty"`
	HastyMany int           `yaml:"hasty_many"`
	// Always is how many approvals in a row without a denial.
	Always int `yaml:"always"`
}

// DefaultFatigueRules are the shipped ones.
func DefaultFatigueRules() FatigueRules {
	return FatigueRules{Many: 20, Hasty: conf.Duration(5 * time.Second), HastyMany: 3, Always: 50}
}

// Check says what makes no sense, by its key.
func (r FatigueRules) Check() error {
	const most = 200
	switch {
	case r.Many < 0 || r.Many > most:
		return fmt.Errorf("fatigue.many: %d is not 0 to %d", r.Many, most)
	case r.Hasty.Std() < 0 || r.Hasty.Std() > 10*time.Minute:
		return fmt.Errorf("fatigue.hasty: %s is not 0 to 10m", r.Hasty.Std())
	case r.HastyMany < 0 || r.HastyMany > most:
		return fmt.Errorf("fatigue.hasty_many: %d is not 0 to %d", r.HastyMany, most)
	case r.Always < 0 || r.Always > 100_000:
		return fmt.Errorf("fatigue.always: %d is not 0 to 100000", r.Always)
	}
	return nil
}

// The kinds of alarms about people who approve: the closed set of the metric's
// label.
const (
	AlarmMany   = "many"
	AlarmHasty  = "hasty"
	AlarmAlways = "always"
)

// PeopleAlarm says that somebody seems to approve without looking, or tried to
// decide while a run locks them out ([AlarmLocked]).
type PeopleAlarm struct {
	User string    `json:"user"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
	Time time.Time `json:"time"`
}

// habits are how somebody decided lately: when they approved within the last
// hour, and how soon, and how often in a row.
type habits struct {
	Times []time.Time `json:"times,omitempty"`
	Hasty []time.Time `json:"hasty,omitempty"`
	Row   int         `json:"row,omitempty"`
	// Alarmed is when there was an alarm of a kind: one an hour is enough.
	Alarmed map[string]time.Time `json:"alarmed,omitempty"`
	// Tried is when they tried something while they were locked out.
	Tried map[string]time.Time `json:"tried,omitempty"`
}

// maxTimes bounds what is remembered of a person.
const maxTimes = 256

// take takes a decision in, and gives the alarms that it raises.
func (h habits) take(r FatigueRules, v event.Vote, asked, now time.Time) (habits, []PeopleAlarm) {
	recent := func(all []time.Time) []time.Time {
		all = slices.DeleteFunc(slices.Clone(all), func(t time.Time) bool { return now.Sub(t) >= time.Hour })
		return all[max(len(all)-maxTimes+1, 0):]
	}
	h.Times, h.Hasty = recent(h.Times), recent(h.Hasty)
	if !v.Approve {
		h.Row = 0
		return h, nil
	}
	h.Times = append(h.Times, now)
	h.Row++
	if took := v.Time.Sub(asked); took < r.Hasty.Std() {
		h.Hasty = append(h.Hasty, now)
	}
	var alarms []PeopleAlarm
	raise := func(kind string, is bool, format string, args ...any) {
		if !is || now.Sub(h.Alarmed[kind]) < time.Hour {
			return
		}
		again := map[string]time.Time{kind: now}
		for k, at := range h.Alarmed {
			if k != kind {
				again[k] = at
			}
		}
		h.Alarmed = again
		alarms = append(alarms, PeopleAlarm{User: v.User, Kind: kind, Text: fmt.Sprintf(format, args...), Time: now})
	}
	raise(AlarmMany, r.Many > 0 && len(h.Times) > r.Many, "%d approvals within an hour", len(h.Times))
	raise(AlarmHasty, r.HastyMany > 0 && len(h.Hasty) >= r.HastyMany, "%d approvals within %s of the question", len(h.Hasty), r.Hasty.Std())
	raise(AlarmAlways, r.Always > 0 && h.Row >= r.Always, "%d approvals in a row, and no denial", h.Row)
	return h, alarms
}

const (
	keyAlarms = "people.alarms"
	// maxAlarms is how many of the last alarms are kept.
	maxAlarms = 50
)

// Decided takes in that somebody decided, and gives the alarms that it raises.
func (c *Control) Decided(ctx context.Context, r FatigueRules, v event.Vote, asked, now time.Time) (alarms []PeopleAlarm, err error) {
	err = set(ctx, c.kv, "people."+event.HashID("person", v.User), func(h habits) (habits, error) {
		h, alarms = h.take(r, v, asked, now)
		return h, nil
	})
	if err != nil || len(alarms) == 0 {
		return nil, err
	}
	return alarms, set(ctx, c.kv, keyAlarms, func(all []PeopleAlarm) ([]PeopleAlarm, error) {
		all = append(all, alarms...)
		return all[max(len(all)-maxAlarms, 0):], nil
	})
}

// PeopleAlarms are the last ones, oldest first.
func (c *Control) PeopleAlarms(ctx context.Context) ([]PeopleAlarm, error) {
	all, _, err := get[[]PeopleAlarm](ctx, c.kv, keyAlarms)
	return all, err
}

// decided looks at how somebody decides whose vote a record shows for the first
// time. It holds up nothing: what can't be noted is not counted.
func (w *Worker) decided(ctx context.Context, before, run event.Run, in Input) {
	if in.Person == nil || in.Person.Kind != event.InputVote || in.Person.Vote == nil || before.Approval == nil {
		return
	}
	v := *in.Person.Vote
	if run.Approval != nil && run.Approval.ID == before.Approval.ID {
		n := len(run.Approval.Votes)
		if n == len(before.Approval.Votes) || run.Approval.Votes[n-1].Refused != "" {
			return // it did not count
		}
	}
	alarms, err := w.control.Decided(ctx, w.people.Fatigue, v, before.Approval.Requested, w.now())
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, bus.ErrClosed) {
		w.logger.WarnContext(ctx, "how people decide was not noted", "user", v.User, "error", err)
	}
	for _, a := range alarms {
		w.logger.WarnContext(ctx, "somebody seems to approve without looking", "user", a.User, "kind", a.Kind, "text", a.Text, "run", run.ID)
		w.tel.Metrics().Fatigue(ctx, a.Kind)
	}
}
