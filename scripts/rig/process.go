package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopWait is how long a process may take to end after SIGTERM before it is killed.
const stopWait = 15 * time.Second

// Rig is a folder with processes that belong together. Its methods may be used by any number of goroutines.
type Rig struct {
	Dir string // logs and data

	mu        sync.Mutex
	processes []*Process
}

// New makes a rig in a folder, which must exist.
func New(dir string) *Rig { return &Rig{Dir: dir} }

// Process is one started program. Its output is in Log.
type Process struct {
	Name string
	Log  string
	rig  *Rig
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs a program until it ends by itself, is stopped, or the rig is.
func (r *Rig) Start(name, program string, args ...string) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(r.Dir, name+".log"), rig: r, done: make(chan struct{})}
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = r.Dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), out.Close())
	}
	go func() {
		defer close(p.done)
		p.err = errors.Join(p.cmd.Wait(), out.Close())
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.processes = append(r.processes, p)
	return p, nil
}

// Stop ends every process that still runs, the last started first.
func (r *Rig) Stop() error {
	r.mu.Lock()
	all := r.processes
	r.processes = nil
	r.mu.Unlock()
	var errs []error
	for i := range all {
		if p := all[len(all)-1-i]; p.Running() {
			errs = append(errs, p.Stop())
		}
	}
	return errors.Join(errs...)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the process ended; it waits for that.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the process to end and waits; one that does not is killed, which is an error.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	late := time.NewTimer(stopWait)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed; see %s", p.Name, stopWait, p.Log)
	}
}

// Again starts a program that has ended once more, with the same arguments, as a process of its own.
func (p *Process) Again() (*Process, error) {
	return p.rig.Start(p.Name, p.cmd.Path, p.cmd.Args[1:]...)
}

// Kill ends the process at once, as kill -9 does, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// Signal sends a signal, such as SIGSTOP.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Until calls a condition every 50 ms until it holds. It fails when ctx ends, with what is awaited and what was last wrong
// before that.
func Until(ctx context.Context, what string, holds func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var wrong error
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		if wrong == nil || ctx.Err() == nil {
			wrong = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, wrong)
		case <-tick.C:
		}
	}
}
