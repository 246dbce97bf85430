package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newPause() *cobra.Command {
	var c connection
	var reason string
	var status bool
	cmd := &cobra.Command{
		Use: "pause", Short: "Hold back every effect until resume; what was done can still be undone", Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		ask := func() (approve.Status, error) { return api.Pause(cmd.Context(), reason) }
		if status {
			ask = func() (approve.Status, error) { return api.Paused(cmd.Context()) }
		}
		s, err := ask()
		if err != nil {
			return err
		}
		show(cmd.OutOrStdout(), s)
		return nil
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	cmd.Flags().BoolVar(&status, "status", false, "only say whether effects are held back")
	return cmd
}

func newResume() *cobra.Command {
	var c connection
	cmd := &cobra.Command{Use: "resume", Short: "Let effects begin again", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		s, err := api.Resume(cmd.Context())
		if err != nil {
			return err
		}
		show(cmd.OutOrStdout(), s)
		return nil
	}
	c.flags(cmd)
	return cmd
}

func show(w io.Writer, s approve.Status) {
	if s.Paused {
		fmt.Fprintf(w, "paused by %s; ceiling %s\n", telemetry.Tame(s.By, 200), s.Ceiling)
		return
	}
	fmt.Fprintf(w, "not paused; ceiling %s\n", s.Ceiling)
}
