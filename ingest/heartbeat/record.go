package heartbeat

import (
	"slices"
	"time"
)

// record is what the processes know together.
type record struct {
	// Sent is when the last beat was sent, Seen when the newest one was sent
	// that came back.
	Sent time.Time `json:"sent"`
	Seen time.Time `json:"seen"`
	// Out are the beats since Seen, the oldest first, up to [maxOut] of them.
	Out []time.Time `json:"out,omitempty"`
	// Gap is the first beat that did not come back, while there is a gap.
	Gap time.Time `json:"gap,omitzero"`
	// Notices are what is still to be told.
	Notices []notice `json:"notices,omitempty"`
}

// notice is the beginning or the end of a gap.
type notice struct {
	Verb string    `json:"verb"`
	From time.Time `json:"from"`
	// To is zero at the beginning.
	To time.Time `json:"to,omitzero"`
}

// What a notice says: the verbs of control events.
const (
	VerbGap    = "gap"
	VerbGapEnd = "gap_end"
)

const (
	maxOut     = 64
	maxNotices = 16
)

// due says whether it is time for the next beat.
func (r *record) due(now time.Time, every time.Duration) bool {
	return now.Sub(r.Sent) >= every-every/10 || now.Before(r.Sent)
}

// resume is for a time in which nobody sent any beats: those before tell
// nothing, as their answers may have come while nobody could write it down.
func (r *record) resume(now time.Time, every time.Duration) {
	if now.Sub(r.Sent) > 2*every {
		r.Out = nil
	}
}

// send notes a beat.
func (r *record) send(now time.Time) {
	r.Sent = now
	if len(r.Out) < maxOut {
		r.Out = append(r.Out, now)
	}
}

// unsent takes back a beat that the API server did not get.
func (r *record) unsent(at time.Time) {
	r.Out = slices.DeleteFunc(r.Out, func(t time.Time) bool { return t.Equal(at) })
}

// returned notes a beat that came back. One that is older than the last one
// tells nothing new.
func (r *record) returned(sent time.Time) (changed bool) {
	if !sent.After(r.Seen) {
		return false
	}
	r.Seen = sent
	r.Out = slices.DeleteFunc(r.Out, func(t time.Time) bool { return !t.After(sent) })
	if !r.Gap.IsZero() && !sent.Before(r.Gap) {
		r.notify(notice{VerbGapEnd, r.Gap, sent})
		r.Gap = time.Time{}
	}
	return true
}

// look begins a gap when the oldest beat is out for too long.
func (r *record) look(now time.Time, within time.Duration) (changed bool) {
	if !r.Gap.IsZero() || len(r.Out) == 0 || now.Sub(r.Out[0]) < within {
		return false
	}
	r.Gap = r.Out[0]
	r.notify(notice{Verb: VerbGap, From: r.Gap})
	return true
}

func (r *record) notify(n notice) {
	if len(r.Notices) < maxNotices {
		r.Notices = append(r.Notices, n)
	}
}
