package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

func newReceipt() *cobra.Command {
	cmd := &cobra.Command{Use: "receipt", Short: "Export a run's record, and prove or disprove one offline"}
	cmd.AddCommand(exportReceipt(), verifyReceipt(), archived())
	return cmd
}

func exportReceipt() *cobra.Command {
	var c connection
	cmd := &cobra.Command{Use: "export RUN", Short: "Write a run's record to the byte, for receipt verify", Args: usage(cobra.ExactArgs(1))}
	c.flags(cmd)
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := c.receipt(cmd, args[0])
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(data)
		return err
	}
	return cmd
}

func (c *connection) receipt(cmd *cobra.Command, prefix string) ([]byte, error) {
	api, err := c.connect()
	if err != nil {
		return nil, err
	}
	run, err := api.Find(cmd.Context(), prefix)
	if err != nil {
		return nil, err
	}
	return api.Receipt(cmd.Context(), run.ID)
}

func verifyReceipt() *cobra.Command {
	var c connection
	var head, output, kept string
	cmd := &cobra.Command{
		Use: "verify FILE|RUN", Short: "Prove or disprove the record of a run, or a part of the archive", Args: usage(cobra.ExactArgs(1)),
		Long: `Prove or disprove the record of a run: a file that receipt export wrote, which
takes no connection, - for standard input, or a run's id; or a part of the archive
that receipt archive wrote, with the record of each run in it.

Each record names the hash of the one before, and the last line that of the last
record; no byte can be changed, no record left out, added or moved, without that
it shows. It is also checked that each effect was meant by an earlier record,
that what needed approval began with the plan that was approved, and that
playbook and target stayed the same. Who can write the whole file anew can forge
all of it: keep heads elsewhere, and give the one that you kept with --head.

With --evidence, what the run captured is held against its record too: each object
has to have the size and SHA-256 that the record names. The objects are read from
a directory (that of the object store, or a copy of it), or, with "server", by way
of the server.

Exit status: 0 proved, 1 disproved, 2 can't be read.`,
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&head, "head", "", "the head that was kept: the SHA-256 of the last record")
	cmd.Flags().StringVar(&kept, "evidence", "", "directory with what was captured, or server: hold that against the record too")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := c.record(cmd, args[0])
		if err != nil {
			return exit{2, err}
		}
		if receipt.IsArchive(data) {
			if kept != "" {
				return exit{2, errors.New("--evidence is for the record of one run")}
			}
			proof, err := receipt.VerifyArchive(bytes.NewReader(data), head)
			if err != nil {
				return exit{1, err}
			}
			return print(cmd.OutOrStdout(), output, proof, func(w io.Writer) { timeline.Archived(w, proof) })
		}
		proof, err := receipt.Verify(bytes.NewReader(data), head)
		if err != nil {
			return exit{1, err}
		}
		if err := c.captured(cmd, kept, proof); err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, proof, func(w io.Writer) { timeline.Proof(w, proof) })
	}
	return cmd
}

// captured holds the evidence of a run against its record.
func (c *connection) captured(cmd *cobra.Command, from string, proof receipt.Proof) error {
	var read func(context.Context, receipt.Evidence, io.Writer) error
	switch from {
	case "":
		return nil
	case "server":
		api, err := c.connect()
		if err != nil {
			return exit{2, err}
		}
		read = func(ctx context.Context, e receipt.Evidence, w io.Writer) error {
			return api.Evidence(ctx, e.Object, w)
		}
	default:
		root, err := os.OpenRoot(from)
		if err != nil {
			return exit{2, fmt.Errorf("open the evidence: %w", err)}
		}
		defer root.Close()
		read = func(_ context.Context, e receipt.Evidence, w io.Writer) error {
			f, err := root.Open(filepath.FromSlash(e.Object))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(w, f)
			return err
		}
	}
	err := receipt.CheckEvidence(cmd.Context(), proof, read)
	switch {
	case errors.Is(err, receipt.ErrDisproved):
		return exit{1, err}
	case err != nil:
		return exit{2, err}
	}
	return nil
}

func archived() *cobra.Command {
	var c connection
	var output string
	cmd := &cobra.Command{
		Use: "archive [PART]", Short: "List the parts of the archive of runs, or write one, for receipt verify", Args: usage(cobra.MaximumNArgs(1)),
		Long: `List the parts of the archive, or write one to the byte (a gzip file).

A month after a month is over (respond.archive in the config) the records of all
runs that ended in it are archived; later the run log forgets them. runs list, runs
show and receipt export find them as before. Each part names the head of the part
before: keep the head of the newest elsewhere.`,
	}
	c.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "of the list: text or json")
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.connect()
		if err != nil {
			return err
		}
		if len(args) > 0 {
			return api.Part(cmd.Context(), args[0], cmd.OutOrStdout())
		}
		parts, err := api.Archive(cmd.Context())
		if err != nil {
			return err
		}
		return print(cmd.OutOrStdout(), output, parts, func(w io.Writer) { timeline.Archive(w, parts) })
	}
	return cmd
}

// maxReceipt bounds a receipt that is read.
const maxReceipt = 1 << 30

// record reads a receipt from a file, from standard input, or from the server.
func (c *connection) record(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxReceipt))
	}
	data, err := os.ReadFile(name)
	switch {
	case err == nil:
		return data, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	return c.receipt(cmd, name)
}
