package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// selection are the flags that say which rules and playbooks to load.
type selection struct {
	rules, playbooks []string
	noShipped        bool
}

// replayed are the flags of replay.
type replayed struct {
	selection
	falco, audit, log     []string
	output, cluster, mode string
}

func newReplay() *cobra.Command {
	var r replayed
	cmd := &cobra.Command{
		Use: "replay", Short: "Put recorded events through rules and playbooks; plans, never acts", Args: usage(cobra.NoArgs),
		Long: `Read events from files, find what is dangerous in them, and say what the
playbooks would do, at full speed on the events' own clock. Nothing is
connected to and nothing is changed. All files together are put in order by
time; the same input gives the same output.

No line is dropped in silence: each is blank, joined to an event that began
before it, the beginning of an event, or rejected with its reason.

The exit code is 0 when all input was read, whatever was found or rejected;
1 when something is wrong with the rules or playbooks; 2 when a file can't be
read or the arguments make no sense.`,
		Example: `  firebreak replay --audit /var/log/kubernetes/audit.log --falco falco.jsonl
  kubectl logs -n falco ds/falco | firebreak replay --falco - --output ndjson`,
	}
	cmd.SetFlagErrorFunc(misused)
	f := cmd.Flags()
	f.StringArrayVar(&r.falco, "falco", nil, "file of Falco alerts, - for stdin (repeatable)")
	f.StringArrayVar(&r.audit, "audit", nil, "file of API server audit events, - for stdin (repeatable)")
	f.StringArrayVar(&r.log, "log", nil, "container log file, - for stdin (repeatable)")
	f.StringArrayVar(&r.rules, "rules", nil, "file or directory of rules (repeatable); one of a shipped rule's name takes its place")
	f.StringArrayVar(&r.playbooks, "playbooks", nil, "file or directory of playbooks (repeatable), as --rules")
	f.BoolVar(&r.noShipped, "no-shipped", false, "leave out the rules and playbooks that come with Firebreak")
	f.StringVarP(&r.output, "output", "o", "text", "text or ndjson")
	f.StringVar(&r.cluster, "cluster-name", "", "name of the cluster in events and findings")
	f.StringVar(&r.mode, "mode", string(event.ModeAct), "the ceiling: observe, ask or act; no playbook's mode exceeds it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return r.run(cmd) }
	return cmd
}

func (r *replayed) run(cmd *cobra.Command) error {
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	o, sink, err := r.options(cmd, out)
	if err != nil {
		return err
	}
	if err := replay.Replay(cmd.Context(), o, sink); err != nil {
		return exit{2, errors.Join(err, out.Flush())}
	}
	if err := out.Flush(); err != nil {
		return exit{2, fmt.Errorf("write output: %w", err)}
	}
	return nil
}

func (r *replayed) options(cmd *cobra.Command, out io.Writer) (o replay.Options, sink replay.Sink, err error) {
	switch r.output {
	case "text":
		sink = replay.Text(out)
	case "ndjson":
		sink = replay.NDJSON(out)
	default:
		return o, nil, exit{2, fmt.Errorf("--output %q is neither text nor ndjson", r.output)}
	}
	mode := event.Mode(r.mode)
	if !slices.Contains([]event.Mode{event.ModeObserve, event.ModeAsk, event.ModeAct}, mode) {
		return o, nil, exit{2, fmt.Errorf("--mode %q is none of observe, ask, act", r.mode)}
	}
	inputs, err := r.inputs(cmd)
	if err != nil {
		return o, nil, exit{2, err}
	}
	if err := files.Readable(slices.Concat(r.rules, r.playbooks)...); err != nil {
		return o, nil, exit{2, err}
	}
	rules, err := files.Rules(r.rules, !r.noShipped)
	books, more := files.Playbooks(r.playbooks, !r.noShipped)
	if err := errors.Join(err, more); err != nil {
		return o, nil, exit{1, err}
	}
	return replay.Options{
		Inputs: inputs, Rules: rules, Playbooks: books, Ceiling: mode, Cluster: r.cluster,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, sink, nil
}

func (r *replayed) inputs(cmd *cobra.Command) ([]replay.Input, error) {
	var inputs []replay.Input
	stdin := 0
	for _, source := range []struct {
		name  string
		paths []string
	}{{"falco", r.falco}, {"audit", r.audit}, {"log", r.log}} {
		for _, path := range source.paths {
			in := replay.Input{Source: source.name, Name: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
			if path == "-" {
				stdin++
				in.Open = func() (io.ReadCloser, error) { return io.NopCloser(cmd.InOrStdin()), nil }
			}
			inputs = append(inputs, in)
		}
	}
	switch {
	case len(inputs) == 0:
		return nil, errors.New("nothing to replay: give --falco, --audit or --log")
	case stdin > 1:
		return nil, errors.New("stdin (-) can be read once only")
	}
	return inputs, nil
}
