package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
)

func newDead() *cobra.Command {
	var c connection
	var output string
	var limit int
	cmd := &cobra.Command{
		Use: "dead", Short: "List what came in and could not be processed, and why", Args: cobra.NoArgs,
		Long: `List what came in and could not be processed, and why: the newest, oldest of it first.

With -o json each has its data too, in base64: the beginning of what came, with
secrets taken out. The right is: list deadletters.firebreak.io.`,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		list, err := api.Dead(cmd.Context(), limit)
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, list, func(w io.Writer) { timeline.Dead(w, list) })
	}
	c.flags(cmd)
	cmd.Flags().IntVarP(&limit, "limit", "n", 100, "how many at most, up to 1000")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}
