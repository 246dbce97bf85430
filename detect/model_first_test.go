package detect

import (
	"fmt"
	"testing"
	"time"
)

// When much is odd in the same minute, the budget goes to what is oddest, whoever
// came first.
func TestStrangestFirst(t *testing.T) {
	g := modelOf(t, quick,
		"features: {duration: http.duration, path: surprisal(http.path)}", "every: 1m\n  features: {slowest: max(http.duration)}",
		"budget: {p: 0.01}", "budget: {alerts_per_day: 1}")
	const pods, minutes = 8, 90
	n, at := 0, modelStart
	minute := func(duration func(pod int) float64) (entities []string) {
		for pod := range pods {
			n++
			e := quickEvent(n, fmt.Sprint("web-", pod), duration(pod), "/")
			e.Time = at.Add(time.Duration(pod) * time.Second)
			e.Received = e.Time
			for _, f := range folded(t, g, e) {
				entities = append(entities, f.Entity)
			}
		}
		at = at.Add(time.Minute)
		return entities
	}
	for range minutes {
		minute(func(int) float64 { return 1 + float64(n*7919%101)/200 })
	}
	minute(func(pod int) float64 {
		if pod == pods-1 {
			return 60
		}
		return 6
	})
	at = at.Add(time.Minute)
	if found := minute(func(int) float64 { return 1 }); len(found) == 0 || len(found) == pods || found[0] != "web-7" {
		t.Errorf("found %q", found)
	}
}
