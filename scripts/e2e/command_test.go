package e2e_test

import (
	"bytes"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// muster runs a command of the program to its end.
func (w *world) muster(args ...string) result {
	w.Helper()
	return w.runs(append([]string{program}, args...))
}

// runs runs a command line to its end.
func (w *world) runs(line []string) result {
	w.Helper()
	ctx := w.soon()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = w.rig.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		w.Fatalf("%q: %v, %v", line, err, ctx.Err())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// at is the option that names the peer a command asks.
func at(address string) string { return "-http-addr=" + address }
