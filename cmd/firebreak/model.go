package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
)

// modelled are the flags of the commands about a model and what it measures.
type modelled struct {
	selection
	recorded
	streamed
	tabular
	state, output string
	// mayBegin says that there need be no such file.
	mayBegin bool
}

func newModel() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Train, look at and score with a model; pin, roll back or approve one that runs"}
	train := &cobra.Command{
		Use: "train [MODEL] --state FILE", Short: "Learn from events or a table, and write what was learned", Args: usage(cobra.MaximumNArgs(1)),
		Long: `Learn what is usual, and write it to a file, from which score goes on. A file
that is there is taken up and learned on. It is learned from events of files,
from those that a running Firebreak has stored (--since), or from a table of
numbers (--csv) whose first line names the features: those of the model, or,
without one, whatever columns there are. Columns named time, entity and label
are no features.`,
		Example: `  firebreak model train api-identity --audit audit.log --state api.model
  firebreak model train api-identity --since 7d --state api.model
  firebreak model train --csv sensors.csv --state sensors.model`,
	}
	score := &cobra.Command{
		Use: "score [MODEL]", Short: "Find what is unlike the usual in events or a table", Args: usage(cobra.MaximumNArgs(1)),
		Long: `Find what is unlike the usual, beginning with what a file says (--state), or with
nothing. Events are learned as they come. The rows of a table are learned as they
come where nothing was learned before, else only scored; where they have labels it
is said how well the scores tell anomalies apart.

With --explain each row that is anomalous, and with --output ndjson each row, has
what its columns contribute to its distance from the usual, their usual ranges,
the nearest normal row, and what would have to be otherwise for it to be normal:
some milliseconds a row. Findings from events always have it.`,
		Example: `  firebreak model score api-identity --state api.model --audit today.log
  firebreak model score --csv sensors.csv --state sensors.model --output ndjson`,
	}
	look := &cobra.Command{
		Use: "show [MODEL]", Short: "Say what a model has learned, and what is missing", Args: usage(cobra.MaximumNArgs(1)),
		Long: `Say how a model stands: how much it lacks until it finds anything, its trees,
reservoir, quarantine and anchors, what its budget needs and spent, how far it
moved since it was approved, which features explained what it found, and what it
takes of memory.

With --state it is the model of a file, with events that of those, else one of a
running Firebreak, through its API, by whoever may get models.firebreak.io. Without
a name it lists all of those.`,
	}
	for _, one := range []struct {
		cmd *cobra.Command
		run func(m *modelled, cmd *cobra.Command, name string) error
	}{{train, (*modelled).train}, {score, (*modelled).score}, {look, (*modelled).show}} {
		m := &modelled{mayBegin: one.cmd == train}
		m.selection.flags(one.cmd)
		m.recorded.flags(one.cmd)
		m.streamed.flags(one.cmd)
		m.tabular.flags(one.cmd)
		if one.cmd == score {
			one.cmd.Flags().BoolVar(&m.explain, "explain", false, "say of rows of a table (--csv) why they have their score")
		}
		one.cmd.Flags().StringVar(&m.state, "state", "", "file of what the model has learned")
		one.cmd.Flags().StringVarP(&m.output, "output", "o", "text", "text or ndjson")
		one.cmd.SetFlagErrorFunc(misused)
		one.cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := m.sensible(args, one.cmd == look); err != nil {
				return exit{2, err}
			}
			return one.run(m, cmd, append(args, "")[0])
		}
	}
	cmd.AddCommand(train, score, look)
	cmd.AddCommand(newOrders()...)
	return cmd
}

// sensible refuses flags that exclude one another.
func (m *modelled) sensible(args []string, unnamed bool) error {
	files := len(m.falco)+len(m.audit)+len(m.log) > 0
	switch {
	case m.output != "text" && m.output != "ndjson":
		return fmt.Errorf("--output %q is neither text nor ndjson", m.output)
	case m.csv != "" && (files || m.since != ""):
		return errors.New("rows come from a table (--csv), or are measured of events, not both")
	case m.explain && m.csv == "":
		return errors.New("--explain is for rows of a table (--csv): findings from events say why by themselves")
	case m.csv == "" && len(args) == 0 && !unnamed:
		return errors.New("say which model; only a table (--csv) needs none")
	}
	return nil
}

// fold lets the model see the events, and asks done when all were seen.
func (m *modelled) fold(cmd *cobra.Command, name string, to replay.Sink, done func(g *detect.Engine) error) error {
	rules, err := m.only(name)
	if err != nil {
		return err
	}
	inputs, err := m.inputs(cmd, m.since != "" || m.state != "" && len(m.falco)+len(m.audit)+len(m.log) == 0)
	if err != nil {
		return exit{2, err}
	}
	var broken error
	o := replay.Options{
		Inputs: inputs, Rules: rules, Cluster: m.cluster, Ceiling: event.ModeObserve,
		Opened: func(g *detect.Engine) { broken = m.resume(g, name) }, Read: done,
	}
	if m.since != "" {
		span, err := m.span(time.Now())
		if err == nil {
			err = m.frames(&o, span)
		}
		if err != nil {
			return exit{2, err}
		}
	}
	s := replay.NewSession(o, to)
	if broken != nil {
		return exit{2, broken}
	}
	if err := replay.Feed(cmd.Context(), o, s); err != nil {
		return exit{2, err}
	}
	if err := s.End(cmd.Context()); err != nil {
		return exit{2, err}
	}
	return nil
}

// only is the rules, with no model but the one that is named: the rules are heard
// by it.
func (m *modelled) only(name string) (*detect.RuleSet, error) {
	rules, _, err := m.load()
	if err != nil {
		return nil, err
	}
	var models []string
	for _, d := range rules.Detectors() {
		if _, is := d.(*detect.Model); is {
			models = append(models, d.Name())
		}
	}
	if !slices.Contains(models, name) {
		return nil, exit{2, fmt.Errorf("there is no model %q, there are %s", name, strings.Join(models, ", "))}
	}
	return rules, nil
}

// resume gives the model what the file says it has learned, if there is one.
func (m *modelled) resume(g *detect.Engine, name string) error {
	data, err := m.learned()
	if err != nil || data == nil {
		return err
	}
	if err := g.LoadModel(name, data); err != nil {
		return fmt.Errorf("read %s: %w", m.state, err)
	}
	return nil
}

// maxState bounds a file of what a model has learned.
const maxState = 1 << 30

// learned is what the file has; nil where none is named, or where it may begin and
// there is none.
func (m *modelled) learned() ([]byte, error) {
	if m.state == "" {
		return nil, nil
	}
	info, err := os.Stat(m.state)
	if os.IsNotExist(err) {
		if !m.mayBegin {
			return nil, fmt.Errorf("there is no %s", m.state)
		}
		return nil, nil
	}
	if err == nil && info.Size() > maxState {
		err = fmt.Errorf("%s has %d bytes, more than %d", m.state, info.Size(), maxState)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(m.state)
}

func (m *modelled) train(cmd *cobra.Command, name string) error {
	if m.state == "" {
		return exit{2, errors.New("--state says where what was learned is written")}
	}
	if m.csv != "" {
		return m.trainTable(cmd, name)
	}
	return m.fold(cmd, name, replay.NDJSON(io.Discard), func(g *detect.Engine) error {
		data, err := g.SaveModel(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(m.state, data, 0o600); err != nil {
			return err
		}
		return m.say(cmd.OutOrStdout(), g, name)
	})
}

func (m *modelled) show(cmd *cobra.Command, name string) error {
	switch {
	case m.csv != "" || name == "" && m.state != "":
		return m.showTable(cmd, name)
	case name == "" || m.state == "" && m.since == "" && len(m.falco)+len(m.audit)+len(m.log) == 0:
		return m.showRunning(cmd, name)
	}
	return m.fold(cmd, name, replay.NDJSON(io.Discard), func(g *detect.Engine) error { return m.say(cmd.OutOrStdout(), g, name) })
}

// modelOnly leaves out what is not the model's: rules are there to be heard by it.
type modelOnly struct {
	replay.Sink
	name           string
	found, repeats int
}

// Finding takes the model's alone.
func (s *modelOnly) Finding(f event.Finding) error {
	if f.Model != s.name {
		return nil
	}
	s.found++
	return s.Sink.Finding(f)
}

// Count takes those of the model's findings.
func (s *modelOnly) Count(f event.Finding, c event.FindingCount) error {
	if f.Model != s.name {
		return nil
	}
	s.repeats += int(c.Count - 1) // #nosec G115 -- of events that were counted
	return s.Sink.Count(f, c)
}

// Summary counts nothing else.
func (s *modelOnly) Summary(all replay.Summary) error {
	all.Findings, all.Repeats, all.Runs = s.found, s.repeats, 0
	return s.Sink.Summary(all)
}

// Run takes none.
func (s *modelOnly) Run(replay.Run) error { return nil }

func (m *modelled) score(cmd *cobra.Command, name string) error {
	if m.csv != "" {
		return m.scoreTable(cmd, name)
	}
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	to := map[string]func(io.Writer) replay.Sink{"text": replay.Text, "ndjson": replay.NDJSON}[m.output](out)
	err := m.fold(cmd, name, &modelOnly{Sink: to, name: name}, func(g *detect.Engine) error {
		warnUnready(cmd.ErrOrStderr(), g, name)
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// warnUnready says that few findings, or none, are no proof of peace where the model
// was not ready when the events ended.
func warnUnready(w io.Writer, g *detect.Engine, name string) {
	for _, s := range g.Models() {
		if s.Name == name && !s.Ready {
			fmt.Fprintf(w, "%s still warms up after these events: %s\n", tame(name), lacking(s))
		}
	}
}
