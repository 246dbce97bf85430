package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
)

func newIncidents() *cobra.Command {
	cmd := &cobra.Command{
		Use: "incidents", Short: "List the incidents; show, acknowledge, close or judge one", Args: usage(cobra.NoArgs),
		Long: `List the incidents that are not over, and those that ended in the last week (--since
says otherwise), in the order of their last findings. What is over is forgotten
after 90 days; the runs of it are not.`,
	}
	var since string
	var states []string
	var most int
	f := cmd.Flags()
	f.StringVar(&since, "since", "7d", "leave out what ended before: 24h, 7d, 2026-01-31 or 2026-01-31T18:00:00Z; all leaves out nothing")
	f.StringArrayVar(&states, "state", nil, "in this state alone (repeatable)")
	f.IntVar(&most, "limit", 0, "the newest so many; 0 is all")
	asking(cmd, func(ctx context.Context, api *client.Client, _ []string) ([]event.Incident, error) {
		q, err := incidentQuery(since, states)
		if err != nil {
			return nil, exit{2, err}
		}
		list, err := api.Incidents(ctx, q, max(most, 0))
		if list == nil {
			list = []event.Incident{}
		}
		return list, err
	}, timeline.Incidents)
	cmd.AddCommand(showIncident(), ackIncident(), closeIncident(), judgeIncident())
	return cmd
}

func incidentQuery(since string, states []string) (q incident.Query, err error) {
	if since != "all" {
		if q.Since, err = moment("--since", since, time.Now()); err != nil {
			return q, err
		}
	}
	for _, state := range states {
		if !slices.Contains(event.IncidentStates(), event.IncidentState(state)) {
			return q, fmt.Errorf("--state %q is none of %v", state, event.IncidentStates())
		}
		q.States = append(q.States, event.IncidentState(state))
	}
	return q, nil
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
