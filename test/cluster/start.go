package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// bringUp starts the components, makes the nodes and waits until pods can be made. The goroutine
// must be locked to its thread, see startProcess.
func bringUp(ctx context.Context, g *group, l layout, opts options) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, opts.timeout, fmt.Errorf("start cluster: not ready after %s, see %s", opts.timeout, l.at("logs")))
	defer cancel()
	if err := g.start("etcd", "--data-dir="+l.at("etcd"), "--listen-client-url="+l.etcdURL(), "--listen-peer-url="+l.peerURL()); err != nil {
		return nil, err
	}
	// The API server looks for etcd only after etcd is up, if they start together.
	if err := g.start("kube-apiserver", apiServerFlags(l, opts)...); err != nil {
		return nil, err
	}
	client, err := adminClient(l)
	if err != nil {
		return nil, err
	}
	if err := until(ctx, func(ctx context.Context) bool { return serves(ctx, client) }); err != nil {
		return nil, err
	}
	if err := g.start("kube-controller-manager", controllerManagerFlags(l)...); err != nil {
		return nil, err
	}
	if err := g.start("kwok", kwokFlags(l)...); err != nil {
		return nil, err
	}
	if err := g.start("kube-scheduler", schedulerFlags(l)...); err != nil {
		return nil, err
	}
	names, err := makeNodes(ctx, client, opts.nodes)
	if err != nil {
		return nil, err
	}
	return names, until(ctx, func(ctx context.Context) bool {
		return nodesReady(ctx, client, len(names)) && takesPods(ctx, client) && serves(ctx, client)
	})
}

// until asks ten times a second. Its error says why the cluster won't come up.
func until(ctx context.Context, ok func(context.Context) bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

func adminClient(l layout) (*kubernetes.Clientset, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", l.kubeconfig(adminName))
	if err != nil {
		return nil, fmt.Errorf("read admin kubeconfig: %w", err)
	}
	cfg.UserAgent = "firebreak-cluster"
	cfg.QPS = -1 // a hundred nodes at once are fine
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make admin client: %w", err)
	}
	return client, nil
}

// serves reports whether the API server calls itself ready.
func serves(ctx context.Context, client *kubernetes.Clientset) bool {
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
}

func kwokFlags(l layout) []string {
	return []string{
		"--kubeconfig=" + l.kubeconfig("system:kwok"), "--config=" + l.at("kwok.yaml"), "--manage-all-nodes=true",
		"--node-lease-duration-seconds=40", "--node-ip=127.0.0.1", "--node-port=" + strconv.Itoa(l.kubelet),
		"--server-address=127.0.0.1:" + strconv.Itoa(l.kubelet),
	}
}

func controllerManagerFlags(l layout) []string {
	return []string{
		"--kubeconfig=" + l.kubeconfig("system:kube-controller-manager"), "--leader-elect=false", "--secure-port=0",
		"--use-service-account-credentials=true", "--service-account-private-key-file=" + l.at("certs/sa.key"),
		"--root-ca-file=" + l.at("certs/ca.crt"), "--cluster-signing-cert-file=" + l.at("certs/ca.crt"),
		"--cluster-signing-key-file=" + l.at("certs/ca.key"), "--node-monitor-period=1s",
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--flex-volume-plugin-dir=" + l.at("flexvolume"), // else it makes one below /usr
	}
}

func schedulerFlags(l layout) []string {
	return []string{"--kubeconfig=" + l.kubeconfig("system:kube-scheduler"), "--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=200", "--kube-api-burst=400"}
}
