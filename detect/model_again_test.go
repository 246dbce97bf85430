package detect

import (
	"testing"

	"github.com/firebreak-io/firebreak/detect/budget"
)

// What is small does not hide what is large of the same entity while that is
// quiet: it is told once, and what is as large after it is counted.
func TestWorseIsFoundAgain(t *testing.T) {
	g := modelOf(t, quick, "quiet: 1s", "quiet: 1h")
	usual(t, g, 0, 900)
	n := 900
	next := func(duration float64, path string) float64 {
		n += 7
		found := folded(t, g, quickEvent(n, "web-1", duration, path))
		if len(found) == 0 {
			return 0
		}
		return found[0].Score
	}
	var small float64
	for d := 1.5; d < 4 && small == 0; d += 0.05 {
		small = next(d, "/1")
	}
	if small == 0 {
		t.Fatal("nothing is found")
	}
	if again := next(1.6, "/1"); again != 0 {
		t.Errorf("what is no worse is found again, with score %v", again)
	}
	for i := range modelIn(g).wait.list { // nothing here is a hundred times rarer
		modelIn(g).wait.list[i].score, modelIn(g).wait.list[i].p = 0.7, 1e-12
	}
	if large := next(900, "/odd"); large < clearScore {
		t.Errorf("the large one has score %v", large)
	}
	if more := next(900, "/odd"); more != 0 {
		t.Errorf("it is found twice, with score %v", more)
	}
}

// What waits of an entity is alike where it named what leads a row now. A score is
// the highest where no finding that waits has one as high, whoever it is of.
func TestWhatWaitsIsAlike(t *testing.T) {
	g := modelOf(t, quick)
	usual(t, g, 0, 900)
	first := folded(t, g, quickEvent(907, "web-1", 900, "/1"))
	if len(first) == 0 {
		t.Fatal("nothing is found")
	}
	m := modelIn(g)
	m.wait.list = m.wait.list[len(m.wait.list)-1:]
	if score := first[0].Score; m.highest(score) || !m.highest(score+1e-9) {
		t.Errorf("%v waits, as high is the highest: %v, higher is: %v", score, m.highest(score), m.highest(score+1e-9))
	}
	before, alike := 0, 0
	m.traced = func(o *observation, score float64, _ budget.Decision) {
		before = m.waitingOf(o.who.Entity, o.at, anyFeature)
		alike = m.alike(o, score, before)
	}
	for i, c := range []struct {
		who           string
		duration      float64
		path          string
		before, alike int
	}{{"web-2", 900, "/1", 0, 0}, {"web-1", 1.2, "/odd", 1, 0}, {"web-2", 900, "/1", 1, 1}} {
		folded(t, g, quickEvent(914+7*i, c.who, c.duration, c.path))
		if before != c.before || alike != c.alike {
			t.Errorf("%s, %v at %s: %d of %d are alike, not %d of %d", c.who, c.duration, c.path, alike, before, c.alike, c.before)
		}
	}
}
