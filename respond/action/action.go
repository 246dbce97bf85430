// Package action holds the catalogue of what a playbook step can do: one file
// an action. An action plans (reads only), does what the plan lists and
// nothing else, and undoes it from the pre-image in its receipt.
//
// Every write to an object that was there before is conditional on the UID
// and resourceVersion that its plan saw, and leaves the effect key (RUN/STEP)
// in an annotation of the object. So Do and Undo can be repeated after a
// crash, a worker that was paused can't write late, and the holds can be
// found again in the cluster alone.
package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Action is one kind of step with its parameters. It may be used by many
// goroutines.
type Action interface {
	// Plan reads the target and says what would be done. It writes nothing.
	// Planning again gives the same digest while the deed is the same, also
	// after the effect landed.
	Plan(ctx context.Context, r Request) (event.Plan, error)
	// Do carries out the plan. Done again with the same plan it finds its
	// effect key and succeeds.
	Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error)
	// Undo takes the effect back; end says whether to restore the target or
	// to delete it. What is gone or clean already counts as done.
	Undo(ctx context.Context, r Request, done event.Receipt, end event.AtEnd) (event.Receipt, error)
}

// Request is one step of one run.
type Request struct {
	// Key is RUN/STEP, the effect key.
	Key string
	// Run is a copy, for what notifications say.
	Run event.Run
	// Target carries the UID that the run is about.
	Target event.Ref
	// Until is when the hold ends. It stands in the object's annotation.
	Until time.Time
	Now   time.Time
	// Over is people's consent to end the hold although others changed since
	// what it would put back; their changes stay.
	Over bool
}

// Marker is an action whose object shows when its hold ends.
type Marker interface {
	// Mark writes the hold's end (zero is none) to the object, if this step
	// holds it.
	Mark(ctx context.Context, r Request) error
}

// Verifier is an action that can look whether its effect is what was meant. The
// service asks it right after Do, and again when it does not know any more
// whether it asked. Every effect of the catalogue is one.
type Verifier interface {
	// Verify reads the cluster and gives the receipt of Do with the result that
	// it found: enforced, applied (it stands as it was written, and nothing more
	// is claimed), applied-unverified, partial or void, with notes that say what
	// does not hold. It writes nothing. It may look more than once, until it is
	// satisfied or ctx is about to end. An error says that it could not look: the
	// effect counts as applied-unverified then.
	Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error)
}

// What an action can end in, besides the errors of package kube (a missing
// permission is [kube.ErrForbidden]). Anything else can be tried again.
var (
	// ErrConflict: the target changed since the plan. Plan again.
	ErrConflict = errors.New("target changed since the plan")
	// ErrGone: the target no longer exists, or its name is another's now.
	ErrGone = errors.New("target is gone")
	// ErrDiffers: somebody else changed since what would be put back. Nothing
	// was written.
	ErrDiffers = errors.New("was changed by somebody else since")
	// ErrRefused: this action can't be done to this target, now or later.
	ErrRefused = errors.New("refused")
	// ErrIrreversible: the action has no undo.
	ErrIrreversible = errors.New("action can't be undone")
	// ErrForeign: an object of Firebreak's name that Firebreak did not make.
	ErrForeign = errors.New("was not made by Firebreak")
)

// refuse is an ErrRefused for a target.
func refuse(target event.Ref, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", target, ErrRefused, fmt.Sprintf(format, args...))
}

// gone is an ErrGone for a target.
func gone(target event.Ref) error { return fmt.Errorf("%s: %w", target, ErrGone) }

// conflict is an ErrConflict for a target.
func conflict(target event.Ref) error { return fmt.Errorf("%s: %w", target, ErrConflict) }

// changed is a receipt with another result, and the notes that say why.
func changed(done event.Receipt, result event.Result, notes ...string) event.Receipt {
	done.Result, done.Notes = result, append(slices.Clone(done.Notes), notes...)
	return done
}

// receipt is the beginning of every receipt.
func receipt(r Request, result event.Result, notes ...string) event.Receipt {
	return event.Receipt{Key: r.Key, Result: result, Notes: notes, Time: r.Now}
}
