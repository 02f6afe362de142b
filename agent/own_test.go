package agent

import (
	"errors"
	"log/slog"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// TestOwnListenersAreNotAsked has a source list the peer's own addresses as nodes.
func TestOwnListenersAreNotAsked(t *testing.T) {
	on, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close()
	addr := on.Addr().String()
	for _, set := range []func(*Config){
		func(c *Config) { c.HTTPAddr = addr },
		func(c *Config) { c.PeerAddr = addr },
		func(c *Config) { c.GossipAddr = addr },
	} {
		cfg := Config{
			HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
			Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		}
		set(&cfg)
		a := &Agent{id: "p", cfg: cfg, log: cfg.Log, machine: replica.New("p", nil)}
		if err := a.makeWorkers(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := a.poller.Dial(t.Context(), "tcp", addr)
		var fault *refresh.FaultError
		if !errors.As(err, &fault) || fault.Reason != fsm.ReasonForbidden {
			t.Errorf("own address dialed: %v", err)
		}
	}
}
