package nats_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// The newest server, whose pages differ a little from those of Debian's.
func TestNewestServer(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		ServerName: "n1", Host: "127.0.0.1", Port: -1, HTTPHost: "127.0.0.1", HTTPPort: -1,
		JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.WaitForShutdown()
	defer s.Shutdown()
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	p := start(t, `{"streams":true}`)
	target := refresh.Target{Node: "n1", Address: "127.0.0.1", Port: s.MonitorAddr().Port}

	r := p.Probe(t.Context(), target)
	if r.State != fsm.StateUp || r.Version != server.VERSION || r.NodeID != "n1" || r.Attributes["jetstream"] != "single" {
		t.Errorf("report is %+v", r)
	}
	conn, err := natsgo.Connect(s.ClientURL(), natsgo.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&natsgo.StreamConfig{Name: "ORDERS"}); err != nil {
		t.Fatal(err)
	}
	r = p.Probe(t.Context(), target)
	want := []fsm.Shard{{ID: "$G/ORDERS", Role: fsm.RolePrimary, Offset: &fsm.Offset{Unit: "messages"}}}
	if diff := cmp.Diff(want, r.Shards); diff != "" {
		t.Errorf("with a stream: shards (-want +got):\n%s", diff)
	}
	if err := s.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	if r := p.Probe(t.Context(), target); r.State != fsm.StateDown || r.StateReason != "jetstream_unavailable" {
		t.Errorf("without JetStream: report is %+v", r)
	}
	go s.LameDuckShutdown()
	until(t, "leaving", func() bool {
		r := p.Probe(t.Context(), target)
		return r.State == fsm.StateLeaving && r.StateReason == "lame_duck"
	})
}
