package detect

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Engines of one set share what was compiled and nothing else: each finds what
// one does that is alone.
func TestEnginesOfOneSet(t *testing.T) {
	const engines = 4
	shared := mortalRules(t)
	fold := func(set *RuleSet, frames []bus.Message) (all []event.Finding) {
		g := NewEngine(set, EngineOptions{})
		for _, m := range frames {
			events, err := event.DecodeFrame(m.Data)
			if err != nil {
				t.Error(err)
				return nil
			}
			for i := range events {
				found, _, err := g.Fold(&events[i], event.Address{Sequence: m.Sequence, Index: i})
				if err != nil {
					t.Error(err)
				}
				all = append(all, found...)
			}
		}
		return all
	}
	var frames [engines][]bus.Message
	for i := range frames {
		frames[i] = mortalFrames(t, rand.New(rand.NewPCG(9, uint64(i))), 60)
	}
	var together [engines][]event.Finding
	var wg sync.WaitGroup
	for i := range frames {
		wg.Go(func() { together[i] = fold(shared, frames[i]) })
	}
	wg.Wait()
	for i := range frames {
		if alone := fold(mortalRules(t), frames[i]); len(alone) == 0 || !reflect.DeepEqual(together[i], alone) {
			t.Errorf("engine %d found %d, alone %d", i, len(together[i]), len(alone))
		}
	}
}

// Nothing is compiled again for another engine.
func TestOpeningCompilesNothing(t *testing.T) {
	set := mortalRules(t)
	for _, d := range set.detectors {
		allocs := testing.AllocsPerRun(10, func() {
			if _, err := d.Open(Limits{Groups: 10}); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 100 {
			t.Errorf("opening %s takes %.0f allocations", d.Name(), allocs)
		}
	}
}
