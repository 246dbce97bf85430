package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/service"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

func newRBAC() *cobra.Command {
	var s selection
	var all, policy, lockouts bool
	var only string
	var protect []string
	var to kube.Account
	cmd := &cobra.Command{
		Use: "rbac", Short: "Print the ClusterRole that Firebreak needs, or the admission policy that narrows it", Args: usage(cobra.NoArgs),
		Long: `Print a ClusterRole with exactly what the actions need, and its binding to
Firebreak's service account, for kubectl apply.

Without --playbooks that is the actions that every cluster can have; --all is
those too that need more (exec, eviction, bindings of roles). With playbooks it
is the actions that those and the shipped ones use, so that the role can do no
more than they do.

Where the roles are processes of their own each needs a role of its own:
--roles ingest prints one that reads what events are enriched with (pods, nodes,
their owners, vulnerability reports) and nothing else; detect needs none.

With --admission it is a ValidatingAdmissionPolicy and its binding instead: RBAC
can't say which fields of a pod may be patched, the policy can. Of what the
service account writes the API server then takes what the actions write and
nothing else, nothing at all in protected namespaces, and of labels of pods those
that the playbooks set. Kubernetes 1.30 is the first that has it.

With --lockouts it is the static policies that identity.deny and admission.deny
need. They do nothing until Firebreak makes a ConfigMap in its namespace that says
whom or what is kept out, and Firebreak has no rights on policies.`,
	}
	f := cmd.Flags()
	f.StringArrayVar(&s.playbooks, "playbooks", nil, "file or directory of playbooks (repeatable)")
	f.BoolVar(&s.noShipped, "no-shipped", false, "leave out the playbooks that come with Firebreak")
	f.StringVar(&only, "roles", "ingest,detect,respond", "for what this service account does")
	f.BoolVar(&all, "all", false, "all actions, also those that only a playbook brings")
	f.StringVarP(&to.Namespace, "namespace", "n", "firebreak", "namespace of the service account")
	f.StringVar(&to.Name, "service-account", "firebreak", "name of the service account")
	f.BoolVar(&policy, "admission", false, "print the admission policy instead of the role")
	f.BoolVar(&lockouts, "lockouts", false, "print the static policies of lockouts instead of the role")
	f.StringArrayVar(&protect, "protect", nil, "with --admission and --lockouts: a namespace in which nothing is written, besides those that never are (repeatable)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		roles, err := service.ParseRoles(only)
		if err != nil {
			return exit{2, err}
		}
		if len(roles) < len(service.Roles()) {
			to.Role = kube.RoleName + "-" + strings.ReplaceAll(only, ",", "-")
		}
		var manifest []byte
		switch {
		case policy && lockouts:
			return exit{2, errors.New("--admission or --lockouts, not both")}
		case lockouts:
			manifest, err = kube.LockoutManifest(to, append(guard.ProtectedNamespaces(), protect...))
		case policy:
			manifest, err = s.admission(all, to, protect)
		default:
			manifest, err = s.role(all, roles, to)
		}
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

func (s selection) role(all bool, roles []service.Role, to kube.Account) ([]byte, error) {
	permissions, err := s.permissions(all, roles)
	if err != nil {
		return nil, err
	}
	return kube.RoleManifest(to, permissions)
}

// admission is the policy for the actions, and for the labels that the playbooks
// set.
func (s selection) admission(all bool, to kube.Account, protect []string) ([]byte, error) {
	names, err := s.actions(all)
	if err != nil {
		return nil, err
	}
	books, err := files.Playbooks(s.playbooks, !s.noShipped)
	if err != nil {
		return nil, exit{1, err}
	}
	a := kube.Admission{To: to, Protected: append(guard.ProtectedNamespaces(), protect...)}
	for _, b := range books {
		labels, annotations, err := b.PolicyKeys()
		if err != nil {
			return nil, err
		}
		a.LabelKeys, a.AnnotationKeys = append(a.LabelKeys, labels...), append(a.AnnotationKeys, annotations...)
	}
	if a.Admits, err = action.Admitted(names...); err != nil {
		return nil, err
	}
	return kube.AdmissionManifest(a)
}

// permissions are what the roles need of the cluster.
func (s selection) permissions(all bool, roles []service.Role) ([]kube.Permission, error) {
	var permissions []kube.Permission
	if slices.Contains(roles, service.Ingest) {
		permissions = kube.IndexPermissions()
	}
	if !slices.Contains(roles, service.Respond) {
		return permissions, nil
	}
	names, err := s.actions(all)
	if err != nil {
		return nil, err
	}
	acts, err := action.Permissions(names...)
	if err != nil {
		return nil, err
	}
	grants, err := s.grants()
	return append(append(permissions, acts...), grants...), err
}

// grants are what the playbooks' own parameters need: bind on the roles that
// they name.
func (s selection) grants() ([]kube.Permission, error) {
	if len(s.playbooks) == 0 {
		return nil, nil
	}
	books, err := files.Playbooks(s.playbooks, !s.noShipped)
	if err != nil {
		return nil, exit{1, err}
	}
	var all []kube.Permission
	for _, b := range books {
		grants, err := b.Grants()
		if err != nil {
			return nil, err
		}
		all = append(all, grants...)
	}
	return all, nil
}

// actions are the names of all actions, of those that the playbooks use, or,
// without any, of those that need no playbook.
func (s selection) actions(all bool) ([]string, error) {
	var names []string
	if all {
		for _, k := range action.Kinds() {
			names = append(names, k.Name)
		}
		return names, nil
	}
	if len(s.playbooks) == 0 && !s.noShipped {
		return action.Defaults(), nil
	}
	if len(s.playbooks) == 0 {
		return nil, exit{2, errors.New("no playbooks: give --playbooks, or leave --no-shipped out")}
	}
	if err := files.Readable(s.playbooks...); err != nil {
		return nil, exit{2, err}
	}
	books, err := files.Playbooks(s.playbooks, !s.noShipped)
	if err != nil {
		return nil, exit{1, err}
	}
	for _, b := range books {
		for _, step := range b.Steps {
			names = append(names, step.Action)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
