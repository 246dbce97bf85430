package detect

import (
	"fmt"
	"maps"
	"slices"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// stateVersion is that of what Save writes.
const stateVersion = 1

// handOver gives one detector what another remembers.
func handOver(from, to Running) error {
	var out pack.Writer
	from.Save(&out)
	return to.Load(pack.NewReader(out.Data))
}

// Save writes all that the engine remembers, but for the ids of events: those
// are read again from the frame that [Engine.Oldest] names.
func (g *Engine) Save(out *pack.Writer) {
	out.Uint(stateVersion)
	saveTime(out, g.now)
	saveTime(out, g.swept)
	out.Uint(g.order)
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
	out.Len(len(g.running))
	for i := range g.running {
		var one pack.Writer
		g.running[i].run.Save(&one)
		out.Text(g.running[i].Name())
		out.Text(g.running[i].Memory())
		out.Bytes(one.Data)
	}
}

// Load reads what Save wrote, into an engine that has seen nothing. Detectors
// that the state does not know, or that remember other things now, begin anew;
// they are in fresh. After an error the engine is of no use.
func (g *Engine) Load(in *pack.Reader) (fresh []string, err error) {
	if v := in.Uint(); v != stateVersion && in.Err() == nil {
		return nil, fmt.Errorf("load state: version %d is not known", v)
	}
	g.now, g.swept, g.order = loadTime(in), loadTime(in), in.Uint()
	for range in.Count(1 << 20) {
		name := in.Text()
		g.off[name] = in.Text()
	}
	g.loadSilences(in)
	known := map[string][2]string{}
	for range in.Count(1 << 20) {
		name := in.Text()
		known[name] = [2]string{in.Text(), string(in.Bytes())}
	}
	if err := in.Done(); err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	for i := range g.running {
		s := &g.running[i]
		s.off = g.off[s.Name()] == s.Version()
		one, ok := known[s.Name()]
		if !ok || one[0] != s.Memory() {
			fresh = append(fresh, s.Name())
			continue
		}
		if err := s.run.Load(pack.NewReader([]byte(one[1]))); err != nil {
			return nil, fmt.Errorf("load state of %s: %w", s.Name(), err)
		}
	}
	return fresh, nil
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
