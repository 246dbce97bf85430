package main

import "syscall"

// isolated gives a child a process group of its own, so that ctrl-c reaches only `up`, which stops
// the children in order, and has the kernel send it `last` when the thread that started it ends.
func isolated(last syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: last}
}
