package forest

import "math/rand/v2"

// pick draws k of the numbers below n, each at most once, into dst.
func pick(dst []int, n, k int, rng *rand.PCG) []int {
	dst = dst[:0]
	if k*3 >= n {
		return pickMany(dst, n, k, rng)
	}
	seen := make(map[int]struct{}, k)
	for len(dst) < k {
		v := draw(rng, n)
		if _, twice := seen[v]; !twice {
			seen[v] = struct{}{}
			dst = append(dst, v)
		}
	}
	return dst
}

// pickMany goes over all numbers once and takes each with the chance that is
// left for it.
func pickMany(dst []int, n, k int, rng *rand.PCG) []int {
	for v := range n {
		if draw(rng, n-v) < k-len(dst) {
			dst = append(dst, v)
		}
	}
	return dst
}
