package respond

import "github.com/firebreak-io/firebreak/internal/event"

// Env is what the expressions of a playbook see.
type Env struct {
	Finding  event.Finding  `expr:"finding"`
	Incident event.Incident `expr:"incident"`
	Target   event.Ref      `expr:"target"`
	// Run is the run's id, empty in a playbook's own condition.
	Run string `expr:"run"`
	// Steps are the steps of the run by name.
	Steps map[string]StepEnv `expr:"steps"`
}

// StepEnv is what the conditions of later steps see of a step.
type StepEnv struct {
	State  string `expr:"state"`
	Result string `expr:"result"`
	Error  string `expr:"error"`
}

// EnvOf is the environment of a run in its present state.
func EnvOf(run event.Run) Env {
	env := Env{
		Finding: run.Finding, Incident: run.Incident, Target: run.Target, Run: run.ID,
		Steps: make(map[string]StepEnv, len(run.Steps)),
	}
	for _, s := range run.Steps {
		e := StepEnv{State: string(s.State), Error: s.Error}
		if s.Receipt != nil {
			e.Result = string(s.Receipt.Result)
		}
		env.Steps[s.Name] = e
	}
	return env
}
