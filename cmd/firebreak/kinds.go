package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/detect/function"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// kindLine is one entry of a catalogue.
type kindLine struct {
	// Catalogue is source, detector, shared (what rules share), function (of
	// rules), aggregate (of windows), action, receiver or guard.
	Catalogue string `json:"catalogue"`
	Name      string `json:"name"`
	Doc       string `json:"doc"`
	// Usage and Example are a function's.
	Usage   string `json:"usage,omitempty"`
	Example string `json:"example,omitempty"`
	// Targets, Effect and Reversible are an action's.
	Targets    []string `json:"targets,omitempty"`
	Effect     bool     `json:"effect,omitempty"`
	Reversible bool     `json:"reversible,omitempty"`
}

func newKinds() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "kinds", Short: "List the sources, detectors, functions, actions, receivers and guards that there are", Args: usage(cobra.NoArgs),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return print(cmd.OutOrStdout(), output, catalogues(), func(w io.Writer) { writeKinds(w, catalogues()) })
	}
	return cmd
}

func catalogues() []kindLine {
	var all []kindLine
	for _, k := range ingest.Kinds() {
		all = append(all, kindLine{Catalogue: "source", Name: k.Name, Doc: k.Doc})
	}
	for _, k := range detect.Kinds() {
		catalogue := "detector"
		if k.New == nil {
			catalogue = "shared"
		}
		all = append(all, kindLine{Catalogue: catalogue, Name: k.Name, Doc: k.Doc})
	}
	for _, f := range function.All() {
		all = append(all, kindLine{Catalogue: "function", Name: f.Name, Usage: f.Usage, Doc: f.Doc, Example: f.Example})
	}
	for _, c := range detect.Calls() {
		all = append(all, kindLine{Catalogue: c.Of, Name: c.Name, Usage: c.Usage, Doc: c.Doc})
	}
	for _, k := range action.Kinds() {
		all = append(all, kindLine{
			Catalogue: "action", Name: k.Name, Doc: k.Doc, Targets: k.Targets, Effect: k.Class == action.Effect, Reversible: k.Reversible,
		})
	}
	for _, k := range notify.Kinds() {
		all = append(all, kindLine{Catalogue: "receiver", Name: k.Name, Doc: k.Doc})
	}
	for _, k := range guard.Kinds() {
		all = append(all, kindLine{Catalogue: "guard", Name: k.Name, Doc: k.Doc})
	}
	return all
}

func writeKinds(w io.Writer, all []kindLine) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CATALOGUE\tNAME\tTARGETS\tWHAT IT DOES")
	for _, k := range all {
		targets := strings.Join(k.Targets, ",")
		if k.Catalogue == "action" && targets == "" {
			targets = "any"
		}
		doc := k.Doc
		if k.Usage != "" {
			doc = k.Usage + ". " + doc
		}
		if k.Effect && !k.Reversible {
			doc += " Can't be undone."
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.Catalogue, k.Name, targets, doc)
	}
	_ = t.Flush()
}
