package ingest

import (
	"strconv"
	"strings"
	"time"
)

// epoch reads a time since 1970: seconds, or thousandths, millionths or
// billionths of them, which its size tells. Of seconds there may be decimals.
func epoch(n int64, fraction string) (time.Time, bool) {
	if n <= 0 || len(fraction) > 18 || strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	unit := int64(time.Second)
	for limit := int64(1e11); n >= limit && unit > 1; limit *= 1000 {
		unit /= 1000
	}
	if unit == int64(time.Second) {
		nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		return saneTime(time.Unix(n, nanos))
	}
	per := int64(time.Second) / unit
	return saneTime(time.Unix(n/per, n%per*unit))
}

// epochText reads one that is written out. Whole numbers keep each digit.
func epochText(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return epoch(n, fraction)
}

// epochValue reads one that is a whole number, of a time since 2001: a smaller
// one is something else.
func epochValue(v any) (time.Time, bool) {
	n, ok := v.(int64)
	if !ok || n < 1e9 {
		return time.Time{}, false
	}
	return epoch(n, "")
}
