package respond

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TestDrillBook: the playbook of drills is one, and holds just as long.
func TestDrillBook(t *testing.T) {
	for _, hold := range []time.Duration{time.Second, 3*time.Minute + 400*time.Millisecond, maxHold} {
		b, err := drillBook(hold)
		if err != nil {
			t.Fatal(err)
		}
		if s := b.Steps[0]; b.Name != DrillName || s.UndoAfter != hold.Round(time.Second) || s.AtEnd != event.AtEndRestore || b.Mode != event.ModeAct {
			t.Errorf("%+v", b)
		}
	}
	if _, err := drillBook(2 * maxHold); err == nil {
		t.Error("it may hold for ever")
	}
}

// TestDrillThatNobodyWaitsFor: one that was asked for while no responder was
// there is not held later, and one that can't be is put away.
func TestDrillThatNobodyWaitsFor(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	d := NewDrills(r.bus)
	old, err := d.Begin(t.Context(), event.PodRef("shop", "a"), -time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := d.Begin(t.Context(), event.PodRef("shop", "a"), 2*maxHold)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.publish(finding("shell", "a", 1))
	last, err := d.Begin(t.Context(), event.PodRef("shop", "a"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r.until("the last one is begun", func() bool { _, err := d.Run(t.Context(), last); return err == nil })
	for _, id := range []string{old, broken} {
		if _, err := d.Run(t.Context(), id); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("%s was begun: %v", id, err)
		}
	}
	run, err := d.Run(t.Context(), last)
	if err != nil || !run.Drill || run.Playbook != DrillName || run.Starter != "" || run.Steps[0].Action != "pod.quarantine" {
		t.Errorf("%+v %v", run, err)
	}
	if strings.Contains(run.Incident.ID, "/") || run.Incident.ID == "" {
		t.Errorf("incident %q", run.Incident.ID)
	}
	if _, err := r.bus.Last(t.Context(), bus.SubjectIncident(run.Incident.ID)); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a drill is an incident: %v", err)
	}
}
