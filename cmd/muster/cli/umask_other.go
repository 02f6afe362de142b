//go:build !unix

package cli

// umask does nothing where files have no such modes.
func umask() {}
