//go:build unix

package cli

import "syscall"

// umask keeps what a peer writes from all other users.
func umask() { syscall.Umask(0o077) }
