package detect

import (
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// FuzzLoadModel reads states of models as somebody may have written them: what is
// taken goes on without a panic, and can be saved and read again.
func FuzzLoadModel(f *testing.F) {
	changes := []string{"warm_up:", "forest: {trees: 4, sample: 16, reservoir: 32}\n  warm_up:"}
	g := modelOf(f, quick, changes...)
	usual(f, g, 0, 200)
	folded(f, g, quickEvent(201, "web-1", 900, "/odd"))
	data, err := g.SaveModel("quick")
	if err != nil {
		f.Fatal(err)
	}
	set := g.Rules()
	f.Add(data)
	f.Add([]byte(stateHead))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := NewEngine(set, EngineOptions{})
		if g.LoadModel("quick", data) != nil {
			return
		}
		e := quickEvent(400, "web-1", 900, "/odd")
		if _, _, err := g.Fold(&e, event.Address{Sequence: 9, ID: e.ID}); err != nil {
			t.Fatal(err)
		}
		g.Models()
		modelIn(g).Advance(modelStart.Add(100 * time.Hour))
		saved, err := g.SaveModel("quick")
		if err != nil {
			t.Fatal(err)
		}
		if err := NewEngine(set, EngineOptions{}).LoadModel("quick", saved); err != nil {
			t.Fatalf("what was read is saved so that it can't be read: %v", err)
		}
	})
}
