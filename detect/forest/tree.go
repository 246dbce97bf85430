package forest

import "math"

// trees are cuts and leaves in level order. Of a tree of depth k there are 2^k
// of each: the first cut is 1, below cut i are 2i and 2i+1, and below the last
// level they are the leaves, less 2^k. A row whose value is at most that of the
// cut goes left. Where a path ends early, cuts that send every row left lead on
// to the last level. So all paths are equally long, and walking one takes no
// branch. What is read together stands together: values, features, depths.
type trees struct {
	count, depth int
	// cuts are the values, at their features times lanes.
	cuts []float64
	at   []uint16
	// near is at once more where all places fit into a byte, else empty.
	near []uint8
	// depths are those of the leaves, with the expected depth of the rows left
	// uncut there; rows is how many of the sample those are.
	depths []float64
	rows   []uint16
}

// lanes is how many rows stand side by side when many are scored.
const lanes = 8

// endless is a cut that sends every row left.
var endless = math.Inf(1)

func newTrees(count, depth, dims int) trees {
	n := count << depth
	f := trees{
		count: count, depth: depth,
		cuts: make([]float64, n), at: make([]uint16, n), depths: make([]float64, n), rows: make([]uint16, n),
	}
	if depth == 8 && dims*lanes <= 256 {
		f.near = make([]uint8, n)
	}
	return f
}

// tree is one of them.
type tree struct {
	depth  int
	cuts   []float64
	at     []uint16
	near   []uint8
	depths []float64
	rows   []uint16
}

func (f *trees) tree(t int) tree {
	from, to := t<<f.depth, (t+1)<<f.depth
	one := tree{f.depth, f.cuts[from:to], f.at[from:to], nil, f.depths[from:to], f.rows[from:to]}
	if len(f.near) > 0 {
		one.near = f.near[from:to]
	}
	return one
}

// clear makes the tree one leaf.
func (t tree) clear() {
	clear(t.at)
	clear(t.near)
	clear(t.depths)
	clear(t.rows)
	for i := range t.cuts {
		t.cuts[i] = endless
	}
}

// cut sets cut i.
func (t tree) cut(i, feature int, value float64) {
	t.cuts[i], t.at[i] = value, uint16(feature*lanes)
	if len(t.near) > 0 {
		t.near[i] = uint8(feature * lanes)
	}
}

// feature is that of cut i; there is none where a path has ended.
func (t tree) feature(i int) (feature int, is bool) {
	return int(t.at[i] / lanes), t.cuts[i] != endless
}

// end makes what is below i a leaf at depth, with so many rows of the sample.
// c are the expected depths of so many rows.
func (t tree) end(i, depth, rows int, c []float64) {
	slot := i<<(t.depth-depth) - len(t.cuts)
	t.depths[slot], t.rows[slot] = float64(depth)+c[rows], uint16(rows)
}

// next is where a row goes from cut i.
func (t tree) next(i int, row []float64) int {
	return 2*i + bit(row[t.at[i]/lanes] > t.cuts[i])
}

// bytes is how much memory the trees take.
func (f *trees) bytes() int { return 20*len(f.cuts) + len(f.near) }
