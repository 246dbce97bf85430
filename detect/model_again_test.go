package detect

import "testing"

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
