package console

import (
	"context"
	"iter"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// Reviewer authenticates and authorises people. [*kube.Client] is one.
type Reviewer interface {
	ReviewToken(ctx context.Context, token string) (kube.User, error)
	Allowed(ctx context.Context, user kube.User, verb, group, resource, name, namespace string) (bool, string, error)
}

// House is what the page shows, and where what people say goes. What it refuses
// comes back as a [Problem]; any other error is for the log. It may be used
// concurrently.
type House interface {
	Reader
	Words
	Desk
}

// Reader reads what there is. The page asks for rights; a reader does not.
type Reader interface {
	// Incidents are the newest records of all.
	Incidents(ctx context.Context) iter.Seq2[event.Incident, error]
	Incident(ctx context.Context, id string) (event.Incident, error)
	// Deliveries are the messages to people about an incident.
	Deliveries(ctx context.Context, incident string) ([]event.Delivery, error)
	Run(ctx context.Context, id string) (event.Run, error)
	// Runs are at most limit of those that are asked for, and where the next ones
	// begin; empty is the end. First come those that go on or ended lately, then
	// the others, each the newest first.
	Runs(ctx context.Context, f RunFilter, after string, limit int) (runs []event.Run, next string, err error)
	// History are all records of a run, oldest first; Receipt is what proves them.
	History(ctx context.Context, id string) iter.Seq2[event.Run, error]
	Receipt(ctx context.Context, id string) ([]byte, error)
	// Finding is one, and how often it came.
	Finding(ctx context.Context, id string) (event.Finding, uint64, error)
	// Waiting are the runs that wait for people.
	Waiting(ctx context.Context) ([]event.Run, error)
	// Unclaimed are the holds that no run is known of, and how many more there are
	// than can be known one by one.
	Unclaimed(ctx context.Context) (holds []Unclaimed, more int, err error)
	// Reviews are those of broken glass that are open, and the last that were
	// closed; Alarms the last about people who seem not to look, oldest first.
	Reviews(ctx context.Context) ([]Review, []Alarm, error)
	Models(ctx context.Context) ([]event.ModelState, error)
	Brake(ctx context.Context) (Brake, error)
	Budgets(ctx context.Context) ([]Budget, error)
	Playbooks(ctx context.Context) ([]Standing, error)
	Flow(ctx context.Context) (Flow, error)
	// Reach says what gets through between a pod and everybody else.
	Reach(ctx context.Context, namespace, pod string) (*reach.Report, error)
}

// Words say things to people, a line each, tamed.
type Words interface {
	// Moves is what changed between two records of a run.
	Moves(before, after event.Run) []string
	// Lost is what a plan takes from its target's surroundings, Asked whom a
	// question is for, Holds how long each step that is asked for would hold.
	Lost(*event.Loss) []string
	Asked(event.Approval) []string
	Holds(event.Run) []string
	// Told is how a message to people fared.
	Told(event.Delivery) string
	// Uncounted is why somebody's yes to what a run asks would not count as its record
	// stands, whatever they may; empty is that it would.
	Uncounted(run event.Run, user kube.User) string
}

// Desk takes what people say. It asks the cluster whether they may, each time.
type Desk interface {
	// LockedOut is the run that locks somebody out right now; empty is none. To ask is
	// not to try.
	LockedOut(ctx context.Context, user kube.User) (run string, err error)
	// Say gives the sequence at which the run has taken it in.
	Say(ctx context.Context, user kube.User, run string, say Say) (sequence uint64, err error)
	Judge(ctx context.Context, user kube.User, incident string, right bool, why string) error
	Close(ctx context.Context, user kube.User, incident, reason string) error
	Acknowledge(ctx context.Context, user kube.User, incident, reason string) error
	// CloseReview says what somebody found of a broken glass.
	CloseReview(ctx context.Context, user kube.User, review, note string) error
	// Free has what the cluster shows of a run put back whose record is lost.
	Free(ctx context.Context, user kube.User, run, reason string) error
	Pause(ctx context.Context, user kube.User, reason string) error
	Resume(ctx context.Context, user kube.User) error
}

// Say is what somebody says to a run: Deed is approve, deny, break-glass, undo,
// extend or keep, and the rest what that takes.
type Say struct {
	Deed, Digest, Reason string
	// Hold is how long what is approved may hold at most; zero leaves it to the
	// playbook.
	Hold time.Duration
	// AtEnd is how an undo ends the holds, Over that it leaves what others
	// changed since.
	AtEnd event.AtEnd
	Over  bool
	// Until is when an extended hold ends.
	Until time.Time
}

// Problem is a refusal: its text is for the person who asked, Status the code
// of HTTP for it.
type Problem struct {
	Status int
	Text   string
}

// Error is the text.
func (p Problem) Error() string { return p.Text }

// Brake is whether effects are held back.
type Brake struct {
	Paused bool
	// By paused, because of Reason. Release are those who want it to end, Need
	// how many it takes.
	By, Reason string
	Release    []string
	Need       int
	// Ceiling is the most that any playbook may do by itself.
	Ceiling event.Mode
}

// Budget is one bound of effects: Used of Most, in words What. Most is 0 where
// it is a share of what is not known here.
type Budget struct {
	What       string
	Used, Most int
}

// Standing is how a playbook has done.
type Standing struct {
	Playbook, Version        string
	Own, Mode                event.Mode
	Runs, Observed           int
	Approved, Denied, Undone int
	Right, Wrong             int
	Since                    time.Time
}

// Flow is how far the streams have come: counters that only grow.
type Flow struct {
	// Events are those that this process took in since it began, Batches the
	// stored frames of all, Findings and Dead the stored ones.
	Events, Batches, Findings, Dead uint64
	// Unread is how many batches no detector has read yet.
	Unread uint64
}
