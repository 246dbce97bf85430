package main

import (
	_ "time/tzdata" // CronJobs name time zones, and the machine may have no database of them

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// apiServer is the kube-apiserver of the release, with its own flags.
func apiServer() int { return cli.Run(apiserver.NewAPIServerCommand()) }

// controllerManager is the kube-controller-manager of the release, with its own flags.
func controllerManager() int { return cli.Run(controllers.NewControllerManagerCommand()) }

// kubeScheduler is the kube-scheduler of the release, with its own flags.
func kubeScheduler() int { return cli.Run(scheduler.NewSchedulerCommand()) }
