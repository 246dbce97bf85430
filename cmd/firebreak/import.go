package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/falco"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/policy"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/sigma"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/talon"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
)

func newImport() *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Make rules and playbooks of the rules of other projects"}
	var options policy.Options
	for _, format := range []struct {
		name, short, long string
		read              func([]foreign.File) foreign.Result
	}{
		{"sigma", "Make rules of Sigma's", `Make rules of Sigma's, of specification 2: detections with their modifiers and
conditions, and correlations. Files are those with .yml or .yaml below a
directory.`, sigma.Import},
		{"falco", "Make rules of Falco's for the audit log", `Make rules of Falco's rules for the audit log (source k8s_audit), with the lists
and macros that they use. Give the files in the order in which Falco reads them.`, falco.Import},
		{"talon", "Make rules and playbooks of Falco Talon's rules", `Make rules and playbooks of the rules of Falco Talon: what one matches becomes a
rule over Falco's alerts, what it does the steps of a playbook that asks first.
Where there is no such action, the nearest stands in its place, and a comment
says so.`, talon.Import},
		{"policy", "Make playbooks of a ConfigMap security-response-policy", `Make playbooks of the response_rules of a ConfigMap security-response-policy:
ip_block becomes network.deny, rate_limit rate.http, additional_auth
service.authenticate, for the Service before the pod. What the policy does not
say of it the flags do; what is missing stands in a comment, and the nearest in
its place.`, func(files []foreign.File) foreign.Result { return policy.Import(files, options) }},
	} {
		var out string
		one := &cobra.Command{
			Use: format.name + " PATH...", Short: format.short, Args: usage(cobra.MinimumNArgs(1)),
			Long: format.long + `

What can't be said in a rule of Firebreak is shown with its place, and its rule
is left out. The rules go to the output, or one file each to the directory that
--out names.

The exit code is 0 when all rules were imported, 1 when some were not, and 2
when something can't be read or written.`,
		}
		one.SetFlagErrorFunc(misused)
		one.Flags().StringVar(&out, "out", "", "a directory to write to")
		if format.name == "policy" {
			one.Flags().StringVar(&options.Service, "service", "", "the Service of rate_limit and additional_auth, where it is not named as the pod's workload")
			one.Flags().StringVar(&options.Issuer, "issuer", "", "who issues the tokens that additional_auth asks for")
			one.Flags().StringVar(&options.JWKS, "jwks", "", "the https URL of the issuer's keys")
		}
		one.RunE = func(cmd *cobra.Command, paths []string) error {
			files, problems, err := foreignFiles(paths)
			if err != nil {
				return exit{2, err}
			}
			result := foreign.Loading(format.read(files))
			result.Problems = append(problems, result.Problems...)
			return imported(cmd, result, out)
		}
		cmd.AddCommand(one)
	}
	return cmd
}

// foreignFiles reads files, and those of YAML below directories. One of them that is
// too large is a problem of its own and hinders no other.
func foreignFiles(paths []string) ([]foreign.File, []*conf.Error, error) {
	var names []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			ext := filepath.Ext(name)
			if err == nil && !entry.IsDir() && (name == path || ext == ".yml" || ext == ".yaml") {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("import: %w", err)
		}
	}
	var files []foreign.File
	var problems []*conf.Error
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && (!info.Mode().IsRegular() || info.Size() > conf.MaxFileBytes) {
			problems = append(problems, &conf.Error{File: name, Line: 1, Column: 1, Msg: fmt.Sprintf("is no file of at most %d bytes", conf.MaxFileBytes)})
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("import: %w", err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, fmt.Errorf("import: %w", err)
		}
		files = append(files, foreign.File{Name: name, Data: data})
	}
	if len(files)+len(problems) == 0 {
		return nil, nil, errors.New("import: no .yml or .yaml file")
	}
	return files, problems, nil
}

func imported(cmd *cobra.Command, result foreign.Result, out string) error {
	if err := writeImported(cmd.OutOrStdout(), out, result.Documents); err != nil {
		return exit{2, fmt.Errorf("import: %w", err)}
	}
	for _, p := range result.Problems {
		fmt.Fprintln(cmd.ErrOrStderr(), telemetry.Tame(p.Error(), 4<<10))
	}
	for _, n := range result.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", telemetry.Tame(n.Error(), 4<<10))
	}
	made := map[string]int{}
	for _, d := range result.Documents {
		made[d.Kind]++
	}
	what := count(made["Rule"], "rule")
	if n := made[respond.PlaybookKind]; n > 0 {
		what += " and " + count(n, "playbook")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "read %s, made %s, %s\n", count(result.Read, "rule"), what, count(len(result.Problems), "problem"))
	if len(result.Problems) > 0 {
		return exit{code: 1}
	}
	return nil
}

// importMark begins every file that an import writes; no other is overwritten.
const importMark = "# Imported from "

func writeImported(w io.Writer, dir string, docs []foreign.Document) error {
	if dir == "" {
		for i, d := range docs {
			if i > 0 {
				fmt.Fprintln(w, "---")
			}
			if _, err := io.WriteString(w, d.YAML()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	texts := map[string]string{}
	var names []string
	for _, d := range docs {
		name := filepath.Join(dir, strings.ToLower(d.Kind)+"-"+d.Name+".yaml")
		texts[name] = d.YAML()
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		before, err := os.ReadFile(name)
		if err == nil && !strings.HasPrefix(string(before), importMark) {
			return fmt.Errorf("%s is there already, and was not imported", name)
		}
		if err := os.WriteFile(name, []byte(texts[name]), 0o600); err != nil {
			return err
		}
	}
	return nil
}
