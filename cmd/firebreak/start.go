package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/timeline"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func newStart() *cobra.Command {
	var target, reason string
	cmd := &cobra.Command{
		Use: "start PLAYBOOK --target KIND/NAMESPACE/NAME --reason WHY", Short: "Begin a run by hand", Args: usage(cobra.ExactArgs(1)),
		Long: `Begin a run of a playbook for a target, whether or not anything was found. It
has the guards, the approvals and the record of any other run; who starts it
can't approve it.

A target is KIND/NAMESPACE/NAME, or KIND/NAME of what is in no namespace:
  pods/shop/web-1  deployments/shop/web  cronjobs/shop/report  services/shop/web
  serviceaccounts/shop/web  rolebindings/shop/edit  nodes/worker-1
  namespaces/shop  clusterrolebindings/admins
  users/ann@example.com  groups/interns  addresses/203.0.113.7  images/nginx:1

The cluster says who you are (TokenReview) and whether you may
(SubjectAccessReview: verb start on playbooks.firebreak.io in the target's
namespace).`,
	}
	cmd.Flags().StringVar(&target, "target", "", "KIND/NAMESPACE/NAME, or KIND/NAME of what is in no namespace")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return asking(cmd, func(ctx context.Context, api *client.Client, args []string) (event.Run, error) {
		body := approve.Start{Playbook: args[0], Reason: reason}
		ref, err := action.ParseTarget(target)
		if err != nil {
			return event.Run{}, exit{2, fmt.Errorf("--target: %w", err)}
		}
		body.Resource, body.Namespace, body.Name = ref.Resource, ref.Namespace, ref.Name
		if ref.Group != "" {
			body.Resource += "." + ref.Group
		}
		said, err := api.Start(ctx, body)
		if err != nil {
			return event.Run{}, err
		}
		return begun(ctx, api, said.Run)
	}, func(w io.Writer, run event.Run) { timeline.Run(w, run) })
}

// begun waits until the run is there, and past its first planning.
func begun(ctx context.Context, api *client.Client, id string) (event.Run, error) {
	for limit := time.Now().Add(30 * time.Second); ; {
		run, err := api.Run(ctx, id)
		missing := new(client.Error)
		switch {
		case err == nil && run.State != event.RunGuarding:
			return run, nil
		case err != nil && !(errors.As(err, &missing) && missing.Status == 404):
			return run, err
		case time.Now().After(limit):
			return run, fmt.Errorf("run %s is stored and was not begun yet: another run about the same target may go first (firebreak runs), or it can't be read (firebreak dead)", id)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return run, err
		}
	}
}
