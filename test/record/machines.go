package record

import (
	"fmt"
	"time"
)

// machines deploy from outside.
func machines() []chore {
	return []chore{
		by(pipeline, 20*time.Second, helm),
		by(pipeline, time.Minute, preview),
	}
}

// helm upgrades a release: the old one is read and marked, the new one written.
func helm(n int) []string {
	const at = "/api/v1/namespaces/shop/secrets"
	name := func(n int) string { return fmt.Sprintf("sh.helm.release.v1.promo.v%d", n) }
	secret := func(n int, status string) string {
		return fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"owner":"helm","name":"promo","status":%q,"version":"%d"}},"type":"helm.sh/release.v1","stringData":{"release":"x"}}`, name(n), status, n)
	}
	lines := []string{"GET /version", "GET " + at + "?labelSelector=name%3Dpromo%2Cowner%3Dhelm%2Cstatus%3Ddeployed", "POST " + at + " " + secret(n, "pending-upgrade")}
	lines = append(lines,
		fmt.Sprintf(`PATCH /apis/apps/v1/namespaces/shop/deployments/promo?fieldManager=helm&force=true {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"promo"},"spec":%s}`, deploymentSpec("promo", "default", 2, fmt.Sprintf("1.%d", n))),
		fmt.Sprintf(`PATCH /api/v1/namespaces/shop/configmaps/promo?fieldManager=helm&force=true {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"promo"},"data":{"n":"%d"}}`, n),
		`PATCH /api/v1/namespaces/shop/services/promo?fieldManager=helm&force=true {"apiVersion":"v1","kind":"Service","metadata":{"name":"promo"},"spec":{"selector":{"app":"promo"},"ports":[{"port":80,"targetPort":8080}]}}`,
		"GET /apis/apps/v1/namespaces/shop/deployments/promo",
		"PUT "+at+"/"+name(n)+" "+secret(n, "deployed"))
	if n > 1 {
		lines = append(lines, "GET "+at+"/"+name(n-1), "PUT "+at+"/"+name(n-1)+" "+secret(n-1, "superseded"))
	}
	return lines
}

// preview makes a namespace for a change that is under review, and removes the one before.
func preview(n int) []string {
	space := fmt.Sprintf("pr-%d", n)
	lines := []string{
		fmt.Sprintf(`POST /api/v1/namespaces {"metadata":{"name":%q}}`, space),
		deployment(space+"/web", "default", 1, "0."+space),
		fmt.Sprintf(`POST /api/v1/namespaces/%s/services {"metadata":{"name":"web"},"spec":{"selector":{"app":"web"},"ports":[{"port":80}]}}`, space),
	}
	if n > 1 {
		lines = append(lines, fmt.Sprintf("DELETE /api/v1/namespaces/pr-%d", n-1))
	}
	return lines
}

// operators run in the cluster.
func operators() []chore {
	lists := []string{
		"GET /api/v1/namespaces?limit=500", "GET /api/v1/pods?limit=500", "GET /api/v1/services?limit=500", "GET /api/v1/configmaps?limit=500",
		"GET /apis/apps/v1/deployments?limit=500", "GET /apis/apps/v1/replicasets?limit=500", "GET /apis/batch/v1/jobs?limit=500",
	}
	return []chore{
		by(certs, 200*time.Millisecond, same("GET /api/v1/secrets?resourceVersion=0&limit=500", "GET /api/v1/secrets?watch=1&timeoutSeconds=25")),
		by(certs, 45*time.Second, func(n int) []string {
			const at, body = "/api/v1/namespaces/shop/secrets", `{"metadata":{"name":"web-tls"},"type":"kubernetes.io/tls","stringData":{"tls.crt":"","tls.key":""}}`
			if n == 1 {
				return []string{"POST " + at + " " + body}
			}
			return []string{"GET " + at + "/web-tls", "PUT " + at + "/web-tls " + body}
		}),
		by(certs, 20*time.Second, same(`POST /apis/authorization.k8s.io/v1/subjectaccessreviews {"spec":{"user":"ann","resourceAttributes":{"namespace":"shop","verb":"get","resource":"secrets"}}}`)),
		by(gitops, 200*time.Millisecond, same("GET /apis/apps/v1/deployments?watch=1&timeoutSeconds=30")),
		by(gitops, 30*time.Second, same(append([]string{"GET /api", "GET /apis", "GET /openapi/v2", "GET /api/v1/namespaces/ops/secrets/repository"}, lists...)...)),
		by(gitops, 25*time.Second, func(n int) []string {
			return []string{fmt.Sprintf(`PATCH /apis/apps/v1/namespaces/till/deployments/bonus?fieldManager=gitops&force=true {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"bonus"},"spec":%s}`, deploymentSpec("bonus", "default", 1, fmt.Sprintf("2.%d", n/2)))}
		}),
		by(backup, 100*time.Second, same(append([]string{"GET /api/v1/secrets?limit=500", "GET /apis/rbac.authorization.k8s.io/v1/clusterroles?limit=500", "GET /api/v1/persistentvolumes?limit=500"}, lists...)...)),
		by(scaler, 5*time.Second, same("GET /api/v1/nodes?limit=500", "GET /api/v1/pods?limit=500")),
	}
}
