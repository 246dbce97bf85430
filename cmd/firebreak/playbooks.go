package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newPlaybooks() *cobra.Command {
	cmd := &cobra.Command{Use: "playbooks", Short: "Say how playbooks have done, and give them more trust or less"}
	cmd.AddCommand(newStanding(), newTrust())
	return cmd
}

func newStanding() *cobra.Command {
	var c connection
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Say of each playbook how often it was right, or would have been", Args: usage(cobra.NoArgs),
		Long: `Say of each playbook how many runs its present version had, how many of them only
planned, and what came of it: verdicts on their incidents (firebreak incidents
verdict), approvals, denials and undos by people. A playbook of which people were
against several of its last runs is lowered by a step; see respond.trust in
deploy/README.md. Runs that people began by hand say nothing of when it should run,
and count as that alone.`,
	}
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		list, unreadable, err := api.Playbooks(cmd.Context())
		if err != nil {
			return err
		}
		for _, why := range unreadable {
			fmt.Fprintf(cmd.ErrOrStderr(), "its verdict is not counted: %s\n", telemetry.Tame(why, maxProblem))
		}
		return print(cmd.OutOrStdout(), output, list, func(w io.Writer) { standings(w, list) })
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// maxProblem bounds what is shown of a problem that the service names, in bytes.
const maxProblem = 1 << 10

func standings(w io.Writer, list []respond.Standing) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "PLAYBOOK\tMODE\tSINCE\tRUNS\tOBSERVED\tBY HAND\tRIGHT\tWRONG\tAPPROVED\tDENIED\tUNDONE\tWHY")
	for _, s := range list {
		since, right, why := "-", "-", ""
		if !s.Since.IsZero() {
			since = s.Since.UTC().Format("2006-01-02 15:04")
		}
		if s.Right+s.Wrong > 0 {
			right = fmt.Sprintf("%d (%.0f%%)", s.Right, 100*s.Precision())
		}
		if s.Grant != nil {
			why = fmt.Sprintf("%s instead of %s by %s: %s", s.Mode, s.Own, telemetry.Tame(s.Grant.By, 100), telemetry.Tame(s.Grant.Reason, 200))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%d\t%d\t%d\t%d\t%s\n",
			s.Playbook, s.Mode, since, s.Runs, s.Observed, s.ByHand, right, s.Wrong, s.Approved, s.Denied, s.Undone, why)
	}
	_ = table.Flush() // who reads is gone; there is nobody to tell
}

func newTrust() *cobra.Command {
	var c connection
	what := approve.SetTrust{}
	cmd := &cobra.Command{
		Use: "mode PLAYBOOK observe|ask|act", Short: "Give a playbook's present version another mode than its text says", Args: usage(cobra.ExactArgs(2)),
		Long: `Give a playbook's present version another mode than its text says, on the record.
When its text changes, the new version begins with the mode of its text. To act it
must have been watched for respond.trust.after (7 days), or --override says why
not. The cluster says whether you may: update on playbooks.firebreak.io.`,
	}
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		what.Mode = event.Mode(args[1])
		s, err := api.Trust(cmd.Context(), args[0], what)
		if err != nil {
			return err
		}
		standings(cmd.OutOrStdout(), []respond.Standing{s})
		return nil
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&what.Reason, "reason", "", "why, for the record")
	cmd.Flags().BoolVar(&what.Override, "override", false, "let it act although it was not watched for long enough")
	return cmd
}
