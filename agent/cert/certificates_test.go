package cert_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/agent/cert"
)

func (p place) read(name string) []byte {
	p.Helper()
	b, err := os.ReadFile(p.path(name))
	if err != nil {
		p.Fatal(err)
	}
	return b
}

// shown is the serial number of the certificate that a port for peers shows.
func shown(t *testing.T, by, to *cert.Certificates) string {
	t.Helper()
	conf := to.PeerClient("p")
	ofClient, ofServer := meet(t, conf, by.PeerServer("p"))
	if err := errors.Join(ofClient, ofServer); err != nil {
		t.Fatal(err)
	}
	c, err := by.PeerServer("p").GetConfigForClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Certificates[0].Leaf.SerialNumber.String()
}

// TestReload replaces a certificate while it is in use, by a good one and by bad ones.
func TestReload(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.issue("ca", "a", nil)
	p.issue("ca", "b", nil)
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	cfg := p.config("ca", "a")
	cfg.Log, cfg.Registerer = slog.New(slog.NewTextHandler(&log, nil)), reg
	a, err := cert.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := p.open("ca", "b")
	first := shown(t, a, b)
	if err := a.Reload(); err != nil || shown(t, a, b) != first {
		t.Fatalf("files that did not change changed the certificate: %v", err)
	}

	p.issue("ca", "a", nil)
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	second := shown(t, a, b)
	if second == first {
		t.Error("the certificate was not replaced")
	}

	good := p.read("a-key.pem")
	p.write("a-key.pem", p.read("b-key.pem"))
	for range 3 {
		wants(t, a.Reload(), "a-key.pem", "not the key")
	}
	if shown(t, a, b) != second {
		t.Error("a certificate that cannot be used did not leave the last one in force")
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("one fault is told %d times, want once:\n%s", n, log.String())
	}
	p.write("a-key.pem", good)
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "good again") {
		t.Errorf("it is not told that the files are good again:\n%s", log.String())
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP muster_cert_reloads_total Certificate files read that had changed or could not be used, by result: ok or failed.
# TYPE muster_cert_reloads_total counter
muster_cert_reloads_total{result="failed"} 3
muster_cert_reloads_total{result="ok"} 1
`), "muster_cert_reloads_total"); err != nil {
		t.Error(err)
	}
}

// TestNothingIsTakenBeforeItIsSaid: what was read takes effect when it is taken, and never in the place of what is newer.
func TestNothingIsTakenBeforeItIsSaid(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.issue("ca", "a", nil)
	a, b := p.open("ca", "a"), p.open("ca", "a")
	first := shown(t, a, b)
	p.issue("ca", "a", nil)
	take, err := a.Prepare()
	if err != nil || shown(t, a, b) != first {
		t.Fatalf("what was only read is in force: %v", err)
	}
	p.issue("ca", "a", nil)
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	newest := shown(t, a, b)
	take()
	if shown(t, a, b) != newest || newest == first {
		t.Error("what was read first took the place of what is newer")
	}
	p.issue("ca", "a", nil)
	if take, err = a.Prepare(); err != nil {
		t.Fatal(err)
	}
	if take(); shown(t, a, b) == newest {
		t.Error("what was taken is not in force")
	}
}

// TestAuthorityIsReplaced goes from one authority to another on two peers, which reach each other at every step.
func TestAuthorityIsReplaced(t *testing.T) {
	p := newPlace(t)
	p.authority("old")
	p.authority("new")
	certs := map[string]*cert.Certificates{}
	for _, name := range []string{"a", "b"} {
		p.issue("old", name, nil)
		p.write(name+"-ca.pem", p.read("old.pem"))
		cfg := p.config(name+"-ca", name)
		c, err := cert.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		certs[name] = c
	}
	reload := func(name, what string) {
		t.Helper()
		if err := certs[name].Reload(); err != nil {
			t.Fatalf("%s: %s: %v", what, name, err)
		}
		for from, to := range map[string]string{"a": "b", "b": "a"} {
			ofClient, ofServer := meet(t, certs[from].PeerClient("p"), certs[to].PeerServer("p"))
			if ofClient != nil || ofServer != nil {
				t.Errorf("%s of %s: %s does not reach %s: %v, %v", what, name, from, to, ofClient, ofServer)
			}
		}
	}
	for _, step := range []struct {
		what string
		do   func(name string)
	}{
		{"both authorities", func(n string) { p.write(n+"-ca.pem", p.read("old.pem"), p.read("new.pem")) }},
		{"a new certificate", func(n string) { p.issue("new", n, nil) }},
		{"the new authority", func(n string) { p.write(n+"-ca.pem", p.read("new.pem")) }},
	} {
		for _, name := range []string{"a", "b"} {
			step.do(name)
			reload(name, step.what)
		}
	}
}

// TestRunLooksAtTheFiles replaces a certificate and says nothing: a minute later it is in force, and its end in the metrics.
func TestRunLooksAtTheFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.authority("ca")
		p.issue("ca", "a", func(q *cert.Request) { q.Lasts = 10 * 24 * time.Hour })
		var log bytes.Buffer
		reg := prometheus.NewRegistry()
		cfg := p.config("ca", "a")
		cfg.Log, cfg.Registerer = slog.New(slog.NewTextHandler(&log, nil)), reg
		a, err := cert.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		synctest.Wait()
		if !strings.Contains(log.String(), "about to end") {
			t.Errorf("nothing is said of a certificate that ends in ten days:\n%s", log.String())
		}
		p.issue("ca", "a", nil)
		<-time.After(time.Minute)
		synctest.Wait()
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP muster_cert_not_after_timestamp_seconds When it ends: this peer's certificate, and of the authorities it trusts the one that ends first.
# TYPE muster_cert_not_after_timestamp_seconds gauge
muster_cert_not_after_timestamp_seconds{certificate="authority"} 2.0629296e+09
muster_cert_not_after_timestamp_seconds{certificate="peer"} 1.9367856e+09
`), "muster_cert_not_after_timestamp_seconds"); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
