// Package demo shows what Firebreak does, on a real control plane of its own:
// it starts the cluster, `firebreak run` as users run it, and a workload; an
// attacker uses the API and Falco alerts come in; people say yes, no and undo
// by the command line. What is claimed is read back from the API server.
package demo
