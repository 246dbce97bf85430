package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
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
	var c connection
	var output string
	cmd := &cobra.Command{Use: "list", Short: "List how far each reader has come", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		list, err := api.Readers(cmd.Context())
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, list, func(w io.Writer) { timeline.Readers(w, list) })
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func newReadersForget() *cobra.Command {
	var c connection
	cmd := &cobra.Command{Use: "forget NAME", Short: "Keep events no longer for a reader that will not come again", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		was, err := api.ForgetReader(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "reader %s is forgotten; it had read up to frame %d\n", was.Reader, was.Sequence)
		return err
	}
	c.flags(cmd)
	return cmd
}
