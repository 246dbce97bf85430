package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/service"
	"github.com/firebreak-io/firebreak/respond/approve/slack"
)

func newSlack() *cobra.Command {
	cmd := &cobra.Command{Use: "slack", Short: "Set Slack up"}
	cmd.AddCommand(newSlackManifest(), newSlackCheck())
	return cmd
}

func newSlackManifest() *cobra.Command {
	return &cobra.Command{
		Use: "manifest", Short: "Print the manifest of the app for Slack", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(slack.Manifest)
			return err
		},
	}
}

func newSlackCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "check", Short: "Say what is missing for Slack to work", Args: usage(cobra.NoArgs),
		Long: `Say what is missing for Slack to work.

Looks at the tokens and their scopes, the channels, the people and Socket Mode, and
writes nothing. It exits with 1 when something is missing, with 2 when the config
can't be read.`,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(path)
		if err != nil {
			return exit{2, err}
		}
		if c.Slack == nil {
			return exit{2, fmt.Errorf("%s: there is no slack in it", path)}
		}
		found, err := slack.Check(cmd.Context(), *c.Slack, c.Dir, service.SlackClient(*c.Slack))
		if err != nil {
			return exit{2, err}
		}
		bad := false
		for _, f := range found {
			if f.Problem == "" {
				fmt.Fprintf(cmd.OutOrStdout(), "ok       %s\n", f.What)
				continue
			}
			bad = true
			fmt.Fprintf(cmd.OutOrStdout(), "missing  %s: %s\n         %s\n", f.What, f.Problem, f.Advice)
		}
		if bad {
			return errors.New("Slack can't be used as it should yet")
		}
		return nil
	}
	cmd.Flags().StringVar(&path, "config", "/etc/firebreak/config.yaml", "the config file")
	return cmd
}
