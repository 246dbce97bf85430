package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
)

func newHolds() *cobra.Command {
	cmd := &cobra.Command{
		Use: "holds", Short: "List what is held on the cluster although its record is lost, and put it back", Args: usage(cobra.NoArgs),
		Long: `List what Firebreak finds held on the cluster by its own labels and annotations
although no run of it is on record: the store was lost, or somebody made the hold
up. Such a hold ends at the time that its object says, if it says one; firebreak
holds free RUN puts it back before. What is on record is in firebreak runs, and
firebreak undo ends it.

It takes the right to list runs.firebreak.io, with --namespace in that one alone.`,
	}
	var namespace string
	asking(cmd, func(ctx context.Context, api *client.Client, _ []string) ([]respond.Unclaimed, error) {
		all, err := api.Holds(ctx, namespace, "")
		if all.More > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d more are held, too many to list: free what is listed, or look for the labels %s and %s.\n", all.More, action.HoldKey, action.HeldKey)
		}
		return all.Holds, err
	}, unclaimed)
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "on objects in this namespace alone")
	cmd.AddCommand(newFree())
	return cmd
}

// unclaimed prints the holds, and by hand what no command can free.
func unclaimed(w io.Writer, list []respond.Unclaimed) {
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing is held whose record is lost; firebreak runs says what runs hold")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tSTEP\tACTION\tOBJECT\tENDS")
	for _, u := range list {
		ends := "never by itself"
		if !u.Until.IsZero() {
			ends = u.Until.UTC().Format(time.DateTime)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", line(u.Run, 64), line(u.Step, 63), line(u.Action, 63), line(u.Object.String(), 300), ends)
	}
	_ = t.Flush()
	for _, u := range list {
		if u.Broken != "" {
			fmt.Fprintf(w, "\n%s of %s is freed by hand alone (%s):\n", line(u.Object.String(), 300), line(u.Run, 64), line(u.Broken, 300))
			backing(w, u, true)
		}
	}
}

// backing prints what the end of a hold gives back, and how to do it by hand.
func backing(w io.Writer, u respond.Unclaimed, byHand bool) {
	for _, s := range u.Back.Says {
		fmt.Fprintf(w, "  %s\n", line(s, 400))
	}
	for _, s := range u.Back.Commands {
		if byHand {
			fmt.Fprintf(w, "  $ %s\n", line(s, 1000))
		}
	}
}

// line makes one line of what objects say, at most n bytes.
func line(s string, n int) string {
	return strings.Join(strings.Fields(telemetry.Tame(s, n)), " ")
}

func newFree() *cobra.Command {
	var c connection
	var yes bool
	var namespace, reason string
	cmd := &cobra.Command{
		Use: "free RUN", Short: "Put back what a run holds whose record is lost; without --yes it says what that is", Args: usage(cobra.ExactArgs(1)),
		Long: `Put back what a run holds whose record is lost, by what the objects themselves say
of how they were. Without --yes nothing is written: it says what would be. What
others changed since stays as it is. The undo is on record, under your name, as
the run's new record. A run whose record is there is refused: undo it.

It takes the right to undo playbooks.firebreak.io in the namespace of each object,
and to get runs.firebreak.io there; who may list runs in one namespace alone names
it, or gives the whole id.`,
		SilenceUsage: true,
	}
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		run, err := lostRun(cmd.Context(), cmd.OutOrStdout(), api, namespace, args[0])
		if err != nil {
			return err
		}
		if !yes {
			fmt.Fprintln(cmd.OutOrStdout(), "Nothing was written: --yes does it.")
			return nil
		}
		if _, err := api.Free(cmd.Context(), run, reason); err != nil {
			return err
		}
		return freed(cmd, api, run)
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "look in this namespace for what RUN is the beginning of")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do it")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

// lostRun says what a run holds that begins with a prefix, and gives its id. In a
// namespace alone a prefix is looked for; what is held elsewhere shows too.
func lostRun(ctx context.Context, w io.Writer, api *client.Client, namespace, prefix string) (string, error) {
	run, err := lostID(ctx, api, namespace, prefix)
	if err != nil {
		return "", err
	}
	list, err := api.LostRun(ctx, run)
	if err != nil {
		return "", unlessOnRecord(ctx, api, prefix, err)
	}
	for _, u := range list {
		fmt.Fprintf(w, "%s  %s of %s\n", line(u.Object.String(), 300), line(u.Action, 63), line(u.Run+"/"+u.Step, 200))
		backing(w, u, u.Broken != "")
		if u.Broken != "" {
			return "", exit{1, errors.New("this can be freed by hand alone: " + line(u.Broken, 300))}
		}
	}
	return run, nil
}

// lostID is the id of the one lost run that begins with a prefix. A whole id is one.
func lostID(ctx context.Context, api *client.Client, namespace, prefix string) (string, error) {
	if len(prefix) == 32 {
		return prefix, nil
	}
	all, err := api.Holds(ctx, namespace, prefix)
	if err != nil {
		return "", err
	}
	if len(all.Holds) == 0 {
		return "", unlessOnRecord(ctx, api, prefix, fmt.Errorf("no hold of a run %q without a record is known: firebreak holds lists them", prefix))
	}
	for _, u := range all.Holds {
		if u.Run != all.Holds[0].Run {
			return "", fmt.Errorf("several runs begin with %q", prefix)
		}
	}
	run := all.Holds[0]
	if len(run.Run) != 32 && run.Broken != "" {
		return "", exit{1, fmt.Errorf("%s can be freed by hand alone, as firebreak holds says: %s", line(run.Object.String(), 300), line(run.Broken, 300))}
	}
	return run.Run, nil
}

// unlessOnRecord is err, or what there is to do if the run is on record.
func unlessOnRecord(ctx context.Context, api *client.Client, prefix string, err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status != http.StatusNotFound {
		return err
	}
	run, found := api.Find(ctx, prefix)
	switch {
	case found != nil:
		return err
	case run.State.Terminal():
		return fmt.Errorf("run %s is on record, it is %s: it holds nothing", run.ID, run.State)
	}
	return fmt.Errorf("run %s is on record, it is %s: firebreak undo ends what it holds", run.ID, run.State)
}

// freed waits until the run's new record says that all is put back, and shows it.
func freed(cmd *cobra.Command, api *client.Client, id string) error {
	for limit := time.Now().Add(time.Minute); ; {
		run, err := api.Run(cmd.Context(), id)
		var refused *client.Error
		switch {
		case err == nil && (run.State.Terminal() || time.Now().After(limit)):
			timeline.Run(cmd.OutOrStdout(), run)
			if run.State != event.RunClosed {
				return exit{1, fmt.Errorf("it is stored, but not all is put back yet: run %s is %s", id, run.State)}
			}
			return nil
		case err != nil && !(errors.As(err, &refused) && refused.Status == http.StatusNotFound):
			return err
		case time.Now().After(limit):
			return exit{1, errors.New("it is stored, but no responder has taken it in yet")}
		}
		if err := pause(cmd.Context(), time.Second/2); err != nil {
			return err
		}
	}
}
