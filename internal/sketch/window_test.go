package sketch

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		start            string
		interval, window time.Duration
		want             string
	}{
		{"05:06:00", time.Minute, time.Minute, "05:06:00"},
		{"05:06:00", time.Minute, 5 * time.Minute, "05:05:00"},
		{"05:09:00", time.Minute, 5 * time.Minute, "05:05:00"},
		{"05:10:00", time.Minute, 5 * time.Minute, "05:10:00"},
		{"05:10:00", 10 * time.Second, time.Hour, "05:00:00"},
		{"05:10:00", time.Minute, 90 * time.Second, ""},
		{"05:10:00", time.Minute, 30 * time.Second, ""},
		{"05:10:00", time.Minute, 0, ""},
		{"05:10:00", 0, time.Minute, ""},
		{"05:04:30", time.Minute, 5 * time.Minute, ""}, // merged of intervals that are not aligned
	} {
		at := func(clock string) time.Time {
			d, err := time.Parse(time.TimeOnly, clock)
			if err != nil {
				t.Fatal(err)
			}
			return time.Date(2026, 3, 4, d.Hour(), d.Minute(), d.Second(), 0, time.UTC)
		}
		s := Summary{Start: at(c.start), Length: c.interval}
		got, err := s.Window(c.window)
		if (err == nil) != (c.want != "") || err == nil && !got.Equal(at(c.want)) {
			t.Errorf("%s of %s in windows of %s: %v, %v", c.start, c.interval, c.window, got, err)
		}
	}
}
