package event

import (
	"encoding/json"
	"time"
)

// RunState is where a run stands; see respond.Next for the moves.
type RunState string

// The states of a run.
const (
	RunGuarding  RunState = "guarding"
	RunAwaiting  RunState = "awaiting_approval"
	RunRunning   RunState = "running"
	RunHolding   RunState = "holding"
	RunReverting RunState = "reverting"
	// Terminal states.
	RunObserved   RunState = "observed"
	RunClosed     RunState = "closed"
	RunDenied     RunState = "denied"
	RunExpired    RunState = "expired"
	RunFailed     RunState = "failed"
	RunNeedsHuman RunState = "needs_human"
)

// RunStates is the closed set of states, which is a metric label.
func RunStates() []RunState {
	return []RunState{
		RunGuarding, RunAwaiting, RunRunning, RunHolding, RunReverting,
		RunObserved, RunClosed, RunDenied, RunExpired, RunFailed, RunNeedsHuman,
	}
}

// Terminal says that a run in this state moves no more.
func (s RunState) Terminal() bool {
	switch s {
	case RunObserved, RunClosed, RunDenied, RunExpired, RunFailed, RunNeedsHuman:
		return true
	}
	return false
}

// Mode is how far a playbook may go by itself.
type Mode string

// The modes: plan only; ask before each effect; act.
const (
	ModeObserve Mode = "observe"
	ModeAsk     Mode = "ask"
	ModeAct     Mode = "act"
)

// AtEnd says what becomes of a hold when its time is up.
type AtEnd string

// What can be done at the end of a hold. Ask keeps it until somebody answers.
const (
	AtEndRestore AtEnd = "restore"
	AtEndDelete  AtEnd = "delete"
	AtEndAsk     AtEnd = "ask"
)

// Run is one execution of a playbook for one incident. Each record of the run
// log holds the whole of it.
type Run struct {
	ID string `json:"id"`
	// Generation counts the runs of this playbook for this incident and
	// target, from 1; see [RunID].
	Generation int `json:"generation,omitempty"`
	// Spec is the playbook's text as it was when the run began; the run ends
	// with it. Version is the text's digest.
	Playbook string   `json:"playbook"`
	Version  string   `json:"version"`
	Spec     string   `json:"spec"`
	Incident Incident `json:"incident"`
	Finding  Finding  `json:"finding"`
	Target   Ref      `json:"target"`
	// Starter is who began it by hand; empty for a run that a finding began.
	Starter string `json:"starter,omitempty"`
	// Drill says that it is a drill of containment on the operator's own pair of
	// pods: nothing has happened. It is counted apart and asks nobody.
	Drill bool `json:"drill,omitempty"`
	// Adopted says that its record was lost and somebody has what it held put back:
	// what it did stands in the objects alone, and its first record begins there.
	Adopted bool     `json:"adopted,omitempty"`
	Mode    Mode     `json:"mode"`
	State   RunState `json:"state"`
	// Reason says why the run is where it is, when that is not as planned.
	Reason string `json:"reason,omitempty"`
	// End is the terminal state that the run goes to once its holds are over.
	End RunState `json:"end,omitempty"`
	// Stopped says that no further effect begins, whatever is left to do.
	Stopped bool `json:"stopped,omitempty"`
	// Order is the playbook's: of two runs for one incident and target the one
	// of the lower order goes first.
	Order int `json:"order,omitempty"`
	// Steps are the playbook's, in its order; behind them those that a step
	// with for_each became, one for each target. None ever changes its place.
	Steps    []Step    `json:"steps"`
	Approval *Approval `json:"approval,omitempty"`
	// Denies are those whom it locks out as of this record, see [Run.LocksOut].
	Denies []Identity `json:"denies,omitempty"`
	// Said is what people asked of the run beside their votes, oldest first: of a
	// great many the first ones.
	Said []Saying `json:"said,omitempty"`
	// Would are the questions that an observing run would have asked.
	Would   []Approval `json:"would,omitempty"`
	Created time.Time  `json:"created"`
	Updated time.Time  `json:"updated"`
	// Input is the sequence of the last input that was consumed.
	Input uint64 `json:"input,omitempty"`
	// Record numbers the records of this run from 1; Previous is the SHA-256
	// of the record before, Epoch the lease under which it was written, Nonce
	// tells a writer whether an unanswered append was its own.
	Record   uint64 `json:"record"`
	Previous string `json:"previous,omitempty"`
	Epoch    uint64 `json:"epoch"`
	Nonce    string `json:"nonce"`
}

// Saying is what somebody asked of a run: an undo, an extension, or that it is
// kept; or that somebody whom it locks out tried to decide on something. What had
// no effect else is not recorded.
type Saying struct {
	Kind   InputKind `json:"kind"`
	User   string    `json:"user"`
	Reason string    `json:"reason,omitempty"`
	// Until is the end that an extension asks for, AtEnd how an undo ends the
	// holds, and Over that it leaves what others changed since.
	Until time.Time `json:"until,omitzero"`
	AtEnd AtEnd     `json:"at_end,omitempty"`
	Over  bool      `json:"over,omitempty"`
	Time  time.Time `json:"time"`
}

// StepState is where a step stands.
type StepState string

// The states of a step.
const (
	StepPending StepState = "pending"
	// StepExpanded stands for the steps that it became, one for each target.
	StepExpanded  StepState = "expanded"
	StepPlanned   StepState = "planned"
	StepIntent    StepState = "intent"
	StepDone      StepState = "done"
	StepSkipped   StepState = "skipped"
	StepDenied    StepState = "denied"
	StepFailed    StepState = "failed"
	StepReverting StepState = "reverting"
	StepReverted  StepState = "reverted"
)

// StepStates is the closed set of states.
func StepStates() []StepState {
	return []StepState{
		StepPending, StepExpanded, StepPlanned, StepIntent, StepDone, StepSkipped, StepDenied, StepFailed, StepReverting, StepReverted,
	}
}

// Step is one step of a run.
type Step struct {
	// Name is unique in the run: RUN/NAME is the effect key. It is the
	// playbook's, or, of a step of a group, the use's name, a dot and the step's;
	// one of several that a for_each became ends in .1, .2 and so on, and Of is
	// the step that it is one of.
	Name   string    `json:"name"`
	Of     string    `json:"of,omitempty"`
	Action string    `json:"action"`
	State  StepState `json:"state"`
	// Target is what the step is about, where that is not the run's target;
	// see [Run.StepTarget].
	Target *Ref `json:"target,omitempty"`
	// Asks says why people are asked beyond what the guards say.
	Asks string `json:"asks,omitempty"`
	// Plan is the newest plan: from StepIntent on the one that is carried
	// out, with UID and resourceVersion.
	Plan *Plan `json:"plan,omitempty"`
	// With are the action's parameters as they were when it was planned.
	With json.RawMessage `json:"with,omitempty"`
	// Digest is the plan's, Approved the one that people said yes to.
	Digest   string `json:"digest,omitempty"`
	Approved string `json:"approved,omitempty"`
	// Yes is how many different people did.
	Yes int `json:"yes,omitempty"`
	// BrokenBy is who broke the glass for it.
	BrokenBy string `json:"broken_by,omitempty"`
	// Verdicts are the guards' for that plan.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Reserved is the place in the budgets that the intent holds until the
	// effect is taken back.
	Reserved *Reservation `json:"reserved,omitempty"`
	// Begun says that an intent was written: something of the effect may have
	// landed, whatever became of the step. Then is the state of a step that
	// failed or was given up, once what may have landed is undone.
	Begun bool      `json:"begun,omitempty"`
	Then  StepState `json:"then,omitempty"`
	// Attempts counts intents, Conflicts those that met a changed object.
	Attempts  int        `json:"attempts,omitempty"`
	Conflicts int        `json:"conflicts,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	Receipt   *Receipt   `json:"receipt,omitempty"`
	Error     string     `json:"error,omitempty"`
	// Until is when the hold ends; nil for a step that holds nothing.
	Until *time.Time `json:"until,omitempty"`
	AtEnd AtEnd      `json:"at_end,omitempty"`
	// AtMost is how long it may hold, where people said yes to less than the
	// playbook's time.
	AtMost time.Duration `json:"at_most,omitempty"`
	// EndAsked says that the time is up and people were asked what to do.
	EndAsked bool `json:"end_asked,omitempty"`
	// Ending is set when somebody asked for the undo while an attempt was
	// under way: how the hold ends as soon as that attempt does.
	Ending AtEnd    `json:"ending,omitempty"`
	Undo   *Receipt `json:"undo,omitempty"`
	// Kept says that the hold lasts until somebody undoes it, whatever Until
	// says. Marked is the end that the object's own annotation shows, where
	// that is another one than Until.
	Kept   bool       `json:"kept,omitempty"`
	Marked *time.Time `json:"marked,omitempty"`
	// Differs says what somebody else changed on the object since: the undo
	// stopped before it wrote, and people are asked. Over is their consent to
	// end the hold and leave those changes as they are.
	Differs string `json:"differs,omitempty"`
	Over    bool   `json:"over,omitempty"`
	// Lost says that the hold was found taken off by somebody else and is to be
	// set again; Again counts how often it was.
	Lost  bool `json:"lost,omitempty"`
	Again int  `json:"again,omitempty"`
}

// StepTarget is the object that step i is about: its own target, or the run's.
func (r Run) StepTarget(i int) Ref {
	if i >= 0 && i < len(r.Steps) && r.Steps[i].Target != nil {
		return *r.Steps[i].Target
	}
	return r.Target
}

// Active says that something of the step's effect may stand in the world: it
// takes a place in the budgets. What has no end takes none once it is done.
func (s Step) Active() bool {
	switch s.State {
	case StepIntent, StepReverting:
		return true
	case StepPlanned, StepPending:
		return s.Begun
	case StepDone:
		return s.Until != nil
	}
	return false
}

// Reservation is a place in the budgets of effects. The record of an intent
// has it, so that the budgets can be counted from the records alone.
type Reservation struct {
	// Budget is which one: pods, nodes, or empty for an effect that only
	// counts as one.
	Budget string    `json:"budget,omitempty"`
	Taken  time.Time `json:"taken"`
	// Controller is the UID of what keeps the target's replicas.
	Controller string `json:"controller,omitempty"`
	// Approved says that people said yes to it: then it may be over a budget.
	Approved bool `json:"approved,omitempty"`
}

// Verdict is what one guard says of one plan.
type Verdict struct {
	Guard    string   `json:"guard"`
	Decision Decision `json:"decision"`
	Reason   string   `json:"reason"`
	// Need is how many different people a yes to the plan takes because of
	// this guard; 0 leaves it to the playbook.
	Need int `json:"need,omitempty"`
}

// People is how many different people a yes takes, by the guards' verdicts; 0
// leaves it to the playbook.
func People(verdicts []Verdict) int {
	n := 0
	for _, v := range verdicts {
		n = max(n, v.Need)
	}
	return n
}

// Decision is what a guard decides, in order of strength.
type Decision string

// The decisions of a guard.
const (
	Pass Decision = "pass"
	Ask  Decision = "ask"
	// Wait: not now; it is asked again.
	Wait Decision = "wait"
	Deny Decision = "deny"
)

// Approval is what people are asked and what they said.
type Approval struct {
	ID string `json:"id"`
	// Steps names the effects that are asked for; Digest is over their plans'.
	Steps  []string `json:"steps,omitempty"`
	Digest string   `json:"digest"`
	// By are the users and groups that may approve (user/NAME, group/NAME);
	// empty leaves it to cluster RBAC alone.
	By       []string `json:"by,omitempty"`
	Need     int      `json:"need"`
	Reasons  []string `json:"reasons,omitempty"`
	Excluded []string `json:"excluded,omitempty"`
	// Explain says that who decides has to give a reason.
	Explain bool `json:"explain,omitempty"`
	// NoChat says that a yes that was said in a chat does not count.
	NoChat bool `json:"no_chat,omitempty"`
	// BrokenBy is who broke the glass: one person's yes in place of those that
	// it takes, to be reviewed by another one.
	BrokenBy  string    `json:"broken_by,omitempty"`
	Requested time.Time `json:"requested"`
	Expires   time.Time `json:"expires"`
	Votes     []Vote    `json:"votes,omitempty"`
	State     string    `json:"state"`
}

// The states of an approval.
const (
	ApprovalOpen    = "open"
	ApprovalGranted = "granted"
	ApprovalDenied  = "denied"
	ApprovalExpired = "expired"
	ApprovalVoid    = "void"
)

// Vote is one person's answer. Refused says why it did not count.
type Vote struct {
	User    string   `json:"user"`
	Groups  []string `json:"groups,omitempty"`
	Approve bool     `json:"approve"`
	// BreakGlass says that it is a yes in an emergency, which stands for all that
	// it takes.
	BreakGlass bool   `json:"break_glass,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Hold is how long what is approved may hold at most; zero leaves it to the
	// playbook.
	Hold time.Duration `json:"hold,omitempty"`
	// From is the way by which it was said, where that is not the API: the
	// account in a chat.
	From    string    `json:"from,omitempty"`
	Time    time.Time `json:"time"`
	Refused string    `json:"refused,omitempty"`
}

// InputKind says what an input is.
type InputKind string

// The kinds of input that people give to a run.
const (
	InputVote InputKind = "vote"
	InputUndo InputKind = "undo"
	// InputExtend moves the end of the holds; InputKeep lets them last until
	// somebody undoes them.
	InputExtend InputKind = "extend"
	InputKeep   InputKind = "keep"
	// InputRefused says that somebody whom the run locks out tried to decide on
	// something, here or elsewhere: Reason is what. No person can say it.
	InputRefused InputKind = "refused"
	// InputStart begins a run by hand: Run is the id that it is to have.
	InputStart InputKind = "start"
	// InputDrill begins a drill: Run is the id that it is to have, Target the pod,
	// Until when it ends by itself. No person can say it.
	InputDrill InputKind = "drill"
	// InputFree puts back what the cluster shows of a run that is not on record: Run
	// is the id that the objects name.
	InputFree InputKind = "free"
	// InputClose ends an incident, InputVerdict says whether it was right: Run
	// is the incident's id.
	InputClose   InputKind = "close"
	InputVerdict InputKind = "verdict"
	// InputAcknowledge says that somebody sees to an incident, InputReviewed that
	// somebody looked at why the glass was broken: Run is the incident's id.
	InputAcknowledge InputKind = "acknowledge"
	InputReviewed    InputKind = "reviewed"
)

// Input is what a person says to a run. The person was authenticated and
// authorised before it was stored.
type Input struct {
	ID   string    `json:"id"`
	Run  string    `json:"run"`
	Kind InputKind `json:"kind"`
	Vote *Vote     `json:"vote,omitempty"`
	// User, Reason: who asked for an undo or an extension, and why.
	User   string    `json:"user,omitempty"`
	Reason string    `json:"reason,omitempty"`
	AtEnd  AtEnd     `json:"at_end,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// Over lets an undo leave what others changed since as it is.
	Over bool `json:"over,omitempty"`
	// Verdict is true or false. Finding is what it is of, where that is not a
	// whole incident; Run is then the finding's id too.
	Finding string `json:"finding,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	// Playbook and Target are of a run that is to begin.
	Playbook string    `json:"playbook,omitempty"`
	Target   Ref       `json:"target,omitzero"`
	Time     time.Time `json:"time"`
}
