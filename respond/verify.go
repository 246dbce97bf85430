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
// receipt says so. done, if there is one, is called in between.
func doVerified(ctx context.Context, act action.Action, r action.Request, p event.Plan, done func()) (event.Receipt, error) {
	receipt, err := act.Do(ctx, r, p)
	verifier, ok := act.(action.Verifier)
	if err != nil || !ok || receipt.Result == event.ResultNothing || receipt.Result == event.ResultSent || receipt.Result == event.ResultQueued {
		return receipt, err
	}
	if done != nil {
		done()
	}
	seen, err := verifier.Verify(ctx, r, p, receipt)
	if err != nil {
		if receipt.Result == event.ResultApplied || receipt.Result == event.ResultEnforced {
			receipt.Result = event.ResultUnverified
		}
		receipt.Notes = append(slices.Clone(receipt.Notes), event.Shorten(fmt.Sprintf("could not be verified: %v", err), event.MaxNote))
		return receipt, nil
	}
	return seen, nil
}
