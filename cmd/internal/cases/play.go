package cases

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// player plays runs against the objects of a case on a virtual clock.
type player struct {
	books    []*respond.Playbook
	cluster  *cluster
	executor *respond.Executor
	now, end time.Time
	to       []happening
	begin    time.Time
	failing  []*happening
	open     []event.Incident
	runs     []*played
	did      []string
	sequence uint64
}

// played is a run, and what was done in it, in order.
type played struct {
	book *respond.Playbook
	run  event.Run
	did  []string
}

// maxMoves bounds a case.
const maxMoves = 20_000

// play plays what the playbooks do with findings.
func (r *Runner) play(ctx context.Context, c *Case, findings []event.Finding) (*player, error) {
	objects, err := newCluster(*c.Cluster)
	if err != nil {
		return nil, err
	}
	limits, err := c.guards(objects)
	if err != nil {
		return nil, err
	}
	p := &player{books: r.Playbooks, cluster: objects, begin: c.begins(), to: slices.Clone(c.during)}
	p.now, p.end = p.begin, p.begin.Add(48*time.Hour)
	for _, f := range findings {
		p.to = append(p.to, happening{At: conf.Duration(max(f.Received.Sub(p.begin), 0)), finding: &f})
		p.end = later(p.end, f.Received.Add(48*time.Hour))
	}
	p.executor = &respond.Executor{
		Deps: action.Deps{
			Cluster: objects, Receivers: receivers(r.Playbooks), Routes: routes, Outbox: control{}, Logger: slog.New(slog.DiscardHandler),
		},
		Guards: guard.New(limits),
	}
	slices.SortStableFunc(p.to, func(a, b happening) int { return int(a.At.Std() - b.At.Std()) })
	return p, p.all(ctx)
}

func (p *player) finding(ctx context.Context, f event.Finding) error {
	target, err := respond.Resolve(ctx, p.cluster, f)
	if err != nil && !errors.Is(err, respond.ErrNoTarget) {
		return err
	}
	f.Subject = target
	in, _ := incident.Group(p.open, f)
	p.open = append(slices.DeleteFunc(p.open, func(o event.Incident) bool { return o.ID == in.ID }), in)
	for _, b := range p.books {
		applies, err := b.Applies(respond.EnvFor(f, in, target))
		if err != nil || !applies {
			continue
		}
		p.answer(b, respond.Begin(b, in, f, target, event.ModeAct, f.Received))
	}
	return nil
}

// answer begins a run, unless one that there was answers the finding.
func (p *player) answer(b *respond.Playbook, run event.Run) {
	for {
		i := slices.IndexFunc(p.runs, func(o *played) bool { return o.run.ID == run.ID })
		if i < 0 {
			p.runs = append(p.runs, &played{book: b, run: run})
			return
		}
		if old := p.runs[i].run; !old.State.Terminal() || !respond.Again(old, old.Updated, run.Finding, p.now) {
			return
		}
		run.Generation++
		run.ID = event.RunID(run.Playbook, run.Incident.ID, run.Target, run.Generation)
	}
}

// all moves the runs until nothing moves any more, or the time is over.
func (p *player) all(ctx context.Context) error {
	for range maxMoves {
		if err := p.begins(ctx); err != nil {
			return err
		}
		next, moved := p.end, false
		for _, r := range p.runs {
			wake, did := p.move(ctx, r)
			if moved = moved || did; !wake.IsZero() && wake.Before(next) {
				next = wake
			}
		}
		if moved {
			continue
		}
		if len(p.to) > 0 && !p.begin.Add(p.to[0].At.Std()).After(next) {
			p.now = later(p.now, p.begin.Add(p.to[0].At.Std()))
			if p.to[0].Fail == "" && p.to[0].finding == nil {
				p.happen(p.to[0])
				p.to = p.to[1:]
			}
			continue
		}
		if !next.Before(p.end) {
			return nil
		}
		p.now = later(p.now.Add(time.Millisecond), next)
		for _, r := range p.runs {
			r.run = respond.Next(r.book, r.run, respond.Input{Tick: true}, p.now)
		}
	}
	return errors.New("the case does not come to rest")
}

// begins takes in what is found and what fails from now on, before anything
// moves.
func (p *player) begins(ctx context.Context) error {
	var err error
	p.to = slices.DeleteFunc(p.to, func(h happening) bool {
		if h.Fail == "" && h.finding == nil || p.begin.Add(h.At.Std()).After(p.now) {
			return false
		}
		if h.finding != nil {
			err = errors.Join(err, p.finding(ctx, *h.finding))
		} else {
			p.happen(h)
		}
		return true
	})
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
