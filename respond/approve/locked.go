package approve

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// looks says whether a verb only looks: that nobody is kept from.
func looks(verb string) bool { return verb == "get" || verb == "list" }

// barred is a [Problem] of status 403 for somebody whom a run locks out right now:
// nothing that they decide counts, on this run or on another, whichever way they
// say it. It is the one place that decides so, since every word comes by it. The
// attempt stands in the record of the run that locks them out, and people are told.
func (d Desk) barred(ctx context.Context, user kube.User, verb, resource, name, namespace string) error {
	if looks(verb) {
		return nil
	}
	run, err := d.LockedOut(ctx, user)
	if err != nil {
		if verb == "create" && resource == "pauses" {
			// To stop is always possible: who can't be looked up may do it.
			d.Logger.WarnContext(ctx, "a pause goes by no lockout: who is locked out can't be read", "user", user.Name, "error", err)
			return nil
		}
		return err
	}
	if run == "" {
		return nil
	}
	what := verb + " " + resource
	if name != "" {
		what += " " + name
	}
	if namespace != "" {
		what += " in namespace " + namespace
	}
	d.attempted(ctx, user, what, run)
	return Problem{http.StatusForbidden, fmt.Sprintf("%s is locked out by run %s: nothing they decide counts until that is undone, which somebody else has to say", user.Name, run)}
}

// LockedOut is the run that locks somebody out right now; empty is none. To ask is no
// attempt.
func (d Desk) LockedOut(ctx context.Context, user kube.User) (run string, err error) {
	all, err := d.Log.LockedOut(ctx)
	if err != nil {
		return "", fmt.Errorf("look who is locked out: %w", err)
	}
	for _, run := range slices.Sorted(maps.Keys(all)) {
		if slices.ContainsFunc(all[run], func(i event.Identity) bool { return i.Is(user.Name, user.Groups, user.Extra) }) {
			return run, nil
		}
	}
	return "", nil
}

// attempted puts an attempt on record. That it could not be stored changes nothing of
// the refusal.
func (d Desk) attempted(ctx context.Context, user kube.User, what, run string) {
	d.Logger.WarnContext(ctx, "somebody who is locked out tried to decide", "user", user.Name, "what", what, "run", run)
	now := d.now()
	news, err := d.Control.Tried(ctx, user.Name, what, run, now)
	if err == nil && news {
		_, err = d.store(ctx, event.Input{ID: rand.Text(), Run: run, Kind: event.InputRefused, User: user.Name, Reason: what, Time: now})
	}
	if err != nil {
		d.Logger.WarnContext(ctx, "the attempt of somebody who is locked out is not on record", "user", user.Name, "run", run, "error", err)
	}
}
