package detect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/detect/rules"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// modelOf is an engine of one model: a shipped one by its name, after changes
// of its text, or a document.
func modelOf(t testing.TB, text string, changes ...string) *Engine {
	t.Helper()
	docs, err := conf.Documents("model.yaml", []byte(strings.NewReplacer(changes...).Replace(text)))
	if err != nil {
		t.Fatal(err)
	}
	set, err := NewRuleSet(docs)
	if err != nil {
		t.Fatal(err)
	}
	return NewEngine(set, EngineOptions{Lateness: 10 * time.Second})
}

// shop is the traffic of services, made up: each has its own rate, with a daily
// peak, durations and clients.
type shop struct {
	r        *rand.Rand
	services int
	n        int
}

func newShop(seed uint64, services int) *shop {
	return &shop{r: rand.New(rand.NewPCG(seed, 7)), services: services} // #nosec G404 -- not a secret
}

// incident changes what a service does.
type incident struct {
	rate, errors, slow, logins float64
	addresses                  int
}

// minute is the requests of one service in a minute.
func (s *shop) minute(at time.Time, service int, in incident) (all []event.Event) {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	rate := (6 + 3*float64(service)) * (1 + 0.6*math.Sin(2*math.Pi*(hour-6)/24)) * max(1, in.rate)
	n := int(rate + math.Sqrt(rate)*s.r.NormFloat64())
	for i := range max(0, n) {
		e := s.event(at, i, max(1, n), service)
		e.Class, e.Actor.Address = event.ClassHTTP, fmt.Sprintf("192.0.2.%d", s.r.IntN(20+in.addresses))
		e.HTTP = event.HTTP{Method: "GET", Path: "/", Status: 200, Duration: 0.02 * math.Exp(0.4*s.r.NormFloat64()) * max(1, in.slow), Bytes: int64(500 + s.r.IntN(500))}
		switch p := s.r.Float64(); {
		case p < 0.004+in.errors:
			e.HTTP.Status = 503
		case p < 0.03+in.errors:
			e.HTTP.Status = 404
		}
		all = append(all, e)
	}
	for i := range int(in.logins) {
		e := s.event(at, i, int(in.logins), service)
		e.Class, e.Outcome, e.Actor = event.ClassLogin, event.OutcomeFailure, event.Actor{User: "root", Address: "198.51.100.7"}
		all = append(all, e)
	}
	return all
}

func (s *shop) event(at time.Time, i, n, service int) event.Event {
	s.n++
	at = at.Add(time.Duration(i) * time.Minute / time.Duration(n))
	return event.Event{
		ID: fmt.Sprint("e", s.n), Source: event.SourceLog, Time: at, Received: at,
		Object: event.Ref{Namespace: "shop", Name: fmt.Sprintf("svc%d-abc", service), Resource: "pods", Workload: event.Workload{Kind: "Deployment", Name: fmt.Sprintf("svc%d", service)}},
	}
}

// run folds minutes of all services, with an incident at one of them.
func (s *shop) run(t testing.TB, g *Engine, from time.Time, minutes int, what func(minute, service int) incident) (found []event.Finding) {
	t.Helper()
	for minute := range minutes {
		at := from.Add(time.Duration(minute) * time.Minute)
		var all []event.Event
		for service := range s.services {
			all = append(all, s.minute(at, service, what(minute, service))...)
		}
		slices.SortStableFunc(all, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
		for i := range all {
			more, _, err := g.Fold(&all[i], event.Address{Sequence: uint64(s.n), Index: i, ID: all[i].ID})
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, more...)
		}
	}
	return found
}

func nothing(int, int) incident { return incident{} }

func shippedModel(t testing.TB, file string) string {
	t.Helper()
	data, err := fsRead("rules", file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var modelStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// Two days of steady traffic stay within the budget; each kind of incident is
// found, ranked above everything before, with its feature named first.
func TestServiceTraffic(t *testing.T) {
	g := modelOf(t, shippedModel(t, "model-service.yaml"))
	s := newShop(1, 4)
	benign := s.run(t, g, modelStart, 2*24*60, nothing)
	for _, f := range benign {
		t.Logf("benign: %s score %.3f p %.2g: %s", f.Entity, f.Score, f.P, f.Explanation)
	}
	if len(benign) > 12 {
		t.Errorf("%d findings in two days of steady traffic, with a budget of 5 a day", len(benign))
	}
	at := modelStart.Add(60 * time.Hour)
	for _, c := range []struct {
		want string
		in   incident
	}{
		{"error_rate", incident{errors: 0.5}},
		{"response_time", incident{slow: 20}},
		{"request_rate", incident{rate: 12}},
		{"unique_ips", incident{addresses: 2000, rate: 3}},
		{"failed_auths", incident{logins: 60}},
	} {
		found := s.run(t, g, at, 10, func(minute, service int) incident {
			if minute >= 2 && minute < 6 && service == 2 {
				return c.in
			}
			return incident{}
		})
		at = at.Add(10 * time.Minute)
		at = at.Add(24 * time.Hour)
		found = slices.DeleteFunc(found, func(f event.Finding) bool { return f.Entity != "shop/svc2" })
		if len(found) == 0 {
			t.Errorf("%s: not found", c.want)
			continue
		}
		f := slices.MaxFunc(found, func(a, b event.Finding) int { return cmp.Compare(a.Score, b.Score) })
		t.Logf("%s: score %.3f p %.2g: %s", c.want, f.Score, f.P, f.Explanation)
		if !amongFirst(f, c.want) {
			t.Errorf("%s: the features are %s", c.want, featuresOf(f))
		}
		for _, b := range benign {
			if b.Score >= f.Score {
				t.Errorf("%s: score %.3f, a benign one had %.3f", c.want, f.Score, b.Score)
			}
		}
	}
}

// amongFirst says whether a feature is among the first two.
func amongFirst(f event.Finding, name string) bool {
	return slices.ContainsFunc(f.Features[:min(2, len(f.Features))], func(x event.Feature) bool { return x.Name == name })
}

func featuresOf(f event.Finding) string {
	var all []string
	for _, x := range f.Features {
		all = append(all, fmt.Sprintf("%s %.2f", x.Name, x.Contribution))
	}
	return strings.Join(all, ", ")
}

// A model that is stopped and loaded again at any place finds the same.
func TestModelSurvivesAKill(t *testing.T) {
	text := shippedModel(t, "model-service.yaml")
	incidents := func(minute, service int) incident {
		if minute%97 == 96 && service == minute%3 {
			return incident{errors: 0.6, slow: 10}
		}
		return incident{}
	}
	run := func(kill bool) []event.Finding {
		g := modelOf(t, text)
		s := newShop(3, 3)
		var found []event.Finding
		for part := range 12 {
			found = append(found, s.run(t, g, modelStart.Add(time.Duration(part)*time.Hour), 60, func(m, service int) incident { return incidents(part*60+m, service) })...)
			if kill {
				g = reopened(t, g)
			}
		}
		return found
	}
	a, b := run(false), run(true)
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if len(a) == 0 || !bytes.Equal(x, y) {
		t.Errorf("%d findings without a kill, %d with:\n%s\n%s", len(a), len(b), x, y)
	}
}

// reopened is another engine with what one remembers.
func reopened(t testing.TB, g *Engine) *Engine {
	t.Helper()
	var out, again pack.Writer
	g.Save(&out)
	next := NewEngine(g.Rules(), g.o)
	if fresh, err := next.Load(pack.NewReader(out.Data)); err != nil || len(fresh) > 0 {
		t.Fatal(err, fresh)
	}
	next.Save(&again)
	if !bytes.Equal(out.Data, again.Data) {
		t.Fatal("what was loaded is saved otherwise")
	}
	next.events = g.events // warmed
	return next
}

func fsRead(_, file string) ([]byte, error) { return rules.FS.ReadFile(file) }

// baseOf is what the model remembers of an entity of one value.
func (m *modeller) baseOf(name string) *baseline.Entity {
	return m.base.Find(baseline.Key(hashTexts([]string{"entity", name})))
}

func valueOfText(text string) baseline.Value { return baseline.ValueOf(text) }
