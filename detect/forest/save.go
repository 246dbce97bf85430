package forest

import (
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// Save writes everything that is needed to go on as if nothing had happened:
// all later scores are the same to the bit.
func (r *Rolling) Save(w *pack.Writer) {
	w.Len(r.dims)
	w.Len(r.count)
	w.Len(r.depth)
	w.Len(r.psi)
	r.grove.save(w)
	w.Uint(r.taken)
	w.Uint(r.made)
	w.Len(r.grown)
	w.Int(r.refreshed)
	w.Bool(r.anchored)
	r.pool.save(w)
	r.quarantine.save(w)
	r.probes.save(w)
}

// Load reads what Save wrote of a Rolling with the same dims, options and
// learning. What does not fit is the reader's error; then the Rolling is of no
// more use.
func (r *Rolling) Load(in *pack.Reader) {
	if in.Len(MaxDims) != r.dims || in.Len(MaxTrees) != r.count || in.Len(64) != r.depth {
		in.Fail()
		return
	}
	r.of(in.Len(r.o.Sample))
	r.grove.load(in, r.b.c)
	r.taken, r.made = in.Uint(), in.Uint()
	r.trust()
	r.grown = in.Len(r.l.Reservoir)
	r.refreshed = in.Int()
	r.anchored = in.Bool()
	r.pool.load(in)
	r.quarantine.load(in, r.dims)
	r.probes.load(in, r.dims)
}

// Save writes the forest.
func (f *Forest) Save(w *pack.Writer) {
	w.Len(f.dims)
	w.Len(f.count)
	w.Len(f.depth)
	w.Len(f.psi)
	w.Float(f.beyond)
	w.Float(f.offset)
	f.grove.save(w)
	floats(w, f.examples)
}

// Load reads a forest that Save wrote.
func Load(in *pack.Reader) (*Forest, error) {
	o := Options{Trees: 1, Sample: 2, Depth: 1}
	dims := in.Len(MaxDims)
	o.Trees, o.Depth = in.Count(MaxTrees), in.Len(deepest(MaxSample))
	psi := in.Len(MaxSample)
	o.Beyond = in.Float()
	if dims < 1 || o.Trees < 1 || o.Depth < 1 || !(o.Beyond < 1) {
		in.Fail()
	}
	if in.Err() != nil {
		return nil, in.Err()
	}
	f := &Forest{grove: newGrove(dims, o)}
	f.of(psi)
	f.offset = in.Float()
	f.grove.load(in, paths(psi))
	f.examples = readFloats(in, examples*dims)
	if len(f.examples)%dims != 0 {
		in.Fail()
	}
	return f, in.Err()
}

func (g *grove) save(w *pack.Writer) {
	for t := range g.count {
		g.tree(t).save(w, 1)
	}
	for f := range g.dims {
		w.Bool(g.known[f])
		for _, v := range []float64{g.low[f], g.high[f], g.rate[f], g.fill[f], g.unit[f]} {
			w.Float(v)
		}
	}
}

func (g *grove) load(in *pack.Reader, c []float64) {
	for t := range g.count {
		tree := g.tree(t)
		tree.clear()
		tree.load(in, g.dims, c, 1, 0)
	}
	for f := range g.dims {
		g.known[f] = in.Bool()
		for _, v := range []*float64{&g.low[f], &g.high[f], &g.rate[f], &g.fill[f], &g.unit[f]} {
			if *v = in.Float(); *v-*v != 0 {
				in.Fail()
			}
		}
	}
}

// save writes what is below cut i: the feature plus one and the value of a cut,
// then what is left of it and what is right; or 0 and the rows of a leaf.
func (t tree) save(w *pack.Writer, i int) {
	if i < len(t.cuts) {
		if feature, is := t.feature(i); is {
			w.Len(feature + 1)
			w.Float(t.cuts[i])
			t.save(w, 2*i)
			t.save(w, 2*i+1)
			return
		}
	}
	for i < len(t.cuts) {
		i *= 2
	}
	w.Uint(0)
	w.Len(int(t.rows[i-len(t.cuts)]))
}

func (t tree) load(in *pack.Reader, dims int, c []float64, i, depth int) {
	feature := in.Len(dims)
	if feature == 0 {
		t.end(i, depth, in.Len(len(c)-1), c)
		return
	}
	value := in.Float()
	if i >= len(t.cuts) || value-value != 0 {
		in.Fail()
		return
	}
	t.cut(i, feature-1, value)
	t.load(in, dims, c, 2*i, depth+1)
	t.load(in, dims, c, 2*i+1, depth+1)
}

func (r *reservoir) save(w *pack.Writer) {
	w.Uint(r.offered)
	w.Uint(r.capped)
	w.Uint(r.fattest)
	w.Int(r.epoch)
	w.Int(r.last)
	w.Len(len(r.slots))
	for i, s := range r.slots {
		w.Float(s.key)
		w.Uint(s.principal)
		w.Int(s.at)
		w.Len(int(r.heap[i]))
	}
	floats(w, r.x)
}

func (r *reservoir) load(in *pack.Reader) {
	r.offered, r.capped, r.fattest = in.Uint(), in.Uint(), in.Uint()
	r.epoch, r.last = in.Int(), in.Int()
	n := in.Count(r.size)
	r.slots, r.heap, r.place = r.slots[:0], r.heap[:0], make([]int32, n, r.size)
	clear(r.owners)
	seen := make([]bool, n)
	for i := range n {
		s := slot{key: in.Float(), principal: in.Uint(), at: in.Int()}
		at := in.Len(n - 1)
		if seen[at] || s.key != s.key {
			in.Fail()
			return
		}
		seen[at] = true
		r.slots, r.heap = append(r.slots, s), append(r.heap, int32(at))
		r.place[at] = int32(i)
		r.own(s.principal, i)
	}
	if r.x = append(r.x[:0], readFloats(in, n*r.dims)...); len(r.x) != n*r.dims {
		in.Fail()
	}
}

func (q *quarantine) save(w *pack.Writer) {
	w.Uint(q.spilt)
	w.Len(len(q.held))
	for _, h := range q.held {
		w.Uint(h.ID)
		w.Uint(h.Principal)
		w.Int(h.At.UnixNano())
		floats(w, h.Row)
	}
}

func (q *quarantine) load(in *pack.Reader, dims int) {
	q.spilt, q.held = in.Uint(), nil
	for range in.Count(q.room) {
		h := Held{ID: in.Uint(), Principal: in.Uint(), At: time.Unix(0, in.Int()).UTC(), Row: readFloats(in, dims)}
		if len(h.Row) != dims {
			in.Fail()
			return
		}
		q.held = append(q.held, h)
	}
}

func (p *probes) save(w *pack.Writer) {
	floats(w, p.rows)
	floats(w, p.scores)
}

func (p *probes) load(in *pack.Reader, dims int) {
	p.rows, p.scores = readFloats(in, probeRows*dims), readFloats(in, probeRows)
	if len(p.rows) != len(p.scores)*dims {
		in.Fail()
	}
}

func floats(w *pack.Writer, values []float64) {
	w.Len(len(values))
	for _, v := range values {
		w.Float(v)
	}
}

func readFloats(in *pack.Reader, limit int) []float64 {
	values := make([]float64, in.Count(limit))
	for i := range values {
		values[i] = in.Float()
	}
	return values
}

// Bytes is how much memory the forest takes, with its examples.
func (f *Forest) Bytes() int { return f.trees.bytes() + 41*f.dims + 8*len(f.examples) }

// Bytes is how much memory it takes, with all that it remembers.
func (r *Rolling) Bytes() int {
	const perSlot = 24 + 4 + 4 + 16
	n := r.trees.bytes() + 41*r.dims + 8*cap(r.pool.x) + perSlot*r.pool.size + 8*cap(r.room) + 8*len(r.b.columns)
	return n + 8*(len(r.probes.rows)+len(r.probes.scores)) + len(r.held)*(8*r.dims+64) + 64*len(r.pool.owners)
}
