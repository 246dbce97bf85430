package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

func newCheck() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "check PATH...", Short: "Validate rules, playbooks and configs", Args: usage(cobra.MinimumNArgs(1)),
		Long: `Validate rules, playbooks and configs, in files or directories of YAML files,
and show every problem with its place.

Where a config's source does not store all events one by one (store), rules
that would need the others are problems; of those that come with Firebreak it
is only noted.

The exit code is 0 when all is fine, 1 when there are problems, and 2 when
something can't be read.`,
	}
	cmd.SetFlagErrorFunc(misused)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or sarif")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		show, ok := reports()[output]
		if !ok {
			return exit{2, fmt.Errorf("--output %q is none of text, json, sarif", output)}
		}
		if err := files.Readable(paths...); err != nil {
			return exit{2, err}
		}
		documents, problems := files.Check(paths)
		if err := show(cmd.OutOrStdout(), documents, problems); err != nil {
			return exit{2, fmt.Errorf("write output: %w", err)}
		}
		for _, note := range files.Notes(paths) {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", telemetry.Tame(note.Error(), 4<<10))
		}
		if len(problems) > 0 {
			return exit{code: 1}
		}
		return nil
	}
	return cmd
}

// usage makes a mistake in the arguments exit with 2, as one in the flags does
// with [misused].
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return exit{2, err}
		}
		return nil
	}
}

func misused(_ *cobra.Command, err error) error { return exit{2, err} }

type report func(w io.Writer, documents int, problems []*conf.Error) error

func reports() map[string]report {
	return map[string]report{"text": reportText, "json": reportJSON, "sarif": reportSARIF}
}

func reportText(w io.Writer, documents int, problems []*conf.Error) error {
	for _, p := range problems {
		// The snippet is of a file that may not be the user's own.
		if _, err := fmt.Fprintln(w, telemetry.Tame(p.Error(), 4<<10)); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		_, err := fmt.Fprintf(w, "\n%s\n", count(len(problems), "problem"))
		return err
	}
	_, err := fmt.Fprintf(w, "%s, no problems\n", count(documents, "document"))
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func reportJSON(w io.Writer, documents int, problems []*conf.Error) error {
	type problem struct {
		File    string `json:"file"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Message string `json:"message"`
		Snippet string `json:"snippet,omitempty"`
	}
	list := make([]problem, 0, len(problems))
	for _, p := range problems {
		list = append(list, problem{p.File, p.Line, p.Column, p.Msg, p.Snippet})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Documents int       `json:"documents"`
		Problems  []problem `json:"problems"`
	}{documents, list})
}
