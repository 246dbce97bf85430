package detect

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// floodSize is how many names are invented: a million where the long sizes are
// asked for.
func floodSize() int {
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		return 1_000_000
	}
	return 20_000
}

// What is found of a real entity after others were invented, each odd in its own
// way, is what would have been found without them: as high, with the same words,
// and a p that leaves no doubt. Memory stays what it may be.
func TestFloodHidesNothing(t *testing.T) {
	attack := func(flood int) (event.Finding, Memory) {
		g := modelOf(t, quick, "budget: {p: 0.01}", "budget: {alerts_per_day: 50}", "entity: [object.name]", "entity: [object.name]\n  peers: [object.namespace]")
		usual(t, g, 0, 3000)
		at := 3000
		for i := range flood {
			e := quickEvent(at+i*20/max(1, flood), fmt.Sprint("invented-", i), 5+float64(i%97), fmt.Sprint("/junk", i))
			e.ID = fmt.Sprint("flood", i)
			folded(t, g, e)
		}
		usual(t, g, 3030, 60)
		found := folded(t, g, quickEvent(3100, "web-1", 900, "/odd"))
		i := slices.IndexFunc(found, func(f event.Finding) bool { return f.Entity == "web-1" })
		if i < 0 {
			s := g.Models()[0]
			t.Fatalf("after %d invented entities it is not found: %+v", flood, s.Budget)
		}
		return found[i], g.Memory()
	}
	a, _ := attack(0)
	began := time.Now()
	n := floodSize()
	b, m := attack(n)
	t.Logf("without: score %.3f p %.2g; with %d: score %.3f p %.2g, %s; %d entities take %d KiB, %d forgotten; %s",
		a.Score, a.P, n, b.Score, b.P, b.Explanation, m.Groups, m.Bytes>>10, m.Evicted, time.Since(began).Round(time.Millisecond))
	if b.Score < a.Score-0.05 || b.P > 1e-4 || b.P > 10*a.P || a.Features[0].Name != b.Features[0].Name {
		t.Errorf("without the flood score %.3f, p %v, first %s; with it %.3f, %v, %s", a.Score, a.P, a.Features[0].Name, b.Score, b.P, b.Features[0].Name)
	}
	if m.Bytes > 72<<20 {
		t.Errorf("it takes %d bytes", m.Bytes)
	}
}
