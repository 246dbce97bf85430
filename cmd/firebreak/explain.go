package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/explain"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// explained are the flags of explain.
type explained struct {
	selection
	recorded
	output, rule string
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

The exit code is 0 when there is something to tell, 1 when there is no such
event or finding or a rule is wrong, and 2 when something can't be read.`,
		Example: `  firebreak explain --audit audit.log audit.log:17
  kubectl logs -n falco ds/falco | firebreak explain --falco - --rule container-shell
  firebreak explain --audit audit.log 06ab12cd`,
	}
	cmd.SetFlagErrorFunc(misused)
	f := cmd.Flags()
	x.recorded.flags(cmd)
	x.selection.flags(cmd)
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
	inputs, err := x.inputs(cmd)
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
	answer, err := explain.Explain(cmd.Context(), explain.Options{
		Replay: replay.Options{
			Inputs: inputs, Rules: rules, Playbooks: books, Ceiling: event.ModeAct, Cluster: x.cluster, Logger: slog.New(slog.DiscardHandler),
		},
		What: what, Rule: x.rule,
	})
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
