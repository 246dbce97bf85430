//go:build unix && !linux

package main

import "syscall"

// isolated gives a child a process group of its own, so that ctrl-c reaches only `up`, which stops
// the children in order. Only Linux can also end a child whose parent was killed.
func isolated(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
