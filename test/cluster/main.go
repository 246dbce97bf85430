// Command cluster is a Kubernetes control plane in one binary: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler and kwok, which plays the kubelets, each as a
// subcommand, and `up`, which runs them together as child processes of this executable.
package main

import (
	"fmt"
	"os"
)

// command is a subcommand: it reads os.Args as its own program would and returns an exit code.
type command func() int

// commands are processes of their own, never two in one: each sets flags and globals that the
// others set too.
func commands() map[string]command {
	return map[string]command{
		"up":                      up,
		"etcd":                    etcd,
		"kube-apiserver":          apiServer,
		"kube-controller-manager": controllerManager,
		"kube-scheduler":          kubeScheduler,
		"kwok":                    kwok,
	}
}

func main() {
	if len(os.Args) > 1 {
		if run, ok := commands()[os.Args[1]]; ok {
			os.Args = os.Args[1:]
			os.Exit(run())
		}
	}
	fmt.Fprintln(os.Stderr, "usage: cluster up|etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kwok [flags]")
	os.Exit(2)
}
