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

// walkAll adds the depths of all rows over all trees to sums, in the order of
// trees. The rows stand side by side, lanes at a time, each stride numbers.
func (f *trees) walkAll(sums *[block]float64, rows []float64, stride int) {
	for t := range f.count {
		tree := f.tree(t)
		if len(tree.near) == 0 {
			walkWide((*[256]float64)(tree.cuts), (*[256]uint16)(tree.at), (*[256]float64)(tree.depths), sums, rows, stride)
			continue
		}
		walkRows((*[256]float64)(tree.cuts), (*[256]uint8)(tree.near), (*[256]float64)(tree.depths), sums, rows, stride)
	}
}

// walkWide is walkRows over more features than a byte can number.
func walkWide(cuts *[256]float64, at *[256]uint16, depths *[256]float64, sums *[block]float64, rows []float64, stride int) {
	for n := uint8(0); len(rows) >= stride && n < block; n += lanes {
		x := rows[:stride]
		rows = rows[stride:]
		a, b, c, d := uint8(1), uint8(1), uint8(1), uint8(1)
		i, j, k, l := uint8(1), uint8(1), uint8(1), uint8(1)
		for range 8 {
			a = 2*a + bit8(x[at[a]] > cuts[a])
			b = 2*b + bit8(x[int(at[b])+1] > cuts[b])
			c = 2*c + bit8(x[int(at[c])+2] > cuts[c])
			d = 2*d + bit8(x[int(at[d])+3] > cuts[d])
			i = 2*i + bit8(x[int(at[i])+4] > cuts[i])
			j = 2*j + bit8(x[int(at[j])+5] > cuts[j])
			k = 2*k + bit8(x[int(at[k])+6] > cuts[k])
			l = 2*l + bit8(x[int(at[l])+7] > cuts[l])
		}
		eight := (*[lanes]float64)(sums[n:])
		eight[0] += depths[a]
		eight[1] += depths[b]
		eight[2] += depths[c]
		eight[3] += depths[d]
		eight[4] += depths[i]
		eight[5] += depths[j]
		eight[6] += depths[k]
		eight[7] += depths[l]
	}
}

// sideways is how many numbers a place that is a byte, plus a lane, can reach.
const sideways = 256 + lanes - 1

// walkRows walks a tree of depth 8 over few features with eight rows at a time.
// Behind the last rows there is room, sideways, that no cut reads.
func walkRows(cuts *[256]float64, at *[256]uint8, depths *[256]float64, sums *[block]float64, rows []float64, stride int) {
	for n := uint8(0); len(rows) >= sideways && n < block; n += lanes {
		x := (*[sideways]float64)(rows)
		rows = rows[stride:]
		a, b, c, d := uint8(1), uint8(1), uint8(1), uint8(1)
		i, j, k, l := uint8(1), uint8(1), uint8(1), uint8(1)
		for range 8 {
			a = 2*a + bit8(x[at[a]] > cuts[a])
			b = 2*b + bit8(x[int(at[b])+1] > cuts[b])
			c = 2*c + bit8(x[int(at[c])+2] > cuts[c])
			d = 2*d + bit8(x[int(at[d])+3] > cuts[d])
			i = 2*i + bit8(x[int(at[i])+4] > cuts[i])
			j = 2*j + bit8(x[int(at[j])+5] > cuts[j])
			k = 2*k + bit8(x[int(at[k])+6] > cuts[k])
			l = 2*l + bit8(x[int(at[l])+7] > cuts[l])
		}
		eight := (*[lanes]float64)(sums[n:])
		eight[0] += depths[a]
		eight[1] += depths[b]
		eight[2] += depths[c]
		eight[3] += depths[d]
		eight[4] += depths[i]
		eight[5] += depths[j]
		eight[6] += depths[k]
		eight[7] += depths[l]
	}
}
