package probetest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is the path of a real server's program: what the environment variable says, or the first of the names that is on
// PATH or, for names with a slash and perhaps a pattern, in the file system. Without one the test fails and says how to get
// it. In -short runs tests of real servers that take long are skipped before they ask.
func Program(t testing.TB, variable string, names ...string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	for _, name := range names {
		if strings.Contains(name, "/") {
			if found, _ := filepath.Glob(name); len(found) > 0 {
				return found[len(found)-1]
			}
		} else if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("no %s here: make test brings it; or install it, or set %s to its path", names[0], variable)
	return ""
}

// FreePort is a TCP port of 127.0.0.1 that nothing listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// patience is how long a real server may take for one thing: the first start on a cold and busy machine takes half a minute
// for some.
const patience = 3 * time.Minute

// Process is a real server that a test started. Its fields are not to be changed while it runs.
type Process struct {
	Path string
	Args []string
	Env  []string // beside the test's own
	Dir  string   // working folder; default the test's own
	User string   // when the test runs as root, run as this user; the folders it needs are given to it with Own

	cmd *exec.Cmd

	mu    sync.Mutex
	lines []string
	read  int // lines that Await has passed
	more  chan struct{}
	ended chan struct{}
}

// Start starts the process, in a process group of its own that is killed when the test ends. What it says on both streams
// is followed by Await.
func (p *Process) Start(t testing.TB) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(p.Path, p.Args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.Dir, in, in
	p.cmd.Env = append(os.Environ(), p.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: credential(t, p.User)}
	err = p.cmd.Start()
	_ = in.Close()
	if err != nil {
		_ = out.Close()
		t.Fatal(err)
	}
	p.mu.Lock()
	p.lines, p.read, p.more, p.ended = nil, 0, make(chan struct{}, 1), make(chan struct{})
	p.mu.Unlock()
	go p.follow(out)
	t.Cleanup(p.Kill)
}

func (p *Process) follow(out io.ReadCloser) {
	defer close(p.ended)
	defer out.Close()
	for log := bufio.NewReader(out); ; {
		line, err := log.ReadString('\n')
		if line != "" {
			p.mu.Lock()
			p.lines = append(p.lines, strings.TrimRight(line, "\r\n"))
			p.mu.Unlock()
			select {
			case p.more <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// Await waits for the next line that holds a text.
func (p *Process) Await(t testing.TB, text string) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !p.passed(text) {
		select {
		case <-p.more:
		case <-p.ended:
			if !p.passed(text) {
				t.Fatalf("%s ended before it said %q:\n%s", filepath.Base(p.Path), text, p.Said())
			}
			return
		case <-limit.C:
			t.Fatalf("%s has not said %q:\n%s", filepath.Base(p.Path), text, p.Said())
		}
	}
}

func (p *Process) passed(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; p.read < len(p.lines); p.read++ {
		if strings.Contains(p.lines[p.read], text) {
			p.read++
			return true
		}
	}
	return false
}

// Said is the end of what it said.
func (p *Process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines[max(0, len(p.lines)-60):], "\n")
}

// Signal sends a signal to the process itself.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the process and all it started, as a crash would, and returns when they are gone. It may be called again.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		_ = p.cmd.Process.Kill()
	}
	<-p.ended
	_ = p.cmd.Wait()
	p.cmd = nil
}

// Stop asks the process to end, and returns when it has.
func (p *Process) Stop(t testing.TB, s syscall.Signal) {
	t.Helper()
	p.Signal(t, s)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.ended:
		_ = p.cmd.Wait()
		p.cmd = nil
	case <-limit.C:
		t.Fatalf("%s does not stop:\n%s", filepath.Base(p.Path), p.Said())
	}
}

// Own gives a folder and all in it to a user, when the test runs as root; with no user it does nothing.
func Own(t testing.TB, user, folder string) {
	t.Helper()
	c := credential(t, user)
	if c == nil {
		return
	}
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(c.Uid), int(c.Gid)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// credential is a user's, nil where the test cannot or need not change to it.
func credential(t testing.TB, name string) *syscall.Credential {
	t.Helper()
	if name == "" || os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	gid, also := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err, also); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
