package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

func newRuns() *cobra.Command {
	cmd := &cobra.Command{
		Use: "runs [RUN]", Short: "List the runs, or show one: who, what, why, plan, verdicts, receipts", Args: usage(cobra.MaximumNArgs(1)),
		Long: listing,
	}
	cmd.AddCommand(showRun(), listRuns())
	var s selected
	s.flags(cmd)
	asking(cmd, func(ctx context.Context, api *client.Client, args []string) (any, error) {
		if len(args) == 0 {
			return s.runs(ctx, api)
		}
		return history(ctx, api, args[0])
	}, func(w io.Writer, runs any) {
		list, _ := runs.([]event.Run)
		if h, ok := runs.(shown); ok {
			timeline.History(w, h.records, h.messages)
			return
		}
		timeline.Runs(w, list)
	})
	return cmd
}

const listing = `List the runs that are not over, and those that ended in the last week (--since
says otherwise), in the order of their last moves. Runs that left the run log are
listed and shown as any other: their records are in the archive (firebreak receipt
archive). Those that ended over an hour ago are listed in short; runs show has all
of each.`

func listRuns() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the runs, those of the archive too", Args: usage(cobra.NoArgs), Long: listing}
	var s selected
	s.flags(cmd)
	return asking(cmd, func(ctx context.Context, api *client.Client, _ []string) ([]event.Run, error) {
		return s.runs(ctx, api)
	}, timeline.Runs)
}

// selected are the flags that say which runs to list.
type selected struct {
	since  string
	states []string
	query  runlog.Query
	most   int
}

func (s *selected) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.since, "since", "7d", "leave out what ended before: 24h, 7d, 2026-01-31 or 2026-01-31T18:00:00Z; all leaves out nothing")
	f.StringArrayVar(&s.states, "state", nil, "in this state alone (repeatable)")
	f.StringVar(&s.query.Playbook, "playbook", "", "of this playbook alone")
	f.StringVarP(&s.query.Namespace, "namespace", "n", "", "of targets in this namespace alone")
	f.IntVar(&s.most, "limit", 0, "the newest so many; 0 is all")
}

func (s *selected) runs(ctx context.Context, api *client.Client) ([]event.Run, error) {
	q, err := s.query, error(nil)
	if s.since != "all" {
		if q.Since, err = moment("--since", s.since, time.Now()); err != nil {
			return nil, exit{2, err}
		}
	}
	for _, state := range s.states {
		if !slices.Contains(event.RunStates(), event.RunState(state)) {
			return nil, exit{2, fmt.Errorf("--state %q is none of %v", state, event.RunStates())}
		}
		q.States = append(q.States, event.RunState(state))
	}
	runs, err := api.SomeRuns(ctx, q, max(s.most, 0))
	if runs == nil {
		runs = []event.Run{}
	}
	return runs, err
}

// shown are the records of one run, oldest first, and how its messages to people
// fared. In JSON it is the records.
type shown struct {
	records  []event.Run
	messages []event.Delivery
}

// MarshalJSON gives the records.
func (s shown) MarshalJSON() ([]byte, error) { return json.Marshal(s.records) }

func history(ctx context.Context, api *client.Client, prefix string) (shown, error) {
	var s shown
	run, err := api.Find(ctx, prefix)
	if err != nil {
		return s, err
	}
	if s.records, err = api.History(ctx, run.ID); err != nil {
		return s, err
	}
	s.messages, err = api.Deliveries(ctx, run.ID)
	return s, err
}

func showRun() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show RUN", Short: "Show a run as a timeline: who, what, why, plan, verdicts of the guards, receipt", Args: usage(cobra.ExactArgs(1)),
	}
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (shown, error) {
		return history(ctx, api, args[0])
	}, func(w io.Writer, h shown) { timeline.History(w, h.records, h.messages) })
}

// print writes value as JSON, or as text does.
func print(w io.Writer, output string, value any, text func(io.Writer)) error {
	switch output {
	case "text":
		text(w)
		return nil
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(value)
	}
	return fmt.Errorf("output %q is neither text nor json", output)
}
