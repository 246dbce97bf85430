package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newSilence() *cobra.Command {
	cmd := &cobra.Command{
		Use: "silence", Short: "Keep findings from disturbing anybody until a time, for a reason",
		Long: `Keep findings from disturbing anybody until a time, for a reason.

A silence is an expression over the fields of a finding. What it matches is found
and stored all the same, with the silence's id, and no playbook runs for it. Who
made it, why and until when stands in the stream of events, for the record.

The cluster says who you are (TokenReview) and whether you may
(SubjectAccessReview: list, create and delete on silences.firebreak.io).`,
	}
	cmd.AddCommand(newSilenceAdd(), newSilenceList(), newSilenceEnd())
	return cmd
}

func newSilenceAdd() *cobra.Command {
	var why, until string
	cmd := &cobra.Command{
		Use: "add WHEN", Short: "Make a silence", Args: usage(cobra.ExactArgs(1)),
		Example: `  firebreak silence add 'rule == "pod-exec" and subject.namespace == "shop"' --for 2h --why 'the shop is being moved'
  firebreak silence add 'actor.user == "ann"' --until 2026-12-24T18:00:00Z --why drill`,
	}
	length := cmd.Flags().Duration("for", time.Hour, "how long, at most 90 days")
	cmd.Flags().StringVar(&why, "why", "", "why, for the record (required)")
	cmd.Flags().StringVar(&until, "until", "", "until when, instead of --for")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Silenced, error) {
		end := time.Now().Add(*length)
		if until != "" {
			t, err := time.Parse(time.RFC3339, until)
			if err != nil {
				return approve.Silenced{}, exit{2, fmt.Errorf("--until %q is no time as in 2026-01-31T18:00:00Z", until)}
			}
			end = t
		}
		if strings.TrimSpace(why) == "" {
			return approve.Silenced{}, exit{2, errors.New("--why has to be said")}
		}
		return api.Silence(ctx, approve.Silencing{When: args[0], Why: why, Until: end.UTC()})
	}, func(w io.Writer, made approve.Silenced) {
		fmt.Fprintf(w, "silence %s of %s holds until %s\n", made.ID, made.Who, made.Until.UTC().Format(time.RFC3339))
	})
}

func newSilenceList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the silences that hold, and how often each matched", Args: usage(cobra.NoArgs)}
	return asking(cmd, func(ctx context.Context, api *client.Client, _ []string) (approve.Silences, error) {
		return api.Silences(ctx)
	}, func(w io.Writer, list approve.Silences) { timeline.Silences(w, list.Silences) })
}

func newSilenceEnd() *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "end SILENCE", Short: "End a silence before its time", Args: usage(cobra.ExactArgs(1))}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (approve.Silenced, error) {
		list, err := api.Silences(ctx)
		if err != nil {
			return approve.Silenced{}, err
		}
		one, err := silenceOf(list.Silences, args[0])
		if err != nil {
			return approve.Silenced{}, err
		}
		return api.EndSilence(ctx, one.ID, reason)
	}, func(w io.Writer, ended approve.Silenced) {
		fmt.Fprintf(w, "silence %s was ended by %s; it matched %d times\n", ended.ID, ended.Who, ended.Matched)
	})
}

// silenceOf finds the silence that an id or the beginning of one names.
func silenceOf(all []event.Silence, prefix string) (event.Silence, error) {
	var found []event.Silence
	for _, s := range all {
		if s.ID == prefix || len(prefix) >= 4 && strings.HasPrefix(s.ID, prefix) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return event.Silence{}, fmt.Errorf("no silence that holds begins with %q (give at least four characters)", prefix)
	}
	return event.Silence{}, fmt.Errorf("more than one silence begins with %q", prefix)
}
