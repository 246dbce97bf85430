package forest

// Trees are walked several at a time, because what takes time is to wait for
// memory: the next cut is not known before the last is read.

// bit is 1 for true; it compiles to no branch.
func bit(b bool) int {
	var i int
	if b {
		i = 1
	}
	return i
}

// walk is the sum of a row's depths over all trees, in their order.
func (g *grove) walk(row []float64) float64 {
	if g.depth == 8 {
		return g.walk8(row)
	}
	var sum float64
	for t := range g.trees {
		nodes, leaves := g.tree(t)
		sum += leaves[g.slot(nodes, row)].depth
	}
	return sum
}

// slot is the leaf in which a row's path ends.
func (g *grove) slot(nodes []node, row []float64) int {
	i := 1
	for range g.depth {
		n := &nodes[i]
		i = 2*i + bit(row[n.feature] > n.cut)
	}
	return i - len(nodes)
}

// walk8 is walk for trees of depth 8: their cuts are numbered by a byte, so that
// no index has to be checked.
func (g *grove) walk8(row []float64) float64 {
	var sum float64
	t := 0
	for ; t+4 <= g.trees; t += 4 {
		nodes, leaves := g.nodes[t<<8:][:4<<8], g.leaves[t<<8:][:4<<8]
		a, b := (*[256]node)(nodes), (*[256]node)(nodes[256:])
		c, d := (*[256]node)(nodes[512:]), (*[256]node)(nodes[768:])
		i, j, k, l := uint8(1), uint8(1), uint8(1), uint8(1)
		for range 8 {
			n, m, o, p := &a[i], &b[j], &c[k], &d[l]
			i = 2*i + bit8(row[n.feature] > n.cut)
			j = 2*j + bit8(row[m.feature] > m.cut)
			k = 2*k + bit8(row[o.feature] > o.cut)
			l = 2*l + bit8(row[p.feature] > p.cut)
		}
		sum += leaves[i].depth
		sum += leaves[256+int(j)].depth
		sum += leaves[512+int(k)].depth
		sum += leaves[768+int(l)].depth
	}
	for ; t < g.trees; t++ {
		sum += g.leaves[t<<8+int(slot8((*[256]node)(g.nodes[t<<8:]), row))].depth
	}
	return sum
}

func bit8(b bool) uint8 {
	var i uint8
	if b {
		i = 1
	}
	return i
}

func slot8(nodes *[256]node, row []float64) uint8 {
	i := uint8(1)
	for range 8 {
		n := &nodes[i]
		i = 2*i + bit8(row[n.feature] > n.cut)
	}
	return i
}

// walkAll adds each row's depths over all trees to dst, in the order of trees.
func (g *grove) walkAll(dst, rows []float64) {
	for t := range g.trees {
		nodes, leaves := g.tree(t)
		if g.depth == 8 {
			walkRows8((*[256]node)(nodes), (*[256]leaf)(leaves), dst, rows, g.dims)
			continue
		}
		for i := range dst {
			dst[i] += leaves[g.slot(nodes, rows[i*g.dims:(i+1)*g.dims])].depth
		}
	}
}

// walkRows8 walks one tree of depth 8 with four rows at a time.
func walkRows8(nodes *[256]node, leaves *[256]leaf, dst, rows []float64, dims int) {
	r := 0
	for ; r+4 <= len(dst); r += 4 {
		a, b := rows[r*dims:][:dims], rows[(r+1)*dims:][:dims]
		c, d := rows[(r+2)*dims:][:dims], rows[(r+3)*dims:][:dims]
		i, j, k, l := uint8(1), uint8(1), uint8(1), uint8(1)
		for range 8 {
			n, m, o, p := &nodes[i], &nodes[j], &nodes[k], &nodes[l]
			i = 2*i + bit8(a[n.feature] > n.cut)
			j = 2*j + bit8(b[m.feature] > m.cut)
			k = 2*k + bit8(c[o.feature] > o.cut)
			l = 2*l + bit8(d[p.feature] > p.cut)
		}
		dst[r] += leaves[i].depth
		dst[r+1] += leaves[j].depth
		dst[r+2] += leaves[k].depth
		dst[r+3] += leaves[l].depth
	}
	for ; r < len(dst); r++ {
		dst[r] += leaves[slot8(nodes, rows[r*dims:][:dims])].depth
	}
}
