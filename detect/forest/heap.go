package forest

// The reservoir's heap: the slot of the lowest key is heap[0].

func (r *reservoir) less(i, j int) bool {
	a, b := r.heap[i], r.heap[j]
	return r.slots[a].key < r.slots[b].key
}

func (r *reservoir) swap(i, j int) {
	r.heap[i], r.heap[j] = r.heap[j], r.heap[i]
	r.place[r.heap[i]], r.place[r.heap[j]] = int32(i), int32(j)
}

func (r *reservoir) up(i int) {
	for i > 0 && r.less(i, (i-1)/2) {
		r.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (r *reservoir) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(r.heap); child++ {
			if r.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		r.swap(i, least)
		i = least
	}
}
