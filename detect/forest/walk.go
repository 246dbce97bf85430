package forest

// What takes time in a tree is to wait for memory: the next cut is not known
// before the last is read. So several trees, or several rows, are walked at a
// time. Trees of depth 8, the usual ones, have their cuts numbered by a byte, so
// that no index into them needs a check.

// bit is 1 for true; it compiles to no branch.
func bit(b bool) int {
	var i int
	if b {
		i = 1
	}
	return i
}

func bit8(b bool) uint8 {
	var i uint8
	if b {
		i = 1
	}
	return i
}

// walk is the sum of a row's depths over all trees, in their order.
func (f *trees) walk(row []float64) float64 {
	var sum float64
	t := 0
	if f.depth == 8 {
		for ; t+4 <= f.count; t += 4 {
			sum = f.walkFour(t, row, sum)
		}
	}
	for ; t < f.count; t++ {
		tree := f.tree(t)
		i := 1
		for range f.depth {
			i = tree.next(i, row)
		}
		sum += tree.depths[i-len(tree.cuts)]
	}
	return sum
}

// walkFour adds the depths of a row in four trees of depth 8 from t on.
func (f *trees) walkFour(t int, row []float64, sum float64) float64 {
	cuts, at := (*[1024]float64)(f.cuts[t<<8:]), (*[1024]uint16)(f.at[t<<8:])
	i, j, k, l := uint8(1), uint8(1), uint8(1), uint8(1)
	for range 8 {
		i = 2*i + bit8(row[at[i]/lanes] > cuts[i])
		j = 2*j + bit8(row[at[256+int(j)]/lanes] > cuts[256+int(j)])
		k = 2*k + bit8(row[at[512+int(k)]/lanes] > cuts[512+int(k)])
		l = 2*l + bit8(row[at[768+int(l)]/lanes] > cuts[768+int(l)])
	}
	depths := (*[1024]float64)(f.depths[t<<8:])
	sum += depths[i]
	sum += depths[256+int(j)]
	sum += depths[512+int(k)]
	return sum + depths[768+int(l)]
}

// group is rows that stand side by side, feature by feature, and at which cut of
// a tree each of them is.
type group struct {
	rows []float64
	at   *[lanes]uint8
}

// walkAll adds the depths of all rows over all trees to sums, in the order of
// trees. The rows stand side by side, lanes at a time, each stride numbers.
//
// A tree is walked a level at a time by all rows: what one of them reads does not
// wait for another, so the processor reads for many at once.
func (f *trees) walkAll(sums *[block]float64, rows []float64, stride int) {
	var nodes [block]uint8
	var room [block / lanes]group
	n := 0
	for ; len(rows) >= stride && n < len(room); rows = rows[stride:] {
		room[n] = group{rows[:stride], (*[lanes]uint8)(nodes[n*lanes:])}
		n++
	}
	groups := room[:n]
	for t := range f.count {
		cuts, at := (*[256]float64)(f.cuts[t<<8:]), (*[256]uint16)(f.at[t<<8:])
		root(cuts[1], int(at[1]), groups)
		for range 7 {
			descend(cuts, at, groups)
		}
		leaves((*[256]float64)(f.depths[t<<8:]), sums, groups)
	}
}

// root takes all rows below the first cut, at its feature.
func root(cut float64, at int, groups []group) {
	for g := range groups {
		x, i := (*[lanes]float64)(groups[g].rows[at:]), groups[g].at
		i[0] = 2 + bit8(x[0] > cut)
		i[1] = 2 + bit8(x[1] > cut)
		i[2] = 2 + bit8(x[2] > cut)
		i[3] = 2 + bit8(x[3] > cut)
		i[4] = 2 + bit8(x[4] > cut)
		i[5] = 2 + bit8(x[5] > cut)
		i[6] = 2 + bit8(x[6] > cut)
		i[7] = 2 + bit8(x[7] > cut)
	}
}

// descend takes all rows one cut down a tree of depth 8.
func descend(cuts *[256]float64, at *[256]uint16, groups []group) {
	for g := range groups {
		x, i := groups[g].rows, groups[g].at
		i[0] = 2*i[0] + bit8(x[int(at[i[0]])] > cuts[i[0]])
		i[1] = 2*i[1] + bit8(x[int(at[i[1]])+1] > cuts[i[1]])
		i[2] = 2*i[2] + bit8(x[int(at[i[2]])+2] > cuts[i[2]])
		i[3] = 2*i[3] + bit8(x[int(at[i[3]])+3] > cuts[i[3]])
		i[4] = 2*i[4] + bit8(x[int(at[i[4]])+4] > cuts[i[4]])
		i[5] = 2*i[5] + bit8(x[int(at[i[5]])+5] > cuts[i[5]])
		i[6] = 2*i[6] + bit8(x[int(at[i[6]])+6] > cuts[i[6]])
		i[7] = 2*i[7] + bit8(x[int(at[i[7]])+7] > cuts[i[7]])
	}
}

// leaves adds the depths where the rows are.
func leaves(depths *[256]float64, sums *[block]float64, groups []group) {
	for g := range groups {
		i, sum := groups[g].at, (*[lanes]float64)(sums[g*lanes:])
		sum[0] += depths[i[0]]
		sum[1] += depths[i[1]]
		sum[2] += depths[i[2]]
		sum[3] += depths[i[3]]
		sum[4] += depths[i[4]]
		sum[5] += depths[i[5]]
		sum[6] += depths[i[6]]
		sum[7] += depths[i[7]]
	}
}
