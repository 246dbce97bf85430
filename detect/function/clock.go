package function

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same wherever a rule runs

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func: conf.Func{
			Name: "hour", Signature: new(func(any, ...any) any), Fn: hour, Prepare: prepareZone(1), Constant: afterFirst,
		},
		Usage:   "hour(time, zone) number or nil",
		Doc:     "The hour of the day of a time, 0 to 23, in a zone as in Europe/Berlin; UTC without one.",
		Example: `hour("2026-03-01T23:30:00Z", "Europe/Berlin") == 0`,
	})
	register(Function{
		Func: conf.Func{
			Name: "weekday", Signature: new(func(any, ...any) string), Fn: weekday, Prepare: prepareZone(1), Constant: afterFirst,
		},
		Usage:   "weekday(time, zone) text",
		Doc:     "The day of the week of a time in a zone, monday to sunday; UTC without one. Empty when it is no time.",
		Example: `weekday("2026-03-01T23:30:00Z") == "sunday"`,
	})
	register(Function{
		Func: conf.Func{
			Name: "time_between", Signature: new(func(any, any, any, ...any) bool), Fn: timeBetween, Prepare: prepareBetween, Constant: afterFirst,
		},
		Usage:   "time_between(time, from, to, zone) bool",
		Doc:     "Whether a time is at or after the clock time from and before to, as in \"22:00\" and \"06:00\" for the night, in a zone; UTC without one.",
		Example: `time_between("2026-03-01T23:30:00Z", "22:00", "06:00")`,
	})
}

// moment is a time, or what RFC 3339 writes of one.
func moment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, !v.IsZero()
	case string:
		if len(v) <= 64 {
			t, err := time.Parse(time.RFC3339Nano, v)
			return t, err == nil
		}
	}
	return time.Time{}, false
}

func prepareZone(at int) func(int, any) (any, error) {
	return func(i int, constant any) (any, error) {
		if i != at {
			return constant, nil
		}
		name, _ := constant.(string)
		zone, err := time.LoadLocation(name)
		if err != nil || name == "" || strings.EqualFold(name, "local") {
			return nil, fmt.Errorf("%q is no time zone, as in Europe/Berlin", name)
		}
		return zone, nil
	}
}

// in is the time in the zone of the last argument, if that is one.
func in(t time.Time, args []any) time.Time {
	if len(args) > 0 {
		if zone, ok := args[len(args)-1].(*time.Location); ok {
			return t.In(zone)
		}
	}
	return t.UTC()
}

func hour(args ...any) (any, error) {
	t, ok := moment(args[0])
	if !ok {
		return nil, nil
	}
	return in(t, args[1:]).Hour(), nil
}

func weekday(args ...any) (any, error) {
	t, ok := moment(args[0])
	if !ok {
		return "", nil
	}
	return strings.ToLower(in(t, args[1:]).Weekday().String()), nil
}

// clockTime is minutes since midnight.
type clockTime int

func prepareBetween(i int, constant any) (any, error) {
	if !slices.Contains([]int{1, 2}, i) {
		return prepareZone(3)(i, constant)
	}
	s, _ := constant.(string)
	t, err := time.Parse("15:04", s)
	if err != nil {
		return nil, fmt.Errorf("%q is no time of day, as in 22:00", s)
	}
	return clockTime(t.Hour()*60 + t.Minute()), nil
}

func timeBetween(args ...any) (any, error) {
	t, ok := moment(args[0])
	from, first := args[1].(clockTime)
	to, second := args[2].(clockTime)
	if !ok || !first || !second {
		return false, nil
	}
	t = in(t, args[3:])
	now := clockTime(t.Hour()*60 + t.Minute())
	if from <= to {
		return from <= now && now < to, nil
	}
	return now >= from || now < to, nil
}
