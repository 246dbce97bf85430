package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/internal/event"
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
	cmd := &cobra.Command{
		Use: "resume", Short: "Let effects begin again; it may take two people", Args: cobra.NoArgs,
		Long: `Let effects begin again. One person may always pause; to resume takes as many as
respond.guards.release says (two, if it says nothing), each within 15 minutes of
the first. A pause by the annotation firebreak.io/paused of Firebreak's ConfigMap
ends when the annotation is taken off.`,
	}
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

func newMode() *cobra.Command {
	var c connection
	var reason string
	cmd := &cobra.Command{
		Use: "mode observe|ask|act", Short: "Set the ceiling that no playbook exceeds, below the configured one", Args: usage(cobra.ExactArgs(1)),
		Long: `Set the ceiling that no playbook exceeds, up to respond.mode of the config. Who
may pause may lower it; to raise it takes the right to resume, and as many people
as that.`,
	}
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		s, err := api.Mode(cmd.Context(), approve.SetMode{Mode: event.Mode(args[0]), Reason: reason})
		if err != nil {
			return err
		}
		show(cmd.OutOrStdout(), s)
		return nil
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func show(w io.Writer, s approve.Status) {
	if s.Paused {
		fmt.Fprintf(w, "paused by %s; ceiling %s\n", telemetry.Tame(s.By, 200), s.Ceiling)
	} else {
		fmt.Fprintf(w, "not paused; ceiling %s\n", s.Ceiling)
	}
	more := func(what string, said []string) {
		if len(said) > 0 {
			fmt.Fprintf(w, "%s takes %d people within 15 minutes; so far: %s\n", what, s.Need, telemetry.Tame(strings.Join(said, ", "), 400))
		}
	}
	more("to resume", s.Release)
	more("the ceiling "+string(s.To), s.Raise)
}
