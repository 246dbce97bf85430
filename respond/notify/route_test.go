package notify

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func TestRoutes(t *testing.T) {
	routes := Routes{
		{Priority: event.SeverityCritical, To: []string{"oncall"}, Escalate: []Step{{conf.Duration(10 * time.Minute), []string{"lead", "oncall"}}}, Continue: true},
		{Namespaces: map[string]string{"team": "pay"}, To: []string{"pay"}},
		{Hours: &Hours{Days: []string{"mon", "fri"}, From: "22:00", To: "06:00", Zone: "Europe/Berlin"}, To: []string{"night"}},
		{Priority: event.SeverityMedium, To: []string{"mail"}},
	}
	// 2026-03-04 is a Wednesday.
	friday := time.Date(2026, 3, 6, 21, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		priority event.Severity
		labels   map[string]string
		at       time.Time
		want     string
	}{
		{event.SeverityCritical, map[string]string{}, noon, "[{oncall 0s} {lead 10m0s} {mail 0s}]"},
		{event.SeverityCritical, map[string]string{"team": "pay"}, noon, "[{oncall 0s} {lead 10m0s} {pay 0s}]"},
		{event.SeverityLow, nil, noon, "[{pay 0s}]"},
		{event.SeverityLow, map[string]string{"team": "x"}, noon, "[]"},
		{event.SeverityHigh, map[string]string{}, friday, "[{night 0s}]"},
		{event.SeverityHigh, map[string]string{}, friday.Add(7 * time.Hour), "[{night 0s}]"},
		{event.SeverityHigh, map[string]string{}, friday.Add(8 * time.Hour), "[{mail 0s}]"},
		{event.SeverityHigh, map[string]string{}, friday.Add(24 * time.Hour), "[{mail 0s}]"},
	} {
		if got := fmt.Sprint(routes.For(c.priority, c.labels, c.at)); got != c.want {
			t.Errorf("%s %v %s: %s, want %s", c.priority, c.labels, c.at, got, c.want)
		}
	}
}

func TestRouteCheck(t *testing.T) {
	known := func(name string) error {
		if name != "ops" {
			return errors.New("there is no such receiver")
		}
		return nil
	}
	if err := (Route{To: []string{"ops"}, Priority: event.SeverityHigh, Hours: &Hours{From: "08:00", To: "24:00", Days: []string{"mon"}}}).Check(known); err != nil {
		t.Error(err)
	}
	for _, bad := range []Route{
		{}, {To: []string{"x"}}, {To: []string{"ops"}, Priority: "odd"}, {To: []string{"ops"}, Escalate: []Step{{0, []string{"ops"}}}},
		{To: []string{"ops"}, Escalate: []Step{{conf.Duration(time.Minute), nil}}}, {To: []string{"ops"}, Hours: &Hours{Zone: "Mars/Base"}},
		{To: []string{"ops"}, Hours: &Hours{From: "8"}}, {To: []string{"ops"}, Hours: &Hours{Days: []string{"Monday"}}},
	} {
		if bad.Check(known) == nil {
			t.Errorf("accepts %+v", bad)
		}
	}
}
