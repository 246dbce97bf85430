package conf

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
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

// MarshalText is as time.Duration's String: digests are made of it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// String is as it is written, in the fewest parts: 7d, 1d12h, 1h30m.
func (d Duration) String() string {
	whole, rest := time.Duration(d)/(24*time.Hour), time.Duration(d)%(24*time.Hour)
	text := rest.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	switch {
	case whole == 0:
		return text
	case rest == 0:
		return fmt.Sprintf("%dd", whole)
	}
	return fmt.Sprintf("%dd%s", whole, text)
}

// Std is the duration as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }
