package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newIncidents() *cobra.Command {
	cmd := &cobra.Command{Use: "incidents", Short: "List the incidents; show, acknowledge, close or judge one", Args: usage(cobra.NoArgs)}
	asking(cmd, func(ctx context.Context, api *client.Client, _ []string) ([]event.Incident, error) {
		return api.Incidents(ctx)
	}, timeline.Incidents)
	cmd.AddCommand(showIncident(), ackIncident(), closeIncident(), judgeIncident())
	return cmd
}

// story is an incident, the records of its runs, and how its messages fared.
type story struct {
	Incident event.Incident         `json:"incident"`
	Runs     map[string][]event.Run `json:"runs"`
	Messages []event.Delivery       `json:"messages"`
}

func showIncident() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show INCIDENT", Short: "Show an incident: its risk and why, its findings and runs, and all that happened, in order",
		Args: usage(cobra.ExactArgs(1)),
	}
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (story, error) {
		in, err := api.Incident(ctx, args[0])
		if err != nil {
			return story{}, err
		}
		s := story{Incident: in, Runs: map[string][]event.Run{}}
		for _, r := range in.Runs {
			if s.Runs[r.ID], err = api.History(ctx, r.ID); err != nil {
				return story{}, err
			}
		}
		s.Messages, err = api.Told(ctx, in.ID)
		return s, err
	}, func(w io.Writer, s story) { timeline.Incident(w, s.Incident, s.Runs, s.Messages) })
}

func ackIncident() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "ack INCIDENT", Short: "Say that you see to an incident", Args: usage(cobra.ExactArgs(1)),
		Long: `Say that you see to an incident: nobody else is paged for it, and pagers are told.
It takes the right to acknowledge incidents.firebreak.io.`,
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what to say of it, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Said, error) {
		in, err := api.Incident(ctx, args[0])
		if err != nil {
			return approve.Said{}, err
		}
		return api.Acknowledge(ctx, in.ID, reason)
	}, sayStored)
}

func closeIncident() *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "close INCIDENT", Short: "End an incident as resolved", Args: usage(cobra.ExactArgs(1))}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Said, error) {
		in, err := api.Incident(ctx, args[0])
		if err != nil {
			return approve.Said{}, err
		}
		return api.CloseIncident(ctx, in.ID, reason)
	}, sayStored)
}

func judgeIncident() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "verdict INCIDENT true|false", Short: "Say whether an incident was right, or a false alarm, which ends it", Args: usage(cobra.ExactArgs(2)),
		Long: `Say of an incident whether it was right (true) or a false alarm (false). It
stands in the incident, a false alarm ends it, and detectors are told it of each
of its findings.`,
	}
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Said, error) {
		right := args[1] == "true"
		if !right && args[1] != "false" {
			return approve.Said{}, exit{2, fmt.Errorf("%q is neither true nor false", args[1])}
		}
		in, err := api.Incident(ctx, args[0])
		if err != nil {
			return approve.Said{}, err
		}
		return api.Judge(ctx, in.ID, approve.Verdict{True: &right, Why: why})
	}, sayStored)
}

// sayStored says that something was said and stored.
func sayStored(w io.Writer, said approve.Said) {
	fmt.Fprintf(w, "%s: stored as input %d of %s\n", said.User, said.Sequence, said.Run)
}
