package probetest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Real skips a test that starts real servers in runs that are to be short; full runs skip none.
func Real(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers")
	}
}

// Start makes a prober of one node, which is closed when the test ends.
func Start(t testing.TB, maker refresh.Maker, config fsm.JSON, env refresh.Env) refresh.Prober {
	t.Helper()
	asker, err := maker(config, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(asker.Close)
	prober, ok := asker.(refresh.Prober)
	if !ok {
		t.Fatalf("%T is no refresh.Prober", asker)
	}
	return prober
}

// Piped is an environment in which every dial is answered by handle, once for each connection; handle is through when the
// test ends.
func Piped(t testing.TB, handle func(net.Conn)) refresh.Env {
	t.Helper()
	return refresh.Env{Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer theirs.Close()
			handle(theirs)
		}()
		t.Cleanup(func() { _ = ours.Close(); <-done })
		return ours, nil
	}}
}

// Listen answers each connection to a target on loopback by handle, one after the other, until the test ends.
func Listen(t testing.TB, handle func(net.Conn)) refresh.Target {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return refresh.Target{
		Cluster: "orders", Node: "orders-1", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port,
	}
}

// Settle polls targets until what they say is as wanted, and gives their reports in their order: servers take their time to
// agree.
func Settle(t testing.TB, p refresh.Prober, targets []refresh.Target, as func([]fsm.Report) bool) []fsm.Report {
	t.Helper()
	look, limit := time.NewTicker(20*time.Millisecond), time.NewTimer(patience)
	defer look.Stop()
	defer limit.Stop()
	for {
		reports := make([]fsm.Report, 0, len(targets))
		for _, target := range targets {
			reports = append(reports, p.Probe(t.Context(), target))
		}
		if as(reports) {
			return reports
		}
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("they still say %+v", reports)
		}
	}
}
