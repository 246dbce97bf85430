package respond

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// append writes to the run log what no responder would.
func (r *rig) append(run string, data []byte) {
	r.t.Helper()
	last := uint64(0)
	if m, err := r.bus.Last(r.t.Context(), bus.SubjectRun(run)); err == nil {
		last = m.Sequence
	}
	if _, err := r.bus.Append(r.t.Context(), bus.SubjectRun(run), data, last); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) runOf(pod string) event.Run {
	r.t.Helper()
	for _, run := range r.runs() {
		if run.Target.Name == pod {
			return run
		}
	}
	r.t.Fatalf("there is no run of %s", pod)
	return event.Run{}
}

func (r *rig) said(what string) int {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return strings.Count(r.log.text.String(), what)
}

// TestUnreadableRecord: what can't be read in the run log is set aside and said,
// and keeps no other run from going on, at a start or later; what its run
// holds ends by what the object says, and not before.
func TestUnreadableRecord(t *testing.T) {
	for name, garbage := range map[string]func(event.Run) []byte{
		"not JSON":      func(event.Run) []byte { return []byte("\x00 no record") },
		"cut off":       func(run event.Run) []byte { data, _ := json.Marshal(run); return data[:len(data)/2] },
		"another run's": func(run event.Run) []byte { run.ID = event.HashID("other"); data, _ := json.Marshal(run); return data },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, newCluster("a", "b", "c", "d"), actBook)
			r.every, r.orphan = 50*time.Millisecond, 200*time.Millisecond
			r.start()
			for i, pod := range []string{"a", "b", "c"} {
				r.publish(finding("shell", pod, 1))
				r.until("the run of "+pod+" holds", func() bool { return len(r.in(event.RunHolding)) == i+1 })
			}
			first, second, third := r.runOf("a"), r.runOf("b"), r.runOf("c")

			// While a responder runs: the next move finds it.
			r.append(first.ID, garbage(first))
			r.say(event.Input{Run: first.ID, Kind: event.InputUndo, User: "ann"})
			r.until("the run is left alone", func() bool { _, live := r.worker.liveRun(first.ID); return !live })
			// Before one starts, and of a run that nobody knows.
			r.crash()
			r.append(second.ID, garbage(second))
			r.append(event.HashID("nobody's"), []byte("{"))
			r.start()
			r.publish(finding("shell", "d", 1))
			r.until("another run begins and holds", func() bool { return len(r.in(event.RunHolding)) == 2 })
			r.say(event.Input{Run: second.ID, Kind: event.InputUndo, User: "ann"})
			r.say(event.Input{Run: third.ID, Kind: event.InputUndo, User: "ann"})
			r.until("another run hears people", func() bool { return len(r.in(event.RunClosed)) == 1 })

			letters := map[string]int{}
			for l, err := range r.bus.DeadLetters(t.Context(), 100) {
				if err != nil {
					t.Fatal(err)
				}
				id, _, _ := strings.Cut(strings.TrimPrefix(l.Reason, "run "), " ")
				letters[id]++
			}
			if len(letters) != 3 || letters[first.ID] != 1 || letters[second.ID] != 1 || letters[event.HashID("nobody's")] != 1 {
				t.Errorf("set aside: %v", letters)
			}
			list, _, err := runlog.New(r.bus, 0).List(t.Context(), runlog.Query{Prefix: second.ID}, "", 10)
			if err != nil || len(list) != 1 || list[0].State != event.RunNeedsHuman || !strings.Contains(list[0].Reason, "can't be read") {
				t.Errorf("listed %+v (%v)", list, err)
			}
			for _, pod := range []string{"a", "b"} {
				if v, writes := r.cluster.label(pod, "suspect"); v != "yes" || writes != 1 {
					t.Errorf("%s: label %q after %d writes, before its time", pod, v, writes)
				}
			}

			r.crash()
			r.now = func() time.Time { return time.Now().UTC().Add(2 * time.Hour) }
			r.start()
			r.until("the holds end at their time", func() bool { return len(r.pod("a").Annotations)+len(r.pod("b").Annotations) == 0 })
			for _, pod := range []string{"a", "b"} {
				if v, writes := r.cluster.label(pod, "suspect"); v != "" || writes != 2 {
					t.Errorf("%s: label %q after %d writes", pod, v, writes)
				}
			}
			if n := r.said("is set aside"); n < 3 { // more when a responder ended before it kept the index
				t.Errorf("it was said %d times", n)
			}
		})
	}
}

// TestPlaybookThatNoLongerReads: a run whose own playbook this version of
// Firebreak can't read stays as it is, and its hold ends by what the object says.
func TestPlaybookThatNoLongerReads(t *testing.T) {
	r := holding(t)
	r.crash()
	run := r.runs()[0]
	run.Record, run.Spec = run.Record+1, strings.Replace(run.Spec, "pod.label", "pod.gone", 1)
	data, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	r.append(run.ID, data)
	r.start()
	r.until("it is said", func() bool {
		return r.said("can't be read; it stays where it is") == 1 && r.said("ends at its time") == 1
	})
	if v, writes := r.cluster.label("a", "suspect"); v != "yes" || writes != 1 {
		t.Errorf("label %q after %d writes, before its time", v, writes)
	}
	r.crash()
	r.now = func() time.Time { return time.Now().UTC().Add(2 * time.Hour) }
	r.start()
	r.until("the hold ends at its time", func() bool { return len(r.pod("a").Annotations) == 0 })
}
