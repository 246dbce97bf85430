package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/bus"
)

func newReaders() *cobra.Command {
	cmd := &cobra.Command{
		Use: "readers", Short: "List for whom events are kept, or give one up",
		Long: `List for whom events are kept, or give one up.

Events are kept until each reader that was ever there is done with them. One that
will not come again, as detectors of an installation that is no more, makes the
stream run full: then it has to be forgotten. The rights are: list and delete
readers.firebreak.io.`,
	}
	cmd.AddCommand(newReadersList(), newReadersForget())
	return cmd
}

func newReadersList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List how far each reader has come", Args: usage(cobra.NoArgs)}
	return asking(cmd, func(ctx context.Context, api *client.Client, _ []string) ([]bus.ReadBy, error) {
		return api.Readers(ctx)
	}, timeline.Readers)
}

func newReadersForget() *cobra.Command {
	cmd := &cobra.Command{Use: "forget NAME", Short: "Keep events no longer for a reader that will not come again", Args: usage(cobra.ExactArgs(1))}
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (bus.ReadBy, error) {
		return api.ForgetReader(ctx, args[0])
	}, func(w io.Writer, was bus.ReadBy) {
		fmt.Fprintf(w, "reader %s is forgotten; it had read up to frame %d\n", was.Reader, was.Sequence)
	})
}
