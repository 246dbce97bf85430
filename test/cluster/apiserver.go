package main

import (
	_ "embed"
	"strconv"
)

//go:embed audit-policy.yaml
var auditPolicyFile []byte

func defaultAuditPolicy() []byte { return auditPolicyFile }

func apiServerFlags(l layout, opts options) []string {
	flags := []string{
		"--etcd-servers=" + l.etcdURL(),
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(l.server),
		// Where the `kubernetes` Service points. It must be no loopback address, and without this
		// the server looks for a default route, which an offline machine lacks. Nothing dials it.
		"--advertise-address=192.0.2.1",
		"--tls-cert-file=" + l.at("certs/apiserver.crt"),
		"--tls-private-key-file=" + l.at("certs/apiserver.key"),
		"--client-ca-file=" + l.at("certs/ca.crt"),
		"--token-auth-file=" + l.at("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-key-file=" + l.at("certs/sa.pub"),
		"--service-account-signing-key-file=" + l.at("certs/sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		"--audit-policy-file=" + l.auditPolicy,
		"--audit-log-path=" + l.at("audit.log"),
	}
	if opts.auditWebhook != "" {
		flags = append(flags,
			"--audit-webhook-config-file="+opts.auditWebhook,
			"--audit-webhook-batch-max-wait=1s",
			"--audit-webhook-initial-backoff="+opts.auditBackoff.String())
	}
	if opts.featureGates != "" {
		flags = append(flags, "--feature-gates="+opts.featureGates)
	}
	if opts.runtime != "" {
		flags = append(flags, "--runtime-config="+opts.runtime)
	}
	return flags
}
