package approve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
)

// MoreHeader is on a page of the holds without a record, where there are too many
// to be known one by one: how many those are.
const MoreHeader = "Firebreak-More"

// The bounds of a page of holds.
const (
	pageHolds    = 200
	maxPageHolds = 1000
)

// holds answers a page of the holds that no run is known of, as the query says:
// namespace, prefix (of the run), limit, and after, which is what the page before
// says.
func (a *API) holds(c call) error {
	v := c.r.URL.Query()
	if err := a.allowed(c, "list", "runs", "", v.Get("namespace")); err != nil {
		return err
	}
	limit, err := number(c, "limit", pageHolds)
	if err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(v.Get("after"))
	if err != nil {
		return problem{http.StatusBadRequest, "after is what the page before said in " + NextHeader}
	}
	all, err := a.Control.Unclaimed(c.r.Context())
	if err != nil {
		return err
	}
	list := []respond.Unclaimed{}
	most := int(min(max(limit, 1), maxPageHolds))
	for _, u := range all.Holds {
		if u.Place() <= string(after) || !strings.HasPrefix(u.Run, v.Get("prefix")) || v.Get("namespace") != "" && u.Object.Space() != v.Get("namespace") {
			continue
		}
		if len(list) == most {
			c.w.Header().Set(NextHeader, base64.RawURLEncoding.EncodeToString([]byte(list[most-1].Place())))
			break
		}
		list = append(list, u)
	}
	if all.More > 0 {
		c.w.Header().Set(MoreHeader, strconv.Itoa(all.More))
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

// lostRun answers what a run holds that is not known of.
func (a *API) lostRun(c call) error {
	list, err := a.desk().Lost(c.r.Context(), c.user, c.r.PathValue("run"), "get", "runs")
	if err != nil {
		return err
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

// noHold is the answer about a run without such holds.
var noHold = Problem{http.StatusNotFound, "no hold of such a run without a record is known"}

// Lost is what the cluster shows of a run whose record is lost. It needs the right to
// do that, a verb on a resource, in the namespace of each object, and in all of them
// where there are too many holds to know whether those are all.
func (d Desk) Lost(ctx context.Context, user kube.User, run, verb, resource string) ([]respond.Unclaimed, error) {
	if !id.MatchString(run) {
		return nil, noHold
	}
	all, err := d.Control.Unclaimed(ctx)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(all.Holds, func(u respond.Unclaimed) bool { return u.Run != run })
	if len(list) == 0 {
		return nil, noHold
	}
	spaces := map[string]bool{"": all.More > 0}
	for _, u := range list {
		spaces[u.Object.Space()] = true
	}
	for _, space := range slices.Sorted(maps.Keys(spaces)) {
		if !spaces[space] {
			continue
		}
		if err := d.May(ctx, user, verb, resource, "", space); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Free has what the cluster shows of a run put back whose record is lost. It needs
// the right to undo all playbooks in the namespace of each object, see [Desk.Lost].
// A run that is on record is refused: it can be undone.
func (d Desk) Free(ctx context.Context, user kube.User, run, reason string) (Said, error) {
	if err := short("the reason", reason); err != nil {
		return Said{}, err
	}
	list, lost := d.Lost(ctx, user, run, "undo", "playbooks")
	if lost != nil && !errors.Is(lost, noHold) || !id.MatchString(run) {
		return Said{}, lost
	}
	for _, u := range list {
		if u.Broken != "" {
			return Said{}, Problem{http.StatusConflict, "its record is broken, free it by hand: " + u.Broken}
		}
	}
	switch rec, err := d.Log.Find(ctx, run); {
	case err == nil && d.May(ctx, user, "get", "runs", "", "") == nil:
		return Said{}, Problem{http.StatusConflict, fmt.Sprintf("the run is on record, it is %s: undo it", rec.Run.State)}
	case err == nil:
		return Said{}, noHold
	case !errors.Is(err, bus.ErrNotFound):
		return Said{}, err
	case lost != nil:
		return Said{}, lost
	}
	return d.store(ctx, event.Input{ID: rand.Text(), Run: run, Kind: event.InputFree, User: user.Name, Reason: reason, Time: d.now()})
}
