package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newEvidence() *cobra.Command {
	var c connection
	var path string
	cmd := &cobra.Command{
		Use: "evidence RUN/STEP/FILE", Short: "Fetch what a capture kept of a suspect", Args: usage(cobra.ExactArgs(1)),
		Long: `Fetch what a capture kept of a suspect, into a file.

The names are in the receipts of the run's steps (firebreak runs show). What is
fetched is checked against the hash that was taken when it was kept. It is what a
suspect wrote: look at it where it can do no harm. The right is get
evidence.firebreak.io in the namespace of the run's target; who fetches is logged.`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		if path == "" {
			path = filepath.Base(args[0])
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("write evidence: %w", err)
		}
		err = api.Evidence(cmd.Context(), args[0], f)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(path) // half of it is no evidence
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), path)
		return nil
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&path, "output", "o", "", "the file, which must not be there yet; by default the name's last part")
	return cmd
}
