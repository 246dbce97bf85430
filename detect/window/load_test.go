package window

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// FuzzLoad reads windows that anybody may have written, and uses them: all that
// can be asked is asked, and what was read can be saved and read again.
func FuzzLoad(f *testing.F) {
	o := Options{Over: time.Minute, Late: time.Minute, Aggregates: append(append([]Aggregate{}, all...), Aggregate{Function: Union}), Sample: true, MaxGroups: 50}
	w, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	inputs := func(i int) []Input {
		in := append(someInputs(uint64(i)), Input{Valid: true, Set: &sketch.Distinct{}})
		in[len(all)].Set.Add(fmt.Sprint(i))
		return in
	}
	for i := range 40 {
		w.Add(uint64(i%3), numbered(1, i%4), start.Add(time.Duration(i)*time.Second), inputs(i), Mark{Sequence: uint64(i + 1), Index: i})
	}
	var out pack.Writer
	w.Save(&out)
	f.Add(out.Data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := New(o)
		if err != nil || w.Load(pack.NewReader(data)) != nil {
			return
		}
		var keys []Key
		for g := range w.order.All {
			keys = append(keys, g.key)
		}
		for i, key := range append(keys, numbered(1, 1)) {
			first, last, _ := w.Add(1, key, start.Add(time.Duration(i)*time.Second), inputs(i), Mark{Sequence: 7})
			for n := range o.Aggregates {
				w.Value(key, n, first)
				w.Value(key, n, last)
			}
			w.Sample(key, last)
		}
		var out pack.Writer
		w.Save(&out)
		if again, err := New(o); err == nil {
			if err := again.Load(pack.NewReader(out.Data)); err != nil {
				t.Fatalf("what was read is saved so that it can't be read: %v", err)
			}
		}
		w.Expire(start.Add(time.Hour), 100)
		for w.Stats().Groups > 0 {
			w.Evict()
		}
	})
}
