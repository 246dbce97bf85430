// Package page is what the web page ([console.Console]) shows and where what
// people say there goes: the responder's records, its words and its desk.
package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/console"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/journal"
	"github.com/firebreak-io/firebreak/respond/notify"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// House is what the page is given. Make it with its fields set.
type House struct {
	Desk    approve.Desk
	Books   []*respond.Playbook
	Trust   respond.TrustRules
	Limits  guard.Budgets
	Metrics *telemetry.Metrics
	// Cluster is where policies are read; nil is nowhere.
	Cluster reach.Cluster
}

var _ console.House = House{}

func (h House) bus() *bus.Bus { return h.Desk.Bus }

// Incidents are the newest records of all.
func (h House) Incidents(ctx context.Context) iter.Seq2[event.Incident, error] {
	return func(yield func(event.Incident, error) bool) {
		for m, err := range h.bus().LastPerSubject(ctx, bus.SubjectIncident("*")) {
			var in event.Incident
			if err == nil {
				err = json.Unmarshal(m.Data, &in)
			}
			if err != nil {
				yield(in, fmt.Errorf("read incidents: %w", err))
				return
			}
			if !yield(in, nil) {
				return
			}
		}
	}
}

// Incident is one.
func (h House) Incident(ctx context.Context, id string) (event.Incident, error) {
	in, err := h.Desk.Incident(ctx, id)
	return in, told(err)
}

// Deliveries are the messages to people about an incident.
func (h House) Deliveries(ctx context.Context, incident string) ([]event.Delivery, error) {
	return notify.Deliveries(ctx, notify.On(h.bus()), incident)
}

// Run is one.
func (h House) Run(ctx context.Context, id string) (event.Run, error) {
	rec, err := h.Desk.Run(ctx, id)
	return rec.Run, told(err)
}

// Runs are a page of the runs that are asked for.
func (h House) Runs(ctx context.Context, f console.RunFilter, after string, limit int) ([]event.Run, string, error) {
	q := runlog.Query{Since: f.Since, States: f.States, Playbook: f.Playbook, Namespace: f.Namespace}
	runs, next, err := h.Desk.Log.Latest(ctx, q, after, limit)
	if errors.Is(err, runlog.ErrNoPage) {
		err = console.Problem{Status: http.StatusBadRequest, Text: err.Error()}
	}
	return runs, next, err
}

// History are all records of a run.
func (h House) History(ctx context.Context, id string) iter.Seq2[event.Run, error] {
	return func(yield func(event.Run, error) bool) {
		for rec, err := range h.Desk.Log.History(ctx, id) {
			if !yield(rec.Run, err) || err != nil {
				return
			}
		}
	}
}

// Receipt is what proves a run.
func (h House) Receipt(ctx context.Context, id string) ([]byte, error) {
	records, err := h.Desk.Log.Receipt(ctx, id)
	if err != nil {
		return nil, err
	}
	return written(id, records)
}

// Finding is one, and how often it came.
func (h House) Finding(ctx context.Context, id string) (event.Finding, uint64, error) {
	f, err := h.Desk.Finding(ctx, id)
	return f.Finding, f.Count, told(err)
}

// Waiting are the runs that wait for people.
func (h House) Waiting(ctx context.Context) ([]event.Run, error) { return h.Desk.Waiting(ctx) }

// Unclaimed are the holds that no run is known of.
func (h House) Unclaimed(ctx context.Context) ([]console.Unclaimed, int, error) {
	all, err := h.Desk.Control.Unclaimed(ctx)
	list := make([]console.Unclaimed, 0, len(all.Holds))
	for _, u := range all.Holds {
		list = append(list, console.Unclaimed{
			Run: u.Run, Step: u.Step, Action: u.Action, Object: u.Object, Until: u.Until, Broken: u.Broken, Says: u.Back.Says, Commands: u.Back.Commands,
		})
	}
	return list, all.More, err
}

// Models are as the detectors said last.
func (h House) Models(ctx context.Context) ([]event.ModelState, error) {
	all, err := h.Desk.Models(ctx)
	return all.Models, err
}

// Brake is whether effects are held back.
func (h House) Brake(ctx context.Context) (console.Brake, error) {
	s, err := h.Desk.Status(ctx)
	return console.Brake{Paused: s.Paused, By: s.By, Reason: s.Reason, Release: s.Release, Need: s.Need, Ceiling: s.Ceiling}, err
}

// Budgets are the guards'.
func (h House) Budgets(ctx context.Context) ([]console.Budget, error) {
	uses, err := guard.Uses(ctx, h.bus().Control(), h.Limits, h.now())
	list := make([]console.Budget, 0, len(uses))
	for _, u := range uses {
		list = append(list, console.Budget{What: u.What, Used: u.Used, Most: u.Most})
	}
	return list, err
}

// Playbooks are how those that are configured have done.
func (h House) Playbooks(ctx context.Context) ([]console.Standing, error) {
	all, _, err := respond.Standings(ctx, h.bus(), h.Desk.Control, h.Books, h.Trust)
	list := make([]console.Standing, 0, len(all))
	for _, s := range all {
		list = append(list, console.Standing{
			Playbook: s.Playbook, Version: s.Version, Own: s.Own, Mode: s.Mode, Runs: s.Runs, Observed: s.Observed, Approved: s.Approved,
			Denied: s.Denied, Undone: s.Undone, Right: s.Right, Wrong: s.Wrong, Since: s.Since,
		})
	}
	return list, err
}

// Flow is how far the streams have come.
func (h House) Flow(ctx context.Context) (console.Flow, error) {
	f := console.Flow{Events: h.Metrics.Taken()}
	progress, err := h.bus().Progress(ctx)
	if err != nil {
		return f, err
	}
	f.Batches, f.Unread = progress.Last, progress.Last-min(progress.Last, progress.Read)
	for _, one := range []struct {
		stream bus.Stream
		into   *uint64
	}{{bus.Findings, &f.Findings}, {bus.DeadStore, &f.Dead}} {
		state, err := h.bus().State(ctx, one.stream)
		if err != nil {
			return f, err
		}
		*one.into = state.Last
	}
	return f, nil
}

// Reach says what gets through between a pod and everybody else.
func (h House) Reach(ctx context.Context, namespace, pod string) (*reach.Report, error) {
	if h.Cluster == nil {
		return nil, errors.New("there is no cluster")
	}
	state, err := reach.Read(ctx, h.Cluster)
	if err != nil {
		return nil, err
	}
	return reach.New(state).Report(namespace, pod)
}

// Moves, Lost, Asked and Told say things in words.
func (House) Moves(before, after event.Run) []string { return journal.Moves(before, after) }

// Lost is what a plan takes away.
func (House) Lost(l *event.Loss) []string { return journal.Lost(l) }

// Asked is whom a question is for.
func (House) Asked(a event.Approval) []string { return journal.Asked(a) }

// Told is how a message fared.
func (House) Told(d event.Delivery) string { return journal.Delivery(d) }

func (h House) now() time.Time {
	if h.Desk.Now != nil {
		return h.Desk.Now()
	}
	return time.Now().UTC()
}

// told makes what the desk refuses a refusal of the page.
func told(err error) error {
	var p approve.Problem
	if errors.As(err, &p) {
		return console.Problem{Status: p.Status, Text: p.Text}
	}
	return err
}

// Say takes what somebody says to a run.
func (h House) Say(ctx context.Context, user kube.User, run string, s console.Say) (uint64, error) {
	said, err := h.Desk.Say(ctx, user, run, s.Deed, approve.Say{
		Digest: s.Digest, Reason: s.Reason, Hold: s.Hold, AtEnd: s.AtEnd, Over: s.Over, Until: s.Until,
	})
	return said.Sequence, told(err)
}

// LockedOut is the run that locks somebody out.
func (h House) LockedOut(ctx context.Context, user kube.User) (string, error) {
	return h.Desk.LockedOut(ctx, user)
}

// Uncounted is why a yes would not count.
func (h House) Uncounted(run event.Run, user kube.User) string {
	if run.Approval == nil {
		return ""
	}
	return respond.Uncounted(run, event.Vote{User: user.Name, Groups: user.Groups, Approve: true, Digest: run.Approval.Digest, Reason: "-"}, h.now())
}

// Judge takes whether an incident was real.
func (h House) Judge(ctx context.Context, user kube.User, incident string, right bool, why string) error {
	_, err := h.Desk.Judge(ctx, user, incident, approve.Verdict{True: &right, Why: why})
	return told(err)
}

// Close ends an incident.
func (h House) Close(ctx context.Context, user kube.User, incident, reason string) error {
	_, err := h.Desk.Close(ctx, user, incident, reason)
	return told(err)
}

// Acknowledge says that somebody sees to an incident.
func (h House) Acknowledge(ctx context.Context, user kube.User, incident, reason string) error {
	_, err := h.Desk.Acknowledge(ctx, user, incident, reason)
	return told(err)
}

// Free has what a lost run holds put back.
func (h House) Free(ctx context.Context, user kube.User, run, reason string) error {
	_, err := h.Desk.Free(ctx, user, run, reason)
	return told(err)
}

// Pause lets no effect begin.
func (h House) Pause(ctx context.Context, user kube.User, reason string) error {
	return told(h.Desk.Pause(ctx, user, reason))
}

// Resume says that a pause may end.
func (h House) Resume(ctx context.Context, user kube.User) error {
	return told(h.Desk.Resume(ctx, user))
}
