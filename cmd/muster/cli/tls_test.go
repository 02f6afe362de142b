package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCertificatesAreMade makes an authority and certificates, and none in the place of another without being told.
func TestCertificatesAreMade(t *testing.T) {
	dir := t.TempDir()
	does := func(args ...string) string {
		t.Helper()
		r := run{}.do(t, nil, append([]string{"tls"}, append(args, "-dir", dir)...)...)
		if r.code != 0 {
			t.Fatalf("tls %q: exit %d: %s", args, r.code, r.err)
		}
		return r.out
	}
	refuses := func(want string, args ...string) {
		t.Helper()
		r := run{}.do(t, nil, append([]string{"tls"}, append(args, "-dir", dir)...)...)
		if r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("tls %q: exit %d, %q; want %q", args, r.code, r.err, want)
		}
	}
	refuses("muster-ca.pem: no such file or directory: name its files, or make one with muster tls ca create", "cert", "create", "-peer")
	does("ca", "create")
	refuses("muster-ca.pem is there already: say -force", "ca", "create", "-name", "other")
	does("cert", "create", "-peer")
	does("cert", "create", "-peer")
	does("cert", "create", "-client", "-name", "alice", "-group", "payments")
	refuses("payments-client-alice.pem is there already: say -force", "cert", "create", "-client", "-name", "alice", "-group", "payments")
	before := modes(t, dir)
	want := map[string]os.FileMode{
		"muster-ca.pem": 0o644, "muster-ca-key.pem": 0o600,
		"muster-peer-0.pem": 0o644, "muster-peer-0-key.pem": 0o600, "muster-peer-1.pem": 0o644, "muster-peer-1-key.pem": 0o600,
		"payments-client-alice.pem": 0o644, "payments-client-alice-key.pem": 0o600,
	}
	if d := cmp.Diff(want, before); d != "" {
		t.Error(d)
	}
	old := content(t, dir, "payments-client-alice.pem")
	var made map[string]string
	out := does("cert", "create", "-client", "-name", "alice", "-group", "payments", "-force", "-format", "json")
	if err := json.Unmarshal([]byte(out), &made); err != nil || made["key"] != filepath.Join(dir, "payments-client-alice-key.pem") {
		t.Errorf("%s (%v)", out, err)
	}
	if content(t, dir, "payments-client-alice.pem") == old {
		t.Error("-force did not put a new certificate in the place of the old")
	}
	if d := cmp.Diff(want, modes(t, dir)); d != "" {
		t.Error(d)
	}

	refuses("either -peer or -client", "cert", "create")
	refuses("either -peer or -client", "cert", "create", "-peer", "-client")
	refuses(`-ip "peer-a" is no IP address; names go with -dns`, "cert", "create", "-peer", "-ip", "peer-a")
	refuses(`-dns "10.0.0.1" is an address: say -ip 10.0.0.1`, "cert", "create", "-peer", "-dns", "10.0.0.1")
	refuses(`-dns "a b" is no DNS name`, "cert", "create", "-peer", "-dns", "a b")
	refuses(`-name "../x" may hold`, "cert", "create", "-peer", "-name", "../x")
	refuses(`group "a.b" cannot be named`, "cert", "create", "-peer", "-group", "a.b", "-name", "x")
	refuses("-days 0 is not between 1 and", "cert", "create", "-peer", "-days", "0")
	refuses("its authority ends", "cert", "create", "-peer", "-days", "3650")
	refuses(`-format "yaml" is neither`, "cert", "create", "-peer", "-format", "yaml")
	if d := cmp.Diff(want, modes(t, dir)); d != "" {
		t.Errorf("what was refused left something: %s", d)
	}
}

func modes(t *testing.T, dir string) map[string]os.FileMode {
	t.Helper()
	out := map[string]os.FileMode{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = info.Mode().Perm()
	}
	return out
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestProofIsJudged asks with certificates that cannot be shown.
func TestProofIsJudged(t *testing.T) {
	dir := t.TempDir()
	if r := (run{}).do(t, nil, "tls", "ca", "create", "-dir", dir); r.code != 0 {
		t.Fatal(r.err)
	}
	ca, key := filepath.Join(dir, "muster-ca.pem"), filepath.Join(dir, "muster-ca-key.pem")
	for want, args := range map[string][]string{
		"-client-cert without -client-key": {"-client-cert", ca},
		"-client-key without -client-cert": {"-client-key", key},
		"CA file: open /nowhere":           {"-ca-file", "/nowhere"},
		"CA file " + key:                   {"-ca-file", key},
		"is not the key of certificate":    {"-client-cert", ca, "-client-key", ca},
	} {
		if err := os.Chmod(ca, 0o600); err != nil {
			t.Fatal(err)
		}
		r := run{}.do(t, nil, append([]string{"members", "-http-addr", "127.0.0.1:1"}, args...)...)
		if r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%q: exit %d, %q; want %q", args, r.code, r.err, want)
		}
	}
	r := run{}.do(t, nil, "members", "-http-addr", "127.0.0.1:1", "-ca-file", ca)
	if !strings.Contains(r.err, "https://127.0.0.1:1") {
		t.Errorf("with -ca-file an address without scheme is asked as %s", r.err)
	}
}
