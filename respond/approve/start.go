package approve

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// Start is the body of a run that somebody begins by hand.
type Start struct {
	Playbook string `json:"playbook"`
	// Resource is the plural name of what it is for, with its group if it has one:
	// pods, deployments.apps, users; Namespace and Name say which.
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Reason is for the record, and has to be given.
	Reason string `json:"reason"`
}

// start begins a run by hand. It has the guards, the approvals and the record
// of any other; who starts it can't approve it.
func (a *API) start(c call) error {
	var body Start
	if err := decode(c, &body); err != nil {
		return err
	}
	bad := func(text string) error { return problem{http.StatusBadRequest, text} }
	target, err := action.TargetOf(body.Resource, "", body.Namespace, body.Name)
	switch {
	case !conf.IsName(body.Playbook):
		return bad("that is no name of a playbook")
	case len(body.Resource) > 253 || len(body.Name) > 1024 || len(body.Namespace) > 63:
		return bad("the target has no such name")
	case err != nil:
		return bad(err.Error())
	case body.Reason == "":
		return bad("the reason has to be said")
	case len(body.Reason) > maxReason:
		return bad(fmt.Sprintf("the reason is over %d bytes", maxReason))
	}
	if err := a.allowed(c, "start", "playbooks", body.Playbook, target.Space()); err != nil {
		return err
	}
	if len(a.Playbooks) > 0 && !slices.Contains(a.Playbooks, body.Playbook) {
		return problem{http.StatusNotFound, "there is no playbook of that name"}
	}
	now := a.now()
	return a.store(c, event.Input{
		ID: rand.Text(), Run: event.HashID("start", rand.Text()), Kind: event.InputStart, Playbook: body.Playbook, Target: target,
		User: c.user.Name, Reason: body.Reason, Time: now,
	})
}
