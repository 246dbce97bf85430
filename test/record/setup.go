package record

import (
	"context"
	"encoding/json"
	"fmt"
)

// users are the people, with their groups. The cluster signs for them with tokens.
func users() []string {
	return []string{"pat:platform", "ann:devs", "ben:devs", "mallory:devs", "ci"}
}

// Who works here. Each has an address of its own, as far as one machine has some.
var (
	admin      = Who{User: "admin"}
	pat        = Who{User: "pat", From: "127.0.3.1"}
	ann        = Who{User: "ann", From: "127.0.3.2"}
	ben        = Who{User: "ben", From: "127.0.3.3"}
	pipeline   = Who{User: "ci", From: "127.0.4.1", Agent: "Helm/3.18.4"}
	nobody     = Who{From: "127.0.5.1", Agent: "GoogleHC/1.0"}
	prometheus = Who{User: "monitoring/prometheus", From: "127.1.0.1", Agent: "Prometheus/3.5.0"}
	certs      = Who{User: "ops/cert-operator", From: "127.1.0.2", Agent: "cert-controller/v1.18.2 (linux/amd64) cert-operator/6723cb9"}
	gitops     = Who{User: "ops/gitops", From: "127.1.0.3", Agent: "gitops-controller/v3.0.6 (linux/amd64)"}
	backup     = Who{User: "ops/backup", From: "127.1.0.4", Agent: "backup-server/v1.16.1 (linux/amd64) 2eb97fa"}
	scaler     = Who{User: "kube-system/cluster-autoscaler", From: "127.1.0.5", Agent: "cluster-autoscaler/v1.36.0 (linux/amd64)"}
	cart       = Who{User: "shop/cart", From: "127.1.0.6", Agent: "Go-http-client/2.0"}
)

func kubelet(node string) Who {
	return Who{User: "system:node:" + node, From: "127.0.2." + node[len(node)-1:], Agent: "kubelet/v1.36.3 (linux/amd64) kubernetes/3df1b35"}
}

// accounts are those that run in the cluster; each gets the rights of a cluster role.
var accounts = map[string]string{
	"monitoring/prometheus":          `[{"apiGroups":[""],"resources":["nodes","nodes/metrics","services","endpoints","pods"],"verbs":["get","list","watch"]},{"apiGroups":["discovery.k8s.io"],"resources":["endpointslices"],"verbs":["get","list","watch"]},{"nonResourceURLs":["/metrics"],"verbs":["get"]}]`,
	"ops/cert-operator":              `[{"apiGroups":[""],"resources":["secrets"],"verbs":["get","list","watch","create","update","delete"]},{"apiGroups":[""],"resources":["events"],"verbs":["create","patch"]},{"apiGroups":["coordination.k8s.io"],"resources":["leases"],"verbs":["*"]},{"apiGroups":["authorization.k8s.io"],"resources":["subjectaccessreviews"],"verbs":["create"]}]`,
	"ops/gitops":                     `[{"apiGroups":["*"],"resources":["*"],"verbs":["get","list","watch"]},{"apiGroups":["apps"],"resources":["deployments"],"verbs":["*"]},{"apiGroups":[""],"resources":["services","configmaps"],"verbs":["*"]}]`,
	"ops/backup":                     `[{"apiGroups":["*"],"resources":["*"],"verbs":["get","list"]}]`,
	"kube-system/cluster-autoscaler": `[{"apiGroups":[""],"resources":["nodes","pods","services","namespaces","persistentvolumes","persistentvolumeclaims"],"verbs":["get","list","watch","update","patch","delete"]},{"apiGroups":[""],"resources":["pods/eviction","events"],"verbs":["create"]},{"apiGroups":["apps"],"resources":["*"],"verbs":["get","list","watch"]}]`,
	"shop/cart":                      `[{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","watch"]}]`,
}

var spaces = []string{"shop", "till", "ci", "monitoring", "ops", "legacy", "lab", "demo"}

// setUp makes the cluster what it is before anybody is watched: namespaces, roles, workloads.
func (s *Stage) setUp(ctx context.Context) error {
	err := s.calls(ctx, admin,
		`POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings {"metadata":{"name":"platform"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"platform"}]}`,
		`POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings {"metadata":{"name":"kubelets"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"system:node"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"system:nodes"}]}`,
	)
	if err != nil {
		return err
	}
	for _, name := range spaces {
		err := eventually(ctx, func() error {
			return s.calls(ctx, pat, fmt.Sprintf(`POST /api/v1/namespaces {"metadata":{"name":%q,"labels":{"pod-security.kubernetes.io/warn":"baseline"}}}`, name))
		})
		if err != nil {
			return err
		}
	}
	for _, b := range [][3]string{{"shop", "devs", "edit"}, {"till", "devs", "edit"}, {"shop", "ci", "admin"}, {"till", "ci", "admin"}, {"ci", "ci", "admin"}} {
		kind := "Group"
		if b[1] == "ci" {
			kind = "User"
		}
		err := s.calls(ctx, pat, fmt.Sprintf(`POST /apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings {"metadata":{"name":%q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%q},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":%q,"name":%q}]}`, b[0], b[1], b[2], kind, b[1]))
		if err != nil {
			return err
		}
	}
	if err := s.calls(ctx, pat,
		`POST /apis/rbac.authorization.k8s.io/v1/clusterroles {"metadata":{"name":"preview"},"rules":[{"apiGroups":[""],"resources":["namespaces"],"verbs":["get","list","create","delete"]},{"apiGroups":["","apps"],"resources":["*"],"verbs":["get","list","create","patch"]}]}`,
		`POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings {"metadata":{"name":"preview"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"preview"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"ci"}]}`,
		`POST /api/v1/namespaces/shop/secrets {"metadata":{"name":"db"},"type":"Opaque","stringData":{"user":"shop"}}`,
		`POST /api/v1/namespaces/till/secrets {"metadata":{"name":"db"},"type":"Opaque","stringData":{"user":"till"}}`,
		`POST /api/v1/namespaces/ops/secrets {"metadata":{"name":"repository"},"type":"Opaque","stringData":{"user":"git"}}`,
		`POST /api/v1/namespaces/shop/configmaps {"metadata":{"name":"settings"},"data":{"currency":"EUR"}}`,
		`POST /apis/batch/v1/namespaces/till/cronjobs {"metadata":{"name":"close"},"spec":{"schedule":"* * * * *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"close","image":"registry.k8s.io/close:1"}]}}}}}}`,
		`POST /apis/apps/v1/namespaces/monitoring/daemonsets {"metadata":{"name":"logs"},"spec":{"selector":{"matchLabels":{"app":"logs"}},"template":{"metadata":{"labels":{"app":"logs"}},"spec":{"containers":[{"name":"logs","image":"ghcr.io/logs:3"}]}}}}`,
	); err != nil {
		return err
	}
	for name, rules := range accounts {
		if err := s.employ(ctx, name, rules); err != nil {
			return err
		}
	}
	if err := s.known(ctx); err != nil {
		return err
	}
	for _, app := range []string{"shop/web", "shop/mail", "till/till", "legacy/a", "legacy/b", "legacy/c", "legacy/d", "legacy/e", "legacy/f", "lab/a", "demo/a"} {
		if err := s.calls(ctx, pat, deployment(app, "default", 2, "1.0")); err != nil {
			return err
		}
	}
	return nil
}

// known waits until the API server knows the rights of all who work: it follows its watch, a moment
// behind what was just granted.
func (s *Stage) known(ctx context.Context) error {
	for _, c := range []struct {
		who  Who
		line string
	}{
		{ann, "GET /api/v1/namespaces/shop/pods?limit=1"}, {ben, "GET /api/v1/namespaces/till/pods?limit=1"}, {mallory, "GET /api/v1/namespaces/shop/pods?limit=1"},
		{pipeline, "GET /api/v1/namespaces/shop/secrets?limit=1"}, {pipeline, "GET /api/v1/namespaces/ci/secrets?limit=1"}, {pipeline, "GET /api/v1/namespaces?limit=1"},
		{prometheus, "GET /apis/discovery.k8s.io/v1/endpointslices?limit=1"}, {certs, "GET /api/v1/secrets?limit=1"}, {gitops, "GET /apis/apps/v1/deployments?limit=1"},
		{backup, "GET /api/v1/persistentvolumes?limit=1"}, {scaler, "GET /api/v1/nodes?limit=1"}, {cart, "GET /api/v1/namespaces/shop/configmaps/settings"},
		{kubelet("worker-1"), "GET /api/v1/nodes/worker-1"},
	} {
		if err := eventually(ctx, func() error { return s.calls(ctx, c.who, c.line) }); err != nil {
			return err
		}
	}
	return nil
}

// deployment is the call that makes one.
func deployment(app, account string, replicas int, version string) string {
	space, name := split(app)
	return fmt.Sprintf(`POST /apis/apps/v1/namespaces/%s/deployments {"metadata":{"name":%q},"spec":%s}`, space, name, deploymentSpec(name, account, replicas, version))
}

func deploymentSpec(name, account string, replicas int, version string) string {
	return fmt.Sprintf(`{"replicas":%d,"selector":{"matchLabels":{"app":%q}},"template":{"metadata":{"labels":{"app":%q}},"spec":{"serviceAccountName":%q,"containers":[{"name":%q,"image":"ghcr.io/shop/%s:%s","ports":[{"containerPort":8080}]}]}}}`, replicas, name, name, account, name, name, version)
}

// employ makes a service account with a pod, and has the kubelet of its node ask for the token.
func (s *Stage) employ(ctx context.Context, account, rules string) error {
	space, name := split(account)
	err := eventually(ctx, func() error {
		return s.calls(ctx, pat,
			fmt.Sprintf(`0 POST /api/v1/namespaces/%s/serviceaccounts {"metadata":{"name":%q}}`, space, name),
			fmt.Sprintf(`0 POST /apis/rbac.authorization.k8s.io/v1/clusterroles {"metadata":{"name":%q},"rules":%s}`, name, rules),
			fmt.Sprintf(`0 POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings {"metadata":{"name":%q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%q},"subjects":[{"kind":"ServiceAccount","name":%q,"namespace":%q}]}`, name, name, name, space),
			deployment(account, name, 1, "1.0"))
	})
	if err != nil {
		return err
	}
	return eventually(ctx, func() error {
		answer, err := s.call(ctx, pat, fmt.Sprintf("GET /api/v1/namespaces/%s/pods?labelSelector=app%%3D%s", space, name))
		if err != nil {
			return err
		}
		var pods struct {
			Items []struct {
				Metadata struct{ Name, UID string }
				Spec     struct{ NodeName string }
			}
		}
		if err := json.Unmarshal(answer, &pods); err != nil {
			return fmt.Errorf("read pods: %w", err)
		}
		if len(pods.Items) == 0 || pods.Items[0].Spec.NodeName == "" {
			return fmt.Errorf("no pod of %s", account)
		}
		pod := pods.Items[0]
		answer, err = s.call(ctx, kubelet(pod.Spec.NodeName), fmt.Sprintf(
			`POST /api/v1/namespaces/%s/serviceaccounts/%s/token {"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{"expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":%q,"uid":%q}}}`,
			space, name, pod.Metadata.Name, pod.Metadata.UID))
		if err != nil {
			return err
		}
		return s.keepToken(account, answer)
	})
}

func (s *Stage) keepToken(account string, answer []byte) error {
	token, err := tokenOf(answer)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.tokens[account] = token
	s.mu.Unlock()
	return nil
}

func tokenOf(answer []byte) (string, error) {
	var review struct{ Status struct{ Token string } }
	if err := json.Unmarshal(answer, &review); err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	return review.Status.Token, nil
}
