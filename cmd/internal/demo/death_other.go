//go:build !linux

package demo

import "syscall"

// attributes give the child a process group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
