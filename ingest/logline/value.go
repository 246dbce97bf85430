package logline

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxSeconds is the longest time that is taken for a request's: 30 days.
const maxSeconds = 30 * 24 * 3600

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// status is an HTTP status, or 0 for what is none.
func status(s string) int {
	if len(s) != 3 || !digits(s) || s[0] < '1' || s[0] > '5' {
		return 0
	}
	return int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
}

// size is a number of bytes, or 0 for what is none.
func size(s string) int64 {
	if !digits(s) {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// seconds is a decimal number of units as seconds. It is false for what isn't
// plainly one, is negative or beyond the bound.
func seconds(s string, unit time.Duration) (float64, bool) {
	if s == "" || len(s) > 32 || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, false
	}
	return scaled(f, unit)
}

func scaled(f float64, unit time.Duration) (float64, bool) {
	if math.IsNaN(f) || f < 0 || f > maxSeconds*float64(time.Second/unit) {
		return 0, false
	}
	// The division keeps 1.5 ms at 0.0015 where a factor would not.
	return f / float64(time.Second/unit), true
}

// duration reads a time with its unit, as Go writes it ("1m2.5s", "350µs") and
// others ("12 ms", "0.5s").
func duration(s string) (float64, bool) {
	if len(s) > 40 {
		return 0, false
	}
	d, err := time.ParseDuration(strings.ReplaceAll(s, " ", ""))
	if err != nil || strings.HasPrefix(s, "+") {
		return 0, false
	}
	return scaled(float64(d), time.Nanosecond)
}

// plausible gives the time in UTC when it is of this age; another is a mistake
// or a lie, and stays out.
func plausible(t time.Time, err error) time.Time {
	if err != nil || t.Year() < 1970 || t.Year() >= 2200 {
		return time.Time{}
	}
	return t.UTC()
}

// local reads what a clock showed without saying its zone; the year may be
// missing in the layout.
func local(layout, s string) time.Time {
	t, err := time.Parse(layout, s)
	if err != nil || t.Year() != 0 && (t.Year() < 1970 || t.Year() >= 2200) {
		return time.Time{}
	}
	return t.UTC()
}

// dash is empty for what servers write where there is nothing.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// clean takes the escapes of printable characters out of a part that nginx
// (\x22) or Apache (\" \\ \xHH) wrote; others stay as they are written.
func clean(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if s[i+1] == '"' || s[i+1] == '\\' {
				i++
				c = s[i]
			} else if h, ok := hexByte(s[i+1:]); ok && h >= ' ' && h < 0x7f {
				i += 3
				c = h
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// hexByte reads xHH.
func hexByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != 'x' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:3], 16, 8)
	return byte(n), err == nil
}
