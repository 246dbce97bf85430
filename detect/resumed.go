package detect

import (
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// A snapshot of much is saved piece by piece, while events go on: each detector
// as it is after a frame of its own. An engine that reads it back begins at the
// frame of the first piece, and those that are ahead pass over what they know.
// What detectors remember depends on one another in one place only, when all of
// them together take too much: so what was done then is saved too.

// resumed is what an engine knows of the snapshot that it was read from, and of
// the one that is being saved.
type resumed struct {
	// from is the first frame that no detector had taken when the snapshot was
	// complete.
	from uint64
	// evictions are those since the first piece, in order of their times.
	evictions []eviction
	noting    bool
	// turn counts what makes pieces of before and after not fit together.
	turn uint64
}

// eviction is that a detector made room, when the engine told the time.
type eviction struct {
	swept time.Time
	name  string
	bytes int
}

// maxEvictions bounds how many are noted: when there are more, the snapshot is
// begun again.
const maxEvictions = 10_000

// begin is before the first piece is saved.
func (g *Engine) begin() {
	g.noting = true
	g.evictions = slices.DeleteFunc(g.evictions, func(e eviction) bool { return !e.swept.After(g.swept) })
}

// end is after the last piece was saved.
func (g *Engine) end() { g.noting = false }

func (g *Engine) note(e eviction) {
	if !g.noting {
		return
	}
	if len(g.evictions) >= maxEvictions {
		g.turn++
		g.evictions = nil
	}
	g.evictions = append(g.evictions, e)
}

// shrinkAgain does what was done at this time before the snapshot was complete.
func (g *Engine) shrinkAgain(sequence uint64) {
	i, ok := slices.BinarySearchFunc(g.evictions, g.swept, func(e eviction, t time.Time) int { return e.swept.Compare(t) })
	if !ok {
		return
	}
	for j := range g.running {
		s := &g.running[j]
		if e, can := s.run.(evicting); can && s.Name() == g.evictions[i].name && sequence >= s.from {
			e.Evict(g.evictions[i].bytes)
		}
	}
}

func (g *Engine) saveEvictions(out *pack.Writer) {
	out.Len(len(g.evictions))
	for _, e := range g.evictions {
		saveTime(out, e.swept)
		out.Text(e.name)
		out.Len(e.bytes)
	}
}

func (g *Engine) loadEvictions(in *pack.Reader) {
	for range in.Count(2 * maxEvictions) {
		g.evictions = append(g.evictions, eviction{loadTime(in), in.Text(), in.Len(1 << 50)})
	}
}
