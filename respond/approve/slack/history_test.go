package slack

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// judge decides on presses in the plainest way, from who pressed, what they
// pressed and when; it knows nothing of seals, accounts or records.
type judge struct {
	need     int
	question int // the number of the plan that people are asked for
	expired  bool
	over     string // "", "granted" or "denied"
	yes      []string
	ack      string // who sees to the incident
}

// pressed is one press, as the generator made it: who, of which plan's button,
// yes or no, and whether it is fit to be believed.
type pressed struct {
	user     string
	question int
	yes      bool
	forged   bool
	// glass says that it breaks the glass, why that a reason was given for it.
	glass, why bool
	// ack says that it is the button of the incident: that somebody sees to it.
	ack bool
}

// people who may, by their accounts.
var voters = map[string]string{"U0ANN": "ann", "U0BOB": "bob", "U0CFG": "slack:T0001/U0CFG"}

// breakers may break the glass: one who may approve, too, and one who may not.
var breakers = map[string]string{"U0BOB": "bob", "U0EVE": "eve"}

// seers may say that they see to an incident: one who may do nothing else, too.
var seers = map[string]string{"U0ANN": "ann", "U0EVE": "eve"}

// press says whether a press counts.
func (j *judge) press(p pressed) bool {
	if p.ack {
		// Whatever becomes of the run: the first who may.
		if p.forged || seers[p.user] == "" || j.ack != "" {
			return false
		}
		j.ack = seers[p.user]
		return true
	}
	if p.glass {
		if breakers[p.user] == "" || p.forged || !p.why || j.over != "" || j.expired || p.question != j.question {
			return false
		}
		j.over = "granted"
		return true
	}
	who, may := voters[p.user]
	if p.forged || !may || j.over != "" || j.expired || p.question != j.question {
		return false
	}
	if !p.yes {
		j.over = "denied"
		return true
	}
	if slices.Contains(j.yes, who) {
		return false
	}
	if j.yes = append(j.yes, who); len(j.yes) == j.need {
		j.over = "granted"
	}
	return true
}

// histories are which ones are played, by their seeds: make torture plays 200,000.
// FIREBREAK_HISTORIES is how many, or FROM-TO, so that many can be played in parts.
func histories(t *testing.T) (from, to int) {
	to = 10_000
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		to = 200_000
	}
	text := os.Getenv("FIREBREAK_HISTORIES")
	if text == "" {
		return 0, to
	}
	first, last, parts := strings.Cut(text, "-")
	if !parts {
		first, last = "0", first
	}
	from, err := strconv.Atoi(first)
	if err == nil {
		to, err = strconv.Atoi(last)
	}
	if err != nil || from < 0 || to <= from {
		t.Fatalf("FIREBREAK_HISTORIES is %q", text)
	}
	return from, to
}

// TestHistories plays generated histories of presses (of those who may and those
// who may not, of buttons of now, of before and of other runs, changed ones,
// repeated and replayed requests, unsigned ones, late ones, restarts, plans that
// change) against the judge: no run is granted that the judge does not grant, no
// valid vote is refused, and none counts twice; and the same of who says that they
// see to an incident.
func TestHistories(t *testing.T) {
	book := playbook(t)
	gen := rapid.Custom(func(t *rapid.T) []int { return rapid.SliceOfN(rapid.IntRange(0, 1<<20), 40, 40).Draw(t, "dice") })
	from, to := histories(t)
	all := map[string]int{}
	for next := from; next < to; {
		// A store of its own now and then: one of 200,000 runs costs more each.
		end := min(to, next+2500)
		if !t.Run(fmt.Sprintf("%d to %d", next, end), func(t *testing.T) {
			r := newRigIn(t, workspace.Direct(channel, members...), func(r *rig) {
				for _, right := range []string{"bob break-glass playbooks/contain shop", "eve break-glass playbooks/contain shop", "ann acknowledge incidents/", "eve acknowledge incidents/"} {
					r.rights[right] = true
				}
			})
			r.other = r.handler // of another responder on the same store
			r.start()
			for ; next < end; next++ {
				h := newHistory(r, book, next, gen.Example(next))
				h.play(all)
				if t.Failed() {
					t.Fatalf("history %d: %s", next, strings.Join(h.told, "; "))
				}
			}
		}) {
			break
		}
	}
	for _, what := range []string{"granted", "denied", "glass", "votes", "seen to", "nothing"} {
		if all[what] == 0 && to-from >= 1000 {
			t.Errorf("the histories are too tame: %s never", what)
		}
	}
	t.Logf("histories %d to %d: %d granted, %d of them by broken glass, %d denied; %d votes counted, %d incidents were seen to, %d presses did not count",
		from, to, all["granted"], all["glass"], all["denied"], all["votes"], all["seen to"], all["nothing"])
}

// playbook asks two people, or as many as a history needs.
func playbook(t *testing.T) *respond.Playbook {
	t.Helper()
	docs, err := conf.Documents("contain.yaml", []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	book, err := respond.ParsePlaybook(docs[0])
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// history is one of them, of a run of its own.
type history struct {
	*rig
	book   *respond.Playbook
	run    event.Run
	record runlog.Record
	dice   []int
	judge  judge
	values []map[bool]string // by question
	glass  []string
	ack    string
	last   func() pressed
	told   []string
	// came counts what came of the presses.
	came map[string]int
}

func newHistory(r *rig, book *respond.Playbook, i int, dice []int) *history {
	own := *book
	h := &history{rig: r, book: &own, dice: dice}
	h.judge.need = 1 + h.roll(2)
	own.Approve.Need = h.judge.need
	h.run = r.waiting(fmt.Sprintf("web-%d", i), func(n *event.Run) {
		n.Steps[0].Plan.Action = "pod.quarantine"
		n.Steps[0].Digest = fmt.Sprintf("plan-0-of-%d", i)
		n.Approval = nil
	})
	record, err := r.log.Load(r.t.Context(), h.run.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	h.record = record
	h.move(respond.Input{Tick: true}, h.clock())
	h.note()
	h.ack = h.button(Card{Incident: h.run.Incident}, DeedAcknowledge)
	return h
}

// move lets the run take in one input, as the responder does.
func (h *history) move(in respond.Input, now time.Time) {
	h.append(respond.Next(h.book, h.record.Run, in, now))
}

func (h *history) append(run event.Run) {
	record, err := h.log.Append(h.t.Context(), h.record, run)
	if err != nil {
		h.t.Fatal(err)
	}
	h.record, h.run = record, record.Run
}

func (h *history) roll(n int) int {
	d := h.dice[0] % n
	h.dice = append(h.dice[1:], h.dice[0]/7+3)
	return d
}

// note keeps the buttons of the open question.
func (h *history) note() {
	h.glass = append(h.glass, h.value(h.run, DeedBreak))
	h.values = append(h.values, map[bool]string{true: h.value(h.run, DeedApprove), false: h.value(h.run, DeedDeny)})
}

// play adds what came of it to all.
func (h *history) play(all map[string]int) {
	h.came = all
	for range 3 + h.roll(10) {
		switch h.roll(12) {
		case 0:
			h.replan()
		case 1:
			if h.roll(3) == 0 {
				h.judge.expired = true
				h.told = append(h.told, "expired")
				h.move(respond.Input{Tick: true}, h.clock().Add(20*time.Minute))
			}
		case 2:
			if h.last != nil {
				h.settle(h.last())
			}
		case 3:
			if h.roll(40) == 0 {
				h.start()
			}
		default:
			h.settle(h.one())
		}
	}
	h.acknowledged(false)
	if h.judge.over != "" {
		all[h.judge.over]++
	}
}
