package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newUndo() *cobra.Command {
	var c connection
	var all, yes, over bool
	var what approve.UndoAll
	var end string
	cmd := &cobra.Command{
		Use: "undo RUN", Short: "End the holds of a run now, or of all runs (--all), and begin nothing more of them", Args: cobra.MaximumNArgs(1),
		Long: `End the holds of a run now, and begin nothing more of it.

With --all it is every run of which something stands, or those of a namespace or
a playbook. Pause first (firebreak pause) if nothing new is to begin. The cluster
says whether you may: verb undo on playbooks.firebreak.io in the target's
namespace, for --all without --namespace in all of them.`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		what.AtEnd = event.AtEnd(end)
		switch {
		case !all && len(args) == 1 && what.Namespace == "" && what.Playbook == "":
			return c.say(cmd, args[0], "undo", approve.Say{Reason: what.Reason, AtEnd: what.AtEnd, Over: over}, true)
		case !all || len(args) > 0:
			return exit{2, errors.New("give one run, or --all, with --namespace or --playbook if you like")}
		}
		if err := confirm(cmd, yes, "end the holds of all runs?"); err != nil {
			return err
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		told, err := api.UndoAll(cmd.Context(), what)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d runs were told to end their holds\n", told.User, len(told.Runs))
		for _, run := range told.Runs {
			fmt.Fprintln(cmd.OutOrStdout(), run)
		}
		return nil
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "all runs of which something stands")
	f.StringVarP(&what.Namespace, "namespace", "n", "", "with --all: of targets in this namespace alone")
	f.StringVar(&what.Playbook, "playbook", "", "with --all: of this playbook alone")
	f.BoolVarP(&yes, "yes", "y", false, "with --all: don't ask")
	f.StringVar(&what.Reason, "reason", "", "why, for the record")
	f.BoolVar(&over, "leave-changes", false, "end the holds although somebody else changed the object since, and leave those changes")
	f.StringVar(&end, "at-end", "restore", "restore gives the target back what was taken, delete removes it")
	return cmd
}
