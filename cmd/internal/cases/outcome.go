package cases

import (
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// unlike says what of a played run is not as expected.
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
