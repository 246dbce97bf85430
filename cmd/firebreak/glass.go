package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newBreakGlass() *cobra.Command {
	var c connection
	var reason string
	var yes bool
	cmd := &cobra.Command{
		Use: "break-glass RUN", Short: "Approve alone in an emergency what a run waits with", Args: cobra.ExactArgs(1),
		Long: `Approve alone in an emergency what a run waits with: one yes in place of those that
it takes, also of who started it, and also when it is too late. Where nobody
approved in time the playbook begins anew.

What is protected or paused stays so. People are paged, and somebody else has to
review it (firebreak reviews). It takes a reason, and the right to break-glass
playbooks.firebreak.io in the target's namespace.`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(reason) == "" {
			return exit{2, errors.New("say why: --reason")}
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		run, err := api.Find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		word := approve.Say{Reason: reason}
		if run.Approval != nil {
			word.Digest = run.Approval.Digest
		}
		if err := api.May(cmd.Context(), run.ID, approve.BreakGlass, word); err != nil {
			return err // before anything begins anew, or there is a plan to read
		}
		if run.State == event.RunExpired {
			if run, err = anew(cmd.Context(), api, run, reason); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "nobody approved in time: playbook %s begins anew as run %s\n", run.Playbook, run.ID)
		}
		if run.Approval == nil || run.Approval.State != event.ApprovalOpen {
			return fmt.Errorf("run %s waits for no approval: it is %s", run.ID, run.State)
		}
		timeline.Plan(cmd.OutOrStdout(), run)
		if err := confirm(cmd, yes, "break the glass?"); err != nil {
			return err
		}
		said, after, err := api.Say(cmd.Context(), run.ID, approve.BreakGlass, approve.Say{Digest: run.Approval.Digest, Reason: reason})
		if err != nil {
			return err
		}
		return verdict(cmd.OutOrStdout(), said, after)
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for who reviews it")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

// anew begins the playbook of a run that nobody approved in time, and waits until
// it asks.
func anew(ctx context.Context, api *client.Client, old event.Run, reason string) (event.Run, error) {
	said, err := api.BeginAnew(ctx, old.ID, reason)
	if err != nil {
		return old, err
	}
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); {
		run, err := api.Run(ctx, said.Run)
		if err == nil && (run.State == event.RunAwaiting || run.State.Terminal() || run.State == event.RunHolding) {
			return run, nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return old, err
		}
	}
	return old, fmt.Errorf("run %s is stored, and does not ask yet: firebreak runs show %s", said.Run, said.Run)
}

func newReviews() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reviews", Short: "List what has to be reviewed since somebody broke the glass, who seems to approve without looking, and who is locked out and tried", Args: usage(cobra.NoArgs),
	}
	asking(cmd, func(ctx context.Context, api *client.Client, _ []string) (approve.Reviews, error) {
		return api.Reviews(ctx)
	}, timeline.Reviews)
	cmd.AddCommand(newCloseReview())
	return cmd
}

func newCloseReview() *cobra.Command {
	var note string
	cmd := &cobra.Command{Use: "close REVIEW", Short: "Say what you found when you reviewed a broken glass", Args: usage(cobra.ExactArgs(1))}
	cmd.Flags().StringVar(&note, "note", "", "what you found")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (respond.Review, error) {
		all, err := api.Reviews(ctx)
		if err != nil {
			return respond.Review{}, err
		}
		var found []respond.Review
		for _, r := range all.Reviews {
			if len(args[0]) >= 4 && strings.HasPrefix(r.ID, args[0]) {
				found = append(found, r)
			}
		}
		if len(found) != 1 {
			return respond.Review{}, fmt.Errorf("%d reviews begin with %q (give at least four characters)", len(found), args[0])
		}
		return api.CloseReview(ctx, found[0].ID, note)
	}, func(w io.Writer, r respond.Review) {
		timeline.Reviews(w, approve.Reviews{Reviews: []respond.Review{r}})
	})
}
