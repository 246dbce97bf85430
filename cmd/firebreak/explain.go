package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/explain"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// explained are the flags of explain.
type explained struct {
	selection
	recorded
	streamed
	output, rule string
	before       time.Duration
	verbose      bool
}

func newExplain() *cobra.Command {
	var x explained
	cmd := &cobra.Command{
		Use: "explain [EVENT | FINDING]", Short: "Say how far an event got in each rule, or what a finding is made of", Args: usage(cobra.MaximumNArgs(1)),
		Long: `Say of one event which rules looked at it and how far each got: the index in
front of the rules, source and class, each part of when with its values, unless
and exceptions, the window or sequence of its group, suppression and silences;
and what playbooks would do. All that came before the event is replayed, so that
what rules remember is as it was.

EVENT is an id or the beginning of one, the place where it was read (FILE:LINE),
or its place in the stream (SEQUENCE/INDEX). Without it, it is the last event.

FINDING is an id or the beginning of one, as replay and run give it: then it is
said of the events behind it how they got through the rule.

Without files it is asked of a running Firebreak, through its API, by whoever may
list events.firebreak.io and get findings.firebreak.io: a finding by its whole
id, an event by its place in the stream, or anything within --since. The rules are
those that are named here; where a finding was made by another version of its
rule, that is said.

The exit code is 0 when there is something to tell, 1 when there is no such
event or finding or a rule is wrong, and 2 when something can't be read.`,
		Example: `  firebreak explain --audit audit.log audit.log:17
  kubectl logs -n falco ds/falco | firebreak explain --falco - --rule container-shell
  firebreak explain --audit audit.log 06ab12cd
  firebreak explain 06ab12cd34ef06ab12cd34ef06ab12cd --rules rules/`,
	}
	cmd.SetFlagErrorFunc(misused)
	f := cmd.Flags()
	x.recorded.flags(cmd)
	x.selection.flags(cmd)
	x.streamed.flags(cmd)
	f.DurationVar(&x.before, "before", time.Hour, "how much of a running Firebreak's events before it to replay")
	f.StringVarP(&x.output, "output", "o", "text", "text or json")
	f.StringVar(&x.rule, "rule", "", "only this rule, however far the event got in it")
	f.BoolVarP(&x.verbose, "verbose", "v", false, "show every part of every condition, not only those that decided")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return x.run(cmd, append(args, "")[0]) }
	return cmd
}

func (x *explained) run(cmd *cobra.Command, what string) error {
	if x.output != "text" && x.output != "json" {
		return exit{2, fmt.Errorf("--output %q is neither text nor json", x.output)}
	}
	live := len(x.falco)+len(x.audit)+len(x.log) == 0 && (what != "" || x.since != "")
	inputs, err := x.inputs(cmd, live)
	if err != nil {
		return exit{2, err}
	}
	if err := rereadable(inputs); err != nil {
		return exit{2, err}
	}
	rules, books, err := x.load()
	if err != nil {
		return err
	}
	if x.rule != "" && rules.Lookup(x.rule) == nil {
		return exit{1, fmt.Errorf("there is no rule %q", x.rule)}
	}
	o := explain.Options{
		Replay: replay.Options{
			Inputs: inputs, Rules: rules, Playbooks: books, Ceiling: event.ModeAct, Cluster: x.cluster, Logger: slog.New(slog.DiscardHandler),
		},
		What: what, Rule: x.rule,
	}
	if live {
		if err := x.stream(cmd.Context(), &o); err != nil {
			return exit{2, err}
		}
	}
	answer, err := explain.Explain(cmd.Context(), o)
	if errors.Is(err, explain.ErrNothing) {
		return exit{1, fmt.Errorf("%w: %s", err, what)}
	}
	if err != nil {
		return exit{2, err}
	}
	if x.output == "json" {
		err = explain.JSON(cmd.OutOrStdout(), answer)
	} else {
		err = explain.Text(cmd.OutOrStdout(), answer, x.verbose)
	}
	if err != nil {
		return exit{2, fmt.Errorf("write output: %w", err)}
	}
	return nil
}

// stream has the events of a running Firebreak explained.
func (x *explained) stream(ctx context.Context, o *explain.Options) error {
	var span client.Span
	var err error
	if x.since != "" {
		span, err = x.span(time.Now())
	} else {
		span, o.Known, err = x.around(ctx, o.What, x.before)
	}
	if err != nil {
		return err
	}
	return x.frames(&o.Replay, span)
}

// maxReread bounds what is kept of an input that can be read once only.
const maxReread = 256 << 20

// rereadable keeps stdin, so that it can be read again.
func rereadable(inputs []replay.Input) error {
	for i := range inputs {
		in := &inputs[i]
		if in.Name != "-" {
			continue
		}
		r, err := in.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(r, maxReread+1))
		if err != nil {
			return fmt.Errorf("read stdin: %w", err)
		}
		if len(data) > maxReread {
			return fmt.Errorf("stdin has more than %d bytes: write it to a file", maxReread)
		}
		in.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	}
	return nil
}
