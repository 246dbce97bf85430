package respond

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// TestReleaseOfALostRun: holds whose record is lost are shown to people; the one
// that somebody has put back goes by what the object says, on the record, and no
// other does. A run that is on record is left alone.
func TestReleaseOfALostRun(t *testing.T) {
	r := holding(t)
	r.publish(finding("shell", "b", 1))
	r.until("both hold", r.all(2, event.RunHolding))
	lost := r.runOf("a")
	r.crash()
	if err := r.bus.Close(); err != nil {
		t.Fatal(err)
	}
	r.dir = t.TempDir()
	r.open()
	r.start()
	var shown []Unclaimed
	r.until("both are shown", func() bool {
		all, err := NewControl(r.bus, event.ModeAct).Unclaimed(t.Context())
		shown = all.Holds
		return err == nil && len(shown) == 2
	})
	for _, u := range shown {
		if u.Broken != "" || u.Until.IsZero() || u.Action == "" || !strings.Contains(strings.Join(u.Back.Says, " "), "label suspect is taken off") ||
			!strings.Contains(u.Back.Commands[0], "kubectl --namespace shop label pods "+u.Object.Name) {
			t.Errorf("shown %+v", u)
		}
	}
	for range 2 { // again it is on record, and changes nothing
		r.say(event.Input{Run: lost.ID, Kind: event.InputFree, User: "ann", Reason: "the store is gone"})
	}
	r.until("it is put back", func() bool { return len(r.pod("a").Annotations) == 0 })
	r.until("its new record says so", r.all(1, event.RunClosed))
	run := r.runs()[0]
	if run.ID != lost.ID || !run.Adopted || run.Starter != "ann" || len(run.Said) != 1 || run.Steps[1].State != event.StepReverted {
		t.Errorf("recorded is %+v", run)
	}
	if v, _ := r.cluster.label("b", "suspect"); v != "yes" {
		t.Errorf("the other has label %q", v)
	}
	r.until("the other alone is shown", func() bool {
		shown, err := NewControl(r.bus, event.ModeAct).Unclaimed(t.Context())
		return err == nil && len(shown.Holds) == 1 && shown.Holds[0].Object.Name == "b"
	})
	r.chained()
	records, err := r.worker.log.Receipt(t.Context(), lost.ID)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := receipt.Write(&text, lost.ID, records); err != nil {
		t.Fatal(err)
	}
	if proof, err := receipt.Verify(&text, ""); err != nil || len(proof.Effects) != 1 || proof.Effects[0].Undone == 0 {
		t.Errorf("it proves %+v (%v)", proof, err)
	}
}

// TestReleaseOfARunOnRecord: what is on record is undone as it says, not as the
// cluster does.
func TestReleaseOfARunOnRecord(t *testing.T) {
	r := holding(t)
	run := r.runs()[0]
	r.say(event.Input{Run: run.ID, Kind: event.InputFree, User: "ann"})
	r.say(event.Input{Run: run.ID, Kind: event.InputExtend, User: "bob", Until: time.Now().UTC().Add(2 * time.Hour)})
	r.until("what comes after it is heard", func() bool { return len(r.runs()[0].Said) == 1 })
	if v, _ := r.cluster.label("a", "suspect"); v != "yes" || r.runs()[0].State != event.RunHolding {
		t.Errorf("it has label %q and is %s", v, r.runs()[0].State)
	}
}

// TestAdopted: the first record of a lost run has a step for each of its holds, and
// a playbook that fits it, whatever the kinds of action and the names of the steps.
func TestAdopted(t *testing.T) {
	in := event.Input{Run: event.HashID("lost"), User: "ann", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var holds []action.Holding
	for _, k := range action.Kinds() {
		if k.Reversible {
			h := action.Holding{Action: k.Name, Key: in.Run + "/" + strings.ReplaceAll(k.Name, "_", "-") + ".2", Object: event.PodRef("shop", "web")}
			holds = append(holds, h, h, action.Holding{Action: k.Name, Key: event.HashID("other") + "/x", Object: h.Object})
		}
	}
	run, err := adopted(in, holds, in.Time)
	if err != nil || len(run.Steps) != 1+len(holds)/3 {
		t.Fatalf("%d steps (%v)", len(run.Steps), err)
	}
	book, err := ParseRun(run)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range run.Steps[1:] {
		if !undoIsDue(book, run, i+1) {
			t.Errorf("nothing is due of step %s", s.Name)
		}
	}
}

func undoIsDue(book *Playbook, run event.Run, i int) bool {
	due, _ := DueAll(book, run, run.Created)
	for _, e := range due {
		if e.Kind == EffectUndo && e.Step == i {
			return true
		}
	}
	return false
}

// TestLockoutIsFreedByHand: who is locked out can't have that ended by the run's id.
func TestLockoutIsFreedByHand(t *testing.T) {
	for kind, broken := range map[string]bool{locksOut: true, "pod.quarantine": false} {
		if _, known := action.Lookup(kind); !known || (unclaimedOf(action.Holding{Action: kind}, "").Broken != "") != broken {
			t.Errorf("%s: broken is not %v, or there is no such action", kind, broken)
		}
	}
}

// TestBounded: all holds without a record are stored, each once and in order, as long
// as nobody makes up more than there can be; those are counted.
func TestBounded(t *testing.T) {
	made := func(n int, step string) (list []Unclaimed) {
		for i := range n {
			list = append(list, Unclaimed{Run: event.HashID(strconv.Itoa(i)), Step: step, Object: event.PodRef("shop", "web")})
		}
		return list
	}
	for _, c := range []struct {
		name       string
		list       []Unclaimed
		kept, more int
	}{
		{"none", []Unclaimed{}, 0, 0},
		{"many", made(250, "isolate"), 250, 0},
		{"one twice", append(made(250, "isolate"), made(1, "isolate")...), 250, 1},
		{"too many", made(maxUnclaimed+7, "isolate"), maxUnclaimed, 7},
		{"too long", made(40, strings.Repeat("x", 1<<20)), 31, 9},
	} {
		all, err := bounded(c.list)
		if err != nil || len(all.Holds) != c.kept || all.More != c.more || all.Holds == nil {
			t.Errorf("%s: %d are kept, %d more (%v)", c.name, len(all.Holds), all.More, err)
		}
		if !slices.IsSortedFunc(all.Holds, func(a, b Unclaimed) int { return strings.Compare(a.Place(), b.Place()) }) {
			t.Errorf("%s: not in order", c.name)
		}
	}
	long := strings.Repeat("y", 10_000)
	u := unclaimedOf(action.Holding{Action: long, Key: long + "/" + long, Back: action.Back{Commands: []string{long}}}, long)
	if data, err := json.Marshal(u); err != nil || len(data) > 3000 {
		t.Errorf("%d bytes of one that somebody made up (%v)", len(data), err)
	}
}

// TestShownAnew: what a responder stored late that is not the active one any more is
// not what people see from then on.
func TestShownAnew(t *testing.T) {
	r := holding(t)
	if err := r.bus.Snapshots().Put(t.Context(), keyUnclaimed, []byte(`{"holds":[{"run":"late"}]}`)); err != nil {
		t.Fatal(err)
	}
	r.until("it is stored as it is", func() bool {
		all, err := NewControl(r.bus, event.ModeAct).Unclaimed(t.Context())
		return err == nil && len(all.Holds) == 0
	})
}
