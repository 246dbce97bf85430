package detect

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// stateVersion is that of what Save writes.
const stateVersion = 3

// handOver gives one detector what another remembers.
func handOver(from, to Running) error {
	var out pack.Writer
	from.Save(&out)
	if err := to.Load(pack.NewReader(out.Data)); err != nil {
		return err
	}
	before, _ := from.(deciding)
	if after, is := to.(deciding); is && before != nil {
		return after.resumeDecided(before.saveDecided())
	}
	return nil
}

// carryOver gives one detector what people decided about another, of which it can't
// take what that remembers.
func carryOver(from, to Running, now time.Time) {
	before, _ := from.(deciding)
	if after, is := to.(deciding); is && before != nil {
		after.carryDecided(before.saveDecided(), now)
	}
}

// Save writes all that the engine remembers, but for the ids of events (see
// [Engine.SaveSeen]).
func (g *Engine) Save(out *pack.Writer) {
	g.begin()
	g.saveHead(out)
	for i := range g.running {
		g.saveSlot(out, i, 0)
	}
	g.saveTail(out, 0)
	g.end()
}

// saveHead writes what is the engine's own, after which the detectors follow,
// each perhaps some frames later.
func (g *Engine) saveHead(out *pack.Writer) {
	out.Uint(stateVersion)
	saveTime(out, g.now)
	saveTime(out, g.swept)
	out.Uint(g.order)
}

// saveSlot writes a detector, as it is before a frame.
func (g *Engine) saveSlot(out *pack.Writer, i int, before uint64) {
	s := &g.running[i]
	var one pack.Writer
	s.run.Save(&one)
	out.Bool(true)
	out.Text(s.Name())
	out.Text(s.Memory())
	out.Uint(max(before, s.from))
	out.Bytes(one.Data)
	if d, is := s.run.(deciding); is { // who does not know it passes it over
		out.Bool(true)
		out.Text(decidedOf(s.Name()))
		out.Text("")
		out.Uint(0)
		out.Bytes(d.saveDecided())
	}
}

// decidedOf is the name under which a detector's decisions are saved; no document
// has it.
func decidedOf(name string) string { return "decided of " + name }

// saveTail writes what is the same for all pieces, or known only behind them:
// all of them are as they were before that frame or one before it.
func (g *Engine) saveTail(out *pack.Writer, before uint64) {
	out.Bool(false)
	out.Uint(max(before, g.from))
	out.Len(len(g.off))
	for _, name := range slices.Sorted(maps.Keys(g.off)) {
		out.Text(name)
		out.Text(g.off[name])
	}
	out.Len(len(g.silences))
	for _, s := range g.silences {
		out.Text(s.ID)
		out.Text(s.When)
		out.Text(s.Who)
		out.Text(s.Why)
		saveTime(out, s.Until)
		out.Uint(s.Matched)
	}
	g.saveEvictions(out)
}

// savedSlot is a detector as saveSlot wrote it.
type savedSlot struct {
	memory string
	from   uint64
	state  []byte
}

// Load reads what Save wrote, into an engine that has seen nothing. Detectors
// that the state does not know, or that remember other things now, begin anew;
// they are in fresh, and go on with what people decided about them. After an error the engine is of no use.
func (g *Engine) Load(in *pack.Reader) (fresh []string, err error) {
	if v := in.Uint(); v != stateVersion && in.Err() == nil {
		return nil, fmt.Errorf("load state: version %d is not known", v)
	}
	g.now, g.swept, g.order = loadTime(in), loadTime(in), in.Uint()
	known := map[string]savedSlot{}
	for in.Bool() {
		name := in.Text()
		known[name] = savedSlot{in.Text(), in.Uint(), in.Bytes()}
	}
	g.from = in.Uint()
	for range in.Count(1 << 20) {
		name := in.Text()
		g.off[name] = in.Text()
	}
	g.loadSilences(in)
	g.loadEvictions(in)
	if err := in.Done(); err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	for i := range g.running {
		s := &g.running[i]
		s.off = g.off[s.Name()] == s.Version()
		one, ok := known[s.Name()]
		d, decides := s.run.(deciding)
		decided, told := known[decidedOf(s.Name())]
		if !ok || one.memory != s.Memory() {
			s.from = g.from // what was before was evaluated by other rules
			fresh = append(fresh, s.Name())
			if decides && ok {
				d.carryDecided(decided.state, g.now)
			}
			continue
		}
		s.from = one.from
		err := s.run.Load(pack.NewReader(one.state))
		if err == nil && decides && told {
			err = d.resumeDecided(decided.state)
		}
		if err != nil {
			return nil, fmt.Errorf("load state of %s: %w", s.Name(), err)
		}
	}
	return fresh, nil
}

// seenVersion is that of what SaveSeen writes.
const seenVersion = 1

// SaveSeen writes the ids of the events that the engine remembers, when it has
// folded those of all frames up to one.
func (g *Engine) SaveSeen(out *pack.Writer, to uint64) {
	out.Uint(seenVersion)
	out.Uint(to)
	g.events.save(out)
}

// LoadSeen reads what SaveSeen wrote, into an engine that has seen nothing. What
// came after it has to be told by [Engine.Warm].
func (g *Engine) LoadSeen(in *pack.Reader) (to uint64, err error) {
	if v := in.Uint(); v != seenVersion && in.Err() == nil {
		return 0, fmt.Errorf("load ids: version %d is not known", v)
	}
	to = in.Uint()
	if err := g.events.load(in); err != nil {
		return 0, fmt.Errorf("load ids: %w", err)
	}
	return to, nil
}

func (g *Engine) loadSilences(in *pack.Reader) {
	for range in.Count(maxSilences) {
		one := event.Silence{ID: in.Text(), When: in.Text(), Who: in.Text(), Why: in.Text(), Until: loadTime(in), Matched: in.Uint()}
		e := one.Event(g.now)
		if g.silence(&e) == nil && len(g.silences) > 0 && g.silences[len(g.silences)-1].ID == one.ID {
			g.silences[len(g.silences)-1].Matched = one.Matched
		}
	}
}
