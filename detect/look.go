package detect

import (
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Stage is how far an event got in a detector.
type Stage string

// The stages, in the order in which an event passes them.
const (
	// StageOff: the rule was switched off because it is slow.
	StageOff Stage = "off"
	// StageIndex: the event lacks what all of the rule's expressions need, so
	// the rule was not asked.
	StageIndex Stage = "index"
	// StageSource: it is of another source or class.
	StageSource Stage = "source"
	// StageWhen, StageUnless and StageException: when is not true, unless is, or
	// an exception holds.
	StageWhen      Stage = "when"
	StageUnless    Stage = "unless"
	StageException Stage = "exception"
	// StageWindow and StageSequence: it was counted, and something is still
	// missing.
	StageWindow   Stage = "window"
	StageSequence Stage = "sequence"
	// StageSuppressed: it was found, as one more of a finding that there is.
	StageSuppressed Stage = "suppressed"
	// StageSilenced: there is a finding that disturbs nobody.
	StageSilenced Stage = "silenced"
	// StageFound: there is a finding.
	StageFound Stage = "found"
	// StageWarming: a model measured it, and has to see more before it finds
	// anything.
	StageWarming Stage = "warming up"
	// StageMeasured: a model measured it, and it is usual, or its interval is not
	// over.
	StageMeasured Stage = "measured"
	// StageHeld: a model would have found it, had its budget not been spent.
	StageHeld Stage = "held back"
	// StageAsked is of a detector that does not say how far an event gets.
	StageAsked Stage = "asked"
)

// Look is how one detector looked at an event.
type Look struct {
	Rule, Version string
	Stage         Stage
	// Reason says to people why it went no further.
	Reason string
	// Steps are those of a sequence, or the one of another rule. They are
	// empty of a detector that was not asked.
	Steps      []StepLook
	Window     *WindowLook
	Sequence   *SequenceLook
	Suppressed *SuppressedLook
	Model      *ModelLook
	// Finding is what was found, if it is new.
	Finding *event.Finding
	// Error says what could not be evaluated.
	Error error
}

// StepLook is what the expressions of a step say.
type StepLook struct {
	// Name is empty of a rule without a sequence.
	Name string
	// Selected says whether the event is of the step's source and class.
	Selected bool
	// When are the rule's when and the step's, as far as there are both; Unless
	// may be nil. They are there when Selected.
	When       []conf.Trace
	Unless     *conf.Trace
	Exceptions []ExceptionLook
	// Matched says whether the event belongs to the step.
	Matched bool
}

// ExceptionLook is what an exception says.
type ExceptionLook struct {
	Name, Reason string
	Until        time.Time
	When         conf.Trace
	// Holds is false of one that has ended.
	Holds bool
}

// GroupValue is one of the values that events are grouped by.
type GroupValue struct{ By, Value string }

// WindowLook is a group's window after the event.
type WindowLook struct {
	Group []GroupValue
	// Late says that the event came too late to be counted.
	Late bool
	// Numbers are the aggregates of having and of the message.
	Numbers []Number
	Having  conf.Trace
}

// Number is the value of an aggregate.
type Number struct {
	Call  string
	Value float64
}

// SequenceLook is a group's sequence after the event.
type SequenceLook struct {
	Group []GroupValue
	// Waiting is how many events are kept of each step, for what may follow.
	Waiting []int
	// Complete says that the event was the last one that was missing. Awaited
	// are complete sequences that the last step must not follow.
	Complete bool
	Awaited  int
}

// SuppressedLook is the finding that the event was counted to.
type SuppressedLook struct {
	Finding string
	Count   uint64
	Until   time.Time
}
