package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
)

func newRuns() *cobra.Command {
	var c connection
	var output string
	cmd := &cobra.Command{
		Use: "runs [RUN]", Short: "List the runs, or show one: what, why, plan, verdicts, receipts", Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			runs, err := api.Runs(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd.OutOrStdout(), output, runs, func(w io.Writer) { timeline.Runs(w, runs) })
		}
		run, err := api.Find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		history, err := api.History(cmd.Context(), run.ID)
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, history, func(w io.Writer) { timeline.History(w, history) })
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func newIncidents() *cobra.Command {
	var c connection
	var output string
	cmd := &cobra.Command{Use: "incidents", Short: "List the incidents", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		list, err := api.Incidents(cmd.Context())
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, list, func(w io.Writer) { timeline.Incidents(w, list) })
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
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
