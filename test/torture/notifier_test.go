//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// notifier sends messages as the service does, with nothing but its store and one receiver.
func notifier() error {
	ctx := context.Background()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	to, err := pages(os.Getenv(outVar))
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, bus.Options{URL: os.Getenv(urlVar), Replicas: 1, Patient: true, Name: "notify", Logger: logger})
	if err != nil {
		return err
	}
	d := &notify.Deliverer{Outbox: notify.NewOutbox(notify.On(b), to, nil), Metrics: telemetry.Nop().Metrics(), Logger: logger}
	return errors.Join(d.Run(ctx), errors.New("it ended by itself"))
}

// pages is the one receiver of these tests, at a URL.
func pages(url string) (notify.Receivers, error) {
	kind, _ := notify.Lookup(notify.WebhookKind)
	d := notify.Deps{Inside: func(host string) *http.Client {
		return telemetry.HTTPClient(telemetry.ClientOptions{Inside: []string{host}})
	}}
	to, err := kind.New(d, &notify.WebhookConfig{URL: url, AllowPrivate: true})
	return notify.Receivers{"pager": {Name: "pager", Kind: notify.WebhookKind, Notifier: to, Limits: notify.Limits{Rate: 60000, Burst: 100}}}, err
}

// pager is a receiver that strikes its senders: before it answers, after it has, or by stopping them for
// longer than a message may be in one hand.
type pager struct {
	mu      sync.Mutex
	senders []*process
	arrived map[string]int
	struck  map[string]bool
	armed   []string // what to do next, one for every tenth message
	n       int
	resume  sync.WaitGroup
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, who := r.Header.Get(notify.KeyHeader), 0
	_, _ = fmt.Sscanf(r.URL.Path, "/%d", &who)
	p.mu.Lock()
	p.n++
	strike := ""
	if p.n%10 == 0 && len(p.armed) > 0 {
		strike, p.armed = p.armed[0], p.armed[1:]
		p.struck[key] = true
	}
	sender := p.senders[who]
	p.arrived[key]++
	p.mu.Unlock()
	kill := func() { sender.mean(); sender.signal(syscall.SIGKILL) }
	switch strike {
	case "before":
		kill()
	case "after", "stop":
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		if strike == "after" {
			kill()
			return
		}
		sender.signal(syscall.SIGSTOP)
		p.resume.Go(func() {
			<-time.After(25 * time.Second)
			sender.signal(syscall.SIGCONT)
		})
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// TestPagesSurvive strikes what sends messages between sending one and noting that (C15), at a real NATS
// server that is killed, too: each message arrives, and only those arrive again whose sender was struck in
// between or had no store to note it in, under the same key.
func TestPagesSurvive(t *testing.T) {
	t.Parallel()
	messages, strikes := size(t, "FIREBREAK_PAGES", 200, 5000), size(t, "FIREBREAK_STRIKES", 8, 200)
	n := newBroker(t, t.TempDir())
	p := &pager{arrived: map[string]int{}, struck: map[string]bool{}, senders: make([]*process, 2)}
	for i := range strikes {
		p.armed = append(p.armed, []string{"before", "after", "after"}[i%3])
	}
	p.armed = append(p.armed, "stop")
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	logs := t.TempDir()
	start := func(i int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.senders[i] = child(t, "notifier", logs, nil, urlVar+"="+n.url(), fmt.Sprintf("%s=%s/%d", outVar, server.URL, i))
	}
	b, err := bus.Open(t.Context(), bus.Options{URL: n.url(), Replicas: 1, Name: "tests"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	to, err := pages(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	boxes := []*notify.Outbox{notify.NewOutbox(notify.On(b), to, nil), notify.NewOutbox(notify.On(b), to, nil)}
	for i := range p.senders {
		start(i)
	}
	incident := func(i int) string { return fmt.Sprintf("incident%d", i%(messages/4)) }
	revive := func() {
		for i := range p.senders {
			p.mu.Lock()
			sender := p.senders[i]
			p.mu.Unlock()
			if sender.died() {
				t.Fatalf("a sender ended by itself:\n%s", sender.tail())
			}
			if !sender.alive() {
				start(i)
			}
		}
	}
	kills := 0
	for i := range messages {
		m := notify.Message{Receiver: "pager", Key: fmt.Sprintf("run%d/page", i), Incident: incident(i), Op: notify.Trigger}
		for _, k := range rand.Perm(2) { // as by two responders
			eventually(t, "a message is put", func() bool { return boxes[k].Put(t.Context(), m) == nil })
		}
		if i%(messages/2) == messages/4 {
			kills++
			n.p.kill()
			n.start()
		}
		revive()
	}
	states := map[event.DeliveryState]int{}
	within(t, 15*time.Minute, "all is delivered", func() bool {
		revive()
		clear(states)
		for i := range messages / 4 {
			list, err := boxes[0].Deliveries(t.Context(), incident(i))
			if err != nil {
				return false
			}
			for _, d := range list {
				states[d.State]++
			}
		}
		return states[event.DeliveryDelivered] == messages
	})
	p.resume.Wait()
	again, unexplained := 0, 0
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range messages {
		key := fmt.Sprintf("run%d/page", i)
		switch count := p.arrived[key]; {
		case count == 0:
			t.Errorf("%s never arrived", key)
		case count > 1:
			again += count - 1
			if !p.struck[key] {
				unexplained++
			}
		}
	}
	st, err := b.State(t.Context(), bus.Outbox)
	t.Logf("%d messages put twice, %d strikes, %d kills of NATS: %d arrived, %d of them again under the same key (%d not struck themselves); %d left in the outbox",
		messages, len(p.struck), kills, p.n, again, unexplained, st.Messages)
	if err != nil || st.Messages != 0 || len(p.arrived) != messages || len(p.armed) > 0 {
		t.Errorf("%d keys of %d messages, %d left, %d strikes to come, %v", len(p.arrived), messages, st.Messages, len(p.armed), err)
	}
	// Beside the one that is struck, a sender has three more in its hands.
	if unexplained > 3*(len(p.struck)+2*kills) {
		t.Errorf("%d arrived again although their sender was not struck", unexplained)
	}
}
