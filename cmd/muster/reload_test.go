package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// files writes a peer's configuration files anew, and no file may be seen half written.
func files(t *testing.T, dir string, all map[string]string) {
	t.Helper()
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name+".tmp"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".tmp"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// told runs a command to its end and returns its exit code and all that it said.
func told(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	one := start(t, args...)
	out, err := io.ReadAll(one.out)
	if err != nil {
		t.Fatal(err)
	}
	said = string(out) + one.wait()
	return one.cmd.ProcessState.ExitCode(), said
}

// until asks a peer again and again until it is as it should be.
func until(t *testing.T, what string, is func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !is(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", limit, what)
		case <-again.C:
		}
	}
}

// TestAPeerReadsItsFilesAgain: of a real process, by SIGHUP and by muster reload, each kind of what can be changed.
func TestAPeerReadsItsFilesAgain(t *testing.T) {
	dir := t.TempDir()
	backups := filepath.Join(dir, "backups")
	discovery := func(interval string) string {
		return fmt.Sprintf("discovery \"orders\" {\n  backend = \"file\"\n  config { files = [%q] }\n  interval = %q\n}\n", dir+"/*.yaml", interval)
	}
	const first = "log_level = \"warn\"\nlabels { zone = \"a\" }\n"
	files(t, dir, map[string]string{"10-agent.hcl": first, "20-orders.hcl": discovery("10s")})
	p, api := dev(t, "-config-dir", dir)
	self, err := api.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	every := func(want fsm.Duration) func(context.Context) bool {
		return func(ctx context.Context) bool {
			d, _, err := api.Discovery(ctx, "orders", httpd.Read{})
			return err == nil && d.Interval == want
		}
	}
	zone := func(want string) func(context.Context) bool {
		return func(ctx context.Context) bool {
			self, err := api.Self(ctx)
			return err == nil && self.Member.Labels["zone"] == want
		}
	}
	until(t, "the discovery of the file", every(10*fsm.Second))
	until(t, "the label", zone("a"))

	const second = "log_level = \"debug\"\nlabels { zone = \"b\" }\nbackup { interval = \"1s\" }\ngroup = \"other\"\n"
	files(t, dir, map[string]string{"10-agent.hcl": second, "20-orders.hcl": discovery("20s")})
	p.signal(syscall.SIGHUP)
	until(t, "the changed discovery", every(20*fsm.Second))
	until(t, "the changed label", zone("b"))

	files(t, dir, map[string]string{"20-orders.hcl": "backup { dir = \"" + backups + "\" }\n" + discovery("1ms") + "lables { zone = \"c\" }"})
	code, said := told(t, "reload", "-http-addr", self.Member.HTTPAddress)
	for _, want := range []string{
		"nothing was taken over", "20-orders.hcl:5: interval: 1ms is shorter than 1s", `20-orders.hcl:7: lables is not known (did you mean "labels"?)`,
	} {
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("a reload of a bad file: exit %d, said\n%s\nwant %q", code, said, want)
		}
	}
	if !every(20*fsm.Second)(t.Context()) || !zone("b")(t.Context()) {
		t.Error("a bad file has changed something")
	}
	if _, err := os.Stat(backups); err == nil {
		t.Error("a bad file has begun backups")
	}

	files(t, dir, map[string]string{"20-orders.hcl": "backup { dir = \"" + backups + "\" }\n" + discovery("30s")})
	code, said = told(t, "reload", "-http-addr", self.Member.HTTPAddress)
	for _, want := range []string{
		"Read 2 files.", `backup.dir is "` + backups + `" now; it was empty.`,
		`group stays "muster" until the peer is restarted; then it will be "other".`, "1 discovery of the files",
	} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("a reload: exit %d, said\n%s\nwant %q", code, said, want)
		}
	}
	until(t, "a backup", func(context.Context) bool {
		kept, err := filepath.Glob(backups + "/*.backup")
		return err == nil && len(kept) > 0
	})
	until(t, "the discovery of a good file", every(30*fsm.Second))
	p.signal(syscall.SIGTERM)
	log := p.wait()
	for _, want := range []string{
		`level=WARN msg="setting needs a restart" setting=group before=muster after=other`,
		`level=INFO msg="setting changed" setting=labels before="zone=a" after="zone=b"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, `level=INFO msg="peer started"`) {
		t.Errorf("it logged below the level of its file:\n%s", log)
	}
}

// TestReloadReadsCertificatesAgain: a new certificate is shown at once, and one that cannot be used is an error that leaves all as
// it was.
func TestReloadReadsCertificatesAgain(t *testing.T) {
	dir := t.TempDir()
	must := func(args ...string) string {
		t.Helper()
		code, said := told(t, args...)
		if code != 0 {
			t.Fatalf("muster %v: exit %d, %s", args, code, said)
		}
		return said
	}
	must("tls", "ca", "create", "-dir", dir)
	must("tls", "cert", "create", "-peer", "-dir", dir, "-name", "a")
	ca, shown := filepath.Join(dir, "muster-ca.pem"), filepath.Join(dir, "muster-peer-a.pem")
	settings := func(zone string) map[string]string {
		return map[string]string{"agent.hcl": fmt.Sprintf("dev = true\nlabels { zone = %q }\ntls {\n  ca_file = %q\n  cert_file = %q\n  key_file = %q\n}\n",
			zone, ca, shown, filepath.Join(dir, "muster-peer-a-key.pem"))}
	}
	files(t, dir, settings("a"))
	p := start(t, "agent", "-config-file", filepath.Join(dir, "agent.hcl"), "-name", "peer-a", "-http-addr", "127.0.0.1:0",
		"-peer-addr", "127.0.0.1:0", "-gossip-addr", "127.0.0.1:0")
	_, after, _ := strings.Cut(p.line(), "https://")
	address, _, found := strings.Cut(after, ". ")
	if !found {
		t.Fatalf("the first line names no address; stderr:\n%s", p.errs)
	}
	at := []string{"-http-addr", "https://" + address, "-ca-file", ca}
	until(t, "an answer", func(context.Context) bool { code, _ := told(t, append([]string{"info"}, at...)...); return code == 0 })
	serial := func() string {
		t.Helper()
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address) //nolint:gosec // it only looks
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()

	good, err := os.ReadFile(shown)
	if err != nil {
		t.Fatal(err)
	}
	files(t, dir, settings("b"))
	files(t, dir, map[string]string{"muster-peer-a.pem": "no certificate"})
	if code, said := told(t, append([]string{"reload"}, at...)...); code != 1 || !strings.Contains(said, "nothing was taken over") || !strings.Contains(said, shown) {
		t.Errorf("a reload with a broken certificate: exit %d, %s", code, said)
	}
	files(t, dir, map[string]string{"muster-peer-a.pem": string(good)})
	if info := must(append([]string{"members", "-format=json"}, at...)...); !strings.Contains(info, `"zone": "a"`) {
		t.Errorf("a reload that failed has changed the label: %s", info)
	}
	must("tls", "cert", "create", "-peer", "-dir", dir, "-name", "a", "-force")
	must(append([]string{"reload"}, at...)...)
	if again := serial(); again == first {
		t.Error("the old certificate is still shown")
	}
	if info := must(append([]string{"members", "-format=json"}, at...)...); !strings.Contains(info, `"zone": "b"`) {
		t.Errorf("the label of the file is not taken over: %s", info)
	}
	p.signal(syscall.SIGTERM)
	p.wait()
}
