package respond

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// keyReviews is where the reviews are, in the control bucket.
const keyReviews = "reviews"

// The bounds of what is kept: open reviews are never forgotten, so that none can
// be opened beyond those.
const (
	MaxReviews = 100
	maxClosed  = 50
)

// Review is what another person has to look at since somebody broke the glass.
type Review struct {
	ID       string    `json:"id"`
	Run      string    `json:"run"`
	Incident string    `json:"incident"`
	Playbook string    `json:"playbook"`
	Target   event.Ref `json:"target"`
	// Title and Priority are of what it was about, Steps what was let through,
	// Digest of which plans.
	Title    string         `json:"title,omitempty"`
	Priority event.Severity `json:"priority,omitempty"`
	Steps    []string       `json:"steps"`
	Digest   string         `json:"digest"`
	// By broke the glass, From says by which way, Reason why.
	By     string `json:"by"`
	From   string `json:"from,omitempty"`
	Reason string `json:"reason"`
	// Due is until when somebody else has to look at it; Late says that nobody
	// did, and that people were paged.
	Opened time.Time `json:"opened"`
	Due    time.Time `json:"due"`
	Late   bool      `json:"late,omitempty"`
	// Closed is when ClosedBy did, and Note what they found.
	Closed   time.Time `json:"closed,omitzero"`
	ClosedBy string    `json:"closed_by,omitempty"`
	Note     string    `json:"note,omitempty"`
}

// Open says that nobody has looked at it yet.
func (r Review) Open() bool { return r.ClosedBy == "" }

// The refusals of [Control.CloseReview].
var (
	ErrNoReview  = errors.New("there is no such review")
	ErrReviewed  = errors.New("it was reviewed already")
	ErrOwnReview = errors.New("who broke the glass can't review it")
)

// OpenReview notes that something has to be reviewed. The same again is there
// once.
func (c *Control) OpenReview(ctx context.Context, r Review) error {
	return set(ctx, c.kv, keyReviews, func(all []Review) ([]Review, error) {
		if slices.ContainsFunc(all, func(o Review) bool { return o.ID == r.ID }) {
			return all, nil
		}
		return trimmed(append(all, r)), nil
	})
}

// trimmed forgets the oldest of those that are closed.
func trimmed(all []Review) []Review {
	closed := 0
	for _, r := range all {
		if !r.Open() {
			closed++
		}
	}
	return slices.DeleteFunc(all, func(r Review) bool {
		if r.Open() || closed <= maxClosed {
			return false
		}
		closed--
		return true
	})
}

// Reviews are those that are open, and the last that were closed, oldest first.
func (c *Control) Reviews(ctx context.Context) ([]Review, error) {
	all, _, err := get[[]Review](ctx, c.kv, keyReviews)
	return all, err
}

// CloseReview closes a review: somebody else than who broke the glass has looked
// at it, and says what they found.
func (c *Control) CloseReview(ctx context.Context, id, by, note string, now time.Time) (closed Review, err error) {
	return closed, set(ctx, c.kv, keyReviews, func(all []Review) ([]Review, error) {
		at := slices.IndexFunc(all, func(r Review) bool { return r.ID == id })
		switch {
		case at < 0:
			return all, ErrNoReview
		case !all[at].Open():
			return all, fmt.Errorf("%w by %s", ErrReviewed, all[at].ClosedBy)
		case by == "" || all[at].By == by:
			return all, ErrOwnReview
		}
		r := &all[at]
		r.Closed, r.ClosedBy, r.Note = now, by, note
		closed = *r
		return all, nil
	})
}

// lateReview notes that people were paged since nobody reviewed.
func (c *Control) lateReview(ctx context.Context, id string) error {
	return set(ctx, c.kv, keyReviews, func(all []Review) ([]Review, error) {
		for i := range all {
			if all[i].ID == id {
				all[i].Late = true
			}
		}
		return all, nil
	})
}
