package respond

import (
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// PolicyKeys are the labels and annotations that the playbook's steps set: what
// an admission policy lets them. The keys are the text's own; only values come
// of expressions.
func (p *Playbook) PolicyKeys() (labels, annotations []string, err error) {
	env := Env{Target: event.PodRef("namespace", "name"), Steps: map[string]StepEnv{}}
	for _, s := range p.Steps {
		env.Steps[s.Name] = StepEnv{}
	}
	for _, s := range p.Steps {
		if _, sets := s.Kind.Config().(action.Keyed); !sets {
			continue
		}
		config, err := s.Config(env)
		if err != nil {
			return nil, nil, fmt.Errorf("playbook %s: labels of step %s: %w", p.Name, s.Name, err)
		}
		if c, ok := config.(action.Keyed); ok {
			l, a := c.PolicyKeys()
			labels, annotations = append(labels, l...), append(annotations, a...)
		}
	}
	slices.Sort(labels)
	slices.Sort(annotations)
	return slices.Compact(labels), slices.Compact(annotations), nil
}

// Grants are the permissions that the playbook's parameters need beside those of
// its actions, on objects that they name. What stands in an expression is not
// known before a run, and is granted to nobody.
func (p *Playbook) Grants() ([]action.Permission, error) {
	env := Env{Target: event.PodRef("namespace", "name"), Steps: map[string]StepEnv{}}
	for _, s := range p.Steps {
		env.Steps[s.Name] = StepEnv{}
	}
	var all []action.Permission
	for _, s := range p.Steps {
		if s.Kind.Grants == nil {
			continue
		}
		config, err := s.Config(env)
		if err != nil {
			return nil, fmt.Errorf("playbook %s: grants of step %s: %w", p.Name, s.Name, err)
		}
		all = append(all, s.Kind.Grants(config)...)
	}
	return all, nil
}
