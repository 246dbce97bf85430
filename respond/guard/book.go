package guard

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// lately is how long what is over is remembered.
const lately = time.Hour

// maxEntries bounds the book. Past it what is over is forgotten, the oldest
// first; what stands never is.
const maxEntries = 4096

// maxCanaries bounds the versions of playbooks that are remembered.
const maxCanaries = 1024

// Book is what the ledger holds: effects that stand or stood lately.
type Book struct {
	Entries []Entry `json:"entries,omitempty"`
	// Canaries are by the version of a playbook, Breakers by action and backend.
	Canaries map[string]*Canary `json:"canaries,omitempty"`
	Breakers map[string]*Trip   `json:"breakers,omitempty"`
}

// Entry is one effect: a place that was taken, and whether it is free again.
type Entry struct {
	Key      string `json:"key"`
	Run      string `json:"run"`
	Playbook string `json:"playbook"`
	Version  string `json:"version"`
	Rule     string `json:"rule,omitempty"`
	Action   string `json:"action"`
	Budget   string `json:"budget,omitempty"`
	// Target is a UID, and so is Controller.
	Target     string         `json:"target"`
	Namespace  string         `json:"namespace,omitempty"`
	Node       string         `json:"node,omitempty"`
	Controller string         `json:"controller,omitempty"`
	Severity   event.Severity `json:"severity,omitempty"`
	// Source is where the finding's events are from, Actor who is behind them
	// where that is known.
	Source event.Source `json:"source,omitempty"`
	Actor  string       `json:"actor,omitempty"`
	Taken  time.Time    `json:"taken"`
	// Ended is when the place became free; nil is not yet.
	Ended    *time.Time `json:"ended,omitempty"`
	Approved bool       `json:"approved,omitempty"`
	// Record is the run's newest record when the place was taken: once the run
	// has a newer one in which the effect has not begun, it never will by this.
	Record uint64 `json:"record"`
	Nonce  string `json:"nonce"`
}

// Canary is the first act of a playbook's version.
type Canary struct {
	Playbook string    `json:"playbook"`
	Run      string    `json:"run"`
	Target   event.Ref `json:"target"`
	Since    time.Time `json:"since"`
	// Owner is the target's controller, Replicas how many were ready before.
	Owner    *metav1.OwnerReference `json:"owner,omitempty"`
	Replicas int                    `json:"replicas"`
	// Well says that it was looked at later, and did no harm.
	Well bool `json:"well,omitempty"`
}

// Trip is the breaker of one action by way of one backend.
type Trip struct {
	// Failures are the times of the newest, oldest first.
	Failures []time.Time `json:"failures,omitempty"`
	// Open says why nothing goes through without people; empty is closed.
	Open  string    `json:"open,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Void says that it is open because an effect was none.
	Void bool `json:"void,omitempty"`
	// Trial is the key of the approved step that tries it now, Tried since when.
	Trial string    `json:"trial,omitempty"`
	Tried time.Time `json:"tried,omitzero"`
}

// stands says that the entry takes a place.
func (e Entry) stands() bool { return e.Ended == nil }

// count is how many entries match.
func (b *Book) count(match func(Entry) bool) int {
	n := 0
	for _, e := range b.Entries {
		if match(e) {
			n++
		}
	}
	return n
}

// distinct is how many different values the entries have; empty ones do not
// count.
func (b *Book) distinct(value func(Entry) string) int {
	seen := map[string]bool{}
	for _, e := range b.Entries {
		if v := value(e); v != "" {
			seen[v] = true
		}
	}
	return len(seen)
}

func (b *Book) find(key string) *Entry {
	for i := range b.Entries {
		if b.Entries[i].Key == key {
			return &b.Entries[i]
		}
	}
	return nil
}

// put takes a place for a key. One that has one keeps its time.
func (b *Book) put(e Entry) {
	if old := b.find(e.Key); old != nil {
		if old.stands() {
			e.Taken = old.Taken
			e.Approved = e.Approved || old.Approved
		}
		*old = e
		return
	}
	b.Entries = append(b.Entries, e)
}

// clone is the book as it would be read back: it shares nothing that anybody
// changes, and its times are the clock's on the wall.
func (b *Book) clone() *Book {
	c := &Book{Entries: slices.Clone(b.Entries)}
	for i := range c.Entries {
		e := &c.Entries[i]
		if e.Taken = e.Taken.Round(0); e.Ended != nil {
			e.Ended = new(e.Ended.Round(0))
		}
	}
	if len(b.Canaries) > 0 {
		c.Canaries = make(map[string]*Canary, len(b.Canaries))
	}
	for version, canary := range b.Canaries {
		own := *canary
		own.Since = own.Since.Round(0)
		c.Canaries[version] = &own
	}
	if len(b.Breakers) > 0 {
		c.Breakers = make(map[string]*Trip, len(b.Breakers))
	}
	for name, trip := range b.Breakers {
		own := *trip
		own.Since, own.Tried, own.Failures = own.Since.Round(0), own.Tried.Round(0), slices.Clone(own.Failures)
		for i := range own.Failures {
			own.Failures[i] = own.Failures[i].Round(0)
		}
		c.Breakers[name] = &own
	}
	return c
}

// tidy forgets what is over for long.
func (b *Book) tidy(now time.Time) {
	b.Entries = slices.DeleteFunc(b.Entries, func(e Entry) bool {
		return e.Ended != nil && now.Sub(e.Taken) > lately
	})
	if over := len(b.Entries) - maxEntries; over > 0 {
		b.Entries = slices.DeleteFunc(b.Entries, func(e Entry) bool {
			if over <= 0 || e.Ended == nil {
				return false
			}
			over--
			return true
		})
	}
	for len(b.Canaries) > maxCanaries {
		oldest := ""
		for v, c := range b.Canaries {
			if oldest == "" || c.Since.Before(b.Canaries[oldest].Since) {
				oldest = v
			}
		}
		delete(b.Canaries, oldest)
	}
	for name, t := range b.Breakers {
		t.Failures = slices.DeleteFunc(t.Failures, func(at time.Time) bool { return now.Sub(at) > time.Minute })
		if t.Open == "" && len(t.Failures) == 0 {
			delete(b.Breakers, name)
		}
	}
}

// entry is the place that a check asks for.
func (c Check) entry() Entry {
	f := c.Run.Finding
	e := Entry{
		Key: c.Key(), Run: c.Run.ID, Playbook: c.Run.Playbook, Version: c.Run.Version, Rule: f.Rule + f.Model,
		Action: c.Plan.Action, Budget: c.Budget, Target: c.Plan.Target.UID, Namespace: c.Plan.Target.Space(),
		Node: c.Plan.Target.Node, Severity: f.Severity, Source: f.Source, Actor: actor(f), Taken: c.Now,
		Approved: c.Approved, Record: c.Run.Record,
	}
	if c.Run.Drill {
		e.Budget = BudgetDrills
	}
	if e.Target == "" {
		// Of what has no UID the name is all there is to tell targets apart.
		t := c.Plan.Target
		e.Target = "named-" + event.HashID("target", t.Group, t.Resource, t.Namespace, t.Name)
	}
	if c.Plan.Target.IsNode() {
		e.Node = c.Plan.Target.Name
	}
	return e
}

// actor names who is behind a finding, by what he can't make up at will: the
// user whom the API server authenticated, else the address. Text of others is
// kept as its hash.
func actor(f event.Finding) string {
	switch {
	case f.Actor.User != "" && f.Source == event.SourceAudit:
		return "user/" + event.HashID("actor", f.Actor.User)
	case f.Actor.Address != "":
		return "address/" + event.HashID("actor", f.Actor.Address)
	}
	return ""
}
