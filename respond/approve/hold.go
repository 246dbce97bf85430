package approve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
)

// holds lists the holds that no run is known of.
func (a *API) holds(c call) error {
	if err := a.allowed(c, "list", "runs", "", ""); err != nil {
		return err
	}
	list, err := a.Control.Unclaimed(c.r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []respond.Unclaimed{}
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

// freeHolds has what a lost run holds put back.
func (a *API) freeHolds(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	said, err := a.desk().Free(c.r.Context(), c.user, c.r.PathValue("run"), body.Reason)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}

// Free has what the cluster shows of a run put back whose record is lost. It needs
// the right to undo all playbooks in the namespace of each object, and in all of them
// where not all holds are shown. A run that is on record is refused: it can be undone.
func (d Desk) Free(ctx context.Context, user kube.User, run, reason string) (Said, error) {
	if err := short("the reason", reason); err != nil {
		return Said{}, err
	}
	none := Problem{http.StatusNotFound, "no hold of such a run without a record is known"}
	if !id.MatchString(run) {
		return Said{}, none
	}
	all, err := d.Control.Unclaimed(ctx)
	if err != nil {
		return Said{}, err
	}
	found, broken := false, ""
	for _, u := range all {
		if u.Run != run {
			continue
		}
		if err := d.May(ctx, user, "undo", "playbooks", "", u.Object.Space()); err != nil {
			return Said{}, err
		}
		found, broken = true, u.Broken
	}
	if found && len(all) >= respond.MaxUnclaimed { // more of the run may be held than is shown, anywhere
		if err := d.May(ctx, user, "undo", "playbooks", "", ""); err != nil {
			return Said{}, err
		}
	}
	if broken != "" {
		return Said{}, Problem{http.StatusConflict, "its record is broken, free it by hand: " + broken}
	}
	switch rec, err := d.Log.Find(ctx, run); {
	case err == nil && d.May(ctx, user, "get", "runs", "", "") == nil:
		return Said{}, Problem{http.StatusConflict, fmt.Sprintf("the run is on record, it is %s: undo it", rec.Run.State)}
	case err == nil || errors.Is(err, bus.ErrNotFound) && !found:
		return Said{}, none
	case !errors.Is(err, bus.ErrNotFound):
		return Said{}, err
	}
	return d.store(ctx, event.Input{ID: rand.Text(), Run: run, Kind: event.InputFree, User: user.Name, Reason: reason, Time: d.now()})
}
