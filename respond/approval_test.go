package respond

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// oracle decides on votes in the plainest way: it keeps its own list of who
// said yes to the question that is open, and knows nothing of runs.
type oracle struct {
	by       []string
	excluded []string
	need     int
	question string
	expires  time.Time
	closed   bool
	yes      []string
}

// vote says whether a vote counts, and what it leads to: go or no, or nothing.
func (o *oracle) vote(v event.Vote, now time.Time) (counts bool, leads string) {
	may := len(o.by) == 0 || slices.Contains(o.by, "user/"+v.User)
	for _, g := range v.Groups {
		may = may || slices.Contains(o.by, "group/"+g)
	}
	switch {
	case o.closed, !now.Before(o.expires), v.Digest != o.question, v.User == "", slices.Contains(o.excluded, v.User), !may,
		v.Approve && slices.Contains(o.yes, v.User):
		return false, ""
	}
	if !v.Approve {
		o.closed = true
		return true, "no"
	}
	if o.yes = append(o.yes, v.User); len(o.yes) < o.need {
		return true, ""
	}
	o.closed = true
	return true, "go"
}

// TestApprovalHistories plays generated histories (votes that are replayed,
// late, for another plan, by the wrong people, by one person twice, plans that
// change) against the oracle: nothing begins without a valid approval, and no
// valid vote is refused.
func TestApprovalHistories(t *testing.T) {
	counted, refused, granted := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		by := rapid.SampledFrom([][]string{nil, {"group/oncall"}, {"user/ann", "group/oncall"}, {"user/bob"}}).Draw(t, "by")
		w := play(t, book(ask, func(b *Playbook) {
			b.Approve.By, b.Approve.Need = by, rapid.IntRange(1, 3).Draw(t, "need")
		}))
		version := 0
		w.digest = func(i int) string { return fmt.Sprintf("d%d.%d", i, version) }
		w.turn()
		var o *oracle
		var id string
		var old []event.Vote
		for range rapid.IntRange(1, 25).Draw(t, "moves") {
			a := w.run.Approval
			if a == nil {
				t.Fatalf("nobody is asked: run is %s", w.run.State)
			}
			if a.ID != id {
				id = a.ID
				o = &oracle{
					by: by, excluded: []string{"mallory"}, need: w.book.Approve.Need, question: a.Digest,
					expires: a.Requested.Add(w.book.Approve.Within),
				}
			}
			if w.run.State != event.RunAwaiting {
				o.closed = true
			}
			switch rapid.IntRange(0, 9).Draw(t, "move") {
			case 0:
				w.later(time.Duration(rapid.IntRange(1, 20).Draw(t, "minutes")) * time.Minute)
				continue
			case 1:
				version++
				continue
			}
			v := drawVote(t, a.Digest, old)
			old = append(old, v)
			begun, from := beginnings(w), w.run.State
			var recorded int
			if from != event.RunHolding && !from.Terminal() {
				recorded = len(a.Votes)
			}
			counts, leads := o.vote(v, w.now)
			changes := w.run.Steps[0].State == event.StepPlanned && w.run.Steps[0].Digest != w.digest(0)
			w.input(Input{Person: &event.Input{Kind: event.InputVote, User: v.User, Vote: &v}})
			if !from.Terminal() && len(w.run.Approval.Votes) > recorded {
				last := w.run.Approval.Votes[len(w.run.Approval.Votes)-1]
				if (last.Refused == "") != counts {
					t.Fatalf("vote %+v: refused %q, the oracle says that it counts: %v", v, last.Refused, counts)
				}
			} else if counts {
				t.Fatalf("vote %+v counts, and is not recorded", v)
			}
			if counts {
				counted++
			} else {
				refused++
			}
			w.turn()
			switch after := beginnings(w); {
			case after > begun && leads != "go":
				t.Fatalf("vote %+v began an effect, the oracle says %q", v, leads)
			case leads == "go" && changes && after > begun:
				t.Fatal("an effect of another plan than was approved began")
			case leads == "go" && !changes && after == begun:
				t.Fatalf("vote %+v should have begun the effects; run is %s (%s)", v, w.run.State, w.run.Reason)
			case leads == "go":
				granted++
			case leads == "no" && w.run.End != event.RunDenied:
				t.Fatalf("a no left the run %s", w.run.State)
			}
		}
	})
	if counted == 0 || refused == 0 || granted == 0 {
		t.Errorf("the histories are too tame: %d counted, %d refused, %d granted", counted, refused, granted)
	}
	t.Logf("%d votes counted, %d were refused, %d runs began", counted, refused, granted)
}

func drawVote(t *rapid.T, digest string, old []event.Vote) event.Vote {
	if len(old) > 0 && rapid.IntRange(0, 4).Draw(t, "replay") == 0 {
		return rapid.SampledFrom(old).Draw(t, "again")
	}
	return event.Vote{
		User:    rapid.SampledFrom([]string{"ann", "bob", "cid", "mallory", ""}).Draw(t, "user"),
		Groups:  rapid.SampledFrom([][]string{nil, {"oncall"}, {"oncall"}, {"dev", "oncall"}, {"user/ann"}}).Draw(t, "groups"),
		Approve: rapid.IntRange(0, 5).Draw(t, "yes") > 0,
		Digest:  rapid.SampledFrom([]string{digest, digest, digest, "", digest + " ", "d0.0"}).Draw(t, "digest"),
	}
}

// beginnings counts the effects that were sent.
func beginnings(w *world) int {
	n := 0
	for _, s := range w.did {
		if s == "do isolate" || s == "do mark" {
			n++
		}
	}
	return n
}

// TestApprovedForLess: an effect holds as long as the most careful of those who
// said yes wants it, and never longer than the playbook says; a plan that has
// to be approved anew has its own time.
func TestApprovedForLess(t *testing.T) {
	two := func(b *Playbook) { b.Approve.Need = 2 }
	hold := func(d time.Duration) func(*event.Vote) { return func(v *event.Vote) { v.Hold = d } }
	for _, c := range []struct {
		ann, bob, want time.Duration
	}{
		{0, 0, time.Hour}, {10 * time.Minute, 0, 10 * time.Minute}, {0, 20 * time.Minute, 20 * time.Minute},
		{30 * time.Minute, 20 * time.Minute, 20 * time.Minute}, {5 * time.Hour, 0, time.Hour},
	} {
		w := play(t, book(ask, two)).turn()
		w.vote("ann", true, hold(c.ann)).turn()
		w.vote("bob", true, hold(c.bob)).turn()
		if w.run.State != event.RunHolding {
			t.Fatalf("%v: run is %s", c, w.run.State)
		}
		if got := w.run.Steps[0].Until.Sub(w.now); got != c.want {
			t.Errorf("%s and %s: holds %s, want %s", c.ann, c.bob, got, c.want)
		}
	}
	w := play(t, book(ask)).turn()
	w.run.Steps[0].Conflicts = maxConflicts - 1
	w.run.Steps[0].AtMost = time.Minute
	move{book: w.book, run: &w.run, now: w.now}.failed(0, FailedConflict, "")
	if w.run.Steps[0].AtMost != 0 {
		t.Error("a plan that is asked for anew has the time of the old one")
	}
}

// TestDecisionsAreExplained: where the playbook wants reasons, neither a yes nor
// a no counts without one.
func TestDecisionsAreExplained(t *testing.T) {
	w := play(t, book(ask, func(b *Playbook) { b.Approve.Explain = true })).turn()
	for _, approve := range []bool{true, false} {
		w.vote("ann", approve, func(v *event.Vote) { v.Reason = " " }).turn()
		if last := w.run.Approval.Votes[len(w.run.Approval.Votes)-1]; last.Refused == "" || w.run.State != event.RunAwaiting {
			t.Errorf("a vote without a reason counts: %+v, run is %s", last, w.run.State)
		}
	}
	if w.vote("ann", true, func(v *event.Vote) { v.Reason = "seen it" }).turn(); w.run.State != event.RunHolding {
		t.Errorf("run is %s", w.run.State)
	}
}
