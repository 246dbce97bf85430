package respond

import (
	"fmt"
	"maps"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// LabelKeys are the labels that the playbook's steps set on pods: what an
// admission policy lets them. The keys are the text's own; only values come of
// expressions.
func (p *Playbook) LabelKeys() ([]string, error) {
	env := Env{Target: event.PodRef("namespace", "name"), Steps: map[string]StepEnv{}}
	for _, s := range p.Steps {
		env.Steps[s.Name] = StepEnv{}
	}
	var keys []string
	for _, s := range p.Steps {
		if _, sets := s.Kind.Config().(*action.LabelConfig); !sets {
			continue
		}
		config, err := s.Config(env)
		if err != nil {
			return nil, fmt.Errorf("playbook %s: labels of step %s: %w", p.Name, s.Name, err)
		}
		if c, ok := config.(*action.LabelConfig); ok {
			keys = append(keys, slices.Sorted(maps.Keys(c.Labels))...)
		}
	}
	return keys, nil
}
