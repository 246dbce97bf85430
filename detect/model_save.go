package detect

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
)

// Save writes what is remembered.
func (m *modeller) Save(out *pack.Writer) {
	m.saveLearned(out)
	out.Bytes(m.pinned)
	m.quiet.save(out)
	m.heard.save(out)
	m.told.save(out)
	out.Uint(m.warm.events)
	saveTime(out, m.warm.since)
	m.wait.save(out)
	out.Uint(m.open.late)
	out.Uint(m.open.left)
	out.Int(m.open.newest)
	out.Int(m.open.judged)
	out.Len(len(m.open.order))
	for _, in := range m.open.order {
		in.save(out)
	}
}

// saveLearned writes what was learned, which is what pinning keeps.
func (m *modeller) saveLearned(out *pack.Writer) {
	m.base.Save(out)
	m.forest.Save(out)
	m.budget.Save(out)
	for _, f := range m.features {
		out.Uint(f.first)
		out.Float(f.explained)
	}
}

func (m *modeller) loadLearned(in *pack.Reader) error {
	if err := m.base.Load(in); err != nil {
		return err
	}
	m.forest.Load(in)
	if err := errors.Join(in.Err(), m.budget.Load(in)); err != nil {
		return err
	}
	for _, f := range m.features {
		if f.first, f.explained = in.Uint(), in.Float(); !(f.explained >= 0 && f.explained <= math.MaxFloat32) {
			in.Fail()
		}
	}
	return in.Err()
}

// Load reads what Save wrote.
func (m *modeller) Load(in *pack.Reader) error {
	if err := m.loadLearned(in); err != nil {
		return err
	}
	if pinned := in.Bytes(); len(pinned) > 0 {
		m.pinned = append([]byte(nil), pinned...)
	}
	m.quiet.load(in)
	m.heard.load(in)
	m.told.load(in)
	m.warm.events, m.warm.since = in.Uint(), loadTime(in)
	m.wait.load(in, m.categories)
	m.open.late, m.open.left = in.Uint(), in.Uint()
	m.open.newest, m.open.judged = in.Int(), in.Int()
	for range in.Count(m.open.most) {
		one := &interval{cells: make([]cell, m.cells)}
		if one.load(in); in.Err() != nil {
			return in.Err()
		}
		if m.open.every == 0 || m.open.at[one.intervalKey] != nil {
			in.Fail()
			return in.Err()
		}
		m.open.at[one.intervalKey] = one
		m.open.order = append(m.open.order, one)
		m.open.weigh(one)
		if end := one.end(m.open.every).Add(m.open.grace).UnixNano(); m.open.due == 0 || end < m.open.due {
			m.open.due = end
		}
	}
	return in.Done()
}

func (w *waiting) save(out *pack.Writer) {
	out.Len(len(w.list))
	for i := range w.list {
		o := &w.list[i]
		out.Text(o.finding)
		out.Fixed(o.who.Entity[:])
		out.Fixed(o.who.Peers[:])
		out.Uint(o.who.Space)
		out.Text(o.who.Label)
		out.Float(o.score)
		out.Uint(o.as)
		out.Float(o.p)
		out.Uint(o.count)
		saveTime(out, o.until)
		out.Bool(o.done)
		out.Bool(o.beside)
		out.Uint(o.named)
		out.Len(len(o.seen))
		for _, v := range o.seen {
			out.Len(v.category)
			out.Uint(v.Hash)
			out.Text(v.Text)
		}
	}
	saveJSON(out, w.said)
}

func (w *waiting) load(in *pack.Reader, categories int) {
	for range in.Count(maxWaiting) {
		o := waits{finding: in.Text()}
		copy(o.who.Entity[:], in.Fixed(len(o.who.Entity)))
		copy(o.who.Peers[:], in.Fixed(len(o.who.Peers)))
		o.who.Space, o.who.Label, o.score, o.as, o.p, o.count, o.until, o.done = in.Uint(), in.Text(), in.Float(), in.Uint(), in.Float(), in.Uint(), loadTime(in), in.Bool()
		o.beside, o.named = in.Bool(), in.Uint()
		for range in.Count(maxFeatures * maxCellValues) {
			o.seen = append(o.seen, seenValue{in.Len(categories - 1), baseline.Value{Hash: in.Uint(), Text: in.Text()}})
		}
		w.list = append(w.list, o)
	}
	loadJSON(in, &w.said, maxSaid*maxExplanation)
	if len(w.said) > maxSaid {
		in.Fail()
	}
}

// saveJSON writes what has many fields; it is small.
func saveJSON(out *pack.Writer, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		data = nil
	}
	out.Bytes(data)
}

// loadJSON reads what takes no more than so many bytes: what is unfolded may take
// many times as many.
func loadJSON(in *pack.Reader, v any, most int) {
	if data := in.Bytes(); len(data) > most || len(data) > 0 && json.Unmarshal(data, v) != nil {
		in.Fail()
	}
}
