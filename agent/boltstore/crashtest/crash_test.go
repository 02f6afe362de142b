package crashtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

// cycle is what raft has its stores do in a life, a write each: append, vote, truncate and overwrite, and compact after a
// snapshot.
var cycle = []struct {
	write func(*boltstore.Store) error
	then  [2]uint64 // first and last entry
}{
	{func(s *boltstore.Store) error { return s.StoreLogs(entries(1, 20)) }, [2]uint64{1, 20}},
	{func(s *boltstore.Store) error { return s.SetUint64([]byte("CurrentTerm"), 2) }, [2]uint64{1, 20}},
	{func(s *boltstore.Store) error { return s.StoreLog(bigEntry(21)) }, [2]uint64{1, 21}},
	{func(s *boltstore.Store) error { return s.DeleteRange(15, 21) }, [2]uint64{1, 14}},
	{func(s *boltstore.Store) error { return s.StoreLogs(entries(15, 30)) }, [2]uint64{1, 30}},
	{func(s *boltstore.Store) error { return s.DeleteRange(1, 12) }, [2]uint64{13, 30}},
	{func(s *boltstore.Store) error { return s.StoreLogs(entries(31, 33)) }, [2]uint64{13, 33}},
}

// playCycle plays the cycle, each write when a line comes in, and answers with a line. In each write the goroutine keeps its
// thread, by which strace counts. What the disk refuses latches.
func playCycle(path string) error {
	return play(boltstore.Config{Path: path, BeforeCommit: func() error {
		runtime.LockOSThread()
		return nil
	}})
}

// playStopped is playCycle by a process with little patience that is stopped in its first write, and slow once it goes on.
func playStopped(path string) error {
	var once sync.Once
	return play(boltstore.Config{Path: path, WriteTimeout: time.Second, BeforeCommit: func() (err error) {
		once.Do(func() {
			err = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			<-time.After(100 * time.Millisecond)
		})
		return err
	}})
}

func play(cfg boltstore.Config) error {
	store, err := boltstore.Open(cfg)
	if err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	for _, step := range cycle {
		if _, err := in.ReadString('\n'); err != nil {
			return err
		}
		if err := step.write(store); err != nil {
			<-store.Latched()
			if late := store.SetUint64([]byte("late"), 1); !errors.Is(late, boltstore.ErrLatched) {
				return fmt.Errorf("a write was taken after %w", err)
			}
			return err
		}
		fmt.Println("done")
	}
	return store.Close()
}

// player is a process that plays the cycle.
type player struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	in   io.Writer
	out  *bufio.Reader
	said strings.Builder
}

func newPlayer(t *testing.T, role string) *player {
	t.Helper()
	p := &player{t: t, path: filepath.Join(t.TempDir(), "raft.db")}
	p.cmd = child(t, role, p.path)
	p.cmd.Stderr = &p.said
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// step has the next write made; false when the process ended over it.
func (p *player) step() bool {
	if _, err := fmt.Fprintln(p.in); err != nil {
		return false
	}
	line, err := p.out.ReadString('\n')
	return err == nil && line == "done\n"
}

// tamper has strace tamper with what the process asks of the kernel from now on.
func (p *player) tamper(how string) {
	p.t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		p.t.Fatal("strace is not there: run scripts/servers.sh")
	}
	calls, _, _ := strings.Cut(how, ":")
	cmd := exec.CommandContext(p.t.Context(), strace, "-f", "-o", "/dev/null", "-e", "trace="+calls, "-e", "inject="+how,
		"-p", fmt.Sprint(p.cmd.Process.Pid))
	said, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewReader(said)
	line, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(line, "attached") {
		p.t.Fatalf("strace may not trace here (%q, %v); this test needs that it may", line, err)
	}
	p.t.Cleanup(func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait() // it ends with the process it traces
	})
}

// holds checks that the file has what the writes before a step left, or that step's too.
func (p *player) holds(step int) {
	p.t.Helper()
	before := [2]uint64{}
	if step > 0 {
		before = cycle[step-1].then
	}
	store, err := boltstore.Open(boltstore.Config{Path: p.path})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			p.t.Error(err)
		}
	})
	first, err := store.FirstIndex()
	if err != nil {
		p.t.Fatal(err)
	}
	last, err := store.LastIndex()
	if err != nil {
		p.t.Fatal(err)
	}
	if got := [2]uint64{first, last}; got != before && got != cycle[step].then {
		p.t.Fatalf("write %d: entries %v are there, want %v or %v", step, got, before, cycle[step].then)
	}
	for index := max(first, 1); index <= last; index++ {
		want, got := entry(index), raft.Log{}
		if index == 21 && last == 21 {
			want = bigEntry(index)
		}
		if err := store.GetLog(index, &got); err != nil {
			p.t.Fatal(err)
		}
		if diff := cmp.Diff(*want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			p.t.Fatalf("entry %d (-want +got):\n%s", index, diff)
		}
	}
	if err := store.StoreLog(&raft.Log{Index: last + 1, Term: 9}); err != nil {
		p.t.Fatal(err)
	}
}

// TestEveryCrashPoint kills the process in each write of the cycle at every call by which it reaches the disk. What was
// acknowledged is there, and of the write under way all or nothing.
func TestEveryCrashPoint(t *testing.T) {
	for _, call := range []string{"fdatasync", "pwrite64"} {
		for step := range cycle {
			killed := 0
			for nth := 1; ; nth++ {
				p := newPlayer(t, "cycle")
				for range step {
					if !p.step() {
						t.Fatalf("ended early: %s", &p.said)
					}
				}
				p.tamper(fmt.Sprintf("%s:signal=SIGKILL:when=%d", call, nth))
				if p.step() {
					if err := p.cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					_ = p.cmd.Wait() // it was killed
					break
				}
				if err := p.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
					t.Fatalf("write %d: ended with %v: %s", step, err, &p.said)
				}
				killed++
				p.holds(step)
			}
			if killed < 2 {
				t.Errorf("write %d makes %d calls of %s, want one for what is written and one for the page that counts it", step, killed, call)
			}
		}
	}
}

// TestEveryFailingCall fails each of those calls instead: the process ends with the error, and takes no further write.
func TestEveryFailingCall(t *testing.T) {
	for _, how := range []string{
		"fdatasync:error=EIO:when=1", "fdatasync:error=EIO:when=2", "fdatasync:error=ENOSPC:when=1",
		"pwrite64:error=ENOSPC:when=1", "pwrite64:error=ENOSPC:when=2", "pwrite64:error=EIO:when=1",
	} {
		for step := range cycle {
			p := newPlayer(t, "cycle")
			for range step {
				if !p.step() {
					t.Fatalf("ended early: %s", &p.said)
				}
			}
			p.tamper(how)
			if p.step() {
				t.Fatalf("%s in write %d: it was acknowledged", how, step)
			}
			want := syscall.EIO.Error()
			if strings.Contains(how, "ENOSPC") {
				want = syscall.ENOSPC.Error()
			}
			if err := p.cmd.Wait(); err == nil || !strings.Contains(p.said.String(), want) || strings.Contains(p.said.String(), "was taken") {
				t.Fatalf("%s in write %d: ended with %v: %s", how, step, err, &p.said)
			}
			p.holds(step)
		}
	}
}

// TestStoppedProcessHasNotStalled stops the process in a write for longer than a write may take; when it goes on, the write is
// acknowledged.
func TestStoppedProcessHasNotStalled(t *testing.T) {
	p := newPlayer(t, "stopped")
	done := make(chan bool, 1)
	go func() { done <- p.step() }()
	<-time.After(2 * time.Second)
	select {
	case <-done:
		t.Fatal("it was not stopped")
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !<-done {
		t.Errorf("the write was not acknowledged: %s", &p.said)
	}
	for range cycle[1:] {
		if !p.step() {
			t.Fatalf("ended early: %s", &p.said)
		}
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err, &p.said)
	}
}
