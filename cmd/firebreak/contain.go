package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/containment"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

func newContain() *cobra.Command {
	cmd := &cobra.Command{Use: "contain", Short: "Say who reaches whom by the cluster's policies"}
	cmd.AddCommand(newContainCheck(), newContainRole())
	return cmd
}

// checked are the flags of contain check.
type checked struct {
	from       []string
	output     string
	held       bool
	kubeconfig kube.Options
}

func newContainCheck() *cobra.Command {
	var c checked
	cmd := &cobra.Command{
		Use: "check NAMESPACE/POD", Short: "Say what a pod may reach and who may reach it", Args: usage(cobra.ExactArgs(1)),
		Long: `Say what a pod may reach, who may reach it, and by which policy: of NetworkPolicy,
ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy, and, as
far as they map, of Cilium and Calico. It reads the cluster as the kubeconfig's
user (contain role prints what that takes) and writes nothing; with --from it
reads files instead, as kubectl get -o yaml writes them.

It also says what it can't know: whether the network plugin enforces the
policies, and what becomes of connections that are open. With --held it ends with
code 1 when anything gets through.`,
		Example: `  firebreak contain check prod/web-0
  firebreak contain check prod/web-0 --output mermaid
  kubectl get pods,namespaces,nodes,networkpolicies -A -o yaml > cluster.yaml
  firebreak contain check prod/web-0 --from cluster.yaml --held`,
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.from, "from", nil, "file of the cluster's objects, - is stdin (repeatable)")
	f.StringVarP(&c.output, "output", "o", "text", "text, json, dot or mermaid")
	f.BoolVar(&c.held, "held", false, "end with code 1 if anything gets through")
	f.StringVar(&c.kubeconfig.Kubeconfig, "kubeconfig", "", "kubeconfig file, as kubectl's")
	f.StringVar(&c.kubeconfig.Context, "context", "", "context of the kubeconfig")
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) }
	return cmd
}

func (c *checked) run(cmd *cobra.Command, pod string) error {
	namespace, name, ok := strings.Cut(pod, "/")
	if !ok || namespace == "" || name == "" {
		return exit{2, fmt.Errorf("%q is not NAMESPACE/POD", pod)}
	}
	outputs := []string{"text", "json", "dot", "mermaid"}
	if !slices.Contains(outputs, c.output) {
		return exit{2, fmt.Errorf("--output %q is none of %s", c.output, strings.Join(outputs, ", "))}
	}
	state, err := c.state(cmd)
	if err != nil {
		return exit{2, err}
	}
	r, err := reach.New(state).Report(namespace, name)
	if err != nil {
		return exit{2, err}
	}
	show := map[string]func(io.Writer, *reach.Report){"dot": containment.Dot, "mermaid": containment.Mermaid}[c.output]
	if show == nil {
		show = containment.Text
	}
	format := c.output
	if format != "json" {
		format = "text"
	}
	if err := print(cmd.OutOrStdout(), format, r, func(w io.Writer) { show(w, r) }); err != nil {
		return err
	}
	if c.held && !r.Held() {
		return exit{1, errors.New("it is not held")}
	}
	return nil
}

// state reads the files, or the cluster.
func (c *checked) state(cmd *cobra.Command) (reach.State, error) {
	if len(c.from) == 0 {
		client, err := kube.New(c.kubeconfig)
		if err != nil {
			return reach.State{}, err
		}
		return readSettled(cmd.Context(), client)
	}
	var all []byte
	for _, name := range c.from {
		in := cmd.InOrStdin()
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return reach.State{}, err
			}
			defer file.Close()
			in = file
		}
		text, err := io.ReadAll(io.LimitReader(in, reach.MaxManifest+1))
		if err != nil {
			return reach.State{}, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(append(all, "\n---\n"...), text...)
	}
	return reach.Decode(all)
}

// readSettled reads again while an API that others brought may yet begin to answer: it
// is waited for no longer than [kube.ErrBusy] says.
func readSettled(ctx context.Context, client *kube.Client) (state reach.State, err error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if state, err = reach.Read(ctx, client); !errors.Is(err, kube.ErrBusy) {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, err
		case <-tick.C:
		}
	}
}

func newContainRole() *cobra.Command {
	to := kube.Account{Role: kube.RoleName + "-contain-check"}
	cmd := &cobra.Command{
		Use: "role", Short: "Print the ClusterRole that contain check needs", Args: usage(cobra.NoArgs),
		Long: "Print a ClusterRole with what contain check reads, and its binding to a service\naccount, for kubectl apply. What it has no right to read it leaves out, and says so.",
	}
	cmd.Flags().StringVarP(&to.Namespace, "namespace", "n", "firebreak", "namespace of the service account")
	cmd.Flags().StringVar(&to.Name, "service-account", "firebreak-contain-check", "name of the service account")
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		manifest, err := kube.RoleManifest(to, reach.Permissions())
		if err != nil {
			return err
		}
		if _, err := cmd.OutOrStdout().Write(manifest); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		return nil
	}
	return cmd
}
