package respond_test

import (
	"context"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// anybody may everything.
type anybody struct{}

func (anybody) Allowed(context.Context, kube.User, string, string, string, string, string) (bool, string, error) {
	return true, "", nil
}

func init() {
	respond.StormDesk = func(ctx context.Context, b *bus.Bus, c *respond.Control) (alone, summed int, deny func() (int, error), err error) {
		d := approve.Desk{Authority: anybody{}, Bus: b, Log: runlog.New(b, 0), Control: c, Logger: slog.New(slog.DiscardHandler)}
		runs, err := d.Waiting(ctx)
		if err != nil {
			return 0, 0, nil, err
		}
		q := approve.NewQueue(runs, time.Now().UTC())
		if q.Rest == nil {
			return len(q.Questions), 0, nil, nil
		}
		return len(q.Questions), q.Rest.Count, func() (int, error) {
			said, err := d.SayRest(ctx, kube.User{Name: "ann"}, approve.Deny, approve.Say{Digest: q.Rest.Digest, Reason: "a storm"})
			return said.Said, err
		}, nil
	}
}
