package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newApprovals() *cobra.Command {
	cmd := &cobra.Command{
		Use: "approvals", Short: "List what waits for people, the gravest first", Args: usage(cobra.NoArgs),
		Long: `List what waits for people, the gravest first: a hundred questions one by one,
which firebreak approve and deny answer, and all others summed up as one
question, which firebreak approvals approve and deny answer. Below them stand the
holds that end when somebody says so: firebreak undo, extend and keep.`,
	}
	asking(cmd, func(ctx context.Context, api *client.Client, _ []string) (approve.Queue, error) {
		return api.Approvals(ctx)
	}, timeline.Queue)
	cmd.AddCommand(answerRest(approve.Approve), answerRest(approve.Deny))
	return cmd
}

func answerRest(deed string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: deed + " DIGEST", Short: "Say " + deed + " to each of those that are summed up", Args: usage(cobra.ExactArgs(1)),
		Long: `Say it to each of those that are summed up, as the summary with this digest
showed them. You need the right for each; to those that take two people it is
the word of one.`,
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.SaidRest, error) {
		return api.SayRest(ctx, deed, approve.Say{Digest: args[0], Reason: reason})
	}, func(w io.Writer, said approve.SaidRest) {
		fmt.Fprintf(w, "%s: said to %d runs\n", said.User, said.Said)
		for _, why := range slices.Sorted(maps.Keys(said.Refused)) {
			fmt.Fprintf(w, "not to %d: %s\n", said.Refused[why], why)
		}
	})
}
