package respond

import (
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// playbookSpec is a playbook as it is written.
type playbookSpec struct {
	// Title says in a line what the playbook is for.
	Title string `yaml:"title"`
	// When says of which findings: an expression over finding, incident and
	// target.
	When conf.Expression `yaml:"when,required"`
	// Order is where it stands among the playbooks that apply to one incident,
	// lowest first, 100 if it says nothing; those of one order go by their names.
	Order *int `yaml:"order"`
	// Mode is observe (plan only), ask (people decide on every effect) or act.
	Mode event.Mode `yaml:"mode"`
	// Timeout is how long a run has until all its effects have begun, people's
	// answers included: what has not begun then is left out, and what was done holds
	// for its time. Without it there is no limit.
	Timeout conf.Duration `yaml:"timeout"`
	// Approve says who decides.
	Approve approveSpec `yaml:"approve"`
	// Steps are what it does, one after the other.
	Steps []stepSpec `yaml:"steps,required"`
}

type approveSpec struct {
	// By are user/NAME and group/NAME; nobody leaves it to the cluster's RBAC.
	By []string `yaml:"by"`
	// Need is how many different people have to say yes.
	Need *int `yaml:"need"`
	// Within is how long they have.
	Within conf.Duration `yaml:"within"`
	// Explain says that whoever decides has to give a reason.
	Explain bool `yaml:"explain"`
	// Otherwise is what no answer means: deny, or page, which also pages people
	// by the routes of the config.
	Otherwise string `yaml:"otherwise"`
	// NoChat says that it can't be approved in a chat, only by the command line
	// or on the page; it can be denied there.
	NoChat bool `yaml:"no_chat"`
	// Levels say otherwise for incidents of at least a priority. What one does not
	// say is as above.
	Levels []levelSpec `yaml:"levels"`
}

// levelSpec is who decides from a priority on.
type levelSpec struct {
	// Priority is the incident's, at least: low, medium, high or critical.
	Priority event.Severity `yaml:"priority,required"`
	// By, Need, Within, Explain and NoChat are as above.
	By      []string      `yaml:"by"`
	Need    *int          `yaml:"need"`
	Within  conf.Duration `yaml:"within"`
	Explain bool          `yaml:"explain"`
	NoChat  bool          `yaml:"no_chat"`
}

// stepSpec is a step as it is written, or several that go side by side.
type stepSpec struct {
	Step oneSpec `yaml:",inline"`
	// Parallel are steps that go side by side. What comes behind them begins when
	// all of them are over.
	Parallel []oneSpec `yaml:"parallel"`
}

// oneSpec is one step.
type oneSpec struct {
	// Name is what later steps, people and records know it by.
	Name string `yaml:"name"`
	// Action is what it does; `firebreak kinds` lists them.
	Action string `yaml:"action"`
	// Use is the name of a step group whose steps stand in its place.
	Use string `yaml:"use"`
	// With are the parameters of the action or the group. Texts may hold ${…}.
	With conf.Raw `yaml:"with"`
	// When says whether it is done: an expression over finding, incident,
	// target, and steps.NAME of the steps before it.
	When conf.Expression `yaml:"when"`
	// Target is what it is about, if not what the run is about: an expression
	// that gives an object, as in node(target.node).
	Target conf.Expression `yaml:"target"`
	// ForEach makes it a step for each of some objects: an expression that gives
	// a list of them, as in incident.subjects.
	ForEach conf.Expression `yaml:"for_each"`
	// AtMost is for how many of for_each without asking people, 10 if it says
	// nothing.
	AtMost *int `yaml:"at_most"`
	// Approve says who decides on this step, in every mode.
	Approve *approveSpec `yaml:"approve"`
	// UndoAfter is how long an effect holds, 1h if it says nothing. In a step group
	// it may be ${params.NAME}, where each use gives a plain duration.
	UndoAfter span `yaml:"undo_after"`
	// AtEnd is what happens then: restore, delete or ask.
	AtEnd event.AtEnd `yaml:"at_end"`
	// OnFailure is what becomes of the others when it fails: stop, continue or
	// undo.
	OnFailure OnFailure `yaml:"on_failure"`
	// Timeout bounds one attempt; in a step group it may be ${params.NAME}, too.
	Timeout span `yaml:"timeout"`
	// Retry says how often it is tried.
	Retry retrySpec `yaml:"retry"`
}

type retrySpec struct {
	// Attempts is how often it is tried, 10 if it says nothing.
	Attempts *int `yaml:"attempts"`
	// Backoff is the first wait, 1s if it says nothing; it doubles up to 30s.
	Backoff conf.Duration `yaml:"backoff"`
}

// groupSpec is a step group as it is written: steps that several playbooks use.
type groupSpec struct {
	// Title says in a line what the group is for.
	Title string `yaml:"title"`
	// Params are its parameters by name, as params.NAME in its expressions.
	Params map[string]paramSpec `yaml:"params"`
	// Steps are what it does, one after the other.
	Steps []stepSpec `yaml:"steps,required"`
}

type paramSpec struct {
	// Doc says what it is for.
	Doc string `yaml:"doc"`
	// Default is its value where a use gives none; without one it has to.
	Default any `yaml:"default"`
}

// EmptySpec is an empty spec of a playbook, which its JSON Schema is made of.
func EmptySpec() any { return playbookSpec{} }

// EmptyGroup is an empty spec of a step group.
func EmptyGroup() any { return groupSpec{} }

// The kinds of documents that playbooks are made of.
const (
	PlaybookKind = "Playbook"
	GroupKind    = "StepGroup"
)
