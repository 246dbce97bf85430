package respond

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// keyTrust is where the grants are, in the control bucket.
const keyTrust = "trust"

// maxGrants bounds how many past grants of a playbook are kept.
const maxGrants = 20

// Grant is the mode that a playbook's version was given, over the one of its
// text. A version that was changed begins anew.
type Grant struct {
	Version string     `json:"version"`
	Mode    event.Mode `json:"mode"`
	// By is who gave it, "rule" for the rules.
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`
}

// ByRule is who gives what the rules give.
const ByRule = "rule"

// grants are by playbook, the newest last.
type grants map[string][]Grant

// Grant gives a playbook's version a mode, on the record.
func (c *Control) Grant(ctx context.Context, playbook string, g Grant) error {
	return set(ctx, c.kv, keyTrust, func(old grants) (grants, error) {
		if old == nil {
			old = grants{}
		}
		all := append(old[playbook], g)
		old[playbook] = all[max(len(all)-maxGrants, 0):]
		return old, nil
	})
}

// Granted is the newest grant of each playbook.
func (c *Control) Granted(ctx context.Context) (map[string]*Grant, error) {
	all, _, err := get[grants](ctx, c.kv, keyTrust)
	if err != nil {
		return nil, err
	}
	newest := map[string]*Grant{}
	for name, list := range all {
		if len(list) > 0 {
			newest[name] = &list[len(list)-1]
		}
	}
	return newest, nil
}

// trusted is a playbook with the mode that it was granted.
func (w *Worker) trusted(ctx context.Context, book *Playbook) (*Playbook, error) {
	all, err := w.control.Granted(ctx)
	if err != nil {
		return nil, err
	}
	g := all[book.Name]
	if g == nil || g.Version != book.Version || g.Mode == book.Mode {
		return book, nil
	}
	granted := *book
	granted.Mode = g.Mode
	return &granted, nil
}

// Standings say how playbooks have done, by what is stored. The verdict of an
// incident whose record can't be read is not counted; unreadable says which those
// are and why.
func Standings(ctx context.Context, b *bus.Bus, c *Control, books []*Playbook, rules TrustRules) (list []Standing, unreadable []string, err error) {
	granted, err := c.Granted(ctx)
	if err != nil {
		return nil, nil, err
	}
	runs, err := runsOf(ctx, runlog.New(b, 0), books)
	if err != nil {
		return nil, nil, err
	}
	verdicts := map[string]string{}
	for m, err := range b.LastPerSubject(ctx, bus.SubjectIncident("*")) {
		if err != nil {
			return nil, nil, fmt.Errorf("read incidents: %w", err)
		}
		switch in := incident.Read(m); {
		case in.Unreadable != "":
			unreadable = append(unreadable, in.Unreadable)
		case in.Verdict != "":
			verdicts[in.ID] = in.Verdict
		}
	}
	list = make([]Standing, 0, len(books))
	for _, book := range books {
		list = append(list, Stand(book, granted[book.Name], runs, verdicts, rules))
	}
	return list, unreadable, nil
}

// pageOfRuns is how many runs are read together.
const pageOfRuns = 50_000

// runsOf are the runs of playbooks as they are now, in short.
func runsOf(ctx context.Context, log *runlog.Log, books []*Playbook) ([]event.Run, error) {
	versions := map[string]bool{}
	for _, book := range books {
		versions[book.Version] = true
	}
	var runs []event.Run
	for after := ""; ; {
		page, next, err := log.List(ctx, runlog.Query{}, after, pageOfRuns)
		if err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
		for _, run := range page {
			if versions[run.Version] {
				runs = append(runs, runlog.InShort(run))
			}
		}
		if after = next; next == "" {
			return runlog.Newest(runs), nil
		}
	}
}

// trustEvery is how often the rules look at how playbooks do.
const trustEvery = 5 * time.Minute

// trust raises and lowers playbooks by the rules, until ctx ends.
func (w *Worker) trust(ctx context.Context) error {
	for {
		if err := w.weigh(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "how playbooks do was not looked at", "error", err)
		}
		if sleep(ctx, trustEvery) != nil {
			return nil
		}
	}
}

// weigh looks once.
func (w *Worker) weigh(ctx context.Context) error {
	list, _, err := Standings(ctx, w.bus, w.control, w.books, w.rules)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range list {
		mode, why := s.Decide(w.rules, w.now())
		if mode == s.Mode {
			continue
		}
		w.logger.WarnContext(ctx, "a playbook's mode changes by rule", "playbook", s.Playbook, "from", s.Mode, "to", mode, "reason", why)
		errs = append(errs, w.control.Grant(ctx, s.Playbook, Grant{Version: s.Version, Mode: mode, By: ByRule, Reason: why, Time: w.now()}))
	}
	return errors.Join(errs...)
}
