package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/schema"
	"github.com/firebreak-io/firebreak/playbooks"
)

func newSchema() *cobra.Command {
	cmd := &cobra.Command{
		Use: "schema [KIND]", Short: "Print the JSON Schema of documents", Args: usage(cobra.MaximumNArgs(1)),
		Long: `Print the JSON Schema of documents of one kind, or of all. An editor with a
YAML language server uses it in a file whose first line names it:

	# yaml-language-server: $schema=firebreak.schema.json`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text := playbooks.Schema
		if len(args) == 1 {
			var err error
			if text, err = schema.Only(text, args[0]); err != nil {
				return exit{2, err}
			}
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), string(text))
		return err
	}
	return cmd
}
