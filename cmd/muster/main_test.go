package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	httpd "github.com/musterhq/muster/http"
)

// asMuster has this test binary be muster.
const asMuster = "MUSTER_TEST_AS_MUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(asMuster) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// limit is how long anything here may take; it is far more than it should.
const limit = time.Minute

// process is muster in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	errs *bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	p := &process{t: t, cmd: exec.CommandContext(ctx, os.Args[0], args...), errs: &bytes.Buffer{}}
	p.cmd.Env = append(os.Environ(), asMuster+"=1", "MUSTER_HTTP_ADDR=")
	p.cmd.Stderr = p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait()
	})
	return p
}

// line is the next line of the output.
func (p *process) line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("read output: %v; stderr:\n%s", err, p.wait())
	}
	return line
}

// wait waits until the process has ended, and returns what it said to stderr.
func (p *process) wait() string {
	_, _ = io.Copy(io.Discard, p.out)
	_ = p.cmd.Wait()
	return p.errs.String()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// dev starts an agent on free ports and waits until it is ready.
func dev(t *testing.T, more ...string) (*process, *httpd.Client) {
	t.Helper()
	p := start(t, append([]string{
		"agent", "-dev", "-name", "peer-a", "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0", "-gossip-addr", "127.0.0.1:0",
	}, more...)...)
	_, after, found := strings.Cut(p.line(), "http://")
	address, _, ended := strings.Cut(after, ". ")
	if !found || !ended {
		t.Fatalf("the first line names no address; stderr:\n%s", p.errs)
	}
	api, err := httpd.NewClient(httpd.ClientConfig{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	ready(t, api)
	return p, api
}

// ready waits until a peer says that it is.
func ready(t *testing.T, api *httpd.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		r, err := api.Ready(ctx)
		if err == nil && r.Status == "ok" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not ready: %v, %v", r.Reasons, err)
		case <-again.C:
		}
	}
}

func TestAgentStopsWellWhenAsked(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			p, _ := dev(t)
			p.signal(s)
			said := p.wait()
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit %d, want 0; stderr:\n%s", code, said)
			}
			if !strings.Contains(said, "peer stopping") {
				t.Errorf("it did not stop by itself; stderr:\n%s", said)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	// A fifo that nobody writes to holds a command up however often it is asked to stop.
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "validate", fifo)
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // returns once the command reads
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ended := make(chan string, 1)
	go func() { ended <- p.wait() }()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	// Two signals that come together may be one, so it is asked until it has ended; one alone must not end it.
	for asked := 0; ; asked++ {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		select {
		case <-ended:
			if code := p.cmd.ProcessState.ExitCode(); code != 1 || asked == 0 {
				t.Errorf("exit %d after %d signals, want 1 after two", code, asked+1)
			}
			return
		case <-again.C:
		}
	}
}

func TestTheWholeWay(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "fleet.json")
	played := start(t, "fleet", "-clusters", "2", "-nodes", "2", "-port", "-1", "-base", "127.61.0.0", "-file", list)
	if line := played.line(); !strings.HasPrefix(line, "4 nodes of 2 clusters answer.") {
		t.Fatalf("fleet: %q", line)
	}
	p, api := dev(t)
	self, err := api.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "fleet.hcl")
	text := fmt.Sprintf("discovery \"fleet\" {\n backend = \"file\"\n config { files = [%q] }\n cluster = \"{{.cluster}}\"\n}\n", list)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	muster := func(args ...string) string {
		t.Helper()
		one := start(t, append(args, "-http-addr", self.Member.HTTPAddress)...)
		out, err := io.ReadAll(one.out)
		if err != nil {
			t.Fatal(err)
		}
		said := one.wait()
		if code := one.cmd.ProcessState.ExitCode(); code != 0 {
			t.Fatalf("muster %v: exit %d, %s", args, code, said)
		}
		return string(out)
	}
	for _, c := range []struct{ args, want string }{
		{"validate " + file, "Good: 1 discovery in 1 file."},
		{"members", "peer-a"},
		{"operator raft list-peers", "leader"},
	} {
		args := strings.Fields(c.args)
		if args[0] == "validate" {
			one := start(t, args...)
			if line := one.line(); !strings.Contains(line, c.want) {
				t.Errorf("%s: %q", c.args, line)
			}
			continue
		}
		if out := muster(args...); !strings.Contains(out, c.want) {
			t.Errorf("%s: want %q in:\n%s", c.args, c.want, out)
		}
	}
	muster("discovery", "apply", file)
	healthy(t, api)
	for _, c := range []struct{ args, want string }{
		{"cluster list", "fleet-00001  healthy"},
		{"cluster show -live fleet-00000", "cluster.health_changed"},
		{"cluster refresh fleet-00000", " by peer-a"},
		{"discovery run fleet", "4 records"},
		{"node maintenance fleet-00000/fleet-00000-1", "1 node is in maintenance now."},
		{"event list -type node.maintenance", "fleet-00000/fleet-00000-1"},
		{"info", "peer-a"},
	} {
		if out := muster(strings.Fields(c.args)...); !strings.Contains(out, c.want) {
			t.Errorf("%s: want %q in:\n%s", c.args, c.want, out)
		}
	}
	for _, one := range []*process{p, played} {
		one.signal(syscall.SIGTERM)
		if said := one.wait(); one.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("%v: exit %d, %s", one.cmd.Args[1:2], one.cmd.ProcessState.ExitCode(), said)
		}
	}
}

// healthy waits until two clusters are.
func healthy(t *testing.T, api *httpd.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for o := (httpd.List{Filter: `health == "healthy"`}); ; {
		page, err := api.Clusters(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Rows) == 2 {
			return
		}
		o.Index = page.Index
	}
}

func TestAgentRefusesWhatCannotWork(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"agent", "no -data-dir"},
		{"agent -dev -http-addr 0.0.0.0:0", "not on loopback"},
		{"agent -dev -log-level loud", `-log-level "loud"`},
		{"agent -dev -log-format xml", `-log-format "xml"`},
		{"agent -dev -label zone", "-label \"zone\" is not KEY=VALUE"},
		{"agent -dev -raft-multiplier 11", "-raft-multiplier"},
		{"agent -data-dir " + filepath.Join(t.TempDir(), "d") + " -http-addr 127.0.0.1:0 -peer-addr 127.0.0.1:0 -gossip-addr 127.0.0.1:0", "-bootstrap-expect"},
	} {
		p := start(t, strings.Fields(c.args)...)
		if said := p.wait(); p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit %d, want 1 and %q in:\n%s", c.args, p.cmd.ProcessState.ExitCode(), c.want, said)
		}
	}
}

func TestAgentKeepsItsDataFromOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, "agent", "-data-dir", dir, "-name", "peer-a", "-bootstrap-expect", "1", "-log-format", "json",
		"-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0", "-gossip-addr", "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for found := 0; found < 2; {
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		found = len(names)
		select {
		case <-ctx.Done():
			t.Fatalf("nothing in the data directory; stderr:\n%s", p.errs)
		case <-again.C:
		}
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
