package logline

import (
	"math"
	"strconv"
	"time"
)

// The functions here read values of a decoded object, which are of the types
// of event.Fields; what isn't plainly of the kind is zero.

func stringOf(v any) string {
	s, _ := v.(string)
	return s
}

// wordOf is a text or a whole number as text.
func wordOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func statusOf(v any) int {
	if f, ok := v.(float64); ok && f == math.Trunc(f) && f >= 100 && f < 600 {
		return int(f)
	}
	return status(wordOf(v))
}

func sizeOf(v any) int64 { return size(wordOf(v)) }

func methodOf(v any) string {
	if s := stringOf(v); isMethod(s) {
		return s
	}
	return ""
}

// secondsOf is a number of units, or its text, as seconds.
func secondsOf(v any, unit time.Duration) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return scaled(float64(v), unit)
	case float64:
		return scaled(v, unit)
	case string:
		return seconds(v, unit)
	}
	return 0, false
}

// timeOf reads RFC 3339 and its relatives with a zone, and numbers since
// 1970, whose unit their size tells.
func timeOf(v any) time.Time {
	switch v := v.(type) {
	case string:
		if len(v) < 16 || len(v) > 48 {
			return time.Time{}
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700", "02/Jan/2006:15:04:05 -0700"} {
			if t := plausible(time.Parse(layout, v)); !t.IsZero() {
				return t
			}
		}
	case int64:
		return epoch(float64(v), v)
	case float64:
		return epoch(v, int64(v))
	}
	return time.Time{}
}

// localOf reads what [timeOf] can't for want of a zone.
func localOf(v any) time.Time {
	s := stringOf(v)
	if len(s) < 19 || len(s) > 32 {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006/01/02 15:04:05"} {
		if t := local(layout, s); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func epoch(f float64, n int64) time.Time {
	switch {
	case f >= 1e8 && f < 7e9:
		whole, part := math.Modf(f)
		return plausible(time.Unix(int64(whole), int64(math.Round(part*1e6))*1e3), nil)
	case f >= 1e11 && f < 7e12:
		return plausible(time.UnixMicro(int64(math.Round(f*1e3))), nil)
	case f >= 1e14 && f < 7e15:
		return plausible(time.UnixMicro(n), nil)
	case f >= 1e17 && f < 7e18:
		return plausible(time.Unix(0, n), nil)
	}
	return time.Time{}
}
