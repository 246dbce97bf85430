package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// people is a receiver that answers as it is told to, and notes what it took.
type people struct {
	mu     sync.Mutex
	answer func(m Message, at time.Time) error
	asked  []time.Time
	took   []string
	most   int
	now    int
	cut    int
}

func (p *people) Send(ctx context.Context, m Message) error {
	p.mu.Lock()
	p.now++
	p.most = max(p.most, p.now)
	p.asked = append(p.asked, time.Now())
	p.mu.Unlock()
	err := sleep(ctx, 50*time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
	if err == nil && p.answer != nil {
		err = p.answer(m, time.Now())
	}
	if err == nil {
		p.took = append(p.took, m.Key)
	}
	return err
}

// rig is an outbox with one receiver, ops, on a virtual clock.
type rig struct {
	*people
	store  *memory
	outbox *Outbox
	alarms []event.Delivery
}

func newRig(t *testing.T, l Limits) *rig {
	t.Helper()
	r := &rig{people: &people{}, store: newMemory()}
	r.outbox = NewOutbox(r.store, Receivers{"ops": {Name: "ops", Kind: "webhook", Notifier: r.people, Limits: l}}, nil)
	return r
}

// start lets one more deliverer work.
func (r *rig) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	d := &Deliverer{Outbox: r.outbox, Logger: slog.New(slog.DiscardHandler), Alarm: func(_ context.Context, d event.Delivery) { r.alarms = append(r.alarms, d) }}
	go func() { done <- d.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (r *rig) put(t *testing.T, incident, key string) {
	t.Helper()
	m := Message{Receiver: "ops", Key: key, Incident: incident, Run: "r", Step: "s", Op: Trigger}
	if err := r.outbox.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// pass lets time pass, and all come to rest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// status is how a message fares.
func (r *rig) status(t *testing.T, incident, key string) event.Delivery {
	t.Helper()
	list, err := r.outbox.Deliveries(t.Context(), incident)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(d event.Delivery) bool { return d.Key == key })
	if at < 0 {
		t.Fatalf("no delivery %s", key)
	}
	return list[at]
}

func TestDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{})
		r.put(t, "i1", "r/a")
		r.put(t, "i1", "r/a")
		if d := r.status(t, "i1", "r/a"); d.State != event.DeliveryQueued || d.Queued.IsZero() || d.Expires.Sub(d.Queued) != defaultExpire {
			t.Errorf("%+v", d)
		}
		one, two := r.start(t), r.start(t)
		pass(time.Second)
		r.put(t, "i1", "r/a") // it was sent meanwhile
		r.put(t, "i1", "r/b")
		pass(time.Second)
		one()
		two()
		if !slices.Equal(r.took, []string{"r/a", "r/b"}) {
			t.Errorf("took %v", r.took)
		}
		if d := r.status(t, "i1", "r/a"); d.State != event.DeliveryDelivered || d.Attempts != 1 || d.Error != "" {
			t.Errorf("%+v", d)
		}
		if left, _ := r.store.Subjects(t.Context(), "out.*"); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// Messages about one incident come in their order whatever fails, those about
// others don't wait for them, and one that is refused holds nothing up.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Rate: 6000})
		bad := 3
		r.answer = func(m Message, _ time.Time) error {
			if m.Key == "r/1" && bad > 0 {
				bad--
				return errors.New("answered 500")
			}
			if m.Key == "r/2" {
				return &Refused{errors.New("answered 400")}
			}
			return nil
		}
		for i := range 4 {
			r.put(t, "i1", fmt.Sprintf("r/%d", i))
		}
		r.put(t, "i2", "r/other")
		defer r.start(t)()
		pass(5 * time.Second)
		slices.Sort(r.took) // between two incidents there is no order
		if !slices.Equal(r.took, []string{"r/0", "r/other"}) {
			t.Errorf("took %v", r.took)
		}
		if d := r.status(t, "i1", "r/1"); d.State != event.DeliveryRetrying || d.Error != "answered 500" || !d.Next.After(time.Now()) {
			t.Errorf("%+v", d)
		}
		pass(5 * time.Minute)
		if !slices.Equal(r.took, []string{"r/0", "r/other", "r/1", "r/3"}) {
			t.Errorf("took %v", r.took)
		}
		if d := r.status(t, "i1", "r/1"); d.Attempts != 4 || d.State != event.DeliveryDelivered {
			t.Errorf("%+v", d)
		}
		if d := r.status(t, "i1", "r/2"); d.State != event.DeliveryDead || d.Attempts != 1 || d.Error != "refused: answered 400" {
			t.Errorf("%+v", d)
		}
		if len(r.alarms) != 1 || len(r.store.dead) != 1 || r.store.dead[0].From != "message to ops" {
			t.Errorf("alarms %+v, dead %+v", r.alarms, r.store.dead)
		}
	})
}

// A receiver that asks for time gets it, for all messages; then it is asked by
// one message, not by all at once.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Parallel: 8, Rate: 6000})
		begin := time.Now()
		r.answer = func(_ Message, at time.Time) error {
			if at.Sub(begin) < 10*time.Minute {
				return &Later{5 * time.Minute, errors.New("answered 429")}
			}
			return nil
		}
		for i := range 20 {
			r.put(t, strconv.Itoa(i), "r/"+strconv.Itoa(i))
		}
		defer r.start(t)()
		pass(9 * time.Minute)
		if n := len(r.asked); n > 8+1 {
			t.Errorf("it was asked %d times while it wanted nothing", n)
		}
		pass(5 * time.Minute)
		if len(r.took) != 20 || r.most > 8 {
			t.Errorf("took %d, %d at a time", len(r.took), r.most)
		}
	})
}

// What can't be delivered in its time is given up, with an alarm.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Expire: time.Hour})
		r.answer = func(Message, time.Time) error { return errors.New("answered 503") }
		r.put(t, "i1", "r/a")
		defer r.start(t)()
		pass(59 * time.Minute)
		if d := r.status(t, "i1", "r/a"); d.State != event.DeliveryRetrying || d.Attempts < 30 {
			t.Errorf("%+v", d)
		}
		pass(2 * time.Minute)
		d := r.status(t, "i1", "r/a")
		if d.State != event.DeliveryDead || d.Error != "it does not matter any more: answered 503" || len(r.alarms) != 1 || len(r.store.dead) != 1 {
			t.Errorf("%+v, %d alarms, %d dead", d, len(r.alarms), len(r.store.dead))
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Rate: 60, Burst: 5})
		for i := range 100 {
			r.put(t, strconv.Itoa(i), "r/"+strconv.Itoa(i))
		}
		begin := time.Now()
		defer r.start(t)()
		pass(2 * time.Minute)
		if len(r.took) != 100 {
			t.Fatalf("took %d", len(r.took))
		}
		if took := r.asked[99].Sub(begin); took < 94*time.Second {
			t.Errorf("100 messages at one a second in %s", took)
		}
	})
}

// Escalations wait for their time, and are dropped when somebody has answered.
func TestEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{})
		for _, incident := range []string{"i1", "i2"} {
			m := Message{
				Receiver: "ops", Key: incident + "/later", Incident: incident, Op: Trigger, Escalation: true, NotBefore: time.Now().Add(15 * time.Minute),
			}
			if err := r.outbox.Put(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			r.put(t, incident, incident+"/now") // it waits for no escalation
		}
		defer r.start(t)()
		pass(14 * time.Minute)
		if len(r.took) != 2 {
			t.Errorf("took %v", r.took)
		}
		for range 2 {
			if err := r.outbox.Answered(t.Context(), "i1", "ann"); err != nil {
				t.Fatal(err)
			}
		}
		pass(2 * time.Minute)
		if len(r.took) != 3 || r.took[2] != "i2/later" {
			t.Errorf("took %v", r.took)
		}
		if d := r.status(t, "i1", "i1/later"); d.State != event.DeliveryDropped || d.Error != "not needed: ann" {
			t.Errorf("%+v", d)
		}
	})
}

// A store that is away between the sending and its note makes nothing lost, and
// nothing sent twice while it is noted in time.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{})
		r.put(t, "i1", "r/a")
		away := true
		r.store.fails = func(string) error {
			if away {
				return errors.New("away")
			}
			return nil
		}
		defer r.start(t)()
		pass(5 * time.Second)
		r.store.mu.Lock()
		away = false
		r.store.mu.Unlock()
		pass(time.Minute)
		if d := r.status(t, "i1", "r/a"); d.State != event.DeliveryDelivered || len(r.took) != 1 {
			t.Errorf("%+v, took %v", d, r.took)
		}
	})
}

// What waits for a receiver that is not in the config any more is given up in
// its time, and what can't be read at once.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{})
		m := Message{Receiver: "gone", Key: "r/a", Incident: "i1", Op: Trigger}
		if err := r.outbox.Put(t.Context(), m); err == nil {
			t.Error("a receiver that is not in the config")
		}
		before := NewOutbox(r.store, Receivers{"gone": {Name: "gone"}}, nil)
		if err := before.Put(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Create(t.Context(), "out.ops.x.y", []byte("{")); err != nil {
			t.Fatal(err)
		}
		defer r.start(t)()
		pass(time.Hour)
		if len(r.store.dead) != 1 {
			t.Errorf("dead: %+v", r.store.dead)
		}
		pass(24 * time.Hour)
		if d := r.status(t, "i1", "r/a"); d.State != event.DeliveryDead || len(r.store.dead) != 2 {
			t.Errorf("%+v, %d dead", d, len(r.store.dead))
		}
	})
}
