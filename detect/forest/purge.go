package forest

// purge forgets the rows of a principal that came at since or later, and says
// how many they were.
func (r *reservoir) purge(principal uint64, since int64) int {
	keep := 0
	for i, s := range r.slots {
		if s.principal == principal && s.at >= since {
			continue
		}
		r.slots[keep] = s
		copy(r.row(keep), r.row(i))
		keep++
	}
	gone := len(r.slots) - keep
	r.slots, r.x = r.slots[:keep], r.x[:keep*r.dims]
	r.heap, r.place = r.heap[:keep], r.place[:keep]
	clear(r.owners)
	for i := range r.slots {
		r.heap[i], r.place[i] = int32(i), int32(i)
		r.own(r.slots[i].principal, i)
	}
	for i := keep/2 - 1; i >= 0; i-- {
		r.down(i)
	}
	return gone
}
