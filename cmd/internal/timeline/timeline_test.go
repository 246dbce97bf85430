package timeline

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// records is a run as its log would hold it: begun, planned, approved, done,
// undone.
func records() []event.Run {
	target := event.PodRef("shop", "web-1")
	target.UID = "u1"
	plan := &event.Plan{
		Action: "pod.quarantine", Target: target, Summary: "quarantine pods/shop/web-1: take off labels app",
		Writes: []event.Write{{Verb: "patch", Resource: "pods", Namespace: "shop", Name: "web-1", Body: []byte(`{"metadata":{"labels":{"app":null}}}`)}},
		Notes:  []string{"open connections may survive"},
		Loss: &event.Loss{
			Endpoints: []string{"shop/web"}, Workload: "Deployment shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2, Replaced: true,
			Budgets: []event.Headroom{{Budget: "shop/web", Allowed: 1}},
		},
	}
	until := at.Add(time.Hour)
	list := make([]event.Run, 5)
	for i := range list {
		list[i] = event.Run{
			ID: "0123456789abcdef0123456789abcdef", Playbook: "contain", Version: "fedcba9876543210", Mode: event.ModeAsk,
			Finding: event.Finding{Rule: "shell", Title: "A shell in a pod", Severity: event.SeverityHigh, Trust: event.TrustRuntime},
			Target:  target, State: event.RunGuarding, Record: uint64(i + 1), Updated: at.Add(time.Duration(i) * time.Second),
			Steps: []event.Step{{Name: "isolate", Action: "pod.quarantine", State: event.StepPending}},
		}
	}
	for i := range list[1:] {
		r, s := &list[i+1], &list[i+1].Steps[0]
		s.State, s.Plan, s.Digest = event.StepPlanned, plan, "aaaaaaaaaaaaaaaaaaaa"
		s.Verdicts = []event.Verdict{{Guard: "mode", Decision: event.Ask, Reason: "mode ask"}, {Guard: "pause", Decision: event.Pass}, {Guard: "budget", Decision: event.Pass, Reason: "2 of 10 pods are quarantined"}}
		r.State = event.RunAwaiting
		r.Approval = &event.Approval{Digest: "bbbbbbbbbbbbbbbbbbbb", Need: 1, By: []string{"group/oncall"}, Steps: []string{"isolate"}, State: event.ApprovalOpen, Requested: at, Expires: at.Add(15 * time.Minute), Reasons: []string{"isolate: mode: mode ask"}}
		if i >= 1 {
			r.Approval.State = event.ApprovalGranted
			r.Approval.Votes = []event.Vote{{User: "ann", Approve: true, Digest: r.Approval.Digest, Time: at.Add(time.Minute), Reason: "seen it"}}
			r.State, s.State, s.Attempts = event.RunRunning, event.StepIntent, 1
		}
		if i >= 2 {
			r.State, s.State, s.Until, s.AtEnd = event.RunHolding, event.StepDone, &until, event.AtEndAsk
			s.Receipt = &event.Receipt{Result: event.ResultUnverified, Time: at.Add(2 * time.Minute), Notes: plan.Notes}
		}
		if i >= 3 {
			r.State, r.Reason, s.State = event.RunClosed, "undone by ann", event.StepReverted
			s.Undo = &event.Receipt{Result: event.ResultUndone, Time: at.Add(3 * time.Minute)}
		}
	}
	return list
}

const golden = `2026-01-02 03:04:05.000  #1  begun: playbook contain for shell on pods/shop/web-1
2026-01-02 03:04:06.000  #2  isolate planned: quarantine pods/shop/web-1: take off labels app
2026-01-02 03:04:06.000  #2  run is awaiting_approval
2026-01-02 03:04:07.000  #3  ann approves plan bbbbbbbbbbbb: seen it
2026-01-02 03:04:07.000  #3  isolate begins (attempt 1, plan aaaaaaaaaaaa)
2026-01-02 03:04:07.000  #3  run is running
2026-01-02 03:04:08.000  #4  isolate done: applied-unverified
2026-01-02 03:04:08.000  #4  run is holding
2026-01-02 03:04:09.000  #5  isolate: undone
2026-01-02 03:04:09.000  #5  run is closed: undone by ann
2026-01-02 03:06:00.000      tell to ops is delivered after 2 attempts

run       0123456789abcdef0123456789abcdef  closed
because   undone by ann
why       shell: A shell in a pod (high, trust T2)
who       the finding began it
playbook  contain (version fedcba987654), mode ask
target    pods/shop/web-1 uid u1
step      isolate (pod.quarantine): reverted
            plan    aaaaaaaaaaaa: quarantine pods/shop/web-1: take off labels app
                      patch pods shop/web-1  {"metadata":{"labels":{"app":null}}}
            lost    no longer an endpoint of shop/web
                    Deployment shop/web has 3 of 3 pods ready, then 2, until it has made another
                    PodDisruptionBudget shop/web lets 1 more go
            guards  mode says ask: mode ask
                    budget says pass: 2 of 10 pods are quarantined
                    pass: pause
            did     2026-01-02 03:06:05.000  applied-unverified
                      open connections may survive
            undone  2026-01-02 03:07:05.000  undone
approval  bbbbbbbbbbbb: granted, until 2026-01-02 03:19:05.000
            asks    1 person of group/oncall about isolate, within 15m0s
                    because isolate: mode: mode ask
            said    2026-01-02 03:05:05.000  ann approved: seen it
message   tell to ops is delivered after 2 attempts
`

func TestHistory(t *testing.T) {
	var b strings.Builder
	told := []event.Delivery{{Receiver: "ops", Step: "tell", State: event.DeliveryDelivered, Attempts: 2, Updated: time.Date(2026, 1, 2, 3, 6, 0, 0, time.UTC)}}
	History(&b, records(), told)
	if b.String() != golden {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), golden)
	}
	b.Reset()
	History(&b, nil, nil)
	if b.Len() != 0 {
		t.Errorf("of nothing it printed %q", b.String())
	}
}

func TestPlanShowsTheWrites(t *testing.T) {
	r := records()[1]
	body := `{"metadata":{"labels":{` + strings.Repeat(`"x":null,`, 2000) + `"last":null}}}`
	r.Steps[0].Plan.Writes[0].Body = []byte(body)
	var b strings.Builder
	Plan(&b, r)
	for _, want := range []string{"patch pods shop/web-1  " + body + "\n", "note    open connections may survive\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("printed\n%.2000s\nwant %.200q in it", b.String(), want)
		}
	}
}

// TestWouldAsk: of a run that only observes it is said whom it would have asked.
func TestWouldAsk(t *testing.T) {
	r := records()[1]
	r.State, r.Would, r.Approval = event.RunObserved, []event.Approval{*r.Approval}, nil
	var b strings.Builder
	Run(&b, r)
	want := "would ask 1 person of group/oncall about isolate, within 15m0s\n          because isolate: mode: mode ask\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("printed\n%s\nwant at its end\n%s", b.String(), want)
	}
}

func TestModelsHaveNames(t *testing.T) {
	r := records()[0]
	r.Finding.Rule, r.Finding.Model = "", "traffic"
	var b strings.Builder
	History(&b, []event.Run{r}, nil)
	Runs(&b, []event.Run{r})
	if n := strings.Count(b.String(), "traffic"); n != 3 {
		t.Errorf("the model is named %d times in\n%s", n, b.String())
	}
}

// TestNothingReachesTheTerminal puts what an attacker could write into every
// text of a run and an incident, and into what was refused: no control, direction or line of it gets out.
func TestNothingReachesTheTerminal(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;x\a\r\n\u202e\u2066\u200b\u0085\u2028forged line\tx\x00\xff\u009b31m"
	list := records()
	for i := range list {
		poison(reflect.ValueOf(&list[i]).Elem(), evil)
	}
	var in event.Incident
	poison(reflect.ValueOf(&in).Elem(), evil)
	var b strings.Builder
	told := make([]event.Delivery, 1)
	poison(reflect.ValueOf(&told[0]).Elem(), evil)
	History(&b, list, told)
	Incident(&b, in, map[string][]event.Run{"r": list}, told)
	Runs(&b, list)
	Incidents(&b, []event.Incident{in})
	var letter bus.DeadLetter
	poison(reflect.ValueOf(&letter).Elem(), evil)
	Dead(&b, []bus.DeadLetter{letter})
	for _, r := range list {
		r.Steps[0].State = event.StepPlanned
		Plan(&b, r)
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "forged") {
			t.Errorf("a line was forged: %q", line)
		}
		for _, c := range strings.TrimSuffix(line, "\n") {
			if unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%U reaches the terminal in %q", c, line)
			}
		}
	}
}

// poison puts text before whatever every string below v holds.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text + v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			copied := reflect.New(v.Type().Elem())
			copied.Elem().Set(v.Elem())
			poison(copied.Elem(), text)
			v.Set(copied)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				poison(v.Field(i), text)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(text))
			return
		}
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(copied, v)
		for i := range copied.Len() {
			poison(copied.Index(i), text)
		}
		v.Set(copied)
	}
}
