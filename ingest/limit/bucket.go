package limit

import "time"

// bucket fills with rate a second up to most, and may go below zero.
type bucket struct {
	rate, most float64
	level      float64
	at         time.Time
}

func newBucket(rate, most float64, now time.Time) bucket {
	return bucket{rate: rate, most: most, level: most, at: now}
}

// fill brings the level up to date. A clock that goes back earns nothing.
func (b *bucket) fill(now time.Time) {
	if passed := now.Sub(b.at); passed > 0 {
		b.level += passed.Seconds() * b.rate
	}
	b.level, b.at = min(b.level, b.most), now
}

// wait is how long until the bucket is above zero; 0 when it is.
func (b *bucket) wait() time.Duration {
	if b.rate == 0 || b.level > 0 {
		return 0
	}
	return b.earn(0)
}

// earn is how long until the bucket is above a level.
func (b *bucket) earn(level float64) time.Duration {
	return time.Duration((level-b.level)/b.rate*float64(time.Second)) + time.Millisecond
}

func (b *bucket) take(n float64) { b.level -= n }
