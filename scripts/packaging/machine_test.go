package packaging_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// machine is a copy of this machine whose changes nobody else sees and which ends with the test. What was changed lies in
// the folder up of dir, within the mount namespace of the holder.
type machine struct {
	*testing.T
	ctx    context.Context
	rig    *rig.Rig
	holder *rig.Process
	dir    string
}

const holds = `
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/up" "$0/work" "$0/root"
mount -t overlay -o "lowerdir=/,upperdir=$0/up,workdir=$0/work" overlay "$0/root"
mount --rbind /dev "$0/root/dev"
mount --rbind /proc "$0/root/proc"
echo ready
exec sleep infinity
`

func newMachine(t *testing.T) *machine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	m := &machine{T: t, ctx: ctx, rig: rig.New(t.TempDir()), dir: t.TempDir()}
	var err error
	m.holder, err = m.rig.Start("machine", "unshare", "--mount", "sh", "-c", holds, m.dir)
	m.must(err)
	t.Cleanup(func() { m.must(m.rig.Stop()) })
	m.logs(m.holder, "ready")
	return m
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// logs waits until a process has written a text.
func (m *machine) logs(p *rig.Process, text string) {
	m.Helper()
	m.must(rig.Until(m.ctx, fmt.Sprintf("%q in the output of %s", text, p.Name), func(context.Context) error {
		written, err := os.ReadFile(p.Log)
		if err == nil && !strings.Contains(string(written), text) {
			err = fmt.Errorf("it wrote %s", written)
		}
		if err != nil && !p.Running() {
			m.Fatalf("%s ended (root is needed): %v, %v", p.Name, p.Err(), err)
		}
		return err
	}))
}

// line is a command line on the machine, or beside it where its changes are seen.
func (m *machine) line(inside bool, args ...string) []string {
	line := []string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", m.holder.PID())}
	if inside {
		line = append(line, "chroot", path.Join(m.dir, "root"))
	}
	return append(line, args...)
}

func (m *machine) run(line []string) (string, error) {
	cmd := exec.CommandContext(m.ctx, line[0], line[1:]...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// does runs a command on the machine that must end well, and returns what it wrote.
func (m *machine) does(args ...string) string {
	m.Helper()
	out, err := m.run(m.line(true, args...))
	if err != nil {
		m.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// fails runs a command on the machine that must not end well.
func (m *machine) fails(args ...string) {
	m.Helper()
	if out, err := m.run(m.line(true, args...)); err == nil {
		m.Errorf("%q ended well:\n%s", args, out)
	}
}

// takes puts a file onto the machine and returns where it is.
func (m *machine) takes(file string) string {
	m.Helper()
	out, err := m.run(m.line(false, "cp", file, path.Join(m.dir, "root")))
	if err != nil {
		m.Fatalf("copy %s: %v\n%s", file, err, out)
	}
	return "/" + filepath.Base(file)
}

// changed are the paths that are new or other than on this machine and hold a word.
func (m *machine) changed(word string) string {
	m.Helper()
	out, err := m.run(m.line(false, "find", path.Join(m.dir, "up"), "-name", "*"+word+"*", "-printf", "/%P "))
	m.must(err)
	return strings.TrimSpace(out)
}

// starts runs a program on the machine until the test ends or stops it.
func (m *machine) starts(name string, args ...string) *rig.Process {
	m.Helper()
	line := m.line(true, args...)
	p, err := m.rig.Start(name, line[0], line[1:]...)
	m.must(err)
	return p
}
