package detect

import (
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/budget"
	"github.com/firebreak-io/firebreak/detect/forest"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// modeller is a model with what it remembers. Its programs are its own: what
// they ask for are its numbers.
type modeller struct {
	d             *Model
	limits        Limits
	c             *compiler
	when, unless  *conf.Program
	entity, peers []*conf.Program
	version       *conf.Program
	threshold     *conf.Program
	message       *conf.Text
	features      []*feature
	measures      []*measure
	share         *sharing
	// How many there are of each, while compiling.
	cells, categories, numbers, sums int
	// unending says that something was of an interval, and there is none.
	unending bool

	base   *baseline.Store
	forest *forest.Rolling
	budget *budget.Budget
	quiet  *quiet
	open   intervals
	wait   waiting
	heard  heard
	told   tellings
	warm   warming
	pinned []byte // what was pinned, for rollback
	// decided is what people decided, beside what the others remember of it.
	decided decided

	now *observation
	row []float64
	// without says which values are left out, while that is asked; else nil.
	without func(category int, v baseline.Value) bool
	trouble error
	// traced is told of every score; for tests.
	traced func(o *observation, score float64, d budget.Decision)
	// noticed is what is noted of an event that is explained, else nil.
	noticed *noticed
}

// observation is what is measured at a time: an event, or an interval.
type observation struct {
	who    baseline.Who
	e      *baseline.Entity
	at     time.Time
	env    *event.Event
	cells  []cell
	id     string
	events []event.Address
	// version is the entity's, of an interval.
	version string
	// silent says that nothing came in the interval.
	silent bool
}

// openModel compiles a model and opens what it remembers. The error joins
// [*conf.Error], and what the forest or the budget say of their options.
func openModel(d *Model, l Limits) (*modeller, error) {
	s := &d.Spec
	m := &modeller{d: d, limits: l, c: &compiler{}, share: newSharing(s, lineKind.domain)}
	m.when, m.unless = m.c.condition(s.When, nil), m.c.condition(s.Unless, nil)
	m.entity, m.peers = m.c.values(s.Entity), m.c.values(s.Peers)
	if s.Rollout != nil {
		m.version = m.c.values([]conf.Expression{s.Rollout.On})[0]
	}
	m.compileFeatures()
	var err error
	if !s.Budget.Threshold.IsZero() {
		m.threshold, err = s.Budget.Threshold.Compile(modelEnv{}, conf.Bool, functions...)
		m.c.failed(err)
	}
	m.message, err = s.Message.Compile(modelEnv{}, functions...)
	m.c.failed(err)
	if len(m.c.errs) > 0 {
		return nil, errors.Join(m.c.errs...)
	}
	return m, m.remember(l)
}

func (m *modeller) compileFeatures() {
	for _, name := range m.d.Spec.names() {
		x := m.d.Spec.Features[name]
		from := len(m.measures)
		p, calls, err := x.CompileAggregates(env, conf.Any, modelFunctions, func(i int) float64 { return m.answer(from + i) }, functions...)
		m.c.failed(err)
		if err != nil {
			continue
		}
		m.takeMeasures(x, calls)
		g := p.Gives()
		switch {
		case g == reflect.String || g == reflect.Slice:
			m.c.failed(x.Errorf("a feature is a number, and this is %s: surprisal(…) says how unusual it is", kindName(g)))
		case len(calls) == 0 && m.d.Spec.Every != 0:
			m.c.failed(x.Errorf("is of an event, and an interval is measured: say what of it, as in count(…) or avg(…)"))
		}
		f := &feature{name: name, Program: p, from: from, to: len(m.measures), number: -1}
		if n := len(m.measures); n > from {
			if last := m.measures[n-1]; last.category >= 0 || last.number >= 0 || last.Name == "ratio" {
				f.told = last
			}
		}
		if f.told == nil || f.told.Name == "ratio" {
			f.number, m.numbers = m.numbers, m.numbers+1
		} else {
			f.number = f.told.number
		}
		m.features = append(m.features, f)
	}
}

// remember opens what is remembered.
func (m *modeller) remember(l Limits) error {
	s := &m.d.Spec
	m.base = baseline.New(baseline.Options{Tables: m.categories, Series: m.numbers, Sums: m.sums, Entities: max(1, min(l.Groups, baseline.DefaultEntities)), Bytes: l.Bytes, Counts: m.counts(), StrictTables: m.strict(m.categories, measuredCategory), StrictSeries: m.strict(m.numbers, measuredNumber), Settle: min(10*time.Minute, s.WarmUp.For.Std()/2)})
	units := make([]float64, len(m.features))
	for i, f := range m.features {
		units[i] = f.unit()
	}
	seed := baseline.ValueOf("model", m.d.name).Hash
	var err error
	if m.forest, err = forest.NewRolling(len(m.features), forest.Options{
		Trees: s.Forest.Trees, Sample: s.Forest.Sample, Beyond: s.Forest.Beyond, Units: units, Seed: seed,
	}, forest.Learning{Reservoir: s.Forest.Reservoir, Memory: s.Forest.Memory.Std(), Share: s.Forest.Share}); err != nil {
		return err
	}
	o := budget.Options{PerDay: s.Budget.AlertsPerDay, P: s.Budget.P, Contamination: s.Budget.Contamination, WithRules: s.Budget.WithRules, Floor: usualScore, Clear: clearScore}
	if o.PerDay == 0 && o.P == 0 && o.Contamination == 0 {
		o.Contamination = aloneShare // the condition decides
	}
	if m.budget, err = budget.New(o); err != nil {
		return err
	}
	m.quiet = newQuiet(l.Groups, s.Quiet.Std())
	m.open = newIntervals(s.Every.Std(), l)
	m.row = make([]float64, len(m.features))
	return m.priors()
}

// counts says which of the baseline's numbers are counts: those that are made
// of nothing but counts.
func (m *modeller) counts() []bool {
	out := make([]bool, m.numbers)
	for _, f := range m.features {
		count := false
		for _, c := range m.measures[f.from:f.to] {
			switch c.Name {
			case "count", "rate", "sum", "distinct":
				count = true
			case "ratio", "avg", "min", "max", "quantile", "entropy":
				count = false
			}
			if c.number >= 0 {
				out[c.number] = count
			}
		}
		if f.number >= 0 {
			out[f.number] = count
		}
	}
	return out
}

// strict says of each of so many categories or numbers whether it is of a feature
// that a rollout does not excuse.
func (m *modeller) strict(n int, of func(*measure) int) []bool {
	out := make([]bool, n)
	for _, c := range m.measures {
		if i := of(c); i >= 0 {
			out[i] = m.unexcused(m.features[c.feature].name)
		}
	}
	return out
}

func measuredCategory(c *measure) int { return c.category }
func measuredNumber(c *measure) int   { return c.number }

// unexcused says whether a rollout does not excuse a feature.
func (m *modeller) unexcused(feature string) bool {
	r := m.d.Spec.Rollout
	return r != nil && slices.Contains(r.Except, feature)
}

const (
	// usualScore is the score below which a forest finds a row usual.
	usualScore = 0.5
	// clearScore is one of a row that stands alone after a third of the usual cuts:
	// by itself it says that it is odd, however little is known of how often that
	// happens.
	clearScore = 0.8
	// aloneShare is what anomaly.decision goes by when nothing says so.
	aloneShare = 0.01
)

// Fold takes an event; see [Running].
func (m *modeller) Fold(e *event.Event, at event.Address, now Moment) ([]event.Finding, error) {
	if e.Source == event.SourceControl && m.ordered(e, now) {
		return nil, nil
	}
	m.trouble = nil
	var found []event.Finding
	if m.d.Spec.Every != 0 {
		m.gather(e, at, now)
	} else if m.selects(e) {
		who := m.who(e)
		found = m.measure(&observation{who: who, at: now.Time, env: e, id: origin(e), events: []event.Address{at}})
	}
	return found, m.trouble
}

// selects says whether the model measures an event.
func (m *modeller) selects(e *event.Event) bool {
	if !m.looks(e) {
		return false
	}
	if m.when != nil {
		ok, err := m.when.Bool(e)
		m.failed(err)
		if err != nil || !ok {
			return false
		}
	}
	if m.unless != nil {
		if ok, err := m.unless.Bool(e); err == nil && ok {
			return false
		}
	}
	return true
}

// looks says whether an event is of the model's sources and class.
func (m *modeller) looks(e *event.Event) bool {
	if class := string(m.d.Spec.Class); class != "" && e.Class != class {
		return false
	}
	for _, s := range m.d.sources {
		if s == e.Source {
			return true
		}
	}
	return false
}

// who is the entity that an event is of.
func (m *modeller) who(e *event.Event) baseline.Who {
	entity, peers := m.texts(m.entity, e), m.texts(m.peers, e)
	w := baseline.Who{
		Entity: baseline.Key(hashTexts(append([]string{"entity"}, entity...))), Peers: baseline.Key(hashTexts(peers)),
		Space: namespaceOf(e.Object.Namespace), Label: strings.Join(entity, "/"),
	}
	if len(peers) > 0 {
		w.Space = max(1, binary.LittleEndian.Uint64(w.Peers[:8]))
	}
	return w
}

func (m *modeller) texts(of []*conf.Program, e *event.Event) []string {
	out := make([]string, 0, 4)
	for _, p := range of {
		text, err := p.Text(e)
		m.failed(err)
		out = append(out, text)
	}
	return out
}

// principal is who has a share of what the forest learns: the entity, and those
// that are not there for long enough all together.
func principal(o *observation) uint64 {
	key := o.who.Entity
	if !o.e.Established() {
		key = o.who.Peers
	}
	return max(1, binary.LittleEndian.Uint64(key[:8]))
}

// entityNumber is the entity's in the budget.
func entityNumber(w baseline.Who) uint64 { return binary.LittleEndian.Uint64(w.Entity[:8]) }

// Advance measures the intervals that are over, and learns what waited long
// enough.
func (m *modeller) Advance(now time.Time) []event.Finding {
	m.quiet.expire(now)
	m.timeout(now)
	var found []event.Finding
	var all []*observation
	for _, i := range m.open.over(now) {
		all = append(all, &observation{
			who: i.who, at: i.end(m.open.every), env: &i.like, cells: i.cells, id: text(int(i.n)) + i.origin, events: i.events(), version: i.version,
		})
	}
	m.strangestFirst(all)
	for _, o := range all {
		found = append(found, m.measure(o)...)
	}
	return append(found, m.quietly(now)...)
}

// Counts gives how often findings came again.
func (m *modeller) Counts() []event.FindingCount { return m.quiet.counts() }

// Stats counts what is remembered.
func (m *modeller) Stats() Memory {
	b := m.base.Stats()
	s := m.quiet.stats()
	s.add(Memory{Groups: b.Entities, Bytes: b.Bytes + m.forest.Bytes() + len(m.pinned), Evicted: b.Evicted + m.open.left, Late: m.open.late})
	s.Bytes += m.open.bytes
	return s
}

// Evict makes room of about so many bytes, if there is as much.
func (m *modeller) Evict(bytes int) { m.base.Evict(bytes) }
