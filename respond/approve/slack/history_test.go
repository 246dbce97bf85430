package slack

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
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
}

// people who may, by their accounts.
var voters = map[string]string{"U0ANN": "ann", "U0BOB": "bob", "U0CFG": "slack:T0001/U0CFG"}

// breakers may break the glass: one who may approve, too, and one who may not.
var breakers = map[string]string{"U0BOB": "bob", "U0EVE": "eve"}

// press says whether a press counts.
func (j *judge) press(p pressed) bool {
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

// histories is how many are played; make torture plays 200,000.
func histories(t *testing.T) int {
	n := 10_000
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		n = 200_000
	}
	if text := os.Getenv("FIREBREAK_HISTORIES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestHistories plays generated histories of presses (of those who may and those
// who may not, of buttons of now, of before and of other runs, changed ones,
// repeated and replayed requests, unsigned ones, late ones, restarts, plans that
// change) against the judge: no run is granted that the judge does not grant, no
// valid vote is refused, and none counts twice.
func TestHistories(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.rights["bob break-glass playbooks/contain shop"], r.rights["eve break-glass playbooks/contain shop"] = true, true
	})
	book := playbook(t)
	r.other = r.handler // of another responder on the same store
	r.start()
	n, granted, denied, counted, refused := histories(t), 0, 0, 0, 0
	gen := rapid.Custom(func(t *rapid.T) []int { return rapid.SliceOfN(rapid.IntRange(0, 1<<20), 40, 40).Draw(t, "dice") })
	for i := range n {
		h := newHistory(r, book, i, gen.Example(i))
		h.play()
		counted, refused = counted+h.counted, refused+h.refused
		switch h.judge.over {
		case "granted":
			granted++
		case "denied":
			denied++
		}
		if t.Failed() {
			t.Fatalf("history %d: %s", i, strings.Join(h.told, "; "))
		}
	}
	if r.broken == 0 {
		t.Error("nobody has broken the glass")
	}
	if granted == 0 || denied == 0 || counted == 0 || refused == 0 {
		t.Error("the histories are too tame")
	}
	t.Logf("%d histories: %d granted, %d of them by broken glass, %d denied; %d votes counted, %d presses did not", n, granted, r.broken, denied, counted, refused)
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
	book             *respond.Playbook
	run              event.Run
	dice             []int
	judge            judge
	values           []map[bool]string // by question
	glass            []string
	last             func() pressed
	told             []string
	counted, refused int
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
	h.move(respond.Input{Tick: true}, h.clock())
	h.note()
	return h
}

// move lets the run take in one input, as the responder does.
func (h *history) move(in respond.Input, now time.Time) {
	h.run = h.change(h.run.ID, func(n *event.Run) { *n = respond.Next(h.book, *n, in, now) })
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

func (h *history) play() {
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
}

// replan changes what people are asked for.
func (h *history) replan() {
	if h.judge.over != "" || h.judge.expired {
		return
	}
	h.judge.question++
	h.judge.yes = nil
	h.told = append(h.told, "another plan")
	h.change(h.run.ID, func(n *event.Run) { n.Steps[0].Digest = fmt.Sprintf("plan-%d", h.judge.question) })
	h.move(respond.Input{Tick: true}, h.clock())
	h.note()
}

// one makes one press, and sends it.
func (h *history) one() pressed {
	accounts := []string{"U0ANN", "U0BOB", "U0CFG", "U0ANN", "U0BOB", "U0EVE", "U0ANY", "U0GUEST", "U0FAR"}
	p := pressed{user: accounts[h.roll(len(accounts))], question: h.judge.question, yes: h.roll(5) > 0}
	if h.roll(5) == 0 {
		p.question = h.roll(h.judge.question + 1)
	}
	value, team, secret, at := h.values[p.question][p.yes], workspace.Team, workspace.Secret, h.clock()
	if p.glass = h.roll(6) == 0; p.glass {
		p.yes, p.why, value = true, h.roll(4) > 0, h.glass[p.question]
	}
	if p.user == "U0FAR" {
		team = "T0FAR"
	}
	switch h.roll(14) {
	case 0:
		secret, p.forged = "another", true
	case 1:
		value, p.forged = strings.Replace(value, ".", "0.", 1), true
	case 2:
		at, p.forged = at.Add(-6*time.Minute), true
	case 3:
		team, p.forged = "T0FAR", true
	case 4:
		other := h.run
		other.ID = event.HashID("another run")
		value, p.forged = h.app.board.face.Seal(Order{Deed: DeedApprove, On: other.ID, Approval: h.run.Approval.ID, Digest: h.run.Approval.Digest}), true
	}
	payload := workspace.Press{User: p.user, Team: team, Channel: channel, Action: "x", Value: value, At: h.clock().Add(time.Duration(h.roll(1000)) * time.Second)}.Payload()
	if p.glass {
		// The form that asks for the reason, as it comes back.
		reason := ""
		if p.why {
			reason = "fire"
		}
		payload = workspace.Submission(p.user, workspace.View{Body: map[string]any{"callback_id": formReason, "private_metadata": value + "|" + channel}}, reason)
		if team != workspace.Team {
			payload = []byte(strings.ReplaceAll(string(payload), workspace.Team, team))
		}
	}
	body := workspace.Form(payload)
	header := workspace.Sign(secret, body, at)
	send := func() {
		req := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "/slack/interactions", strings.NewReader(body))
		req.Header = header
		w := httptest.NewRecorder()
		handler := h.handler
		if h.roll(2) == 0 && h.other != nil {
			handler = h.other
		}
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK && (w.Code != http.StatusUnauthorized || !p.forged) {
			h.t.Errorf("status %d", w.Code)
		}
	}
	send()
	if h.roll(3) == 0 {
		send() // a repetition counts nothing
	}
	h.told = append(h.told, fmt.Sprintf("%+v", p))
	again := p
	h.last = func() pressed {
		send()
		h.told = append(h.told, fmt.Sprintf("again %+v", again))
		return again
	}
	return p
}

// settle lets the run take in what was stored, and compares it with the judge.
func (h *history) settle(p pressed) {
	should := h.judge.press(p)
	var did bool
	for seq, in := range h.since() {
		before := valid(h.run)
		h.move(respond.Input{Person: &in, Sequence: seq}, h.clock())
		did = did || valid(h.run) > before
	}
	if did != should {
		h.t.Errorf("%+v counts: %v, the judge says %v; approval %+v", p, did, should, h.run.Approval)
	}
	if did && p.glass {
		h.broken++
	}
	if did {
		h.counted++
	} else {
		h.refused++
	}
	if got := h.run.Approval.State; (got == event.ApprovalGranted) != (h.judge.over == "granted") || (got == event.ApprovalDenied) != (h.judge.over == "denied") {
		h.t.Errorf("the approval is %s, the judge says %q", got, h.judge.over)
	}
}

// since are the inputs that the run has not taken in, with their places.
func (h *history) since() iter.Seq2[uint64, event.Input] {
	return func(yield func(uint64, event.Input) bool) {
		for m, err := range h.bus.History(h.t.Context(), bus.SubjectInput(h.run.ID)) {
			var in event.Input
			if err == nil {
				err = json.Unmarshal(m.Data, &in)
			}
			if err != nil {
				h.t.Fatal(err)
			}
			if m.Sequence > h.run.Input && !yield(m.Sequence, in) {
				return
			}
		}
	}
}

// valid counts the votes that count.
func valid(r event.Run) int {
	n := 0
	for _, v := range r.Approval.Votes {
		if v.Refused == "" {
			n++
		}
	}
	return n
}
