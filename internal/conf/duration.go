package conf

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Duration is a time.Duration that is written as Go writes it, or with days
// before it: 90s, 1h30m, 7d, 1d12h. It is never negative.
type Duration time.Duration

var days = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// ParseDuration reads a duration as [Duration] is written.
func ParseDuration(text string) (time.Duration, error) {
	rest, total := text, time.Duration(0)
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, fmt.Errorf("duration %q: %w", text, err)
		}
		total, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	if rest != "" || total == 0 && text == "" {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("duration %q: want for example 90s, 15m, 1h30m or 7d", text)
		}
		total += d
		if d < 0 || total < 0 {
			return 0, fmt.Errorf("duration %q is negative or too long", text)
		}
	}
	return total, nil
}

// UnmarshalText is [ParseDuration].
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText is [Duration.String].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is as time.Duration's.
func (d Duration) String() string { return time.Duration(d).String() }

// Std is the duration as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }
