package detect

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// FuzzLoad reads what a rule may remember otherwise than in windows and
// sequences: what was there before, what is kept quiet, requests.
func FuzzLoad(f *testing.F) {
	s := tell(f, ruleStart+"  source: audit\n  when: first_seen(\"14d/0s\", actor.user, object.namespace)\n  suppress: {by: [actor.user], for: 1h}\n", EngineOptions{})
	for i := range 12 {
		s.at(float64(i), float64(i), stageOf(i, i%3, fmt.Sprint("u", i%4), fmt.Sprint("n", i), false))
	}
	var out pack.Writer
	s.engine.running[0].run.Save(&out)
	f.Add(out.Data)
	f.Add([]byte{})
	d := s.engine.running[0].Detector
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := d.Open(Limits{Groups: 20, Bytes: 1 << 20, Late: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if run.Load(pack.NewReader(data)) != nil {
			return
		}
		e := stageOf(1, 2, "u1", "n9", true)
		e.Time = dawn
		if _, err := run.Fold(&e, event.Address{Sequence: 9, ID: "x"}, Moment{Now: dawn, Time: dawn, Order: 99}); err != nil {
			t.Fatal(err)
		}
		var out pack.Writer
		run.Save(&out)
		again, err := d.Open(Limits{Groups: 20, Bytes: 1 << 20, Late: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Load(pack.NewReader(out.Data)); err != nil {
			t.Fatalf("what was read is saved so that it can't be read: %v", err)
		}
		run.Advance(dawn.Add(100 * time.Hour))
		run.Counts()
		run.(evicting).Evict(1 << 30)
	})
}
