package event

import "time"

// Incident is findings that belong together. Each record of its stream holds
// the whole of it.
type Incident struct {
	ID    string        `json:"id" expr:"id"`
	State IncidentState `json:"state" expr:"state"`
	// Unreadable says which record of it can't be read, and why: then no more than
	// its id and when that was stored is known.
	Unreadable string `json:"unreadable,omitempty" expr:"-"`
	// Risk is how bad it would be, 0 to 100, and Confidence how sure it is, 0
	// to 100; Why says what made the two, in words. Priority is what they come
	// to, the order in which people should look.
	Risk       int      `json:"risk" expr:"risk"`
	Confidence int      `json:"confidence" expr:"confidence"`
	Priority   Severity `json:"priority" expr:"priority"`
	Why        []string `json:"why,omitempty" expr:"why"`
	// Subject is the first finding's, resolved to a live object where that
	// was possible.
	Subject Ref `json:"subject,omitzero" expr:"subject"`
	// Subjects are the distinct objects of all its findings, the first one
	// first, up to a bound ([MaxSubjects]).
	Subjects []Ref `json:"subjects,omitempty" expr:"subjects"`
	// Severity, Likelihood and Impact are the highest of the findings,
	// Importance the highest of what the config says of their subjects.
	Severity   Severity   `json:"severity,omitempty" expr:"severity"`
	Likelihood string     `json:"likelihood,omitempty" expr:"likelihood"`
	Impact     string     `json:"impact,omitempty" expr:"impact"`
	Importance Importance `json:"importance,omitempty" expr:"importance"`
	// Score is the highest of a model, and P the least of one.
	Score float64 `json:"score,omitempty" expr:"score"`
	P     float64 `json:"p,omitempty" expr:"p"`
	// Threats are the classes of the risk matrix that the findings name.
	Threats []string `json:"threats,omitempty" expr:"threats"`
	// Evidence is the best of each observer, which the confidence is made of.
	Evidence []Evidence `json:"evidence,omitempty" expr:"evidence"`
	// Findings are the ids, oldest first, up to a bound; Count is of all.
	// Rules are the distinct names, Keys what the findings share.
	Findings []string `json:"findings" expr:"findings"`
	// Later are the beginnings of the ids of the newest beyond those, so that
	// one that is delivered again is known. Refuted are the findings that people
	// call false alarms, up to a bound.
	Later   []string `json:"later,omitempty" expr:"-"`
	Refuted []string `json:"refuted,omitempty" expr:"refuted"`
	// Linked are other incidents that were open and shared something with this
	// one, up to a bound. They stay apart.
	Linked []string `json:"linked,omitempty" expr:"linked"`
	Count  int      `json:"count" expr:"count"`
	Keys   []string `json:"keys" expr:"keys"`
	Rules  []string `json:"rules" expr:"rules"`
	// Recommended are the playbooks that apply, in the order in which they are
	// to run; Runs those that were begun, oldest first, up to a bound.
	Recommended []string      `json:"recommended,omitempty" expr:"recommended"`
	Runs        []IncidentRun `json:"runs,omitempty" expr:"runs"`
	// Verdict is what people said of it, by VerdictBy: true, false or empty.
	Verdict   string `json:"verdict,omitempty" expr:"verdict"`
	VerdictBy string `json:"verdict_by,omitempty" expr:"verdict_by"`
	// AcknowledgedBy is the first who said that they see to it, Acknowledged when.
	AcknowledgedBy string    `json:"acknowledged_by,omitempty" expr:"acknowledged_by"`
	Acknowledged   time.Time `json:"acknowledged,omitzero" expr:"acknowledged"`
	// Timeline is what happened, oldest first; Forgotten is how many moments
	// were left out of its middle to keep it short.
	Timeline  []Moment  `json:"timeline,omitempty" expr:"timeline"`
	Forgotten int       `json:"forgotten,omitempty" expr:"forgotten"`
	Created   time.Time `json:"created" expr:"created"`
	// Updated is when the last finding joined, Closed when it was closed.
	Updated time.Time `json:"updated" expr:"updated"`
	Closed  time.Time `json:"closed,omitzero" expr:"closed"`
}

// MaxSubjects bounds the subjects of an incident.
const MaxSubjects = 64

// Brief is the incident as runs carry it: without its timeline, and with the
// first few of its findings.
func (i Incident) Brief() Incident {
	const few = 16
	i.Timeline, i.Forgotten, i.Later = nil, 0, nil
	if len(i.Findings) > few {
		i.Findings = i.Findings[:few:few]
	}
	return i
}

// IncidentState is where an incident stands.
type IncidentState string

// The states of an incident. Contained says that a run holds what it is about.
const (
	IncidentOpen          IncidentState = "open"
	IncidentContained     IncidentState = "contained"
	IncidentResolved      IncidentState = "resolved"
	IncidentFalsePositive IncidentState = "false_positive"
)

// IncidentStates are all, in their order.
func IncidentStates() []IncidentState {
	return []IncidentState{IncidentOpen, IncidentContained, IncidentResolved, IncidentFalsePositive}
}

// Over says that the incident takes no findings any more.
func (s IncidentState) Over() bool {
	return s == IncidentResolved || s == IncidentFalsePositive
}

// Importance is what the operators' config says of an asset.
type Importance string

// The grades of importance. An asset that nothing is said of is normal.
const (
	ImportanceLow      Importance = "low"
	ImportanceNormal   Importance = "normal"
	ImportanceHigh     Importance = "high"
	ImportanceCritical Importance = "critical"
)

// Rank is 0 for low to 3 for critical; anything else counts as normal.
func (i Importance) Rank() int {
	switch i {
	case ImportanceLow:
		return 0
	case ImportanceHigh:
		return 2
	case ImportanceCritical:
		return 3
	}
	return 1
}

// Evidence is how sure one observer is, 0 to 100: a source by its rules, or a
// model.
type Evidence struct {
	From       string `json:"from" expr:"from"`
	Confidence int    `json:"confidence" expr:"confidence"`
}

// IncidentRun is a run of an incident, as it stood when the incident was last
// written.
type IncidentRun struct {
	ID       string   `json:"id" expr:"id"`
	Playbook string   `json:"playbook" expr:"playbook"`
	Target   string   `json:"target" expr:"target"`
	State    RunState `json:"state" expr:"state"`
}

// Moment is one line of an incident's timeline.
type Moment struct {
	Time time.Time `json:"time" expr:"time"`
	// What is finding, run, verdict, state, acknowledge or break-glass.
	What string `json:"what" expr:"what"`
	// ID is the finding's or the run's; By is the person, if it was one.
	ID   string `json:"id,omitempty" expr:"id"`
	By   string `json:"by,omitempty" expr:"by"`
	Text string `json:"text" expr:"text"`
}

// What a [Moment] can be.
const (
	MomentFinding = "finding"
	MomentRun     = "run"
	MomentVerdict = "verdict"
	MomentState   = "state"

	MomentAcknowledge = "acknowledge"
	MomentBreakGlass  = "break-glass"
)
