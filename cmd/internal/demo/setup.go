package demo

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/deploy"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/controlplane"
)

//go:embed manifests
var manifests embed.FS

// tokenLife is how long the tokens of the demo's accounts are good: long
// enough for a demo that is kept.
const tokenLife = 24 * time.Hour

// account is what Firebreak runs as, accountUser its name for the API server.
func account() kube.Account { return kube.Account{Namespace: "firebreak", Name: "firebreak"} }

const accountUser = "system:serviceaccount:firebreak:firebreak"

// deployer is the account of the CI, whose token is stolen.
func deployer() kube.Account { return kube.Account{Namespace: "ci", Name: "deployer"} }

// setUp starts the control plane, Firebreak and the workload.
func (d *demo) setUp(ctx context.Context) error {
	d.board.scene("Set-up: a real control plane, Firebreak, and a workload")
	for _, step := range []func(context.Context) error{d.startCluster, d.startFirebreak, d.startWorkload} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) startCluster(ctx context.Context) (err error) {
	if d.home, err = newHome(); err != nil {
		return err
	}
	if err := d.home.write("audit-policy.yaml", deploy.AuditPolicy); err != nil {
		return err
	}
	d.board.row("setup", "control plane: etcd, kube-apiserver, controller manager and scheduler, with kwok as kubelets")
	d.board.below("no container runs on kwok's nodes and no network plugin, so that a hold is applied, and stays unverified")
	d.cluster, err = controlplane.Start(ctx, controlplane.Options{
		Nodes: 3, Users: []string{"alice:security", "bob:devs"}, Log: progress{d.board},
		AuditWebhook: d.home.at("audit-webhook.kubeconfig"), AuditPolicy: d.home.at("audit-policy.yaml"),
	})
	if err != nil {
		return err
	}
	d.admin, err = kube.New(kube.Options{Kubeconfig: d.cluster.Kubeconfig, QPS: 200, Burst: 400, UserAgent: "kubectl/v1.36.3 (linux/amd64)"})
	if err != nil {
		return err
	}
	d.board.row("setup", "%s is up with %d nodes; its audit webhook posts to Firebreak", d.cluster.Server, len(d.cluster.Nodes))
	return nil
}

// startFirebreak starts it with an account that has the role for the actions
// of its playbooks and nothing else.
func (d *demo) startFirebreak(ctx context.Context) error {
	role, err := d.role()
	if err != nil {
		return err
	}
	if err := d.apply(ctx, "account.yaml"); err != nil {
		return err
	}
	if err := d.admin.Create(ctx, role); err != nil {
		return err
	}
	token, err := d.admin.CreateToken(ctx, account(), tokenLife)
	if err != nil {
		return err
	}
	config, err := kubeconfig(d.cluster.Server, d.cluster.CA, token)
	if err != nil {
		return err
	}
	if err := d.home.write("firebreak.kubeconfig", config); err != nil {
		return err
	}
	if d.child, err = startChild(ctx, d.Executable, d.home); err != nil {
		return err
	}
	d.board.row("setup", "firebreak run, process %d, as its own account %s", d.child.cmd.Process.Pid, accountUser)
	return d.leastPrivilege(ctx)
}

// role is the manifest that `firebreak rbac` prints for the actions in use.
func (d *demo) role() ([]byte, error) {
	books, err := files.Playbooks([]string{d.home.at("playbooks.yaml")}, true)
	if err != nil {
		return nil, err
	}
	var actions []string
	for _, book := range books {
		for _, step := range book.Steps {
			actions = append(actions, step.Action)
		}
	}
	permissions, err := action.Permissions(actions...)
	if err != nil {
		return nil, err
	}
	return kube.RoleManifest(account(), append(permissions, kube.IndexPermissions()...))
}

func (d *demo) leastPrivilege(ctx context.Context) error {
	user := kube.User{Name: accountUser, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:firebreak", "system:authenticated",
	}}
	return d.readBack(ctx, "Firebreak's account may patch pods, and may not read secrets, make pods or run commands in them", func(ctx context.Context) (string, error) {
		for _, c := range []struct {
			verb, resource string
			want           bool
		}{{"patch", "pods", true}, {"list", "secrets", false}, {"get", "secrets", false}, {"create", "pods", false}, {"create", "pods/exec", false}, {"get", "pods/exec", false}} {
			got, _, err := d.admin.Allowed(ctx, user, c.verb, "", c.resource, "", "shop")
			if err != nil {
				return "", err
			}
			if got != c.want {
				return "", fmt.Errorf("%s %s: allowed is %v", c.verb, c.resource, got)
			}
		}
		return "SubjectAccessReview for " + user.Name, nil
	})
}

func (d *demo) startWorkload(ctx context.Context) error {
	if err := d.admin.Create(ctx, deploy.People); err != nil {
		return err
	}
	for _, name := range []string{"people.yaml", "workload.yaml"} {
		if err := d.apply(ctx, name); err != nil {
			return err
		}
	}
	if err := d.enter(ctx); err != nil {
		return err
	}
	for _, w := range []struct {
		namespace string
		pods      int
	}{{"shop", 6}, {"payments", 2}, {"kube-system", 1}} {
		err := until(ctx, "pods of "+w.namespace+" are ready", func(ctx context.Context) error {
			ready, err := d.readyPods(ctx, w.namespace, "")
			if err == nil && len(ready) != w.pods {
				err = fmt.Errorf("%d of %d are", len(ready), w.pods)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	d.board.row("setup", "workload: shop (web, api, cache), payments (ledger), kube-system (coredns); 9 pods ready, 4 Services, 6 NetworkPolicies")
	return nil
}

// enter makes the clients of everybody: alice of security, bob of devs, and
// the CI's account whose token was stolen.
func (d *demo) enter(ctx context.Context) error {
	stolen, err := d.admin.CreateToken(ctx, deployer(), tokenLife)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		who         *person
		name, token string
	}{
		{&d.alice, "alice", d.cluster.Users["alice"].Token}, {&d.bob, "bob", d.cluster.Users["bob"].Token}, {&d.ci, "ci-deployer", stolen},
	} {
		if *p.who, err = d.newPerson(p.name, p.token); err != nil {
			return err
		}
	}
	d.intruder, err = kube.New(kube.Options{Kubeconfig: d.cluster.Kubeconfig, Token: stolen, QPS: 200, Burst: 400, UserAgent: "kubectl/v1.33.1 (linux/amd64)"})
	if err != nil {
		return err
	}
	d.api, err = client.New(client.Options{Server: d.home.url(), CA: d.home.ca(), Token: d.cluster.Users["alice"].Token})
	return err
}

func (d *demo) apply(ctx context.Context, name string) error {
	data, err := manifests.ReadFile("manifests/" + name)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	return d.admin.Create(ctx, data)
}

// progress shows what the control plane says while it is built.
type progress struct{ board *board }

// Write never fails.
func (p progress) Write(text []byte) (int, error) {
	p.board.row("build", "%s", text)
	return len(text), nil
}
