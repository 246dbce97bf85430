package baseline

import "math"

// grace is how far a number of entities with a new version was off what was usual
// for them, of all entities: so far new versions go.
type grace struct {
	// far is how many deviations one of seldom numbers is beyond, n of how many
	// numbers that is known.
	far, n float64
}

const (
	// graced is how many times larger deviations are in the time of grace.
	graced = 3
	// acquainted is how many numbers of times of grace say how far those go: until
	// then they go as far as numbers ever count, wild. A deviation is a third of an
	// entity's own peaks at least, so that this is five times as far as what comes
	// once in 200 times of its steady life.
	acquainted = 200
	// seldom is the share of numbers in times of grace that go farther.
	seldom = 1.0 / 2000
)

// limit is how far a new version goes: what is twice as far is not of it.
func (g *grace) limit() float64 {
	if g.n < acquainted {
		return wild
	}
	return max(g.far, outlier)
}

// excuse is what is left of a distance in the time of grace: a part, as far as new
// versions go. Beyond that the excuse fades, and at twice as far there is none.
func (g *grace) excuse(z float64) float64 {
	told := max(0, math.Abs(z)/g.limit()-1)
	if told >= 1 {
		return z
	}
	return z * (1 + (graced-1)*told) / graced
}

// explains says whether it may be because of the new version at all.
func (g *grace) explains(z float64) bool { return math.Abs(z) <= 2*g.limit() }

// note takes by how many deviations a number was off in a time of grace: a
// quantile by the pinball loss, on the logarithm, once there are enough of them.
// One that is far off moves it by little, so that what happens beside a rollout is
// no excuse for the next.
func (g *grace) note(z float64) {
	z = math.Abs(z)
	switch {
	case g.n < acquainted:
		g.far = max(g.far, min(z, wild))
	case z > g.far:
		g.far = min(z, max(g.far, tiny)*(1+climb))
	default:
		g.far *= 1 - climb*seldom
	}
	g.n = min(g.n+1, acquainted)
}
