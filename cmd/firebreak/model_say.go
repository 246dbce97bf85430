package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// say writes how a model stands.
func (m *modelled) say(w io.Writer, g *detect.Engine, name string) error {
	for _, s := range g.Models() {
		if s.Name == name {
			return m.sayOne(w, s)
		}
	}
	return nil
}

func (m *modelled) sayOne(w io.Writer, s event.ModelState) error {
	if m.output == "ndjson" {
		return json.NewEncoder(w).Encode(s)
	}
	sayModel(w, s)
	return nil
}

// showRunning tells of a model of a running Firebreak, or of all.
func (m *modelled) showRunning(cmd *cobra.Command, name string) error {
	api, err := m.connect()
	if err != nil {
		return err
	}
	if name != "" {
		s, err := api.ModelState(cmd.Context(), name)
		if err != nil {
			return err
		}
		return m.sayOne(cmd.OutOrStdout(), s)
	}
	all, err := api.Models(cmd.Context())
	if err != nil {
		return err
	}
	if m.output == "ndjson" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		for _, s := range all.Models {
			if err := enc.Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tSTATE\tMEASURED\tENTITIES\tFOUND\tHELD BACK\tWAITING\tMOVED")
	for _, s := range all.Models {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.4f\n", tame(s.Name), standing(s), s.Measured, s.Entities, s.Budget.Found, s.Budget.Held, s.Waiting, s.Moved)
	}
	return t.Flush()
}

func tame(text string) string { return telemetry.Tame(text, 300) }

// standing is whether a model finds anything, and learns.
func standing(s event.ModelState) string {
	switch {
	case s.Anew != nil && s.Anew.Unpinned && !s.Ready:
		return "pin lost, warming up"
	case s.Anew != nil && s.Anew.Unpinned:
		return "pin lost, learning"
	case !s.Ready && s.Anew != nil:
		return "warming up anew"
	case !s.Ready:
		return "warming up"
	case s.Pinned:
		return "pinned"
	}
	return "learning"
}

func sayModel(w io.Writer, s event.ModelState) {
	fmt.Fprintf(w, "model       %s, version %.12s, %s\n", tame(s.Name), tame(s.Version), standing(s))
	if a := s.Anew; a != nil {
		fmt.Fprintf(w, "anew        it began anew at %s: this version of Firebreak, or of the model, can't read what it had learned\n", a.Since.UTC().Format(time.RFC3339))
		for _, text := range a.Kept {
			fmt.Fprintf(w, "  kept      %s\n", tame(text))
		}
		for _, text := range a.Gone {
			fmt.Fprintf(w, "  gone      %s\n", tame(text))
		}
	}
	ready := "ready"
	if !s.Ready {
		ready = lacking(s)
	}
	fmt.Fprintf(w, "measured    %d, %s\n", s.Measured, ready)
	fmt.Fprintf(w, "entities    %d in %d peer groups, %d evicted, %d events late\n", s.Entities, s.Groups, s.Evicted, s.Late)
	if s.Silent > 0 {
		fmt.Fprintf(w, "silent      nothing comes of any of %d entities that are nearly always there, since %s: look whether their source is well\n", s.Silent, s.SilentSince.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(w, "memory      about %d bytes\n", s.Bytes)
	fmt.Fprintf(w, "forest      %d trees, of which %d stand still until somebody approves; moved by %.4f since then\n", s.Trees, s.Anchors, s.Moved)
	fmt.Fprintf(w, "reservoir   %d of %d rows, of %d principals\n", s.Rows, s.Reservoir, s.Principals)
	fmt.Fprintf(w, "quarantine  %d rows that are not learned, %d findings without a verdict, %d dropped\n", s.Quarantined, s.Waiting, s.Spilt)
	b := s.Budget
	needs := fmt.Sprintf("needs p %.3g now, about score %.3f", s.NeedP, s.Threshold)
	if !s.Ready {
		needs = "none of it is spent while it warms up"
	}
	fmt.Fprintf(w, "budget      %s; %s\n", allowance(b), needs)
	fmt.Fprintf(w, "found       %d, %.3g a day; %d held back, %d because a rule matched; verdicts %d right, %d false alarms\n", b.Found, b.Rate, b.Held, b.Helped, b.True, b.False)
	var all []string
	for _, f := range s.Features {
		text := tame(f.Name)
		if b.Found > 0 {
			text += fmt.Sprintf(" %.0f %%", 100*f.Share)
		}
		all = append(all, text)
	}
	fmt.Fprintf(w, "features    %s\n", strings.Join(all, ", "))
	for _, text := range s.Said {
		fmt.Fprintf(w, "verdict     %s\n", tame(text))
	}
}

// lacking is what a model that warms up has to see yet.
func lacking(s event.ModelState) string {
	return fmt.Sprintf("%d measurements and %s missing before anything is found", s.Missing, s.MissingTime.Round(time.Second))
}

func allowance(b event.ModelBudget) string {
	switch {
	case b.PerDay > 0:
		return fmt.Sprintf("%g alerts a day", b.PerDay)
	case b.P > 0:
		return fmt.Sprintf("p %g", b.P)
	case b.Contamination > 0:
		return fmt.Sprintf("contamination %g", b.Contamination)
	}
	return "its threshold alone"
}
