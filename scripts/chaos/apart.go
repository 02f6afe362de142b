package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// insideVar tells the program that it runs in namespaces of its own.
const insideVar = "MUSTER_CHAOS_INSIDE"

// apart runs this program again with the same arguments, in network and mount namespaces of its own, and returns how it
// ended. It dies with its parent, and all it started with it.
func apart(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), insideVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); ok {
			return err
		}
		return fmt.Errorf("enter namespaces of its own (root is needed): %w", err)
	}
	return nil
}

// inside says whether this process is the one that apart started.
func inside() bool { return os.Getenv(insideVar) != "" }
