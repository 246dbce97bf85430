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
	// depths are those of the leaves, with the expected depth of the rows left
	// uncut there; rows is how many of the sample those are.
	depths []float64
	rows   []uint16
}

// lanes is how many rows stand side by side when many are scored.
const lanes = 8

// endless is a cut that sends every row left.
var endless = math.Inf(1)

func newTrees(count, depth int) trees {
	n := count << depth
	return trees{
		count: count, depth: depth,
		cuts: make([]float64, n), at: make([]uint16, n), depths: make([]float64, n), rows: make([]uint16, n),
	}
}

// tree is one of them.
type tree struct {
	depth  int
	cuts   []float64
	at     []uint16
	depths []float64
	rows   []uint16
}

func (f *trees) tree(t int) tree {
	from, to := t<<f.depth, (t+1)<<f.depth
	return tree{f.depth, f.cuts[from:to], f.at[from:to], f.depths[from:to], f.rows[from:to]}
}

// clear makes the tree one leaf.
func (t tree) clear() {
	clear(t.at)
	clear(t.depths)
	clear(t.rows)
	for i := range t.cuts {
		t.cuts[i] = endless
	}
}

// cut sets cut i.
func (t tree) cut(i, feature int, value float64) {
	t.cuts[i], t.at[i] = value, uint16(feature*lanes)
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
func (f *trees) bytes() int { return 20 * len(f.cuts) }
