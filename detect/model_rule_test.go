package detect

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// quick is a model of each event, that is ready soon.
const quick = `
apiVersion: firebreak.io/v1alpha1
kind: Model
metadata: {name: quick}
spec:
  title: Quick
  severity: medium
  source: log
  entity: [object.name]
  features: {duration: http.duration, path: surprisal(http.path)}
  warm_up: {events: 300, for: 1m}
  budget: {p: 0.01}
  quiet: 1s
`

func quickEvent(n int, name string, duration float64, path string) event.Event {
	at := modelStart.Add(time.Duration(n) * time.Second)
	return event.Event{
		ID: fmt.Sprint("q", n), Source: event.SourceLog, Class: event.ClassHTTP, Time: at, Received: at,
		Object: event.Ref{Namespace: "shop", Name: name}, HTTP: event.HTTP{Duration: duration, Path: path},
	}
}

// usual folds events that are all alike but for noise, from n on.
func usual(t testing.TB, g *Engine, n, count int) (found []event.Finding) {
	t.Helper()
	for i := n; i < n+count; i++ {
		e := quickEvent(i, fmt.Sprint("web-", i%5), 1+float64(i*7919%101)/200, fmt.Sprint("/", i*31%7))
		found = append(found, folded(t, g, e)...)
	}
	return found
}

func folded(t testing.TB, g *Engine, e event.Event) []event.Finding {
	t.Helper()
	found, _, err := g.Fold(&e, event.Address{ID: e.ID})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func modelIn(g *Engine) *modeller { return g.running[len(g.running)-1].run.(*modeller) }

// Nothing is found before enough was seen, and it says how much is missing.
func TestModelWarmsUp(t *testing.T) {
	g := modelOf(t, quick)
	usual(t, g, 0, 100)
	if found := folded(t, g, quickEvent(100, "web-1", 900, "/odd")); len(found) > 0 {
		t.Error("found while warming up")
	}
	s := g.Models()[0]
	if s.Ready || s.Missing != 305 { // 49 more that are not learned, and a tree's 256
		t.Errorf("after 101 events: %+v", s)
	}
	missing := s.Missing
	usual(t, g, 101, missing-1)
	if s := g.Models()[0]; s.Ready || s.Missing != 1 {
		t.Errorf("before the last event: %+v", s)
	}
	usual(t, g, 100+missing, 401-missing)
	if s := g.Models()[0]; !s.Ready || s.Missing != 0 {
		t.Errorf("after 501 events: %+v", s)
	}
	found := folded(t, g, quickEvent(501, "web-1", 900, "/odd"))
	if len(found) != 1 || found[0].P <= 0 || found[0].Mode != event.ModeAsk || found[0].Model != "quick" || len(found[0].Features) != 2 {
		t.Fatalf("found %+v", found)
	}
	var sum float64
	for _, f := range found[0].Features {
		sum += f.Contribution
	}
	if sum <= 0 || !strings.Contains(found[0].Explanation, `"/odd"`) || !strings.Contains(found[0].Explanation, "duration 900") {
		t.Errorf("explained %q, sum %v", found[0].Explanation, sum)
	}
}

// A false alarm makes its entity need more, and says so; what was right is
// forgotten.
func TestVerdictOnAModel(t *testing.T) {
	for _, right := range []bool{true, false} {
		g := modelOf(t, quick)
		usual(t, g, 0, 600)
		found := folded(t, g, quickEvent(600, "web-1", 900, "/odd"))
		if len(found) != 1 {
			t.Fatal("not found")
		}
		m := modelIn(g)
		waiting := g.Models()[0].Waiting
		if waiting == 0 || len(m.forest.Held()) != waiting {
			t.Fatalf("%d wait, %d are held", waiting, len(m.forest.Held()))
		}
		folded(t, g, event.FindingVerdict{Finding: found[0].ID, True: right, Who: "ann"}.Event(modelStart.Add(700*time.Second)))
		s := g.Models()[0]
		if s.Waiting != waiting-1 || len(m.forest.Held()) != waiting-1 || len(s.Said) != 1 || s.Budget.True+s.Budget.False != 1 {
			t.Errorf("after a verdict: %+v", s)
		}
		v := m.baseOf("web-1")
		if got := m.base.Novelty(v, 0, valueOfText("/odd"), modelStart.Add(701*time.Second)) == 0; got == right {
			t.Errorf("right %v, and the path is known: %v", right, got)
		}
	}
}

// What waited long enough is learned.
func TestQuarantineEnds(t *testing.T) {
	g := modelOf(t, quick)
	usual(t, g, 0, 600)
	folded(t, g, quickEvent(600, "web-1", 900, "/odd"))
	folded(t, g, event.Control(event.VerbTick, modelStart.Add(26*time.Hour), "tick", nil))
	if s := g.Models()[0]; s.Waiting != 0 || len(modelIn(g).forest.Held()) != 0 {
		t.Errorf("%+v", s)
	}
}

// A pinned model learns nothing, and is taken back to what it was.
func TestPinAndRollback(t *testing.T) {
	g := modelOf(t, quick)
	usual(t, g, 0, 600)
	m := modelIn(g)
	odd := []float64{40, 9}
	before := m.forest.Score(odd)
	order := func(do string, at int) {
		folded(t, g, event.ModelOrder{Model: "quick", Do: do, Who: "ann"}.Event(modelStart.Add(time.Duration(at)*time.Second)))
	}
	order(event.ModelPin, 601)
	usual(t, g, 602, 300)
	if got := m.forest.Score(odd); got != before || !g.Models()[0].Pinned {
		t.Errorf("a pinned model learned: %v, then %v", before, got)
	}
	m.forest.Add([]float64{50, 10}, 1, modelStart)
	order(event.ModelPin, 999) // what it goes back to is what it was at first
	order(event.ModelRollback, 1000)
	if got := m.forest.Score(odd); got != before {
		t.Errorf("rolled back to %v, not %v", got, before)
	}
	order(event.ModelUnpin, 1001)
	usual(t, g, 1002, 300)
	if got := m.forest.Score(odd); got == before {
		t.Error("it learns no more")
	}
}

// A model hears of what a rule finds of an entity before it measures the same
// event, for some time; of what little ones find it does not. What p that needs
// is the budget's (see its TestRuleLowersWhatIsNeeded).
func TestModelHearsRules(t *testing.T) {
	g := modelOf(t, quick+`
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: z-bad-path}
spec: {title: Bad, severity: high, source: log, when: http.path == "/bad", message: "bad"}
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: little}
spec: {title: Little, severity: low, source: log, when: http.path == "/little", message: "little"}
`)
	folded(t, g, quickEvent(1, "web-1", 1, "/bad"))
	folded(t, g, quickEvent(2, "web-2", 1, "/little"))
	m := modelIn(g)
	heard := func(name string, after time.Duration) bool {
		return m.heard.of(baseline.Key(hashTexts([]string{"entity", name})), modelStart.Add(after))
	}
	if !heard("web-1", time.Second) || !heard("web-1", 10*time.Minute) || heard("web-1", 11*time.Minute) || heard("web-2", 2*time.Second) {
		t.Error("it heard of the wrong ones")
	}
	g = reopened(t, g)
	if m = modelIn(g); !heard("web-1", time.Minute) {
		t.Error("it does not remember what it heard")
	}
}

// Invented entities change nothing of what is found of the real ones.
func TestInventedEntitiesChangeNothing(t *testing.T) {
	run := func(flood int) []float64 {
		g := modelOf(t, quick)
		usual(t, g, 0, 1200)
		for i := range flood {
			e := quickEvent(1200, fmt.Sprint("invented-", i), 5, fmt.Sprint("/junk", i))
			e.ID = fmt.Sprint("flood", i)
			folded(t, g, e)
		}
		m := modelIn(g)
		var out []float64
		for i := range 5 {
			e := m.baseOf(fmt.Sprint("web-", i))
			if e == nil {
				t.Fatalf("web-%d is forgotten", i)
			}
			for path := range 8 {
				out = append(out, m.base.Surprisal(e, 0, valueOfText(fmt.Sprint("/", path)), modelStart.Add(1300*time.Second)))
			}
		}
		return append(out, m.forest.Score([]float64{1.2, 3}))
	}
	a, b := run(0), run(30_000)
	for i := range a {
		// The forest has one principal more, which has a share.
		if d := math.Abs(a[i] - b[i]); i < len(a)-1 && d != 0 || d > 0.1 {
			t.Errorf("answer %d was %v and is %v", i, a[i], b[i])
		}
	}
}

// Summaries of lines measure what the lines would.
func TestModelReadsSummaries(t *testing.T) {
	text := shippedModel(t, "model-service.yaml")
	lines, summed := modelOf(t, text), modelOf(t, text)
	s := newShop(5, 1)
	var sum sketch.Summary
	all := s.minute(modelStart, 0, incident{rate: 20, errors: 0.2, logins: 7})
	for i := range all {
		folded(t, lines, all[i])
		sum.Add(&all[i], all[i].Time)
	}
	sum.Start, sum.Length = modelStart, time.Minute
	e := s.event(modelStart, 0, 1, 0)
	e.Class, e.Fields = event.ClassLogSummary, sum.Fields()
	folded(t, summed, e)
	a, b := modelIn(lines), modelIn(summed)
	if len(a.open.order) != 1 || len(b.open.order) != 1 {
		t.Fatal("no interval")
	}
	for _, c := range a.measures {
		if c.cell < 0 {
			continue
		}
		x, y := a.open.order[0].cells[c.cell].value(c, 60), b.open.order[0].cells[c.cell].value(c, 60)
		if math.Abs(x-y) > 0.021*math.Abs(x) && !strings.Contains(c.Text, "401") {
			t.Errorf("%s is %v of lines, %v of their summary", c.Text, x, y)
		}
	}
}

// A fixed threshold decides alone.
func TestThresholdAlone(t *testing.T) {
	g := modelOf(t, strings.Replace(quick, "budget: {p: 0.01}", "budget: {threshold: anomaly.score > 0.8 and anomaly.decision < 0}", 1))
	usual(t, g, 0, 600)
	if found := folded(t, g, quickEvent(600, "web-1", 900, "/odd")); len(found) != 1 || found[0].Score <= 0.8 {
		t.Errorf("found %+v", found)
	}
}

// A feature that does not ask for a value learns none: not that of the event before,
// which is another's.
func TestWhatIsNotAskedIsNotLearned(t *testing.T) {
	g := modelOf(t, quick, "path: surprisal(http.path)", `path: 'http.method == "POST" ? surprisal(http.path) : 0'`)
	e := quickEvent(1, "web-1", 1, "/theirs")
	e.HTTP.Method = "POST"
	folded(t, g, e)
	folded(t, g, quickEvent(2, "web-2", 1, "/own"))
	m := modelIn(g)
	for _, c := range []struct {
		name, path string
		known      bool
	}{{"web-1", "/theirs", true}, {"web-2", "/theirs", false}, {"web-2", "/own", false}} {
		if known := m.base.Novelty(m.baseOf(c.name), 0, valueOfText(c.path), modelStart) == baseline.Known; known != c.known {
			t.Errorf("%s knows %s: %v", c.name, c.path, known)
		}
	}
}
