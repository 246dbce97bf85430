package main

import "os"

func main() {
	name := os.Args[1]
	os.Args = append([]string{name}, os.Args[2:]...)
	switch name {
	case "etcd":
		os.Exit(etcd())
	case "kwok":
		os.Exit(kwok())
	case "a":
		os.Exit(apiServer())
	case "c":
		os.Exit(controllerManager())
	case "s":
		os.Exit(kubeScheduler())
	}
}
