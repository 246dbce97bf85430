package cases

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// stepsOf are the names of the steps of playbooks.
func stepsOf(books ...*respond.Playbook) []string {
	var names []string
	for _, b := range books {
		for _, s := range b.Steps {
			names = append(names, s.Name)
		}
	}
	return names
}

// member is the step that one of a for_each is of, else the step itself.
func member(step string) string {
	i := strings.LastIndexByte(step, '.')
	if i >= 0 && i+1 < len(step) && strings.Trim(step[i+1:], "0123456789") == "" {
		return step[:i]
	}
	return step
}

// known says what of an expectation there is not: a state, or a step. What names
// nothing would be met by anything.
func (x *ExpectedRun) known(steps []string) error {
	var errs []error
	none := func(key, kind, name string, names []string) {
		if !slices.Contains(names, name) {
			errs = append(errs, x.raw.Errorf("%s: there is no %s %q%s", key, kind, name, conf.Suggest(name, names)))
		}
	}
	if x.State != "" {
		none("state", "state of a run", x.State, texts(event.RunStates()))
	}
	for _, name := range slices.Sorted(maps.Keys(x.Ends)) {
		none("ends", "step", member(name), steps)
		none("ends", "state of a step", x.Ends[name], texts(event.StepStates()))
	}
	if x.Did != nil {
		for _, did := range *x.Did {
			_, name, two := strings.Cut(did, " ")
			if !two {
				name = did
			}
			none("did", "step", member(name), steps)
		}
	}
	return errors.Join(errs...)
}

func texts[T ~string](values []T) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}
