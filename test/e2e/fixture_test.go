package e2e

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// fixture is what the conformance suite needs to try one kind of action.
type fixture struct {
	kind string
	// at is what its targets are, make makes one of a name in the trial's
	// namespace (or cluster-wide), which no controller takes away or changes.
	at   action.Resource
	make func(c *trial, name string)
	// ready, if there is one, says what a new target waits for still.
	ready func(o *unstructured.Unstructured) error
	// config gives the parameters; the kind's example without it. deps adds to
	// what the action is made with.
	config func(c *trial) any
	deps   func(c *trial, d *action.Deps)
	// result are what Verify may find; applied or enforced without it.
	result []event.Result
	// held says what of the target is not as it should be while it is held (of a
	// target that is gone, o is nil); empty is all right.
	held func(c *trial, o *unstructured.Unstructured) string
	// meddle edits what the action did, as somebody else, and kept says what of
	// that edit is missing after the undo.
	meddle func(c *trial, name string)
	kept   func(c *trial, o *unstructured.Unstructured) string
	// around are resources of the namespace that are to be the same after an
	// undo as before, by name and spec.
	around []action.Resource
	// rare are permissions that the usual way does not use, each with the reason;
	// ways are other set-ups of the kind that use them, never says which of them no
	// set-up here can use, and why. unseen are those that the API server asks for
	// besides what a request says.
	rare, never map[string]string
	ways        []fixture
	unseen      []string
	// named, if there is one, is the target's name once it is made.
	named func(c *trial, name string) string
	// definitions are kinds of other projects that the set-up has, which others
	// must not see; calico that it has Calico's.
	definitions []string
	calico      bool
	// end is how holds end where permissions are tried; restore without it.
	end event.AtEnd
	// protect makes a target one that must not be touched, where that is not its
	// namespace's doing.
	protect func(c *trial, name string)
	// refused says why this cluster can't do it, so that it is tried up to the
	// request.
	refused string
	// trim takes what others do to the target by themselves out of what is
	// compared.
	trim func(o map[string]any)
	// apart says why it makes no difference to the kind whether its target is
	// there or protected; unknown that nobody knows whether what it sent was done
	// when the answer is lost, so that it refuses to do it again.
	apart, unknown string
	// again says that the plan may be carried out again after the undo (what it
	// makes is conditional on nothing), moves that others change the target by
	// themselves, changes that the plan is another once it has landed, fulfilled
	// that a target that is gone is what was wanted.
	again, moves, changes, fulfilled bool
}

func (x fixture) results() []event.Result {
	if x.result != nil {
		return x.result
	}
	return []event.Result{event.ResultApplied, event.ResultEnforced}
}

// fixtures is filled by the init function of each fixture's file.
var fixtures = map[string]fixture{}

func conform(x fixture) { fixtures[x.kind] = x }
