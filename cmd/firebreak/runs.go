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
		if h, ok := runs.(records); ok {
			timeline.History(w, h)
			return
		}
		timeline.Runs(w, list)
	})
	return cmd
}

// records are all of one run, oldest first.
type records []event.Run

func history(ctx context.Context, api *client.Client, prefix string) (records, error) {
	run, err := api.Find(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return api.History(ctx, run.ID)
}

func showRun() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show RUN", Short: "Show a run as a timeline: who, what, why, plan, verdicts of the guards, receipt", Args: usage(cobra.ExactArgs(1)),
	}
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (records, error) {
		return history(ctx, api, args[0])
	}, func(w io.Writer, h records) { timeline.History(w, h) })
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
