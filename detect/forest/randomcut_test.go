package forest

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// A random cut forest after Guha, Mishra, Roy and Schrijvers ("Robust random cut
// forest based anomaly detection on streams", ICML 2016), to compare with: cuts
// are as likely in a feature as its range is wide, points come into trees and
// leave them, and the score is what a point's insertion is expected to be, in
// the way of the library that its authors maintain.
type randomCuts struct {
	trees []*cutTree
	dims  int
}

type cutTree struct {
	rng    *rand.Rand
	root   *cutNode
	leaves []*cutNode
	keys   []float64
	size   int
	seen   float64
}

type cutNode struct {
	parent, left, right *cutNode
	feature             int
	cut                 float64
	mass                int
	low, high           []float64
}

func newRandomCuts(dims, trees, size int, seed uint64) *randomCuts {
	f := &randomCuts{dims: dims}
	for t := range trees {
		f.trees = append(f.trees, &cutTree{rng: rand.New(rand.NewPCG(seed, uint64(t))), size: size})
	}
	return f
}

func (f *randomCuts) score(x []float64) float64 {
	var sum float64
	for _, t := range f.trees {
		if t.root != nil {
			sum += t.root.score(x, 0) * math.Log2(float64(t.root.mass)+1)
		}
	}
	return sum / float64(len(f.trees))
}

func (f *randomCuts) learn(x []float64) {
	for _, t := range f.trees {
		t.learn(x)
	}
}

// score is expected over the cuts that could separate x from the box.
func (n *cutNode) score(x []float64, depth float64) float64 {
	var out, all float64
	for f, v := range x {
		out += max(0, n.low[f]-v) + max(0, v-n.high[f])
		all += n.high[f] - n.low[f]
	}
	unseen := 1 / (depth + 1)
	if n.left == nil {
		if out == 0 {
			return 0.5 / (depth + math.Log2(float64(n.mass)+1))
		}
		return unseen
	}
	p := out / (out + all)
	next := n.right
	if x[n.feature] <= n.cut {
		next = n.left
	}
	if p == 0 {
		return next.score(x, depth+1)
	}
	return p*unseen + (1-p)*next.score(x, depth+1)
}

// learn keeps a time-decayed sample of points: the tree forgets over ten times
// its size.
func (t *cutTree) learn(x []float64) {
	t.seen++
	key := t.seen/float64(10*t.size) - math.Log(-math.Log(t.rng.Float64()))
	if len(t.leaves) < t.size {
		t.leaves, t.keys = append(t.leaves, t.insert(x)), append(t.keys, key)
		return
	}
	low := 0
	for i, k := range t.keys {
		if k < t.keys[low] {
			low = i
		}
	}
	if key > t.keys[low] {
		t.remove(t.leaves[low])
		t.leaves[low], t.keys[low] = t.insert(x), key
	}
}

func (t *cutTree) insert(x []float64) *cutNode {
	leaf := &cutNode{mass: 1, low: append([]float64(nil), x...), high: append([]float64(nil), x...)}
	if t.root == nil {
		t.root = leaf
		return leaf
	}
	for n := t.root; ; {
		if feature, cut, apart := t.draw(n, x); apart {
			t.above(n, leaf, feature, cut)
			return leaf
		}
		if n.left == nil {
			for up := n; up != nil; up = up.parent {
				up.mass++
			}
			return n
		}
		if x[n.feature] <= n.cut {
			n = n.left
		} else {
			n = n.right
		}
	}
}

// draw draws a cut of the box with x in it, and says whether it separates them.
func (t *cutTree) draw(n *cutNode, x []float64) (feature int, cut float64, apart bool) {
	var all float64
	for f, v := range x {
		all += max(n.high[f], v) - min(n.low[f], v)
	}
	if all == 0 {
		return 0, 0, false
	}
	at := t.rng.Float64() * all
	for f, v := range x {
		low, high := min(n.low[f], v), max(n.high[f], v)
		if at < high-low || f == len(x)-1 {
			cut = min(low+at, math.Nextafter(high, low))
			return f, cut, cut < n.low[f] || cut >= n.high[f]
		}
		at -= high - low
	}
	return 0, 0, false
}

func (t *cutTree) above(n, leaf *cutNode, feature int, cut float64) {
	x := leaf.low
	up := &cutNode{parent: n.parent, feature: feature, cut: cut, left: leaf, right: n}
	if x[feature] > cut {
		up.left, up.right = n, leaf
	}
	t.swap(n.parent, n, up)
	n.parent, leaf.parent = up, up
	for at := up; at != nil; at = at.parent {
		at.gather()
	}
}

func (t *cutTree) swap(parent, old, next *cutNode) {
	switch {
	case parent == nil:
		t.root = next
	case parent.left == old:
		parent.left = next
	default:
		parent.right = next
	}
}

func (n *cutNode) gather() {
	n.mass = n.left.mass + n.right.mass
	if n.low == nil {
		n.low, n.high = make([]float64, len(n.left.low)), make([]float64, len(n.left.low))
	}
	for f := range n.low {
		n.low[f], n.high[f] = min(n.left.low[f], n.right.low[f]), max(n.left.high[f], n.right.high[f])
	}
}

func (t *cutTree) remove(leaf *cutNode) {
	if leaf.mass > 1 {
		for up := leaf; up != nil; up = up.parent {
			up.mass--
		}
		return
	}
	parent := leaf.parent
	if parent == nil {
		t.root = nil
		return
	}
	other := parent.left
	if other == leaf {
		other = parent.right
	}
	other.parent = parent.parent
	t.swap(parent.parent, parent, other)
	for at := parent.parent; at != nil; at = at.parent {
		at.gather()
	}
}

// randomCut is the AUC of a random cut forest when each row is scored and then
// learned; even says that features are first brought to the same range.
func randomCut(set *table, order []int, seed uint64, even bool) float64 {
	low, scale := make([]float64, set.dims), make([]float64, set.dims)
	for f := range scale {
		scale[f] = 1
		if even {
			least, most := math.Inf(1), math.Inf(-1)
			for i := range set.rows() {
				least, most = min(least, set.row(i)[f]), max(most, set.row(i)[f])
			}
			low[f], scale[f] = least, 1/max(most-least, 1e-300)
		}
	}
	forest := newRandomCuts(set.dims, 100, 256, seed)
	scores, anomaly := make([]float64, len(order)), make([]bool, len(order))
	row := make([]float64, set.dims)
	for i, o := range order {
		for f, v := range set.row(o) {
			row[f] = (v - low[f]) * scale[f]
		}
		scores[i], anomaly[i] = forest.score(row), set.anomaly[o]
		forest.learn(row)
	}
	return auc(scores, anomaly)
}

// The forest to compare with does what it should.
func TestRandomCuts(t *testing.T) {
	const dims = 3
	forest := newRandomCuts(dims, 20, 64, 1)
	x := cloud(2000, dims, 1)
	for i := range 2000 {
		forest.learn(x[i*dims : (i+1)*dims])
		forest.learn(x[i/7*dims : (i/7+1)*dims])
	}
	for _, tree := range forest.trees {
		if tree.root.mass != 64 || len(tree.leaves) != 64 {
			t.Fatalf("%d points in a tree of 64", tree.root.mass)
		}
	}
	usual, strange := forest.score([]float64{0, 0, 0}), forest.score([]float64{0, 6, 0})
	if strange < 2*usual {
		t.Errorf("usual %v, strange %v", usual, strange)
	}
}

// Streams are at least 0.01 better than by random cut forests, over the first
// rows of each set, shuffled.
func TestStreamsBeside(t *testing.T) {
	rows, runs, margin := 3000, uint64(10), 0.01
	if !full() {
		rows, runs, margin = 500, 1, -0.02 // in small, over what is made here
	}
	t.Logf("%-12s %-8s %-14s %s", "", "", "random cut forest", "")
	t.Logf("%-12s %-8s %-8s %s", "table", "this", "raw", "one range")
	var sum [3]float64
	n := 0.0
	for _, set := range small(t) {
		if full() && !eleven[set.name] || !full() && !set.own() {
			continue
		}
		var areas [3][]float64
		seeds := make([][3]float64, runs)
		var done sync.WaitGroup
		for seed := range runs {
			order := rand.New(rand.NewPCG(seed, 1)).Perm(set.rows())
			order = order[:min(len(order), rows)]
			for !mixed(set, order) {
				order = rand.New(rand.NewPCG(seed, uint64(len(order)))).Perm(set.rows())[:min(set.rows(), 2*len(order))]
			}
			done.Go(func() {
				seeds[seed] = [3]float64{
					stream(t, set, order, Options{Seed: seed}, Learning{Memory: window}), randomCut(set, order, seed, false), randomCut(set, order, seed, true),
				}
			})
		}
		done.Wait()
		for _, of := range seeds {
			for i, area := range of {
				areas[i] = append(areas[i], area)
			}
		}
		n++
		for i := range sum {
			sum[i] += median(areas[i])
		}
		t.Logf("%-12s %.4f   %.4f   %.4f", set.name, median(areas[0]), median(areas[1]), median(areas[2]))
	}
	t.Logf("%-12s %.4f   %.4f   %.4f", "mean", sum[0]/n, sum[1]/n, sum[2]/n)
	if sum[0] < max(sum[1], sum[2])+float64(margin*n) {
		t.Error("not 0.01 above the random cut forest")
	}
}

// mixed says that rows of both kinds are among those in order.
func mixed(set *table, order []int) bool {
	anomalies := 0
	for _, i := range order {
		anomalies += bit(set.anomaly[i])
	}
	return anomalies > 0 && anomalies < len(order)
}
