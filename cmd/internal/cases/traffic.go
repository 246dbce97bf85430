package cases

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// traffic is events that are made up: one that comes again and again, each time
// somewhat otherwise. The same case always makes the same events.
type traffic struct {
	// Event is as in a case, Draw what differs, by its path in the event, as
	// expressions; see [drawn].
	Event conf.Raw                   `yaml:"event"`
	Draw  map[string]conf.Expression `yaml:"draw"`
	// Like is the name of one of the file's own: what is not said here is as there,
	// of what is drawn each by itself.
	Like string `yaml:"like"`
	// Every is the time between two on average, From when they begin since the case
	// did, and For how long they come.
	Every conf.Duration `yaml:"every"`
	From  conf.Duration `yaml:"from"`
	For   conf.Duration `yaml:"for"`
}

// drawn is what the expressions see: n is how many there were before, seconds how
// long the case has been going on, u, v and w are drawn between 0 and 1, z from
// the normal distribution.
type drawn struct {
	N       int     `expr:"n"`
	Seconds float64 `expr:"seconds"`
	U       float64 `expr:"u"`
	V       float64 `expr:"v"`
	W       float64 `expr:"w"`
	Z       float64 `expr:"z"`
}

// maxTraffic bounds the events that are made up for a case.
const maxTraffic = 200_000

// like fills in what the traffic is like.
func (t *traffic) like(c *Case, named map[string]traffic) error {
	if t.Like != "" {
		as, ok := named[t.Like]
		if !ok {
			return c.at.Errorf("traffic: there is none named %q%s", t.Like, conf.Suggest(t.Like, slices.Sorted(maps.Keys(named))))
		}
		if t.Event.IsZero() {
			t.Event = as.Event
		}
		t.Every, t.From, t.For = cmp.Or(t.Every, as.Every), cmp.Or(t.From, as.From), cmp.Or(t.For, as.For)
		draw := maps.Clone(as.Draw)
		if draw == nil {
			draw = map[string]conf.Expression{}
		}
		maps.Copy(draw, t.Draw)
		t.Draw = draw
	}
	if t.Event.IsZero() {
		return c.at.Errorf("traffic: has no event")
	}
	return nil
}

// traffics are the events of all the case's traffic.
func (c *Case) traffics(start time.Time) (out []event.Event, err error) {
	for i := range c.Traffic {
		t := &c.Traffic[i]
		if t.Every <= 0 || t.For <= 0 || t.From < 0 || float64(t.For)/float64(t.Every) > maxTraffic {
			return nil, c.at.Errorf("traffic: every and for are positive, and make no more than %d events", maxTraffic)
		}
		if out, err = c.made(t, i, start, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// made adds the events of one traffic.
func (c *Case) made(t *traffic, i int, start time.Time, out []event.Event) ([]event.Event, error) {
	paths := slices.Sorted(maps.Keys(t.Draw))
	programs := make([]*conf.Program, len(paths))
	for j, path := range paths {
		p, err := t.Draw[path].Compile(drawn{}, conf.Any)
		if err != nil {
			return nil, err
		}
		programs[j] = p
	}
	var plain any
	if err := t.Event.Decode(&plain); err != nil {
		return nil, err
	}
	like, err := json.Marshal(plain)
	if err != nil {
		return nil, t.Event.Errorf("event: %v", err)
	}
	r := rand.New(rand.NewPCG(baseline.ValueOf(c.Name).Hash, uint64(i))) // #nosec G404 -- not a secret
	begin := t.From.Std()
	for n, after := 0, begin; n < maxTraffic; n++ {
		after += time.Duration(-math.Log(1-r.Float64()) * float64(t.Every))
		if after >= begin+t.For.Std() {
			return out, nil
		}
		d := drawn{n, after.Seconds(), r.Float64(), r.Float64(), r.Float64(), r.NormFloat64()}
		var one map[string]any
		if err := json.Unmarshal(like, &one); err != nil {
			return nil, t.Event.Errorf("event: it is no mapping")
		}
		for j, path := range paths {
			v, err := programs[j].Any(&d)
			if err != nil {
				return nil, t.Draw[path].Errorf("%v", err)
			}
			if !put(one, steps(path), v) {
				return nil, t.Draw[path].Errorf("%s is no mapping", path)
			}
		}
		all, err := c.one(t.Event, one, n, start.Add(after))
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	return out, nil
}

// steps are the names of a path. Of fields all that follows is one name, as in
// fields.proc.name.
func steps(path string) []string {
	if name, ok := strings.CutPrefix(path, "fields."); ok {
		return []string{"fields", name}
	}
	return strings.Split(path, ".")
}

// put sets a value at a path of mappings; false where something else is in the
// way.
func put(in map[string]any, path []string, v any) bool {
	for _, name := range path[:len(path)-1] {
		next, ok := in[name].(map[string]any)
		if !ok && in[name] != nil {
			return false
		}
		if next == nil {
			next = map[string]any{}
			in[name] = next
		}
		in = next
	}
	in[path[len(path)-1]] = v
	return true
}

// missesFeatures says which features of an expectation are not among the first of
// a finding, one more than are named.
func (x *Expected) missesFeatures(f *event.Finding) (missing []string) {
	first := f.Features[:min(len(x.Features)+1, len(f.Features))]
	for _, name := range x.Features {
		if !slices.ContainsFunc(first, func(o event.Feature) bool { return o.Name == name }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// learns checks the time that models learn for.
func (c *Case) learns() error {
	if c.Learn < 0 || c.Learn.Std() > 366*24*time.Hour {
		return c.at.Errorf("learn: %s is no time to learn in", c.Learn)
	}
	return nil
}
