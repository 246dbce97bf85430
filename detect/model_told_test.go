package detect

import (
	"testing"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// What is found of an entity hides nothing else of it while that is quiet: what is
// odd by another feature is told beside it, once for each feature, also after a
// restart.
func TestAnotherIsFoundBeside(t *testing.T) {
	g := modelOf(t, quick, "quiet: 1s", "quiet: 1h", "duration: http.duration", "duration: http.duration, size: http.bytes")
	usual(t, g, 0, 900)
	n := 900
	next := func(duration float64, path string, size int64) bool {
		n += 7
		e := quickEvent(n, "web-1", duration, path)
		e.HTTP.Bytes = size
		return len(folded(t, g, e)) > 0
	}
	if !next(3, "/1", 0) {
		t.Fatal("nothing is found")
	}
	for i := range modelIn(g).wait.list { // so that nothing is told for being much odder
		modelIn(g).wait.list[i].score, modelIn(g).wait.list[i].p = 0.9, 1e-12
	}
	if next(3, "/1", 0) {
		t.Error("the same is found again")
	}
	var out pack.Writer
	modelIn(g).Save(&out)
	g = modelOf(t, quick, "quiet: 1s", "quiet: 1h", "duration: http.duration", "duration: http.duration, size: http.bytes")
	if err := modelIn(g).Load(pack.NewReader(out.Data)); err != nil {
		t.Fatal(err)
	}
	if next(3, "/1", 0) {
		t.Error("after a restart the same is found again")
	}
	if !next(3, "/1", 5000) {
		t.Error("another feature is not found beside it")
	}
	if next(3, "/1", 6000) {
		t.Error("another feature is found twice")
	}
	if next(3, "/2", 6000) {
		t.Error("both are found again")
	}
}

// What was told hides nothing else either where it comes with it again: a row that
// it leads is told for the rest, where that is odd by itself.
func TestAnotherIsFoundWithTheSame(t *testing.T) {
	g := modelOf(t, quick, "quiet: 1s", "quiet: 1h", "duration: http.duration", "duration: http.duration, size: http.bytes")
	usual(t, g, 0, 900)
	e := quickEvent(907, "web-1", 3, "/1")
	if len(folded(t, g, e)) == 0 {
		t.Fatal("nothing is found")
	}
	for i := range modelIn(g).wait.list {
		modelIn(g).wait.list[i].score, modelIn(g).wait.list[i].p = 0.9, 1e-12
	}
	e = quickEvent(914, "web-1", 900, "/1") // farther off by what was told
	e.HTTP.Bytes = 5
	found := folded(t, g, e)
	if len(found) == 0 || found[0].Features[0].Name != "duration" {
		t.Fatalf("found %+v", found)
	}
	e = quickEvent(921, "web-1", 900, "/1")
	e.HTTP.Bytes = 5
	if len(folded(t, g, e)) > 0 {
		t.Error("it is found twice")
	}
}
