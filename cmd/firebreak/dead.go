package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/bus"
)

func newDead() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "dead", Short: "List what came in and could not be processed, and why", Args: usage(cobra.NoArgs),
		Long: `List what came in and could not be processed, and why: the newest, oldest of it first.

With -o json each has its data too, in base64: the beginning of what came, with
secrets taken out. The right is: list deadletters.firebreak.io.`,
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 100, "how many at most, up to 1000")
	return asking(cmd, func(ctx context.Context, api *client.Client, _ []string) ([]bus.DeadLetter, error) {
		return api.Dead(ctx, limit)
	}, timeline.Dead)
}
