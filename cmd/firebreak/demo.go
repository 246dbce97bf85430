package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/firebreak-io/firebreak/cmd/internal/demo"
)

func newDemo() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Show what Firebreak does, on a real control plane of its own", Args: cobra.NoArgs,
		Long: "Show what Firebreak does, on a real Kubernetes control plane of its own.\n\n" +
			"It needs Go and the repository: the control plane is built from source the first\n" +
			"time (6 to 8 minutes on two cores) and kept in your cache. What it claims is read\n" +
			"back from the API server; the exit code is 0 when everything holds.",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		executable, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own executable: %w", err)
		}
		err = demo.Run(cmd.Context(), demo.Options{Executable: executable, Out: os.Stdout, Color: colours(os.Stdout), Keep: keep})
		if errors.Is(err, context.Canceled) {
			return exit{code: 130, err: errors.New("interrupted; everything was taken down")}
		}
		return err
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave everything running after the summary, until ctrl-c")
	return cmd
}

// colours says whether a file is a terminal that wants them
// (https://no-color.org).
func colours(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
