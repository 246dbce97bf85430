package event

import "time"

// Verbs of control events: of the source control, whose events only the service
// itself makes. Detectors have no other way to be told something, so that a
// recorded stream always gives the same findings.
const (
	// VerbTick says what time it is, when nothing else comes.
	VerbTick = "detect.tick"
	// VerbSilence makes a silence, or ends the one of its id; see [Silence].
	VerbSilence = "detect.silence"
	// VerbRules puts other rules in the place of those there are.
	VerbRules = "detect.rules"
	// VerbVerdict says whether a finding was right; see [FindingVerdict].
	VerbVerdict = "detect.verdict"
	// VerbModel pins a model, lets it go on, takes it back to where it was
	// pinned, or approves what it has learned; see [ModelOrder].
	VerbModel = "detect.model"
	// VerbSwitchOff takes a rule out that is too slow.
	VerbSwitchOff = "detect.switch-off"
	// VerbCostly says that events make a rule slow that is not slow by itself: it
	// stays on.
	VerbCostly = "detect.costly"
)

// Silence keeps findings from disturbing anybody until a time. They are stored
// all the same, and counted.
type Silence struct {
	ID string `json:"id"`
	// When is an expression over the fields of a finding.
	When string `json:"when"`
	// Who made it, and Why.
	Who string `json:"who"`
	Why string `json:"why"`
	// Until is when it ends. A silence of the same id replaces this one, and
	// one whose Until is not after the detector's clock ends it.
	Until time.Time `json:"until"`
	// Matched is how many findings it kept quiet.
	Matched uint64 `json:"matched"`
}

// Event is the control event that makes or ends the silence.
func (s Silence) Event(now time.Time) Event {
	return Control(VerbSilence, now, HashID("silence", s.ID, s.When, s.Until.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano)), Fields{
		"id": s.ID, "when": s.When, "who": s.Who, "why": s.Why, "until": s.Until.UTC().Format(time.RFC3339Nano),
	})
}

// FindingVerdict is what a person said of a finding.
type FindingVerdict struct {
	// Finding is its id.
	Finding string `json:"finding"`
	// True says that it was right, else it was a false alarm.
	True bool `json:"true"`
	// Who said so, and Why.
	Who string `json:"who"`
	Why string `json:"why,omitempty"`
}

// Event is the control event that tells detectors.
func (v FindingVerdict) Event(now time.Time) Event {
	text := "false"
	if v.True {
		text = "true"
	}
	return Control(VerbVerdict, now, HashID("verdict", v.Finding, text, v.Who, now.UTC().Format(time.RFC3339Nano)), Fields{
		"finding": v.Finding, "verdict": text, "who": v.Who, "why": v.Why,
	})
}

// What a [ModelOrder] may ask for.
const (
	// ModelPin stops a model from learning, and keeps what it is now. One that is
	// pinned keeps what it was when it was pinned first.
	ModelPin = "pin"
	// ModelUnpin lets it learn again.
	ModelUnpin = "unpin"
	// ModelRollback makes it what it was when it was pinned.
	ModelRollback = "rollback"
	// ModelApprove makes what it is now what its anchors stand for.
	ModelApprove = "approve"
)

// ModelOrder is what a person wants of a model.
type ModelOrder struct {
	// Model is its name.
	Model string `json:"model"`
	// Do is one of pin, unpin, rollback and approve.
	Do string `json:"do"`
	// Who wants it, and Why.
	Who string `json:"who"`
	Why string `json:"why,omitempty"`
}

// Event is the control event that tells the model.
func (o ModelOrder) Event(now time.Time) Event {
	return Control(VerbModel, now, HashID("model", o.Model, o.Do, o.Who, now.UTC().Format(time.RFC3339Nano)), Fields{
		"model": o.Model, "do": o.Do, "who": o.Who, "why": o.Why,
	})
}

// Control is a control event of now.
func Control(verb string, now time.Time, id string, fields Fields) Event {
	return Event{
		ID: id, Source: SourceControl, Class: ClassControl, Time: now.UTC(), Received: now.UTC(), Verb: verb, Fields: fields, From: "firebreak",
	}
}
