package forest

import "math"

// Logarithms and powers of the standard library differ in the last bit between
// processors, and so would scores. These are made of additions, products and
// divisions alone; each product is rounded before it is added to.

// logarithm is the natural logarithm of x > 0, to about 1e-16 of it.
func logarithm(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	// log(m) = 2 artanh(z), and |z| < 0.172.
	return float64(float64(e)*math.Ln2) + float64(2*artanh((m-1)/(m+1)))
}

// artanh is that of |z| < 0.172.
func artanh(z float64) float64 {
	q := float64(z * z)
	sum := 1.0 / 21
	sum = float64(sum*q) + 1.0/19
	sum = float64(sum*q) + 1.0/17
	sum = float64(sum*q) + 1.0/15
	sum = float64(sum*q) + 1.0/13
	sum = float64(sum*q) + 1.0/11
	sum = float64(sum*q) + 1.0/9
	sum = float64(sum*q) + 1.0/7
	sum = float64(sum*q) + 1.0/5
	sum = float64(sum*q) + 1.0/3
	sum = float64(sum*q) + 1
	return float64(z * sum)
}

// lessen is log(1-x) for 0 <= x < 1, also where x is tiny.
func lessen(x float64) float64 {
	if z := x / (2 - x); z < 0.172 {
		return float64(-2 * artanh(z))
	}
	return logarithm(1 - x)
}

// missing is 1-e^y for y <= 0, also where y is tiny.
func missing(y float64) float64 {
	if y < -0.3 {
		return 1 - power(y/math.Ln2)
	}
	term, sum := -y, -y
	for k := 2.0; k <= 13; k++ {
		term = float64(term * (y / k))
		sum += term
	}
	return sum
}

// power is 2^x for x <= 0, to about 1e-16 of it; 0 below -1000.
func power(x float64) float64 {
	if x < -1000 {
		return 0
	}
	whole := math.Floor(x + 0.5)
	// e^y = sum of y^k/k!, and |y| < 0.347.
	y := float64((x - whole) * math.Ln2)
	sum := 1.0 / 6227020800
	sum = float64(sum*y) + 1.0/479001600
	sum = float64(sum*y) + 1.0/39916800
	sum = float64(sum*y) + 1.0/3628800
	sum = float64(sum*y) + 1.0/362880
	sum = float64(sum*y) + 1.0/40320
	sum = float64(sum*y) + 1.0/5040
	sum = float64(sum*y) + 1.0/720
	sum = float64(sum*y) + 1.0/120
	sum = float64(sum*y) + 1.0/24
	sum = float64(sum*y) + 1.0/6
	sum = float64(sum*y) + 1.0/2
	sum = float64(sum*y) + 1
	sum = float64(sum*y) + 1
	return sum * math.Float64frombits(uint64(1023+int(whole))<<52)
}

// gamma is the Euler-Mascheroni constant.
const gamma = 0.57721566490153286060651209008240243

// path is the expected depth at which one of n rows comes to stand alone when
// cuts are drawn at random: c(n) of the papers.
func path(n int) float64 {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	m := float64(n - 1)
	return float64(2*(logarithm(m)+gamma)) - float64(2*m)/float64(n)
}

// paths are path(0) to path(n).
func paths(n int) []float64 {
	c := make([]float64, n+1)
	for i := range c {
		c[i] = path(i)
	}
	return c
}
