package limit

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(1_800_000_000, 0)

func TestNoBound(t *testing.T) {
	l := New(Config{}, start)
	pass, wait := l.Enter("a", 1<<30, start)
	if wait != 0 {
		t.Errorf("wait %v", wait)
	}
	pass.Charge(1000, 1, start)
	pass.Leave()
}

// A body goes into debt, and the next waits as long as the debt says.
func TestDebt(t *testing.T) {
	l := New(Config{EventsPerSecond: 10, Burst: 20}, start)
	pass, wait := l.Enter("a", 0, start)
	if wait != 0 {
		t.Fatal("a full bucket refuses")
	}
	pass.Charge(120, 0, start)
	pass.Leave()
	_, wait = l.Enter("a", 0, start)
	if wait < 10*time.Second || wait > 10*time.Second+10*time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	if _, wait := l.Enter("a", 0, start.Add(9*time.Second)); wait == 0 {
		t.Error("let in before the debt was paid")
	}
	if _, wait := l.Enter("a", 0, start.Add(wait)); wait != 0 {
		t.Errorf("refused after the wait that it was told: %v", wait)
	}
}

func TestBytes(t *testing.T) {
	l := New(Config{BytesPerSecond: 100}, start)
	pass, _ := l.Enter("a", 500, start)
	pass.Charge(1, 2000, start) // it was compressed
	pass.Leave()
	if _, wait := l.Enter("a", 1, start); wait < 9*time.Second || wait > 11*time.Second {
		t.Errorf("wait %v", wait)
	}
}

func TestConcurrent(t *testing.T) {
	l := New(Config{Concurrent: 2}, start)
	a, _ := l.Enter("a", 1, start)
	if _, wait := l.Enter("a", 1, start); wait != 0 {
		t.Error("the second of two is refused")
	}
	if _, wait := l.Enter("b", 1, start); wait != time.Second {
		t.Errorf("the third waits %v", wait)
	}
	a.Leave()
	if _, wait := l.Enter("b", 1, start); wait != 0 {
		t.Error("refused after one has left")
	}
}

// However many flood: over any time no more gets in than rate × time, twice
// the burst and a body, no less than the rate allows, and a client that stays
// below its part is never refused.
func TestFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rate, burst = 100.0, 400.0
		floods := rapid.IntRange(1, 5).Draw(t, "floods")
		body := rapid.IntRange(1, 60).Draw(t, "body")
		l := New(Config{EventsPerSecond: rate, Burst: burst}, start)
		taken := 0
		post := func(name string, n int, now time.Time) bool {
			pass, wait := l.Enter(name, 0, now)
			if wait > 0 {
				return false
			}
			pass.Charge(n, 0, now)
			pass.Leave()
			taken += n
			return true
		}
		const seconds = 60
		for ms := 0; ms < seconds*1000; ms += 20 {
			now := start.Add(time.Duration(ms) * time.Millisecond)
			for i := range floods {
				post(fmt.Sprint("flood", i), body, now)
			}
			// Half of its part: one event each 2×clients/rate seconds.
			every := int(2 * float64(floods+1) / rate * 1000)
			if every = max(20, every/20*20); ms%every == 0 && !post("small", 1, now) {
				t.Fatalf("the small client is refused at %v", now.Sub(start))
			}
		}
		if most := rate*seconds + 2*burst + float64(body); float64(taken) > most {
			t.Fatalf("%d events got in, at most %g should", taken, most)
		}
		if least := min(rate, float64(floods*body)*50) * seconds * 0.9; float64(taken) < least {
			t.Fatalf("%d events got in, the rate allows %g: it is wasted", taken, least)
		}
	})
}

func TestClientsAreBounded(t *testing.T) {
	l := New(Config{EventsPerSecond: 1e9}, start)
	for i := range 3 * maxClients {
		if pass, wait := l.Enter(fmt.Sprint(i), 1, start.Add(time.Duration(i)*time.Microsecond)); wait == 0 {
			pass.Leave()
		}
	}
	if n := len(l.clients.byName); n != maxClients || l.clients.order.Len() != n {
		t.Errorf("%d clients are remembered", n)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []Config{{EventsPerSecond: -1}, {Burst: 1}, {EventsPerSecond: 1, Burst: .5}, {Concurrent: -1}, {BytesPerSecond: -1}} {
		if c.Check() == nil {
			t.Errorf("%+v passes", c)
		}
	}
	if err := (&Config{EventsPerSecond: .1, Concurrent: 3}).Check(); err != nil {
		t.Error(err)
	}
}
