package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
)

func newRuns() *cobra.Command {
	cmd := &cobra.Command{
		Use: "runs [RUN]", Short: "List the runs, or show one: who, what, why, plan, verdicts, receipts", Args: usage(cobra.MaximumNArgs(1)),
	}
	cmd.AddCommand(showRun())
	asking(cmd, func(ctx context.Context, api *client.Client, args []string) (any, error) {
		if len(args) == 0 {
			return api.Runs(ctx)
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
