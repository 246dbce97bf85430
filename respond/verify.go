package respond

import (
	"context"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// doVerified does a plan, and looks whether it has its effect. Both are in one
// receipt: after a crash in between, Do finds what it did, and the effect is
// looked at again. What could not be looked at is done all the same, and its
// receipt says so.
func doVerified(ctx context.Context, act action.Action, r action.Request, p event.Plan) (event.Receipt, error) {
	done, err := act.Do(ctx, r, p)
	verifier, ok := act.(action.Verifier)
	if err != nil || !ok || done.Result == event.ResultNothing || done.Result == event.ResultSent || done.Result == event.ResultQueued {
		return done, err
	}
	seen, err := verifier.Verify(ctx, r, p, done)
	if err != nil {
		if done.Result == event.ResultApplied || done.Result == event.ResultEnforced {
			done.Result = event.ResultUnverified
		}
		done.Notes = append(slices.Clone(done.Notes), shorten(fmt.Sprintf("could not be verified: %v", err)))
		return done, nil
	}
	return seen, nil
}
