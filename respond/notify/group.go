package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// maxGroup bounds how many pages go as one, maxGroupLines how many of them it
	// names.
	maxGroup      = 100
	maxGroupLines = 20
	// maxWindow bounds for how long a page waits for others.
	maxWindow = 10 * time.Minute
)

// member is a page that goes with another one.
type member struct {
	m    Message
	d    event.Delivery
	last uint64
}

// grouped says that a message is a page that can go with others.
func (m Message) grouped() bool { return m.Op == Trigger && len(m.Body) == 0 && m.Incident != "" }

// company is what else is due for the receiver, and goes with this page.
func (a *attempt) company(ctx context.Context, now time.Time) (with []member, err error) {
	for stored, err := range a.Outbox.store.LastPerSubject(ctx, bus.SubjectOutbox(a.to.Name, "*", "*")) {
		if err != nil {
			return nil, err
		}
		var o member
		if json.Unmarshal(stored.Data, &o.m) != nil || !o.m.grouped() || o.m.Key == a.m.Key || o.m.NotBefore.After(now) || !now.Before(o.m.Expires) {
			continue
		}
		o.d, o.last, err = a.Outbox.status(ctx, o.m)
		if errors.Is(err, bus.ErrNotFound) || err == nil && o.d.State.Over() {
			continue
		}
		if err != nil {
			return nil, err
		}
		if o.m.Escalation {
			_, answered, err := a.Outbox.answer(ctx, o.m.Incident)
			if err != nil {
				return nil, err
			}
			if answered {
				continue
			}
		}
		if with = append(with, o); len(with) == maxGroup-1 {
			break
		}
	}
	return with, nil
}

// together is the page that stands for all of them. It has the key of the one that
// it is made of.
func together(m Message, with []member) Message {
	if len(with) == 0 {
		return m
	}
	all := []Message{m}
	for _, o := range with {
		all = append(all, o.m)
	}
	incidents := incidentsOf(m, with)
	lines := make([]string, 0, min(len(all), maxGroupLines)+1)
	for i, one := range all {
		if i == maxGroupLines {
			lines = append(lines, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s: %s on %s (incident %s)", one.Notice.Severity, line(one.Notice.Title, 120), source(one), line(one.Incident, 64)))
		if one.Notice.Severity.Rank() > m.Notice.Severity.Rank() {
			m.Notice.Severity = one.Notice.Severity
		}
	}
	m.Notice.Title = fmt.Sprintf("%d pages about %d incidents: %s", len(all), len(incidents), m.Notice.Title)
	m.Notice.Text = strings.TrimSpace(strings.Join(lines, "\n") + "\n" + m.Notice.Text)
	return m
}

// incidentsOf are the different incidents of a page, its own first.
func incidentsOf(m Message, with []member) []string {
	list := []string{m.Incident}
	for _, o := range with {
		if !slices.Contains(list, o.m.Incident) {
			list = append(list, o.m.Incident)
		}
	}
	return list
}

// wentWith notes of the pages that went with one that they did. One that can't be
// noted now is sent by itself later: twice rather than not at all.
func (a *attempt) wentWith(ctx context.Context, with []member) {
	a.give(ctx, true)
	if len(with) == 0 {
		return
	}
	a.d.With, a.d.As = incidentsOf(a.m, with), a.m.Incident
	for _, o := range with {
		o.d.State, o.d.Error, o.d.Next, o.d.Updated = event.DeliveryDelivered, "", time.Time{}, a.Outbox.clock()
		o.d.Attempts++
		o.d.With, o.d.As = a.d.With, a.d.As
		if err := a.Outbox.note(ctx, o.m, o.d, o.last); err != nil {
			a.Logger.WarnContext(ctx, "a page that went with another one is sent again", "receiver", a.to.Name, "key", line(o.m.Key, maxKey), "error", err)
			continue
		}
		a.Metrics.Notified(ctx, a.to.Kind, string(event.DeliveryDelivered))
	}
}

// groupDue says whether it can be said of a page about several incidents what
// happened to one of them: that somebody sees to all of them, or that all are over.
func (f *Follower) groupDue(ctx context.Context, d event.Delivery, op Op) (bool, error) {
	for _, id := range d.With {
		if op == Acknowledge {
			_, answered, err := f.Outbox.answer(ctx, id)
			if err != nil || !answered {
				return false, err
			}
			continue
		}
		m, err := f.Bus.Last(ctx, bus.SubjectIncident(id))
		if errors.Is(err, bus.ErrNotFound) {
			continue // it is older than what is kept
		}
		if err != nil {
			return false, err
		}
		var in event.Incident
		if err := json.Unmarshal(m.Data, &in); err != nil || !in.State.Over() {
			return false, nil
		}
	}
	return true, nil
}
