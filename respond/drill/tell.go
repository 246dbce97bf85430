package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// key is where the outcome is kept.
const key = "drill"

// memory is what is kept from one drill to the next, and from one responder to
// the next: without it a page would stay open for ever after a restart.
type memory struct {
	Status
	// Told is what people were paged about last and is not resolved; empty is
	// nothing.
	Told Capability `json:"told,omitempty"`
	// Begun is the run of a drill that is under way, which is over by itself at
	// Until: whoever held it may have died, or another responder acts now.
	Begun string    `json:"begun,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// read is what is kept; nothing of it is known where there is none.
func (d *Drill) read(ctx context.Context) (m memory, known bool) {
	if d.Store == nil {
		return m, false
	}
	data, _, err := d.Store.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) {
		return m, false
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		d.Logger.WarnContext(ctx, "what the last drill found can't be read", "error", err)
		return memory{}, false
	}
	return m, true
}

// store keeps it.
func (d *Drill) store(ctx context.Context, m memory) {
	if d.Store == nil {
		return
	}
	data, err := json.Marshal(m)
	if err == nil {
		_, err = d.Store.Put(ctx, key, data)
	}
	if err != nil {
		d.Logger.WarnContext(ctx, "what the drill found was not kept", "error", err)
	}
}

// begun keeps that a drill is under way, so that no other one is held meanwhile.
func (d *Drill) begun(ctx context.Context, id string, until time.Time) {
	d.mu.Lock()
	m := d.last
	d.mu.Unlock()
	m.Begun, m.Until = id, until
	d.store(ctx, m)
}

// underWay is the run of a drill that somebody else began and that is not over.
func (d *Drill) underWay(ctx context.Context) string {
	m, known := d.read(ctx)
	// Beyond its end by a good while, that it is not over is for people to know.
	if !known || m.Begun == "" || time.Now().After(m.Until.Add(moving)) {
		return ""
	}
	run, err := d.Runs.Run(ctx, m.Begun)
	if errors.Is(err, bus.ErrNotFound) || err == nil && !run.State.Terminal() {
		return m.Begun
	}
	return ""
}

// load reads what the last drill found, whoever held it.
func (d *Drill) load(ctx context.Context) {
	m, known := d.read(ctx)
	if !known {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.At.After(d.last.At) {
		d.last = m
	}
}

// keep tells people what is news, and then keeps it: after a crash in between
// they are told again, under the same key.
func (d *Drill) keep(ctx context.Context, now Status) {
	d.mu.Lock()
	m := memory{Status: now, Told: d.last.Told}
	before := d.last.Capability
	d.mu.Unlock()
	if d.tell(ctx, before, m.Told, now) {
		m.Told = now.Capability
		if now.Capability == Enforced {
			m.Told = ""
		}
	}
	d.mu.Lock()
	d.last = m
	d.mu.Unlock()
	d.store(ctx, m)
}

// tell pages when containment does not work any more, or can't be tried, and
// resolves that when it works. It says whether people know: what could not be
// put into the outbox is tried again with the next drill.
func (d *Drill) tell(ctx context.Context, before, told Capability, now Status) bool {
	m := notify.Message{
		Incident: "containment-drill", Run: now.Run, Op: notify.Trigger, Key: fmt.Sprintf("drill-%d/page", now.At.UnixNano()),
		Notice: notify.Notice{Title: "Containment does not work: " + now.Note, Severity: event.SeverityCritical},
	}
	switch now.Capability {
	case Enforced:
		if told == "" {
			return false
		}
		m.Op, m.Notice.Title = notify.Resolve, "Containment works again: "+now.Note
	case Unknown:
		if before != Enforced || told != "" {
			return false
		}
		m.Notice.Title, m.Notice.Severity = "Containment could not be tried: "+now.Note, event.SeverityMedium
	case Refused:
		// It may be refused from the first drill on. What is known to leak is graver.
		if told != "" && told != Unknown {
			return false
		}
		m.Notice.Title, m.Notice.Severity = "Containment is not proved: "+now.Note, event.SeverityHigh
	default:
		if told == now.Capability {
			return false
		}
	}
	if d.Outbox == nil {
		return false
	}
	known := true
	for _, to := range d.Config.Page {
		m.Receiver = to
		if err := d.Outbox.Put(ctx, m); err != nil {
			known = false
			d.Logger.ErrorContext(ctx, "page of the containment drill", "receiver", to, "error", err)
		}
	}
	return known
}
