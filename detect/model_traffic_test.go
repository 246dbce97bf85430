package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// traffic is the log lines of a cluster's services, made up from a seed: some
// with a daily cycle, some that machines ask steadily, one that a job asks each
// hour, one that people log in at, one that hardly anybody asks. Each is rolled
// out about once a day, with some errors and slow answers, and clients that ask
// again; and now and then what it depends on stumbles for a minute.
type traffic struct {
	r        *rand.Rand
	services []served
	n        int
}

// served is one service.
type served struct {
	name, shape      string
	rate             float64 // requests a minute, on average
	swing, peak      float64 // of the day, and its hour
	clients          int
	slow, spread     float64 // median duration in seconds, and its spread
	errors, refused  float64
	size             float64
	logins, mistaken float64 // log-ins a minute, and the share that fails
	job              int     // minute of the hour at which the job begins
	digest           string
	deploy           time.Time // the next
	stumble          time.Time // the next
}

// trouble is an incident: how a service's minute differs from its usual.
type trouble struct {
	name  string
	wants []string // one of these features has to be among the first two
	shape string   // of the service that it befalls, if it matters
	long  int      // minutes
	do    func(t *traffic, s *served, at time.Time) []event.Event
}

func newTraffic(seed uint64, from time.Time) *traffic {
	t := &traffic{r: rand.New(rand.NewPCG(seed, 77))} // #nosec G404 -- not a secret
	between := func(a, b float64) float64 { return a * math.Pow(b/a, t.r.Float64()) }
	for i, shape := range []string{"daily", "daily", "steady", "steady", "job", "login", "quiet"} {
		s := served{
			name: fmt.Sprintf("%s%d", shape, i), shape: shape, rate: between(8, 50), swing: 0.3 + 0.5*t.r.Float64(), peak: 24 * t.r.Float64(),
			clients: int(between(30, 400)), slow: between(0.005, 0.2), spread: 0.3 + 0.5*t.r.Float64(), errors: between(0.0005, 0.01),
			refused: between(0.005, 0.05), size: between(300, 20000), job: t.r.IntN(60), digest: "sha256:0",
		}
		switch shape {
		case "steady":
			s.swing, s.clients = 0, 2+t.r.IntN(8)
		case "quiet":
			s.rate, s.swing, s.clients = between(0.5, 3), 0, 1+t.r.IntN(4)
		case "login":
			s.logins, s.mistaken = between(2, 12), 0.02+0.08*t.r.Float64()
		}
		t.later(&s.deploy, from, 24*time.Hour)
		t.later(&s.stumble, from, 16*time.Hour)
		t.services = append(t.services, s)
	}
	return t
}

// later sets a time after another, so much later on average.
func (t *traffic) later(when *time.Time, from time.Time, mean time.Duration) {
	*when = from.Add(time.Duration((0.3 + t.r.ExpFloat64()*0.7) * float64(mean)))
}

// minute is what a service's lines are in a minute, with a trouble or without.
func (t *traffic) minute(s *served, at time.Time, now *trouble) []event.Event {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	rate := s.rate * (1 + s.swing*math.Cos(2*math.Pi*(hour-s.peak)/24))
	errors, slow := s.errors, 1.0
	if since := at.Sub(s.deploy); since >= 0 {
		s.digest = fmt.Sprint("sha256:", at.Unix()/60)
		errors, slow, rate = errors+0.05, 2, rate*1.2
		if since >= 2*time.Minute {
			t.later(&s.deploy, at, 24*time.Hour)
		}
	}
	if !at.Before(s.stumble) {
		errors, slow, rate = errors+0.1, 1.5, rate*1.3
		t.later(&s.stumble, at, 16*time.Hour)
	}
	if after := (at.Minute() - s.job + 60) % 60; s.shape == "job" && after < 4 {
		rate, slow = rate*6, slow*1.5
	}
	var all []event.Event
	for range t.poisson(rate) {
		all = append(all, t.request(s, at, t.r.IntN(s.clients), errors, slow))
	}
	daily := 1 + s.swing*math.Cos(2*math.Pi*(hour-s.peak)/24)
	for range t.poisson(s.logins * daily) {
		all = append(all, t.login(s, at, fmt.Sprint("user", t.r.IntN(200)), t.address(t.r.IntN(s.clients)), t.r.Float64() < s.mistaken))
	}
	if now != nil {
		all = append(all, now.do(t, s, at)...)
	}
	slices.SortStableFunc(all, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	return all
}

// poisson is a number that is so much on average.
func (t *traffic) poisson(mean float64) int {
	if mean > 60 {
		return max(0, int(mean+math.Sqrt(mean)*t.r.NormFloat64()+0.5))
	}
	n := 0
	for p := t.r.Float64(); p > math.Exp(-mean); n++ {
		p *= t.r.Float64()
	}
	return n
}

func (t *traffic) address(i int) string { return fmt.Sprintf("192.0.%d.%d", i/250, 1+i%250) }

func (t *traffic) request(s *served, at time.Time, client int, errors, slow float64) event.Event {
	e := t.event(s, at)
	e.Class, e.Actor.Address = event.ClassHTTP, t.address(client)
	e.HTTP = event.HTTP{
		Method: "GET", Path: "/", Status: 200, Duration: slow * s.slow * math.Exp(s.spread*t.r.NormFloat64()),
		Bytes: int64(s.size * math.Exp(0.7*t.r.NormFloat64())),
	}
	switch p := t.r.Float64(); {
	case p < errors:
		e.HTTP.Status, e.HTTP.Bytes = 502, 200
	case p < errors+s.refused:
		e.HTTP.Status, e.HTTP.Bytes = 404, 150
	}
	return e
}

func (t *traffic) login(s *served, at time.Time, user, from string, fails bool) event.Event {
	e := t.event(s, at)
	e.Class, e.Outcome, e.Actor = event.ClassLogin, event.OutcomeSuccess, event.Actor{User: user, Address: from}
	if fails {
		e.Outcome = event.OutcomeFailure
	}
	return e
}

func (t *traffic) event(s *served, at time.Time) event.Event {
	t.n++
	at = at.Add(time.Duration(t.r.Float64() * float64(time.Minute)))
	return event.Event{
		ID: fmt.Sprint("t", t.n), Source: event.SourceLog, Time: at, Received: at,
		Object: event.Ref{Namespace: "shop", Name: s.name + "-1", Resource: "pods", Digest: s.digest, Workload: event.Workload{Kind: "Deployment", Name: s.name}},
	}
}

// many makes so many events a minute.
func (t *traffic) many(n float64, one func() event.Event) (all []event.Event) {
	for range t.poisson(n) {
		all = append(all, one())
	}
	return all
}

// troubles are what is injected.
func troubles() []trouble {
	return []trouble{
		{"credential stuffing", []string{"failed_auths", "unique_ips"}, "login", 10, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(50, func() event.Event {
				return t.login(s, at, fmt.Sprint("guess", t.r.IntN(9999)), fmt.Sprintf("203.0.113.%d", t.r.IntN(60)), t.r.Float64() < 0.98)
			})
		}},
		{"scan", []string{"refused_rate", "request_rate", "response_size"}, "daily", 6, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(120, func() event.Event {
				e := t.request(s, at, 0, 0, 0.5)
				e.Actor.Address, e.HTTP.Status, e.HTTP.Bytes, e.HTTP.Path = "203.0.113.9", 404, 150, fmt.Sprint("/", t.r.IntN(9999))
				return e
			})
		}},
		{"scan of a quiet one", []string{"refused_rate", "request_rate", "unique_ips", "response_size"}, "quiet", 6, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(60, func() event.Event {
				e := t.request(s, at, 0, 0, 0.5)
				e.Actor.Address, e.HTTP.Status, e.HTTP.Bytes = "203.0.113.9", 404, 150
				return e
			})
		}},
		{"error burst", []string{"error_rate"}, "steady", 5, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(s.rate*0.8, func() event.Event { return t.request(s, at, t.r.IntN(s.clients), 0.9, 1) })
		}},
		{"slow exfiltration", []string{"response_size", "sent", "unique_ips"}, "steady", 30, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(s.rate/8, func() event.Event {
				e := t.request(s, at, 0, 0, 1.2)
				e.Actor.Address, e.HTTP.Status, e.HTTP.Bytes = "203.0.113.77", 200, int64(s.size*60)
				return e
			})
		}},
		{"latency", []string{"response_time"}, "daily", 8, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(s.rate, func() event.Event { return t.request(s, at, t.r.IntN(s.clients), 0, 15) })
		}},
		{"flood from many", []string{"unique_ips", "request_rate"}, "daily", 6, func(t *traffic, s *served, at time.Time) []event.Event {
			return t.many(s.rate*6, func() event.Event {
				e := t.request(s, at, 0, 0, 1)
				e.Actor.Address = fmt.Sprintf("198.51.%d.%d", t.r.IntN(8), t.r.IntN(250))
				return e
			})
		}},
	}
}
