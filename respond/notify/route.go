package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Route says who is paged: the first that fits, unless it says to go on.
type Route struct {
	// Priority is the least that it is for.
	Priority event.Severity `yaml:"priority"`
	// Namespaces are labels that the target's namespace has.
	Namespaces map[string]string `yaml:"namespaces"`
	// Hours are when it is for; nothing is always.
	Hours *Hours `yaml:"hours"`
	// To are receivers.
	To []string `yaml:"to,required"`
	// Escalate says who is paged if nobody answers.
	Escalate []Step `yaml:"escalate"`
	// Continue looks at the routes behind it, too.
	Continue bool `yaml:"continue"`
}

// Step pages more people when nobody has answered for some time: nobody decided
// on a run of the incident, acknowledged it, said of it whether it is right, or
// closed it.
type Step struct {
	// After is how long after the page.
	After conf.Duration `yaml:"after,required"`
	To    []string      `yaml:"to,required"`
}

// Hours are times of the week in a time zone.
type Hours struct {
	// Days are mon to sun; none is all.
	Days []string `yaml:"days"`
	// From and To are as 08:00; To may be before From, over midnight.
	From string `yaml:"from"`
	To   string `yaml:"to"`
	// Zone is as Europe/Berlin; empty is UTC.
	Zone string `yaml:"zone"`
}

// Routes are those of the config, in their order.
type Routes []Route

// Page is one receiver that is to be told, after some time or at once.
type Page struct {
	Receiver string        `json:"receiver"`
	After    time.Duration `json:"after,omitempty"`
}

// For says who is paged. Labels are those of the target's namespace; nil says
// that they are not known, and then all routes that ask for labels fit: somebody
// too many is told rather than nobody. It gives none if no route fits.
func (rs Routes) For(priority event.Severity, labels map[string]string, at time.Time) []Page {
	var pages []Page
	add := func(to []string, after time.Duration) {
		for _, name := range to {
			p := Page{name, after}
			if !slices.ContainsFunc(pages, func(o Page) bool { return o.Receiver == name && o.After <= after }) {
				pages = append(pages, p)
			}
		}
	}
	for _, r := range rs {
		if !r.fits(priority, labels, at) {
			continue
		}
		add(r.To, 0)
		for _, s := range r.Escalate {
			add(s.To, s.After.Std())
		}
		if !r.Continue {
			break
		}
	}
	return pages
}

func (r Route) fits(priority event.Severity, labels map[string]string, at time.Time) bool {
	if r.Priority != "" && slices.Index(event.Severities(), priority) < slices.Index(event.Severities(), r.Priority) {
		return false
	}
	if labels != nil {
		for key, value := range r.Namespaces {
			if have, ok := labels[key]; !ok || have != value {
				return false
			}
		}
	}
	return r.Hours == nil || r.Hours.hold(at)
}

var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (h Hours) hold(at time.Time) bool {
	zone, err := time.LoadLocation(h.Zone)
	if err != nil {
		return true // the config was checked: the zones of this machine have changed
	}
	at = at.In(zone)
	from, to := minutes(h.From, 0), minutes(h.To, 24*60)
	now, day := at.Hour()*60+at.Minute(), at.Weekday()
	switch {
	case from <= to:
		if now < from || now >= to {
			return false
		}
	case now >= from:
	case now < to:
		day = (day + 6) % 7 // the night belongs to the day on which it began
	default:
		return false
	}
	return len(h.Days) == 0 || slices.Contains(h.Days, days[day])
}

// minutes of the day of HH:MM.
func minutes(text string, otherwise int) int {
	if text == "24:00" {
		return 24 * 60
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		return otherwise
	}
	return t.Hour()*60 + t.Minute()
}

// maxAfter bounds the time of an escalation.
const maxAfter = 24 * time.Hour

// Check says what is wrong with a route of the config; pages says whether a
// receiver is there that can be paged.
func (r Route) Check(pages func(name string) error) error {
	var errs []error
	if r.Priority != "" && !slices.Contains(event.Severities(), r.Priority) {
		errs = append(errs, fmt.Errorf("priority: %q is none of %s", r.Priority, strings.Join(event.SeverityInfo.Values(), ", ")))
	}
	to := func(key string, names []string) {
		if len(names) == 0 {
			errs = append(errs, fmt.Errorf("%s: nobody is told", key))
		}
		for _, name := range names {
			if err := pages(name); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", key, err))
			}
		}
	}
	to("to", r.To)
	for _, s := range r.Escalate {
		to("escalate", s.To)
		if s.After.Std() <= 0 || s.After.Std() > maxAfter {
			errs = append(errs, fmt.Errorf("escalate: after is over 0 and at most %s", maxAfter))
		}
	}
	if r.Hours != nil {
		if err := r.Hours.check(); err != nil {
			errs = append(errs, fmt.Errorf("hours: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (h Hours) check() error {
	if _, err := time.LoadLocation(h.Zone); err != nil {
		return fmt.Errorf("zone %q is not known", h.Zone)
	}
	for _, text := range []string{h.From, h.To} {
		if _, err := time.Parse("15:04", text); err != nil && text != "" && text != "24:00" {
			return fmt.Errorf("%q is no time as 08:00", text)
		}
	}
	for _, d := range h.Days {
		if !slices.Contains(days, d) {
			return fmt.Errorf("%q is none of mon, tue, wed, thu, fri, sat, sun", d)
		}
	}
	return nil
}
