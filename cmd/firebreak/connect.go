package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// connection are the flags of the commands that speak to a running Firebreak.
type connection struct {
	server, ca, tokenFile, kubeconfig, context string
}

func (c *connection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	server := os.Getenv("FIREBREAK_SERVER")
	if server == "" {
		server = "https://127.0.0.1:8443"
	}
	f.StringVar(&c.server, "server", server, "URL of Firebreak's API (or FIREBREAK_SERVER)")
	f.StringVar(&c.ca, "server-ca", os.Getenv("FIREBREAK_SERVER_CA"), "PEM file of who signed the server's certificate (or FIREBREAK_SERVER_CA)")
	f.StringVar(&c.tokenFile, "token-file", "", "file of a bearer token of the cluster, instead of the kubeconfig's")
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file, as kubectl's")
	f.StringVar(&c.context, "context", "", "context of the kubeconfig")
}

// asking makes a command one that asks a running Firebreak something and shows
// the answer, as text or as JSON.
func asking[T any](cmd *cobra.Command, ask func(ctx context.Context, api *client.Client, args []string) (T, error), text func(w io.Writer, answer T)) *cobra.Command {
	var c connection
	var output string
	c.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if output != "text" && output != "json" {
			return exit{2, fmt.Errorf("--output %q is neither text nor json", output)}
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		answer, err := ask(cmd.Context(), api, args)
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, answer, func(w io.Writer) { text(w, answer) })
	}
	return cmd
}

// connect makes the client with the person's credential.
func (c *connection) connect() (*client.Client, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{Server: c.server, CA: c.ca, Token: token})
}

func (c *connection) token() (string, error) {
	if c.tokenFile != "" {
		data, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		return strings.TrimSpace(string(data)), nil
	}
	token, err := kube.Token(kube.Options{Kubeconfig: c.kubeconfig, Context: c.context})
	if errors.Is(err, kube.ErrNoToken) {
		return "", fmt.Errorf("%w: give one with --token-file, as `kubectl create token` makes it", err)
	}
	return token, err
}
