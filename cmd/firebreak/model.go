package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// modelled are the flags of the commands about a model and files.
type modelled struct {
	selection
	recorded
	state, output string
}

func newModel() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Train, look at and score with a model; pin, roll back or approve one that runs"}
	train := &cobra.Command{
		Use: "train MODEL --state FILE", Short: "Learn from recorded events, and write what was learned", Args: usage(cobra.ExactArgs(1)),
		Long: "Learn from recorded events what is usual, and write it to a file, from which\nscore goes on. A file that is there is taken up and learned on.",
	}
	score := &cobra.Command{Use: "score MODEL", Short: "Find what is unlike the usual in recorded events", Args: usage(cobra.ExactArgs(1))}
	look := &cobra.Command{Use: "show MODEL", Short: "Say what a model has learned, and what is missing", Args: usage(cobra.ExactArgs(1))}
	for _, one := range []struct {
		cmd *cobra.Command
		run func(m *modelled, cmd *cobra.Command, name string) error
	}{{train, (*modelled).train}, {score, (*modelled).score}, {look, (*modelled).show}} {
		m := &modelled{}
		m.selection.flags(one.cmd)
		m.recorded.flags(one.cmd)
		one.cmd.Flags().StringVar(&m.state, "state", "", "file of what the model has learned")
		one.cmd.Flags().StringVarP(&m.output, "output", "o", "text", "text or ndjson")
		one.cmd.SetFlagErrorFunc(misused)
		one.cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if m.output != "text" && m.output != "ndjson" {
				return exit{2, fmt.Errorf("--output %q is neither text nor ndjson", m.output)}
			}
			return one.run(m, cmd, args[0])
		}
	}
	cmd.AddCommand(train, score, look)
	cmd.AddCommand(newOrders()...)
	return cmd
}

// fold lets the model see the events, and asks done when all were seen.
func (m *modelled) fold(cmd *cobra.Command, name string, to replay.Sink, done func(g *detect.Engine) error) error {
	rules, _, err := m.load()
	if err != nil {
		return err
	}
	inputs, err := m.inputs(cmd, m.state != "" && len(m.falco)+len(m.audit)+len(m.log) == 0)
	if err != nil {
		return exit{2, err}
	}
	var broken error
	o := replay.Options{
		Inputs: inputs, Rules: rules, Cluster: m.cluster, Ceiling: event.ModeObserve,
		Opened: func(g *detect.Engine) { broken = m.resume(g, name) }, Read: done,
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

// resume gives the model what the file says it has learned, if there is one.
func (m *modelled) resume(g *detect.Engine, name string) error {
	if m.state == "" {
		_, err := g.SaveModel(name) // it is there
		return err
	}
	data, err := os.ReadFile(m.state)
	if os.IsNotExist(err) {
		_, err = g.SaveModel(name)
		return err
	}
	if err != nil {
		return err
	}
	return g.LoadModel(name, data)
}

func (m *modelled) train(cmd *cobra.Command, name string) error {
	if m.state == "" {
		return exit{2, fmt.Errorf("--state says where what was learned is written")}
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
	return m.fold(cmd, name, replay.NDJSON(io.Discard), func(g *detect.Engine) error { return m.say(cmd.OutOrStdout(), g, name) })
}

// modelOnly leaves out what is not the model's.
type modelOnly struct {
	replay.Sink
	name string
}

// Finding takes the model's alone.
func (s modelOnly) Finding(f event.Finding) error {
	if f.Model != s.name {
		return nil
	}
	return s.Sink.Finding(f)
}

// Run takes none.
func (s modelOnly) Run(replay.Run) error { return nil }

func (m *modelled) score(cmd *cobra.Command, name string) error {
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	to := map[string]func(io.Writer) replay.Sink{"text": replay.Text, "ndjson": replay.NDJSON}[m.output](out)
	if err := m.fold(cmd, name, modelOnly{to, name}, nil); err != nil {
		return err
	}
	return out.Flush()
}

// say writes the state of a model.
func (m *modelled) say(w io.Writer, g *detect.Engine, name string) error {
	for _, s := range g.Models() {
		if s.Name != name {
			continue
		}
		if m.output == "ndjson" {
			return json.NewEncoder(w).Encode(s)
		}
		sayModel(w, s)
	}
	return nil
}

func sayModel(w io.Writer, s event.ModelState) {
	fmt.Fprintf(w, "model     %s, version %.12s\n", s.Name, s.Version)
	fmt.Fprintf(w, "features  %s\n", features(s))
	ready := "ready"
	if !s.Ready {
		ready = fmt.Sprintf("warming up: %d measurements and %s missing before anything is found", s.Missing, s.MissingTime)
	}
	fmt.Fprintf(w, "measured  %d, %s\n", s.Measured, ready)
	fmt.Fprintf(w, "entities  %d in %d peer groups, about %d KiB, %d evicted, %d events late\n", s.Entities, s.Groups, s.Bytes>>10, s.Evicted, s.Late)
	fmt.Fprintf(w, "budget    needs p %.3g (about score %.3f); %d found, %d held back, %d with a rule; verdicts %d true, %d false\n",
		s.NeedP, s.Threshold, s.Budget.Found, s.Budget.Held, s.Budget.Helped, s.Budget.True, s.Budget.False)
	state := "learning"
	if s.Pinned {
		state = "pinned"
	}
	fmt.Fprintf(w, "forest    %s, moved by %.4f since approved, %d findings wait for a verdict\n", state, s.Moved, s.Waiting)
	for _, text := range s.Said {
		fmt.Fprintf(w, "verdict   %s\n", telemetry.Tame(text, 300))
	}
}

// features names those of a model, with what they had to do with what was found.
func features(s event.ModelState) string {
	var all []string
	for _, f := range s.Features {
		text := f.Name
		if s.Budget.Found > 0 {
			text = fmt.Sprintf("%s %.0f %%", f.Name, 100*f.Share)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}
