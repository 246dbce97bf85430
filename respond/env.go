package respond

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// Env is what the expressions of a playbook see.
type Env struct {
	Finding  event.Finding  `expr:"finding"`
	Incident event.Incident `expr:"incident"`
	// Target is what the step is about.
	Target event.Ref `expr:"target"`
	// Anomaly is what a model says, if one found it.
	Anomaly Anomaly `expr:"anomaly"`
	// Run is the run's id, empty in a playbook's own condition.
	Run string `expr:"run"`
	// Steps are the steps of the run by name. In a step group its own steps
	// have the names that they have there.
	Steps map[string]StepEnv `expr:"steps"`
	// Params are the parameters of the step group.
	Params map[string]any `expr:"params"`
}

// Anomaly is a model's finding in numbers.
type Anomaly struct {
	// Score is 0 to 1, P the share of the model's recent scores that are as high.
	Score float64 `expr:"score"`
	P     float64 `expr:"p"`
	// Decision is what scikit-learn's decision_function gives: 0.5 less the
	// score, so that below 0 is an anomaly, and it is never below -0.5. It is 0
	// for a finding of a rule.
	Decision float64 `expr:"decision"`
	// Features are the values of the features that say why, by their names.
	Features map[string]any `expr:"features"`
}

// EnvFor is the environment of a playbook's own condition.
func EnvFor(f event.Finding, incident event.Incident, target event.Ref) Env {
	env := Env{Finding: f, Incident: incident, Target: target}
	if f.Model == "" {
		return env
	}
	env.Anomaly = Anomaly{Score: f.Score, P: f.P, Decision: 0.5 - f.Score, Features: map[string]any{}}
	for _, x := range f.Features {
		switch {
		case x.Text != "":
			env.Anomaly.Features[x.Name] = x.Text
		case x.Value != nil:
			env.Anomaly.Features[x.Name] = *x.Value
		}
	}
	return env
}

// StepEnv is what later steps see of a step.
type StepEnv struct {
	// State is pending, planned, intent, done, skipped, denied, failed,
	// reverting or reverted. A step with for_each is done when all are over and
	// at least one is done; else it is what the last of them is.
	State string `expr:"state"`
	// Result is the receipt's: applied, applied-unverified, partial,
	// nothing-to-do, queued; Notes and Output are the receipt's too.
	Result string            `expr:"result"`
	Notes  []string          `expr:"notes"`
	Output map[string]string `expr:"output"`
	Error  string            `expr:"error"`
	// Plan is the plan in a line; Attempts counts how often it was begun.
	Plan     string `expr:"plan"`
	Attempts int    `expr:"attempts"`
	// Of a step with for_each: how many there are, are done, and failed.
	Total  int `expr:"total"`
	Done   int `expr:"done"`
	Failed int `expr:"failed"`
	// Each are the steps that it became.
	Each []StepEnv `expr:"each"`
}

// functions are those of playbooks beside the built-in ones, which give objects
// for target and for_each: node(name), pod(namespace, name), workload(pod),
// service_account(pod), namespace(name), object("deployments.apps", namespace,
// name), and what has no object: identity(user), which is the service account if
// the user is one, group(name), address(text) and image(name).
func functions() []conf.Func {
	text := func(v any) string { s, _ := v.(string); return s }
	return []conf.Func{
		{
			Name: "node", Signature: new(func(any) event.Ref),
			Fn: func(a ...any) (any, error) { return event.NodeRef(text(a[0])), nil },
		},
		{
			Name: "pod", Signature: new(func(any, any) event.Ref),
			Fn: func(a ...any) (any, error) { return event.PodRef(text(a[0]), text(a[1])), nil },
		},
		{
			Name: "workload", Signature: new(func(any) event.Ref),
			Fn: func(a ...any) (any, error) { return workloadOf(a[0]), nil },
		},
		{
			Name: "service_account", Signature: new(func(any) event.Ref),
			Fn: func(a ...any) (any, error) { return accountOf(a[0]), nil },
		},
		{
			Name: "namespace", Signature: new(func(any) event.Ref),
			Fn: func(a ...any) (any, error) {
				return event.Ref{Resource: "namespaces", Kind: "Namespace", Name: text(a[0])}, nil
			},
		},
		{
			Name: "object", Signature: new(func(string, any, any) event.Ref),
			Fn: func(a ...any) (any, error) { return objectOf(text(a[0]), text(a[1]), text(a[2])) },
		},
		one("identity", func(s string) event.Ref { return action.IdentityRef(s) }),
		one("group", event.GroupRef), one("address", event.AddressRef), one("image", event.ImageRef),
	}
}

// one is a function of a text that gives an object.
func one(name string, of func(string) event.Ref) conf.Func {
	return conf.Func{Name: name, Signature: new(func(any) event.Ref), Fn: func(a ...any) (any, error) {
		s, _ := a[0].(string)
		return of(s), nil
	}}
}

// objectOf is an object of a resource that some action works on, by
// PLURAL.GROUP.
func objectOf(resource, namespace, name string) (event.Ref, error) {
	plural, group, _ := strings.Cut(resource, ".")
	ref := event.Ref{Group: group, Resource: plural, Namespace: namespace, Name: name}
	if _, ok := action.ResourceOf(ref); name != "" && !ok && !ref.IsPod() && !ref.IsNode() {
		return ref, fmt.Errorf("object: no action works on %s: %s do", resource, strings.Join(action.Resources(), ", "))
	}
	return ref, nil
}

// workloadOf is the workload that a pod belongs to, and of a workload that one: a
// person may start a playbook of pods on what makes them. A pod of none, and what
// no action works on, give no object.
func workloadOf(v any) event.Ref {
	pod, _ := v.(event.Ref)
	if action.IsWorkload(pod) {
		return pod
	}
	ref, _ := action.WorkloadRef(pod.Namespace, pod.Workload)
	return ref
}

// accountOf is the service account that a pod runs as, where that is known, and of
// a service account that one.
func accountOf(v any) event.Ref {
	pod, _ := v.(event.Ref)
	if pod.Group == "" && pod.Resource == "serviceaccounts" {
		return pod
	}
	namespace, name, ok := strings.Cut(pod.ServiceAccount, "/")
	if !ok {
		return event.Ref{}
	}
	return event.Ref{Resource: "serviceaccounts", Kind: "ServiceAccount", Namespace: namespace, Name: name}
}

// EnvOf is the environment of a run in its present state.
func EnvOf(run event.Run) Env {
	env := EnvFor(run.Finding, run.Incident, run.Target)
	env.Run, env.Steps = run.ID, make(map[string]StepEnv, len(run.Steps))
	for _, s := range run.Steps {
		e := stepEnv(s)
		if s.Of != "" {
			env.Steps[s.Of] = env.Steps[s.Of].with(e)
		}
		if s.State != event.StepExpanded {
			env.Steps[s.Name] = e
		}
	}
	return env
}

func stepEnv(s event.Step) StepEnv {
	e := StepEnv{State: string(s.State), Error: s.Error, Attempts: s.Attempts}
	if s.Plan != nil {
		e.Plan = s.Plan.Summary
	}
	if s.Receipt != nil {
		e.Result, e.Notes, e.Output = string(s.Receipt.Result), s.Receipt.Notes, s.Receipt.Output
	}
	return e
}

// with counts one more step among those of a for_each.
func (e StepEnv) with(one StepEnv) StepEnv {
	e.Each = append(e.Each, one)
	e.Total++
	state := event.StepState(one.State)
	switch state {
	case event.StepDone:
		e.Done++
	case event.StepFailed:
		e.Failed++
	}
	if so := event.StepState(e.State); e.Total == 1 || over(so) && (so != event.StepDone || !over(state)) {
		e.State, e.Result = one.State, one.Result
	}
	e.Error = strings.Trim(e.Error+"; "+one.Error, "; ")
	return e
}

// Env is the environment of the expressions of step i.
func (p *Playbook) Env(run event.Run, i int) (Env, error) {
	env := EnvOf(run)
	env.Target = run.StepTarget(i)
	step := p.StepOf(run, i)
	if step.params != nil {
		params, err := step.params(env)
		if err != nil {
			return env, err
		}
		env.Params = params
	}
	if step.scope != "" {
		for name, e := range env.Steps {
			if local, ok := strings.CutPrefix(name, step.scope); ok {
				env.Steps[local] = e
			}
		}
	}
	return env, nil
}
