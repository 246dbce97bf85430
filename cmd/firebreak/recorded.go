package main

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/respond"
)

// selection are the flags that say which rules and playbooks to load.
type selection struct {
	rules, playbooks []string
	noShipped        bool
}

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.rules, "rules", nil, "file or directory of rules (repeatable); one of a shipped rule's name takes its place")
	f.StringArrayVar(&s.playbooks, "playbooks", nil, "file or directory of playbooks (repeatable), as --rules")
	f.BoolVar(&s.noShipped, "no-shipped", false, "leave out the rules and playbooks that come with Firebreak")
}

// load reads what the flags name. The error says how the process ends.
func (s *selection) load() (*detect.RuleSet, []*respond.Playbook, error) {
	if err := files.Readable(slices.Concat(s.rules, s.playbooks)...); err != nil {
		return nil, nil, exit{2, err}
	}
	rules, err := files.Rules(s.rules, !s.noShipped)
	books, more := files.Playbooks(s.playbooks, !s.noShipped)
	if err := errors.Join(err, more); err != nil {
		return nil, nil, exit{1, err}
	}
	return rules, books, nil
}

// recorded are the flags that say where events are.
type recorded struct {
	falco, audit, log []string
	cluster           string
	// config says in its source log how log lines are summarised.
	config string
}

func (r *recorded) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&r.falco, "falco", nil, "file of Falco alerts, - for stdin (repeatable)")
	f.StringArrayVar(&r.audit, "audit", nil, "file of API server audit events, - for stdin (repeatable)")
	f.StringArrayVar(&r.log, "log", nil, "container log file, - for stdin (repeatable)")
	f.StringVar(&r.config, "config", "", "config that says how lines of logs are summarised (summarise of its source log), and for replay --live the service's")
	f.StringVar(&r.cluster, "cluster-name", "", "name of the cluster in events and findings")
}

// inputs are the files that the flags name. There have to be some, or, where
// events come from elsewhere, none.
func (r *recorded) inputs(cmd *cobra.Command, elsewhere bool) ([]replay.Input, error) {
	var inputs []replay.Input
	stdin := 0
	for _, source := range []struct {
		name  string
		paths []string
	}{{"falco", r.falco}, {"audit", r.audit}, {"log", r.log}} {
		for _, path := range source.paths {
			in := replay.Input{Source: source.name, Name: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
			if info, err := os.Stat(path); err == nil {
				in.Size = info.Size()
			}
			if path == "-" {
				stdin++
				in.Open = func() (io.ReadCloser, error) { return io.NopCloser(cmd.InOrStdin()), nil }
			}
			inputs = append(inputs, in)
		}
	}
	switch {
	case elsewhere && len(inputs) > 0:
		return nil, errors.New("events come from files or from a running Firebreak, not from both")
	case len(inputs) == 0 && !elsewhere:
		return nil, errors.New("nothing to replay: give --falco, --audit or --log, or --since")
	case stdin > 1:
		return nil, errors.New("stdin (-) can be read once only")
	}
	return inputs, r.summarise(inputs)
}

// summarise has the lines of logs counted in summaries, as the config says.
func (r *recorded) summarise(inputs []replay.Input) error {
	if r.config == "" {
		return nil
	}
	c, err := config.Load(r.config)
	if err != nil {
		return err
	}
	for i := range inputs {
		if inputs[i].Source == "log" {
			inputs[i].Summarise = ingest.SummariesOf(c.Decoded["log"])
		}
	}
	return nil
}
