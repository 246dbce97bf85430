package cases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// happening is what happens while runs are played.
type happening struct {
	// At is when, since the case began.
	At conf.Duration `yaml:"at"`
	// Vote and Deny are who says yes or no, with their groups; Undo is who ends
	// all, as End says (restore or delete).
	Vote   string   `yaml:"vote"`
	Deny   string   `yaml:"deny"`
	Groups []string `yaml:"groups"`
	Undo   string   `yaml:"undo"`
	End    string   `yaml:"end"`
	// Extend is who lets the holds last For longer from then on, Keep who lets
	// them last until somebody says undo.
	Extend string        `yaml:"extend"`
	For    conf.Duration `yaml:"for"`
	Keep   string        `yaml:"keep"`
	// Fail is a step that fails from now on, On do (or plan, undo), as As says:
	// retry, conflict, gone or final; Times is how often, 1 if it says nothing.
	Fail  string `yaml:"fail"`
	On    string `yaml:"on"`
	As    string `yaml:"as"`
	Times int    `yaml:"times"`

	// finding is one that comes.
	finding *event.Finding
}

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

// control never holds anything back.
type control struct{}

func (control) Paused(context.Context) (bool, string, error) { return false, "", nil }
func (control) Ceiling(context.Context) (event.Mode, error)  { return event.ModeAct, nil }

// Put takes every message.
func (control) Put(context.Context, notify.Message) error { return nil }

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
	p := &player{books: r.Playbooks, cluster: objects, begin: c.begins(), to: slices.Clone(c.During)}
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

// guards are those of a case. Without limits of its own nothing is counted.
func (c *Case) guards(objects *cluster) (guard.Options, error) {
	o := guard.Options{Control: control{}, Cluster: objects, Self: self}
	if c.Limits.IsZero() {
		return o, nil
	}
	o.Limits = guard.DefaultLimits()
	if err := c.Limits.Decode(&o.Limits); err != nil {
		return o, err
	}
	if err := o.Limits.Check(); err != nil {
		return o, c.Limits.Errorf("%v", err)
	}
	o.Ledger = guard.NewLedger(&store{})
	return o, nil
}

// self is who Firebreak is in a case: the account of its manifests.
const self = "system:serviceaccount:firebreak:firebreak"

// routes lead to oncall, where a playbook leaves it to the config who is paged.
var routes = notify.Routes{{To: []string{"oncall"}}}

// receivers are those that playbooks name, and oncall.
func receivers(books []*respond.Playbook) notify.Receivers {
	all := notify.Receivers{"oncall": {Name: "oncall", Kind: notify.WebhookKind}}
	for _, b := range books {
		for _, s := range b.Steps {
			config, err := s.Config(respond.Env{})
			if err != nil {
				continue
			}
			var names []string
			switch c := config.(type) {
			case *action.WebhookConfig:
				names = []string{c.Webhook}
			case *action.PageConfig:
				names = c.To
			}
			for _, name := range names {
				all[name] = &notify.Receiver{Name: name, Kind: notify.WebhookKind}
			}
		}
	}
	return all
}

func (p *player) finding(ctx context.Context, f event.Finding) error {
	target, err := respond.Resolve(ctx, p.cluster, f)
	if err != nil && !errors.Is(err, respond.ErrNoTarget) {
		return err
	}
	f.Subject = target
	incident, _ := respond.Group(p.open, f)
	p.open = append(slices.DeleteFunc(p.open, func(o event.Incident) bool { return o.ID == incident.ID }), incident)
	for _, b := range p.books {
		applies, err := b.Applies(respond.EnvFor(f, incident, target))
		if err != nil || !applies {
			continue
		}
		p.answer(b, respond.Begin(b, incident, f, target, event.ModeAct, f.Received))
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

func (p *player) happen(h happening) {
	p.sequence++
	switch {
	case h.Fail != "":
		if h.Times == 0 {
			h.Times = 1
		}
		if h.On == "" {
			h.On = string(respond.EffectDo)
		}
		p.failing = append(p.failing, &h)
	case h.Undo != "":
		p.tell(event.Input{Kind: event.InputUndo, User: h.Undo, AtEnd: event.AtEnd(h.End), Time: p.now})
	case h.Extend != "":
		p.tell(event.Input{Kind: event.InputExtend, User: h.Extend, Until: p.now.Add(h.For.Std()), Time: p.now})
	case h.Keep != "":
		p.tell(event.Input{Kind: event.InputKeep, User: h.Keep, Time: p.now})
	default:
		who, yes := h.Vote, true
		if who == "" {
			who, yes = h.Deny, false
		}
		for _, r := range p.runs {
			v := &event.Vote{User: who, Groups: h.Groups, Approve: yes, Time: p.now}
			if r.run.Approval != nil {
				v.Digest = r.run.Approval.Digest
			}
			p.say(r, event.Input{Kind: event.InputVote, Vote: v, Time: p.now})
		}
	}
}

func (p *player) tell(in event.Input) {
	for _, r := range p.runs {
		p.say(r, in)
	}
}

func (p *player) say(r *played, in event.Input) {
	in.Run = r.run.ID
	r.run = respond.Next(r.book, r.run, respond.Input{Person: &in, Sequence: p.sequence}, p.now)
}

// move does what is due of one run.
func (p *player) move(ctx context.Context, r *played) (wake time.Time, moved bool) {
	effects, wake := respond.DueAll(r.book, r.run, p.now)
	taken := slices.ContainsFunc(p.runs, func(o *played) bool { return o != r && respond.Waits(r.run, o.run) })
	for _, e := range effects {
		if taken && e.Kind != respond.EffectUndo {
			continue
		}
		before := r.run
		r.run = respond.Next(r.book, r.run, p.carry(ctx, r, e), p.now)
		if before.Updated != r.run.Updated || before.State != r.run.State || !same(before, r.run) {
			return wake, true // what is due may be something else now
		}
	}
	if len(effects) > 0 {
		wake = p.now.Add(time.Second) // it waits for the same thing still
	}
	return wake, false
}

func same(a, b event.Run) bool {
	return slices.EqualFunc(a.Steps, b.Steps, func(x, y event.Step) bool {
		return x.State == y.State && x.Attempts == y.Attempts && x.Conflicts == y.Conflicts && x.Error == y.Error && (x.Target == nil) == (y.Target == nil)
	})
}

func (p *player) carry(ctx context.Context, r *played, e respond.Effect) respond.Input {
	name := r.run.Steps[e.Step].Name
	switch failure := p.fails(name, string(e.Kind)); {
	case failure != "" && e.Kind == respond.EffectPlan:
		return respond.Input{Planned: &respond.Planned{Step: e.Step, Failure: failure, Error: "made to fail"}}
	case failure != "" && e.Kind == respond.EffectUndo:
		return respond.Input{Undone: &respond.Done{Step: e.Step, Failure: failure, Error: "made to fail"}}
	case failure != "":
		return respond.Input{Done: &respond.Done{Step: e.Step, Failure: failure, Error: "made to fail"}}
	}
	switch e.Kind {
	case respond.EffectTargets:
		t := p.executor.Targets(ctx, r.book, r.run, e.Step)
		return respond.Input{Targets: &t}
	case respond.EffectPlan:
		planned := p.executor.Plan(ctx, r.book, r.run, e.Step, p.now)
		return respond.Input{Planned: &planned}
	case respond.EffectDo:
		d := p.executor.Do(ctx, r.book, r.run, e.Step, p.now)
		if d.Failure == "" {
			p.note(r, name)
		}
		return respond.Input{Done: &d}
	case respond.EffectUndo:
		d := p.executor.Undo(ctx, r.book, r.run, e.Step, p.now)
		if d.Failure == "" {
			p.note(r, "undo "+name)
		}
		return respond.Input{Undone: &d}
	case respond.EffectMark:
		d := p.executor.Mark(ctx, r.book, r.run, e.Step, p.now)
		if d.Failure == "" {
			p.note(r, "mark "+name)
		}
		return respond.Input{Marked: &d}
	case respond.EffectReset:
		d := p.executor.Reset(ctx, r.book, r.run, e.Step, p.now)
		return respond.Input{Reset: &d}
	}
	return respond.Input{Tick: true}
}

// note keeps what was done.
func (p *player) note(r *played, what string) {
	r.did, p.did = append(r.did, what), append(p.did, r.book.Name+"/"+what)
}

func (p *player) fails(step, kind string) respond.Failure {
	for _, h := range p.failing {
		if h.Fail == step && h.On == kind && h.Times > 0 {
			h.Times--
			if h.As == "" {
				return respond.FailedRetry
			}
			return respond.Failure(h.As)
		}
	}
	return ""
}

// outcome is a played run beside what is expected of it.
func (x *ExpectedRun) unlike(r *played) []string {
	var out []string
	if x.State != "" && x.State != string(r.run.State) {
		out = append(out, fmt.Sprintf("run of %s ends %s, want %s (%s)", x.Playbook, r.run.State, x.State, r.run.Reason))
	}
	if x.Did != nil && !slices.Equal(*x.Did, r.did) {
		out = append(out, fmt.Sprintf("run of %s did %v, want %v", x.Playbook, r.did, *x.Did))
	}
	if len(out) > 0 {
		out = append(out, held(r.run)...)
	}
	for _, s := range r.run.Steps {
		if want, ok := x.Ends[s.Name]; ok && want != string(s.State) {
			out = append(out, fmt.Sprintf("step %s ends %s, want %s (%s)", s.Name, s.State, want, s.Error))
		}
	}
	return out
}

// name is the playbook, and which run of it.
func (x *ExpectedRun) name() string {
	if x.Generation > 1 {
		return fmt.Sprintf("run %d of playbook %s", x.Generation, x.Playbook)
	}
	return "playbook " + x.Playbook
}

// held says which guards held steps back.
func held(run event.Run) []string {
	var out []string
	for _, s := range run.Steps {
		for _, v := range s.Verdicts {
			if v.Decision != event.Pass {
				out = append(out, fmt.Sprintf("step %s: guard %s says %s: %s", s.Name, v.Guard, v.Decision, v.Reason))
			}
		}
	}
	return out
}

// judgePlay says what is not as expected of the runs that were played, and of
// the objects at their end.
func (c *Case) judgePlay(p *player) ([]string, error) {
	var out []string
	for _, x := range c.runs {
		i := slices.IndexFunc(p.runs, func(r *played) bool {
			return r.run.Playbook == x.Playbook && r.run.Generation == max(x.Generation, 1) && (x.Target == "" || x.Target == r.run.Target.String())
		})
		if i < 0 {
			if x.State != "" || x.Did != nil {
				out = append(out, "is not played: "+x.name())
			}
			continue
		}
		out = append(out, x.unlike(p.runs[i])...)
	}
	if c.Did != nil && !slices.Equal(*c.Did, p.did) {
		out = append(out, fmt.Sprintf("did %v, want %v", p.did, *c.Did))
	}
	for _, raw := range c.Objects {
		var want map[string]any
		if err := raw.Decode(&want); err != nil {
			return nil, err
		}
		key := keyOf(want)
		if key == "" {
			return nil, raw.Errorf("an object needs a kind and metadata.name")
		}
		got, there := p.cluster.objects[key]
		if want["gone"] == true {
			if there {
				out = append(out, key+" is there, want it gone")
			}
			continue
		}
		if !there {
			out = append(out, key+" is gone")
			continue
		}
		out = append(out, unlike(key, got, want)...)
	}
	return out, nil
}

// unlike says what of an object is not as a part of it says; nil is for what is
// not to be there.
func unlike(at string, got, want map[string]any) []string {
	var out []string
	for k, w := range want {
		g, there := got[k]
		inner, isMap := w.(map[string]any)
		gotMap, gotIsMap := g.(map[string]any)
		switch {
		case w == nil && there && !(gotIsMap && len(gotMap) == 0):
			out = append(out, fmt.Sprintf("%s.%s is %v, want none", at, k, g))
		case isMap:
			out = append(out, unlike(at+"."+k, gotMap, inner)...)
		case w != nil && fmt.Sprint(g) != fmt.Sprint(w):
			out = append(out, fmt.Sprintf("%s.%s is %v, want %v", at, k, g, w))
		}
	}
	slices.Sort(out)
	return out
}
