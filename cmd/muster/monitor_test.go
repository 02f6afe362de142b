package main

import (
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	httpd "github.com/musterhq/muster/http"
)

// watching starts muster monitor and waits until the peer has a reader.
func watching(t *testing.T, api *httpd.Client, address string, args ...string) *process {
	t.Helper()
	p := start(t, append([]string{"monitor", "-http-addr", address}, args...)...)
	watched(t, api)
	return p
}

// watched waits until a peer's log has a reader.
func watched(t *testing.T, api *httpd.Client) {
	t.Helper()
	until(t, "a reader of the log", func(ctx context.Context) bool {
		text, err := api.Metrics(ctx)
		return err == nil && strings.Contains(string(text), "\nmuster_monitor_readers 1\n")
	})
}

// TestMonitorOfARealPeer watches a peer that itself logs warnings alone, until its reader is interrupted and until it stops.
func TestMonitorOfARealPeer(t *testing.T) {
	p, api := dev(t, "-log-level", "warn")
	self, err := api.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := self.Member.HTTPAddress
	reader := watching(t, api, address, "-log-level", "debug")
	if _, err := api.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, `level=INFO msg="reload asked"`); {
		line = reader.line()
	}
	reader.signal(syscall.SIGINT)
	if said := reader.wait(); reader.cmd.ProcessState.ExitCode() != 0 || said != "" {
		t.Errorf("interrupted it ends with %d and says %q", reader.cmd.ProcessState.ExitCode(), said)
	}
	until(t, "that nobody reads", func(ctx context.Context) bool {
		text, err := api.Metrics(ctx)
		return err == nil && strings.Contains(string(text), "\nmuster_monitor_readers 0\n")
	})
	reader = watching(t, api, address, "-format=json")
	p.signal(syscall.SIGTERM)
	var last struct{ Msg, Reason string }
	for last.Msg != "the peer ends this stream" {
		if err := json.Unmarshal([]byte(reader.line()), &last); err != nil {
			t.Fatal(err)
		}
	}
	said := reader.wait()
	if last.Reason != "this peer stops" || reader.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "the peer ended the stream") {
		t.Errorf("%+v; it ends with %d and says %q", last, reader.cmd.ProcessState.ExitCode(), said)
	}
	if own := p.wait(); strings.Contains(own, "reload asked") {
		t.Errorf("the peer's own log holds what was only watched:\n%s", own)
	}
}
