package baseline

import (
	"math"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// series is what is usual of one number of one entity. Numbers are kept as
// squash makes them.
type series struct {
	n    uint32
	last int64
	// slow and fast are means that forget by half in a week and in half an hour.
	slow, fast float64
	// variance is of the distance from what was expected, fastVariance of that
	// from fast.
	variance, fastVariance float64
	// peak is how many deviations it is off in one of rarely times, 0 before
	// anything is known.
	peak float64
	// lately is by how many deviations it was off over the last times, on average,
	// and latelyVariance how much that varies.
	lately, latelyVariance float64
	// hours are of the week, made when the first is over; hour, sum and count
	// are of the one that is not.
	hours *[hoursOfWeek]hour
	hour  int64
	sum   float64
	count uint32
}

// hour is the mean of one hour of the week, of so many weeks.
type hour struct {
	mean  float32
	weeks uint8
}

const (
	hoursOfWeek = 7 * 24
	slowHalf    = 7 * 24 * time.Hour
	fastHalf    = 30 * time.Minute
	// enough is how many numbers say what is usual.
	enough = 20
	// outlier is how many deviations a number may change what is usual by.
	outlier = 4
	// wild is by how many it may change how much they vary: what comes once in
	// a hundred times is no wonder.
	wild = 16
	// pooled is how many numbers the deviation of all entities counts for.
	pooled = 30
	// maxWeeks is how many weeks an hour's mean is of, mostly.
	maxWeeks = 6
	// longest is the least weight of a number in the variance.
	longest                 = 1.0 / 500
	seriesBytes, hoursBytes = 120, 8 * hoursOfWeek
	// rarely is the share of numbers beyond what counts as a peak, plain how many
	// deviations that is of numbers without any, and climb by how much of itself
	// it moves.
	rarely = 1.0 / 200
	plain  = 3.0
	climb  = 0.1
	// lasting is over about how many of the last numbers it is told whether it is
	// off for long, and stillOff how many times as far as the last one that may be.
	lasting, stillOff = 12, 4
)

// squash makes numbers comparable. Of counts that are small it takes the root,
// as they vary by the root of what is usual (the variance-stabilising transform
// of counts); other small numbers stay as they are. Of large ones it takes the
// logarithm, as those vary by a part of it.
func squash(x float64, count bool) float64 {
	if count {
		return math.Copysign(math.Asinh(math.Sqrt(math.Abs(x)/large)), x)
	}
	return math.Asinh(x)
}

func unsquash(y float64, count bool) float64 {
	r := math.Sinh(y)
	if count {
		return math.Copysign(large*r*r, y)
	}
	return r
}

// large is about where counts begin to be large.
const large = 1000

// weekHour is the hour since 1970, and which of the week that is. The moment at
// which an hour ends is of that hour: an interval is told at its end.
func weekHour(now time.Time) (since int64, ofWeek int) {
	since = now.Add(-1).Unix() / 3600
	return since, int(((since % hoursOfWeek) + hoursOfWeek) % hoursOfWeek)
}

// expected is what is usual at a time: what that hour of the week was, or, in
// the first week, that hour of other days, or the last hour.
func (s *series) expected(now time.Time) float64 {
	if s.hours == nil {
		return (s.slow + 3*s.fast) / 4
	}
	_, at := weekHour(now)
	if h := s.hours[at]; h.weeks > 0 {
		w := float64(h.weeks) / float64(h.weeks+1)
		return w*float64(h.mean) + (1-w)*s.day(at)
	}
	return s.day(at)
}

// day is the mean of an hour of the day and of the last hour.
func (s *series) day(at int) float64 {
	var sum, n float64
	for d := range 7 {
		if h := s.hours[(at+24*d)%hoursOfWeek]; h.weeks > 0 {
			sum += float64(h.mean)
			n++
		}
	}
	return (sum + s.fast) / (n + 1)
}

// deviation blends the entity's own with that of all: of few numbers nobody
// knows how much they vary.
func deviation(own float64, n uint32, all float64) float64 {
	known := min(float64(n), 1/longest)
	return math.Sqrt((own*known + all*pooled) / (known + pooled))
}

// learn takes a number that was squashed, as far as it is to be trusted: 0 is not at all. One far
// off counts as less far: a spike is not the new usual. fresh is for a
// time of grace, quickly where the new version explains the number, too.
func (s *series) learn(y, trust float64, now time.Time, all *spread, fresh, quickly bool) {
	if before := s.expected(now); s.n > 0 {
		y = before + trust*(y-before)
	}
	if s.n > 0 && s.n < math.MaxUint32 {
		before := s.expected(now)
		far, farFast := y-before, y-s.fast
		if s.n >= enough && !quickly {
			d := max(deviation(s.variance, s.n, all.slow), tiny)
			y = before + within(far, outlier*d)
			far, farFast = within(far, wild*d), within(farFast, wild*d)
		}
		n := s.n
		if quickly {
			n = min(n, 2*enough)
		}
		keep := max(1/float64(n+1), longest)
		off, jump := far*far, farFast*farFast
		s.variance += keep * (off - s.variance)
		s.fastVariance += keep * (jump - s.fastVariance)
		if !fresh { // what a new version does says nothing of how much others vary
			all.add(off, jump)
		}
		took := max(0, now.UnixNano()-s.last)
		s.slow += max(1/float64(n+1), forgotten(took, slowHalf)) * (y - s.slow)
		s.fast += max(1/float64(s.n+1), forgotten(took, fastHalf)) * (y - s.fast)
	} else if s.n == 0 {
		s.slow, s.fast = y, y
	}
	s.n = min(s.n+1, math.MaxUint32-1)
	s.last = max(s.last, now.UnixNano())
	s.inHour(y, now)
}

// wider is how many times larger its deviations are taken to be, because it has
// peaks: a job that begins each hour is no wonder each time.
func (s *series) wider() float64 { return max(1, s.peak/plain) }

// climb is by how much of itself the peak moves: by more at first.
func (s *series) climb() float64 { return climb * (1 + 500/float64(s.n)) }

// peaks takes by how many deviations a number was off: a quantile by the pinball
// loss, on the logarithm. What is off for a while moves it by little.
func (s *series) peaks(z float64) {
	switch {
	case s.n < enough || math.IsNaN(z):
	case s.peak == 0:
		s.peak = plain
	case math.Abs(z) > s.peak:
		s.peak = min(farthest, s.peak*(1+s.climb()))
	default:
		s.peak = max(plain/2, s.peak*(1-s.climb()*rarely))
	}
}

// lasts moves what it was off by lately, by one more number that is z off.
func (s *series) lasts(z float64) float64 {
	return s.lately + (within(z, outlier)-s.lately)/lasting
}

// noteLately takes by how many deviations a number was off.
func (s *series) noteLately(z float64) {
	s.lately = s.lasts(z)
	most := outlier * s.latelyDeviation()
	off := within(s.lately, most)
	s.latelyVariance += max(1/float64(s.n+1), longest) * (off*off - s.latelyVariance)
}

// latelyDeviation is how much lately varies: at least as much as when numbers know
// nothing of each other.
func (s *series) latelyDeviation() float64 {
	return math.Sqrt(max(s.latelyVariance, 1.0/(2*lasting-1)))
}

func within(v, most float64) float64 { return min(most, max(-most, v)) }

// tiny is the least deviation: of numbers that never vary.
const tiny = 1e-3

func forgotten(took int64, half time.Duration) float64 {
	return 1 - math.Exp2(-float64(took)/float64(half))
}

// inHour adds to the hour that is not over, and closes the one before.
func (s *series) inHour(y float64, now time.Time) {
	since, _ := weekHour(now)
	if since > s.hour {
		s.close()
		s.hour = since
	}
	s.sum += y
	s.count++
}

func (s *series) close() {
	if s.count == 0 {
		return
	}
	if s.hours == nil {
		s.hours = new([hoursOfWeek]hour)
	}
	h := &s.hours[((s.hour%hoursOfWeek)+hoursOfWeek)%hoursOfWeek]
	mean := float32(s.sum / float64(s.count))
	if h.weeks < maxWeeks {
		h.weeks++
	}
	h.mean += (mean - h.mean) / float32(h.weeks)
	s.sum, s.count = 0, 0
}

// spread is how much the numbers of all entities vary.
type spread struct{ slow, fast, n float64 }

func (s *spread) add(off, jump float64) {
	s.n = min(s.n+1, 4096)
	s.slow += (off - s.slow) / s.n
	s.fast += (jump - s.fast) / s.n
}

func (s *series) bytes() int {
	if s.hours != nil {
		return seriesBytes + hoursBytes
	}
	return seriesBytes
}

func (s *series) save(out *pack.Writer) {
	out.Uint(uint64(s.n))
	out.Int(s.last)
	for _, v := range []float64{s.slow, s.fast, s.variance, s.fastVariance, s.peak, s.lately, s.latelyVariance, s.sum} {
		out.Float(v)
	}
	out.Int(s.hour)
	out.Uint(uint64(s.count))
	out.Bool(s.hours != nil)
	if s.hours == nil {
		return
	}
	for _, h := range s.hours {
		out.Uint(uint64(h.weeks))
		if h.weeks > 0 {
			out.Float(float64(h.mean))
		}
	}
}

func (s *series) load(in *pack.Reader) {
	s.n, s.last = uint32(in.Len(math.MaxUint32-1)), in.Int() // #nosec G115 -- bounded
	for _, v := range []*float64{&s.slow, &s.fast, &s.variance, &s.fastVariance, &s.peak, &s.lately, &s.latelyVariance, &s.sum} {
		*v = finite(in)
	}
	s.hour, s.count = in.Int(), uint32(in.Len(math.MaxUint32-1)) // #nosec G115 -- bounded
	if !in.Bool() {
		return
	}
	s.hours = new([hoursOfWeek]hour)
	for i := range s.hours {
		s.hours[i].weeks = uint8(in.Len(maxWeeks)) // #nosec G115 -- bounded
		if s.hours[i].weeks > 0 {
			s.hours[i].mean = float32(finite(in))
		}
	}
}

func finite(in *pack.Reader) float64 {
	v := in.Float()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		in.Fail()
		return 0
	}
	return v
}
