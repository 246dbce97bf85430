package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// replayed are the flags of replay.
type replayed struct {
	selection
	recorded
	streamed
	output, mode string
	against      []string
	live         bool
	// namespace is the service's.
	namespace string
}

func newReplay() *cobra.Command {
	var r replayed
	cmd := &cobra.Command{
		Use: "replay", Short: "Put recorded events through rules and playbooks; plans, never acts", Args: usage(cobra.NoArgs),
		Long: `Read events, find what is dangerous in them, and say what the playbooks would
do, at full speed on the events' own clock. Nothing is changed. All files
together are put in order by time; the same input gives the same output.

With --since the events are those that a running Firebreak has stored, of the
last week for example: they are read through its API, by whoever may list
events.firebreak.io. The rules are those that are named here; silences hold as
they did.

No line is dropped in silence: each is blank, joined to an event that began
before it, the beginning of an event, or rejected with its reason.

With --live plans are made in the cluster of --kubeconfig as it is now: what is
there no more has no plan; else the plan says what each write is, what it would
take away, and what the API server says to it (it is sent with dryRun=All, which
changes nothing). Plans are made as the service makes them with the config of
--config: by its ceiling of modes, its guards, what it protects, its receivers, routes
and functions; --mode says another ceiling. Where no config is given, steps that page people or call functions say so. Nobody is told
anything, and nothing is called.

The exit code is 0 when all input was read, whatever was found or rejected;
1 when something is wrong with the rules or playbooks; 2 when a file can't be
read or the arguments make no sense.

With --against it says instead what the rules and playbooks of --rules and
--playbooks change beside older ones: findings and runs that are added (+) or
removed (-), and those that say something else now (~).`,
		Example: `  firebreak replay --audit /var/log/kubernetes/audit.log --falco falco.jsonl
  kubectl logs -n falco ds/falco | firebreak replay --falco - --output ndjson
  firebreak replay --audit audit.log --rules rules/ --against rules-of-last-week/
  firebreak replay --since 7d --rules rules/ --against rules-of-last-week/`,
	}
	cmd.SetFlagErrorFunc(misused)
	f := cmd.Flags()
	r.recorded.flags(cmd)
	r.selection.flags(cmd)
	r.streamed.flags(cmd)
	f.StringVarP(&r.output, "output", "o", "text", "text or ndjson")
	f.StringVar(&r.mode, "mode", "", "the ceiling: observe, ask or act; no playbook's mode exceeds it (with --live the mode of --config, else act)")
	f.BoolVar(&r.live, "live", false, "plan in the cluster of --kubeconfig as it is now, and try each write without effect")
	f.StringVarP(&r.namespace, "namespace", "n", "", "with --live: the service's own namespace (the account's own, or else firebreak)")
	f.StringArrayVar(&r.against, "against", nil, "file or directory of older rules and playbooks (repeatable): say what would change")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return r.run(cmd) }
	return cmd
}

func (r *replayed) run(cmd *cobra.Command) error {
	bar := newProgress(cmd.ErrOrStderr())
	defer bar.clear()
	out := bufio.NewWriterSize(bar.before(cmd.OutOrStdout()), 64<<10)
	var tell func(replay.Progress)
	if bar != nil {
		tell = bar.tell
	}
	o, err := r.options(cmd, tell)
	if err != nil {
		return err
	}
	if len(r.against) > 0 {
		err = r.compare(cmd.Context(), o, out)
	} else {
		err = replay.Replay(cmd.Context(), o, map[string]func(io.Writer) replay.Sink{"text": replay.Text, "ndjson": replay.NDJSON}[r.output](out))
	}
	if err != nil {
		var e exit
		if errors.As(err, &e) {
			return err
		}
		return exit{2, errors.Join(err, out.Flush())}
	}
	if err := out.Flush(); err != nil {
		return exit{2, fmt.Errorf("write output: %w", err)}
	}
	return nil
}

// compare replays through what --against names, too.
func (r *replayed) compare(ctx context.Context, o replay.Options, out io.Writer) error {
	old := selection{rules: r.against, playbooks: r.against, noShipped: r.noShipped}
	rules, books, err := old.load()
	if err != nil {
		return err
	}
	before := replay.Options{Rules: rules, Playbooks: books}
	if mine, err := files.Playbooks(r.against, false); err == nil && len(mine) == 0 {
		before.Playbooks = o.Playbooks // they are about rules alone
	}
	to := replay.TextDifferences(out)
	if r.output == "ndjson" {
		to = replay.NDJSONDifferences(out)
	}
	return replay.Compare(ctx, o, before, to)
}

func (r *replayed) options(cmd *cobra.Command, tell func(replay.Progress)) (o replay.Options, err error) {
	if r.output != "text" && r.output != "ndjson" {
		return o, exit{2, fmt.Errorf("--output %q is neither text nor ndjson", r.output)}
	}
	by, err := r.configured()
	if err != nil {
		return o, exit{2, err}
	}
	mode, err := r.ceiling(by)
	if err != nil {
		return o, exit{2, err}
	}
	inputs, err := r.inputs(cmd, r.since != "")
	if err != nil {
		return o, exit{2, err}
	}
	span, err := client.Span{}, error(nil)
	if r.since != "" {
		span, err = r.span(time.Now())
	} else if r.until != "" {
		err = errors.New("--until goes with --since")
	}
	if err != nil {
		return o, exit{2, err}
	}
	rules, books, err := r.load()
	if err != nil {
		return o, err
	}
	o = replay.Options{
		Inputs: inputs, Rules: rules, Playbooks: books, Ceiling: mode, Cluster: r.cluster, Progress: tell,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if r.since != "" {
		if err := r.frames(&o, span); err != nil {
			return o, exit{2, err}
		}
	}
	if r.live {
		if o.Live, err = r.place(cmd.Context(), by); err != nil {
			return o, exit{2, err}
		}
	}
	return o, nil
}

// configured is the service's config, where plans are made as by that; nil is none.
func (r *replayed) configured() (*config.Config, error) {
	if !r.live || r.config == "" {
		return nil, nil
	}
	return config.Load(r.config)
}

// ceiling is the mode that none exceeds: as it is said, as the service's config has
// it, or act.
func (r *replayed) ceiling(by *config.Config) (event.Mode, error) {
	mode := event.Mode(r.mode)
	switch {
	case mode == "" && by != nil:
		return by.Respond.Mode, nil
	case mode == "":
		return event.ModeAct, nil
	case !slices.Contains([]event.Mode{event.ModeObserve, event.ModeAsk, event.ModeAct}, mode):
		return mode, fmt.Errorf("--mode %q is none of observe, ask, act", r.mode)
	}
	return mode, nil
}

// place is the cluster that plans are made in.
func (r *replayed) place(ctx context.Context, by *config.Config) (*replay.Cluster, error) {
	c, err := kube.New(kube.Options{Kubeconfig: r.kubeconfig, Context: r.context})
	if err != nil {
		return nil, err
	}
	who, err := c.Who(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan in the cluster: %w", err)
	}
	return replay.NewCluster(kube.NewCache(c), who, r.namespace, by)
}
