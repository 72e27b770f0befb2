//go:build unix

package gateway

import "syscall"

// detached begins a session of its own.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
