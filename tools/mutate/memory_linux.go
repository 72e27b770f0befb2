package main

import "syscall"

// boundMemory bounds the address space of this process and of those that it
// starts.
func boundMemory() {
	const bytes = 8 << 30
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: bytes, Max: bytes})
}
