package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

func newToken() *cobra.Command {
	var comment, file string
	var hash bool
	cmd := &cobra.Command{
		Use: "token", Short: "Make a token for a source, and the hash that Firebreak keeps of it", Args: usage(cobra.NoArgs),
		Long: `Make a random token for what sends to a source, and the line that stands for
it in the file of the source's tokens: {file: FILE}. The token is shown once and
kept nowhere.

The first line of the output is the token, the second the hash. With --file the
hash is added to that file instead, so that the output is the token alone. With
--hash the token is read from the standard input and only hashed.

To rotate a token, add the new hash, give the client the new token, and then
remove the old line: the file is read again when it changes.`,
		Example: `  firebreak token --comment "fluent-bit, shop" --file tokens > token
  firebreak token --hash < token`,
	}
	cmd.SetFlagErrorFunc(misused)
	cmd.Flags().StringVar(&comment, "comment", "", "whose token it is, behind the hash")
	cmd.Flags().StringVar(&file, "file", "", "file to add the hash to, which is made if need be")
	cmd.Flags().BoolVar(&hash, "hash", false, "hash the token on the standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		token := credential.New()
		if hash {
			var err error
			if token, err = readToken(cmd.InOrStdin()); err != nil {
				return exit{2, err}
			}
		}
		line := hashLine(token, comment)
		if file != "" {
			if err := addLine(file, line); err != nil {
				return err
			}
			line = ""
		}
		if !hash {
			line = token + "\n" + line
		}
		_, err := io.WriteString(cmd.OutOrStdout(), line)
		return err
	}
	return cmd
}

// hashLine is a line of a file of hashes.
func hashLine(token, comment string) string {
	line := credential.HashOf(token).String()
	if comment = strings.TrimSpace(telemetry.Tame(comment, 200)); comment != "" {
		line += "  # " + comment
	}
	return line + "\n"
}

func readToken(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, 4<<10))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if len(token) < credential.MinSecret || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("read token: want one word of at least %d bytes", credential.MinSecret)
	}
	return token, nil
}

// addLine adds a line to the end of a file.
func addLine(file, line string) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("add hash: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.WriteString(f, line); err != nil {
		return fmt.Errorf("add hash: %w", err)
	}
	return nil
}
