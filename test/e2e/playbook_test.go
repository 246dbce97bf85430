package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/evidence"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// TestEveryActionByPlaybook ranges over the catalogue: a finding about a target of
// the kind begins a run of a playbook with that one action, all guards let it
// through, it is done on the real API server with no more rights than firebreak
// rbac prints for it, and undone by a person's word.
func TestEveryActionByPlaybook(t *testing.T) {
	plane(t)
	for _, k := range action.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, k, fixtures[k.Name], "")
			o := p.target()
			p.targets[string(o.GetUID())] = true
			before, around := p.clean(o), p.surroundings()
			run := p.find(event.Ref{Group: p.x.at.Group, Resource: p.x.at.Resource, Namespace: o.GetNamespace(), Name: o.GetName()}, event.Actor{})
			if p.x.refused != "" {
				p.tried(run)
				return
			}
			if !p.kind.Reversible {
				p.done(run, event.RunClosed)
				if p.x.held != nil {
					p.has(p.x.held(p.trial, p.read(o.GetName())))
				}
				return
			}
			run = p.done(run, event.RunHolding)
			if p.x.held != nil {
				p.has(p.x.held(p.trial, p.read(o.GetName())))
			}
			p.say(event.Input{Run: run.ID, Kind: event.InputUndo, User: "ann", Reason: "over"})
			p.until(run, event.RunClosed)
			p.same("undone", before, p.clean(p.read(o.GetName())))
			p.same("undone, what is around it", around, p.surroundings())
		})
	}
}

// play is a responder with a playbook of one action, with the rights that the
// action takes.
type play struct {
	*trial
	store *bus.Bus
	log   *runlog.Log
}

// newPlay runs one until the test ends. target is the step's, if it has one.
func newPlay(t *testing.T, k action.Kind, x fixture, target string) *play {
	p := &play{trial: prepareTrial(t, k, x)}
	permissions, err := action.Permissions(k.Name)
	p.no(err, "permissions")
	p.role(p.tap.user, slices.Concat(permissions, p.kind.Needs))
	cluster := kube.NewCache(p.kube)
	quiet := slog.New(slog.DiscardHandler)
	deps := action.Deps{Cluster: cluster, Logger: quiet, Evidence: &evidence.Store{Blobs: evidence.Directory(t.TempDir())}}
	if x.deps != nil {
		x.deps(p.trial, &deps)
	}
	p.store, err = bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	p.no(err, "open store")
	t.Cleanup(func() { p.store.Close() })
	p.log = runlog.New(p.store, 0)
	control := respond.NewControl(p.store, event.ModeAct)
	worker, err := respond.NewWorker(t.Context(), respond.WorkerOptions{
		Alone: true, Bus: p.store, Books: []*respond.Playbook{p.book(target)}, Control: control, Telemetry: telemetry.Nop(), Logger: quiet,
		Reconcile: time.Hour,
		Executor: &respond.Executor{
			Deps: deps, Recent: kube.Recent{Cache: cluster}, Preview: cluster,
			Guards: guard.New(guard.Options{
				Control: control, Cluster: kube.Recent{Cache: cluster}, Ledger: guard.NewLedger(p.store.Control()), Limits: guard.Unlimited(), Self: p.tap.user,
			}),
		},
	})
	p.no(err, "make responder")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// book is the playbook. What destroys has a step before it that would keep
// evidence, of a pod that is not there.
func (p *play) book(target string) *respond.Playbook {
	p.t.Helper()
	with, err := json.Marshal(p.parameters)
	p.no(err, "encode parameters")
	lines := []string{
		"apiVersion: firebreak.io/v1alpha1", "kind: Playbook", "metadata: {name: one}", "spec:", `  when: finding.rule == "one"`, "  mode: act", "  steps:",
	}
	if p.kind.Destroys {
		lines = append(lines, `    - {name: keep, action: pod.logs, target: 'pod("none", "none")'}`)
	}
	lines = append(lines, "    - name: act", "      action: "+p.kind.Name, "      timeout: 1m")
	if p.parameters != nil {
		lines = append(lines, "      with: "+string(with))
	}
	if target != "" {
		lines = append(lines, "      target: '"+target+"'")
	}
	if p.kind.Class == action.Effect && !p.kind.Reversible {
		lines = append(lines, "      approve: {need: 1}")
	}
	if p.kind.Reversible {
		lines = append(lines, "      undo_after: 1h", "      at_end: restore")
	}
	docs, err := conf.Documents("one.yaml", []byte(strings.Join(lines, "\n")+"\n"))
	p.no(err, "read playbook")
	book, err := respond.ParsePlaybook(docs[0])
	p.no(err, "parse playbook")
	return book
}

// find stores a finding, and gives the run that it begins.
func (p *play) find(subject event.Ref, actor event.Actor) event.Run {
	p.t.Helper()
	now := time.Now().UTC()
	f := event.Finding{
		ID: event.FindingID("one", p.ns, subject.String()), Rule: "one", Severity: event.SeverityHigh, Trust: event.TrustAudit, Source: event.SourceAudit,
		Subject: subject, Actor: actor, Time: now, Received: now,
	}
	data, err := json.Marshal(f)
	p.no(err, "encode finding")
	_, err = p.store.Create(p.ctx(), bus.SubjectFinding(f.ID), data)
	p.no(err, "store finding")
	return p.until(event.Run{})
}

// until waits for the run to come to a state; without one, to be there.
func (p *play) until(run event.Run, states ...event.RunState) event.Run {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("run of %s is %v", p.kind.Name, states), func(ctx context.Context) error {
		found := false
		for rec, err := range p.log.All(ctx) {
			if err != nil {
				return err
			}
			if run.ID == "" || rec.Run.ID == run.ID {
				run, found = rec.Run, true
			}
		}
		switch {
		case !found:
			return errors.New("there is none")
		case len(states) == 0 || slices.Contains(states, run.State):
			return nil
		}
		s := p.step(run)
		return fmt.Errorf("it is %s: %s; step is %s: %s %+v", run.State, run.Reason, s.State, s.Error, s.Verdicts)
	})
	return run
}

// approve says yes where the run asks, which it does for what can't be undone.
func (p *play) approve(run event.Run) event.Run {
	p.t.Helper()
	if p.kind.Class != action.Effect || p.kind.Reversible {
		return run
	}
	run = p.until(run, event.RunAwaiting, event.RunFailed, event.RunNeedsHuman)
	if run.Approval == nil {
		p.t.Fatalf("run is %s: %s", run.State, p.step(run).Error)
	}
	p.say(event.Input{Run: run.ID, Kind: event.InputVote, User: "ann", Vote: &event.Vote{
		User: "ann", Approve: true, Digest: run.Approval.Digest,
	}})
	return run
}

// tried waits until the step was tried in vain.
func (p *play) tried(run event.Run) {
	p.t.Helper()
	run = p.approve(run)
	eventually(p.t, "step is tried, here where "+p.x.refused, func(context.Context) error {
		run = p.until(run)
		if s := p.step(run); s.Error == "" || s.State == event.StepDone {
			return fmt.Errorf("it is %s: %+v", s.State, s)
		}
		return nil
	})
}

// done waits until the step is done, with what people have to say to it.
func (p *play) done(run event.Run, state event.RunState) event.Run {
	p.t.Helper()
	run = p.until(p.approve(run), state)
	s := p.step(run)
	if s.State != event.StepDone || s.Receipt == nil || !slices.Contains(p.x.results(), s.Receipt.Result) {
		p.t.Errorf("step is %s: %s; receipt %+v, want one of %v", s.State, s.Error, s.Receipt, p.x.results())
	}
	for _, v := range s.Verdicts {
		if v.Decision != event.Pass && p.kind.Reversible {
			p.t.Errorf("guard %s says %s: %s", v.Guard, v.Decision, v.Reason)
		}
	}
	return run
}

func (p *play) step(run event.Run) event.Step {
	for _, s := range run.Steps {
		if s.Name == "act" {
			return s
		}
	}
	return event.Step{}
}

// say is what people say to a run.
func (p *play) say(in event.Input) {
	p.t.Helper()
	in.Time = time.Now().UTC()
	in.ID = event.HashID(in.Run, string(in.Kind), in.Time.String())
	if in.Vote != nil {
		in.Vote.Time = in.Time
	}
	data, err := json.Marshal(in)
	p.no(err, "encode input")
	_, err = p.store.Publish(p.ctx(), bus.SubjectInput(in.Run), data)
	p.no(err, "store input")
}
