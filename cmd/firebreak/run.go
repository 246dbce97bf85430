package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/service"
)

func newRun() *cobra.Command {
	var path, roles string
	cmd := &cobra.Command{
		Use: "run", Short: "Run the service", Args: cobra.NoArgs,
		Long: "Run the service: take events in, detect, respond.\n\nOne file of kind Config says everything else. Without nats.url the streams are\nembedded in this process, which then has all roles.",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(path)
		if err != nil {
			return exit{code: 2, err: err}
		}
		parsed, err := service.ParseRoles(roles)
		if err != nil {
			return err
		}
		return service.Run(cmd.Context(), service.Options{Config: c, Roles: parsed, Version: version, Log: os.Stderr})
	}
	cmd.Flags().StringVarP(&path, "config", "c", "/etc/firebreak/config.yaml", "config file")
	cmd.Flags().StringVar(&roles, "roles", "ingest,detect,respond", "what this process does")
	return cmd
}
