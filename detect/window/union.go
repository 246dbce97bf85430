package window

import (
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// unions are the sketches of different values of one group, by pane. They are
// kept as they are written: 6 bytes for each value up to [sketch.MaxExact], and
// 3 KiB from there on.
type unions []union

type union struct {
	pane int64
	data []byte
}

// unionBytes is what a pane takes without its sketch.
const unionBytes = 32

func (u unions) bytes() int {
	n := cap(u) * unionBytes
	for _, one := range u {
		n += cap(one.data)
	}
	return n
}

func (u *unions) add(set *sketch.Distinct, pane int64) {
	for i := range *u {
		if one := &(*u)[i]; one.pane == pane {
			var both sketch.Distinct
			_ = both.UnmarshalBinary(one.data) // it was written here, or looked at when it was read
			both.Merge(set)
			one.data, _ = both.AppendBinary(nil)
			return
		}
	}
	data, _ := set.AppendBinary(nil)
	*u = append(*u, union{pane, data})
}

func (u *unions) drop(oldest int64) {
	kept := (*u)[:0]
	for _, one := range *u {
		if one.pane >= oldest {
			kept = append(kept, one)
		}
	}
	clear((*u)[len(kept):])
	*u = kept
}

// count is of the panes after one and up to another.
func (u unions) count(after, end int64) float64 {
	var all sketch.Distinct
	for _, one := range u {
		if one.pane > after && one.pane <= end {
			var s sketch.Distinct
			_ = s.UnmarshalBinary(one.data)
			all.Merge(&s)
		}
	}
	return float64(all.Count())
}

func (u unions) save(out *pack.Writer, newest int64) {
	out.Len(len(u))
	for _, one := range u {
		out.Int(newest - one.pane)
		out.Bytes(one.data)
	}
}

func (u *unions) load(in *pack.Reader, newest int64) {
	for range in.Count(maxItems) {
		one := union{pane: newest - in.Int(), data: append([]byte{}, in.Bytes()...)}
		var s sketch.Distinct
		if s.UnmarshalBinary(one.data) != nil {
			in.Fail()
			return
		}
		*u = append(*u, one)
	}
}
