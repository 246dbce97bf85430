package slack

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// TestOutage is half an hour without Slack on a virtual clock, after which it is
// overrun for a quarter of an hour more: answers 429, resets connections, and takes
// messages whose answers are lost. Incidents come, change and end meanwhile, and
// the board starts anew. Then there is one message for each incident that people
// decide on, as things stand; all others are lines of few messages; and Slack was
// left alone for most of the time.
func TestOutage(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { outage(t, seed) }) })
	}
}

func outage(t *testing.T, seed uint64) {
	space := workspace.Direct(channel, members...)
	space.Pace = time.Second
	random, begin := rand.New(rand.NewPCG(seed, 4)), time.Now() // #nosec G404 -- it plays chance
	asked, storm, lost := 0, 0, 0
	space.Fault = func(method string, w http.ResponseWriter) bool {
		after := time.Since(begin)
		if after < 30*time.Minute {
			asked++
		}
		switch {
		case after < 30*time.Minute && asked%3 == 0, after < 45*time.Minute && random.IntN(8) == 0:
			panic(http.ErrAbortHandler)
		case after < 30*time.Minute && asked%3 == 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case after < 45*time.Minute && (after < 30*time.Minute || random.IntN(2) == 0):
			storm++
			w.Header().Set("Retry-After", fmt.Sprint(1+random.IntN(30)))
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			return false
		}
		return true
	}
	space.Lose = func(method string) bool {
		if method != "chat.postMessage" || time.Since(begin) > 45*time.Minute || random.IntN(3) > 0 {
			return false
		}
		lost++
		return true
	}
	l := &ledger{incidents: map[string]event.Incident{}, runs: map[string][]runlog.Record{}, keys: map[string]kept{}}
	b, stop := l.board(t, space)
	const urgent, others = 30, 300
	for i := range others {
		l.came(fmt.Sprintf("low-%d", i), event.SeverityMedium, "")
		if i%(others/urgent) == 0 {
			l.came(fmt.Sprintf("web-%d", i), event.SeverityCritical, event.RunAwaiting)
		}
		if i == others/2 {
			stop()
			b, stop = l.board(t, space)
		}
		<-time.After(5 * time.Second) // virtual
	}
	if err := b.Ready(t.Context()); err == nil {
		t.Error("the outage is not told")
	}
	if asked > 200 {
		t.Errorf("Slack was asked %d times while it was away", asked)
	}
	// Some are decided by the command line, some are over.
	for i := range others {
		switch name := fmt.Sprintf("web-%d", i); {
		case i%30 == 0:
			l.change(name, event.RunHolding)
		case i%10 == 0 && i%20 == 0:
			l.change(name, event.RunDenied)
		}
	}
	<-time.After(time.Until(begin.Add(75 * time.Minute)))
	synctest.Wait()
	if err := b.Ready(t.Context()); err != nil {
		t.Errorf("the end of the outage is not told: %v", err)
	}
	stop()
	digests := l.compare(t, space)
	t.Logf("%d incidents, %d of them urgent; asked %d times in the outage; %d answered 429, %d answers lost; %d messages, %d of them of many; asked to post %d times, to change %d times",
		others+urgent, urgent, asked, storm, lost, len(space.Messages(channel)), digests, space.Calls("chat.postMessage"), space.Calls("chat.update"))
	if storm == 0 || lost == 0 {
		t.Error("the outage was too tame")
	}
	// What came while nothing could be listed, and what comes one by one, is a message each.
	if all := len(space.Messages(channel)); digests == 0 || digests > 8 || all > urgent+digests+30 {
		t.Errorf("%d messages, %d of them of many", all, digests)
	}
}

// compare looks at each message beside what it is about, and counts those of many.
func (l *ledger) compare(t *testing.T, space *workspace.Server) (digests int) {
	t.Helper()
	told, listed := map[string]int{}, map[string]int{}
	for _, m := range space.Messages(channel) {
		payload, _ := m.Metadata["event_payload"].(map[string]any)
		if in, one := l.incidents[fmt.Sprint(payload["key"])]; one {
			told[in.ID]++
			if len(in.Runs) == 0 {
				continue
			}
			run := l.newest(in.Runs[0].ID)
			if _, asks := m.Button(string(DeedApprove)); asks != (run.State == event.RunAwaiting) {
				t.Errorf("%s is %s, and its message asks: %v", in.Subject.Name, run.State, asks)
			}
			lines := ""
			for _, one := range space.Thread(channel, m.TS) {
				lines += one.Shows()
			}
			if !strings.Contains(lines, "begun: playbook contain") {
				t.Errorf("the thread of %s is %q", in.Subject.Name, lines)
			}
			continue
		}
		digests++
		for id := range l.incidents {
			if strings.Contains(m.Shows(), "incident "+short(id)) {
				listed[id]++
			}
		}
	}
	for id, in := range l.incidents {
		urgent := in.Priority == event.SeverityCritical
		if urgent && (told[id] != 1 || listed[id] != 0) || told[id]+listed[id] != 1 {
			t.Errorf("%s has %d messages, and is a line in %d", in.Subject.Name, told[id], listed[id])
		}
	}
	for _, refused := range space.Refused() {
		t.Errorf("Slack refused %s", refused)
	}
	return digests
}

// ledger is a store of records in memory, and what the board keeps in it.
type ledger struct {
	mu        sync.Mutex
	incidents map[string]event.Incident
	order     []string
	runs      map[string][]runlog.Record
	keys      map[string]kept
	next      uint64
	follower  chan string
}

// kept is a value and its revision.
type kept struct {
	data     []byte
	revision uint64
}

// board runs one as the process does, but for the store.
func (l *ledger) board(t *testing.T, space *workspace.Server) (b *Board, stop func()) {
	t.Helper()
	seal, err := NewSealer(workspace.Token)
	if err != nil {
		t.Fatal(err)
	}
	b = &Board{
		config: Config{Channel: channel}, face: face{Sealer: seal}, client: NewClient(workspace.Token, "", space.URL(), space.Client()),
		records: l, entries: entries{l}, queue: newQueue(), pace: map[string]*rate.Limiter{}, unheard: map[string]unheard{}, now: func() time.Time { return time.Now().UTC() },
		logger: slog.New(slog.DiscardHandler), every: writeEvery, first: firstPause,
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	return b, func() {
		cancel()
		<-done
	}
}

// came stores an incident, with a run in a state if there is one.
func (l *ledger) came(name string, priority event.Severity, state event.RunState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC()
	target := event.PodRef("shop", name)
	in := event.Incident{
		ID: event.HashID("incident", name), State: event.IncidentOpen, Priority: priority, Subject: target, Rules: []string{"scan"}, Created: now, Updated: now,
	}
	if state != "" {
		run := event.Run{
			ID: event.HashID("run", name), Playbook: "contain", State: state, Mode: event.ModeAsk, Target: target, Created: now, Updated: now, Record: 1,
			Steps:    []event.Step{{Name: "isolate", Action: "pod.quarantine", State: event.StepPlanned, Plan: &event.Plan{Action: "pod.quarantine", Summary: "quarantine " + name}}},
			Approval: &event.Approval{ID: event.HashID("approval", name), Steps: []string{"isolate"}, Digest: "0123456789abcdef", Need: 1, Requested: now, Expires: now.Add(4 * time.Hour), State: event.ApprovalOpen},
		}
		run.Incident = in.Brief()
		in.Runs = []event.IncidentRun{{ID: run.ID, Playbook: run.Playbook, Target: target.String(), State: state}}
		l.runs[run.ID] = []runlog.Record{{Run: run}}
	}
	l.incidents[in.ID] = in
	l.order = append(l.order, in.ID)
	l.tell(in.ID)
}

// change decides the run of an incident.
func (l *ledger) change(name string, state event.RunState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := event.HashID("run", name)
	run := l.newest(id)
	run.State, run.Approval, run.Record, run.Updated = state, nil, run.Record+1, time.Now().UTC()
	l.runs[id] = append(l.runs[id], runlog.Record{Run: run})
	l.tell(run.Incident.ID)
}

func (l *ledger) newest(run string) event.Run {
	list := l.runs[run]
	return list[len(list)-1].Run
}

func (l *ledger) tell(incident string) {
	if l.follower != nil {
		l.follower <- incident
	}
}

// Changes has room for all that a test stores.
func (l *ledger) Changes(context.Context) (func(context.Context, func(string)) error, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := make(chan string, 10_000)
	l.follower = mine
	return func(ctx context.Context, tell func(string)) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case id := <-mine:
				tell(id)
			}
		}
	}, nil
}

func (l *ledger) Current(context.Context, time.Time) iter.Seq2[string, error] {
	l.mu.Lock()
	all := slices.Clone(l.order)
	l.mu.Unlock()
	return func(yield func(string, error) bool) {
		for _, id := range all {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (l *ledger) Incident(_ context.Context, id string) (event.Incident, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in, ok := l.incidents[id]
	if !ok {
		return in, approve.Problem{Status: http.StatusNotFound}
	}
	return in, nil
}

func (l *ledger) Run(_ context.Context, id string) (runlog.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return runlog.Record{Run: l.newest(id)}, nil
}

func (l *ledger) History(_ context.Context, run string) iter.Seq2[runlog.Record, error] {
	l.mu.Lock()
	list := slices.Clone(l.runs[run])
	l.mu.Unlock()
	return func(yield func(runlog.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *ledger) Get(_ context.Context, key string) ([]byte, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.keys[key]
	if !ok {
		return nil, 0, bus.ErrNotFound
	}
	return k.data, k.revision, nil
}

func (l *ledger) CompareAndSet(_ context.Context, key string, data []byte, revision uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys[key].revision != revision {
		return 0, bus.ErrConflict
	}
	l.next++
	l.keys[key] = kept{data, l.next}
	return l.next, nil
}
