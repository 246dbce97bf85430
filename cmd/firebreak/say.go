package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newApprove() *cobra.Command { return vote("approve", "Approve the effects that a run waits with") }
func newDeny() *cobra.Command    { return vote("deny", "Deny the effects that a run waits with") }

// vote shows exactly what is decided on, asks, and sends the decision bound to
// the digest of what was shown.
func vote(deed, short string) *cobra.Command {
	var c connection
	var reason string
	var hold time.Duration
	var yes bool
	cmd := &cobra.Command{
		Use: deed + " RUN", Short: short, Args: cobra.ExactArgs(1),
		Long: short + ".\n\nThe cluster says who you are (TokenReview) and whether you may (SubjectAccessReview:\nverb approve on playbooks.firebreak.io in the target's namespace).\nWhere you may not, or your vote would not count, it says so and why, and shows no plan.",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		run, err := api.Find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if run.Approval == nil || run.Approval.State != event.ApprovalOpen {
			return fmt.Errorf("run %s waits for no approval: it is %s", run.ID, run.State)
		}
		word := approve.Say{Digest: run.Approval.Digest, Reason: reason, Hold: hold}
		if err := api.May(cmd.Context(), run.ID, deed, word); err != nil {
			return err // before there is a plan to read
		}
		timeline.Plan(cmd.OutOrStdout(), run)
		if err := confirm(cmd, yes, deed+"?"); err != nil {
			return err
		}
		said, after, err := api.Say(cmd.Context(), run.ID, deed, word)
		if err != nil {
			return err
		}
		return verdict(cmd.OutOrStdout(), said, after)
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	if deed == approve.Approve {
		cmd.Flags().DurationVar(&hold, "for", 0, "hold no longer than this; by default as long as the playbook says")
	}
	return cmd
}

// verdict tells what became of the vote.
func verdict(w io.Writer, said approve.Said, run event.Run) error {
	if a := run.Approval; a != nil {
		for i := len(a.Votes) - 1; i >= 0; i-- {
			if v := a.Votes[i]; v.User == said.User {
				if v.Refused != "" {
					return fmt.Errorf("your vote does not count: %s", v.Refused)
				}
				break
			}
		}
	}
	fmt.Fprintf(w, "%s: the run is %s\n", said.User, run.State)
	return nil
}

func newKeep() *cobra.Command {
	var c connection
	var reason string
	cmd := &cobra.Command{Use: "keep RUN", Short: "Let the holds of a run last until somebody undoes them", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.say(cmd, args[0], "keep", approve.Say{Reason: reason}, false)
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func newExtend() *cobra.Command {
	var c connection
	var reason string
	var by time.Duration
	cmd := &cobra.Command{Use: "extend RUN", Short: "Let the holds of a run last longer", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.say(cmd, args[0], "extend", approve.Say{Reason: reason, Until: time.Now().UTC().Add(by)}, false)
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	cmd.Flags().DurationVar(&by, "for", time.Hour, "how long from now, at most 24h")
	return cmd
}

// say says something to a run and shows the record after it; wait goes on
// until the run is over.
func (c *connection) say(cmd *cobra.Command, prefix, deed string, what approve.Say, wait bool) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	run, err := api.Find(cmd.Context(), prefix)
	if err != nil {
		return err
	}
	before := len(run.Said)
	_, run, err = api.Say(cmd.Context(), run.ID, deed, what)
	if err != nil {
		return err
	}
	for limit := time.Now().Add(30 * time.Second); wait && !run.State.Terminal() && !asks(run) && time.Now().Before(limit); {
		if err := pause(cmd.Context(), 200*time.Millisecond); err != nil {
			return err
		}
		if run, err = api.Run(cmd.Context(), run.ID); err != nil {
			return err
		}
	}
	timeline.Run(cmd.OutOrStdout(), run)
	if !wait && len(run.Said) == before {
		return exit{code: 1, err: errors.New("that changed nothing: there is no hold that would have ended before")}
	}
	return nil
}

// asks says that an undo has stopped at what somebody else changed.
func asks(run event.Run) bool {
	return slices.ContainsFunc(run.Steps, func(s event.Step) bool { return s.Differs != "" && s.State == event.StepDone })
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// confirm asks on a terminal; elsewhere --yes must have been given.
func confirm(cmd *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("nobody is there to ask: give --yes")
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s [y/N] ", question)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
		return exit{code: 1, err: errors.New("nothing was sent")}
	}
	return nil
}
