package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newVerdict() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "verdict FINDING true|false", Short: "Say whether a model's finding was right, or a false alarm", Args: usage(cobra.ExactArgs(2)),
		Long: `Say of a finding whether it was right (true) or a false alarm (false). A false
alarm is learned as usual, and its entity needs a rarer score from then on; what
was right is never learned. A model that is mostly wrong spends less of its
budget. "firebreak model show" tells what verdicts changed.

The cluster says who you are (TokenReview) and whether you may (create on
verdicts.firebreak.io).`,
	}
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Told, error) {
		right := args[1] == "true"
		if !right && args[1] != "false" {
			return approve.Told{}, exit{2, fmt.Errorf("%q is neither true nor false", args[1])}
		}
		return api.Verdict(ctx, args[0], approve.Verdict{True: &right, Why: why})
	}, sayTold)
}

// sayTold says that something was told to the models.
func sayTold(w io.Writer, told approve.Told) { fmt.Fprintf(w, "stored as event %d\n", told.Sequence) }

// newOrder is a command that tells a model something.
func newOrder(do, short string) *cobra.Command {
	var why string
	cmd := &cobra.Command{Use: do + " MODEL", Short: short, Args: usage(cobra.ExactArgs(1))}
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Told, error) {
		return api.Model(ctx, args[0], do, approve.Reason{Why: why})
	}, sayTold)
}

func newOrders() []*cobra.Command {
	return []*cobra.Command{
		newOrder(event.ModelPin, "Keep what a model has learned, and let it learn no more"),
		newOrder(event.ModelUnpin, "Let a pinned model learn again"),
		newOrder(event.ModelRollback, "Take a pinned model back to what it was when it was pinned"),
		newOrder(event.ModelApprove, "Make what a model has learned what it is held against"),
	}
}
