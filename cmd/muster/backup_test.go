package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// host is a peer on a loopback address of its own, with a data directory.
type host struct {
	*process
	t    *testing.T
	name string
	ip   string
	dir  string
	api  *httpd.Client
}

func hosts(t *testing.T, n int) []*host {
	t.Helper()
	var all []*host
	for i := range n {
		h := &host{t: t, name: fmt.Sprintf("peer-%c", 'a'+i), ip: fmt.Sprintf("127.87.%d.%d", os.Getpid()%250, i+1), dir: filepath.Join(t.TempDir(), "data")}
		var err error
		if h.api, err = httpd.NewClient(httpd.ClientConfig{Address: h.ip + ":8650"}); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

// start begins a life of the peer, which joins others.
func (h *host) start(others []*host, more ...string) {
	args := []string{
		"agent", "-data-dir", h.dir, "-name", h.name,
		"-http-addr", h.ip + ":8650", "-peer-addr", h.ip + ":8651", "-gossip-addr", h.ip + ":8652",
	}
	for _, o := range others {
		if o != h {
			args = append(args, "-join", o.ip+":8652")
		}
	}
	h.process = start(h.t, append(args, more...)...)
}

// end ends the peer by a signal and waits.
func (h *host) end(s os.Signal) {
	h.t.Helper()
	h.signal(s)
	h.wait()
}

// muster runs a command to its end, which must come with an exit code.
func (h *host) muster(code int, args ...string) string {
	h.t.Helper()
	one := start(h.t, args...)
	out, err := io.ReadAll(one.out)
	if err != nil {
		h.t.Fatal(err)
	}
	said := one.wait()
	if got := one.cmd.ProcessState.ExitCode(); got != code {
		h.t.Fatalf("muster %v: exit %d, want %d: %s%s", args, got, code, out, said)
	}
	return string(out) + said
}

// ask runs a command that asks the peer.
func (h *host) ask(args ...string) string {
	h.t.Helper()
	return h.muster(0, append(args, "-http-addr", h.ip+":8650")...)
}

func (h *host) settings() fsm.Settings {
	h.t.Helper()
	s, _, err := h.api.Settings(h.t.Context(), httpd.Read{})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// TestBackupAndRecovery saves, changes and restores the state of three peers, loses two of them for good, recovers a group
// from the third, and lets a new peer in.
func TestBackupAndRecovery(t *testing.T) {
	all := hosts(t, 3)
	for _, h := range all {
		h.start(all, "-bootstrap-expect", "3")
	}
	for _, h := range all {
		ready(t, h.api)
	}
	a, b, c := all[0], all[1], all[2]
	a.ask("settings", "set", "-label", "at=first")
	file := filepath.Join(t.TempDir(), "muster.backup")
	if out := b.ask("snapshot", "save", file); !strings.HasPrefix(out, "Saved and verified snapshot to index ") {
		t.Errorf("save: %q", out)
	}
	if out := b.muster(0, "snapshot", "inspect", file); !strings.Contains(out, "peers") {
		t.Errorf("inspect: %q", out)
	}
	a.ask("settings", "set", "-label", "at=second")
	half := filepath.Join(t.TempDir(), "half.backup")
	raw, err := os.ReadFile(file)
	if err = errors.Join(err, os.WriteFile(half, raw[:len(raw)/2], 0o600)); err != nil {
		t.Fatal(err)
	}
	if said := c.muster(1, "snapshot", "restore", half, "-http-addr", c.ip+":8650"); !strings.Contains(said, "nothing was done") {
		t.Errorf("restore half a backup: %q", said)
	}
	if got := c.settings().Labels["at"]; got != "second" {
		t.Errorf("after a refused restore the label is %q", got)
	}
	if out := c.ask("snapshot", "restore", file); !strings.HasPrefix(out, "Restored snapshot") {
		t.Errorf("restore: %q", out)
	}
	for _, h := range all {
		if got := h.settings().Labels["at"]; got != "first" {
			t.Errorf("%s: after the restore the label is %q", h.name, got)
		}
	}

	a.ask("settings", "set", "-label", "at=last")
	a.end(syscall.SIGKILL)
	b.end(syscall.SIGKILL)
	if said := c.muster(1, "operator", "recover", "-data-dir", c.dir); !strings.Contains(said, "stop the peer first") {
		t.Errorf("recover a running peer: %q", said)
	}
	c.end(syscall.SIGTERM)
	if said := c.muster(1, "operator", "recover", "-data-dir", c.dir); !strings.Contains(said, "peer-a, peer-b") || !strings.Contains(said, "-yes") {
		t.Errorf("recover without -yes: %q", said)
	}
	c.muster(0, "operator", "recover", "-data-dir", c.dir, "-yes")
	if out := c.muster(0, "operator", "compact-log", "-data-dir", c.dir); !strings.Contains(out, "The log took") {
		t.Errorf("compact: %q", out)
	}
	c.start(nil)
	ready(t, c.api)
	if got := c.settings().Labels["at"]; got != "last" {
		t.Errorf("after the recovery the label is %q", got)
	}
	b.dir = filepath.Join(t.TempDir(), "new")
	b.start([]*host{c})
	ready(t, b.api)
	if out := b.ask("operator", "raft", "list-peers"); !strings.Contains(out, "peer-b") || !strings.Contains(out, "peer-c") || strings.Contains(out, "peer-a") {
		t.Errorf("peers: %s", out)
	}
}
