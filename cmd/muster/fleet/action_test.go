package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// inBothWays runs a test with a listener per node and with the shared one.
func inBothWays(t *testing.T, f func(t *testing.T, listen fleet.Listen)) {
	for _, listen := range []fleet.Listen{fleet.ListenEach, fleet.ListenShared} {
		t.Run(string(listen), func(t *testing.T) { f(t, listen) })
	}
}

func TestStoppedNode(t *testing.T) {
	inBothWays(t, func(t *testing.T, listen fleet.Listen) {
		want, sys := fsm.ReasonRefused, syscall.ECONNREFUSED
		if listen == fleet.ListenShared {
			want, sys = fsm.ReasonReset, syscall.ECONNRESET
		}
		p := play(t, fleet.Config{Clusters: 2, Listen: listen})
		n := p.node(1)
		old, err := net.Dial("tcp", hostPort(n))
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		p.document(n)
		p.act(fleet.Stop, fleet.Action{Node: n.ID})
		if _, err := old.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("its open connection ends with %v, want a reset", err)
		}
		for range 3 {
			if got := p.ask(n, ""); got.reason != want || !errors.Is(got.err, sys) {
				t.Errorf("a poll fails with %q, %v; want %q, %v", got.reason, got.err, want, sys)
			}
		}
		p.document(p.node(0))
		p.act(fleet.Start, fleet.Action{Node: n.ID})
		p.document(n)
	})
}

func TestSilentNode(t *testing.T) {
	p := play(t, fleet.Config{})
	n := p.node(2)
	p.document(n)
	p.act(fleet.Silent, fleet.Action{Node: n.ID})
	for range 2 { // over the connection there is, then over a new one
		if got := p.askWithin(n, "", 50*time.Millisecond).reason; got != fsm.ReasonTimeout {
			t.Errorf("a poll fails with %q, want a timeout", got)
		}
	}
	p.act(fleet.Start, fleet.Action{Node: n.ID})
	p.document(n)
}

func TestSlowNode(t *testing.T) {
	p := play(t, fleet.Config{})
	n := p.node(1)
	p.act(fleet.Slow, fleet.Action{Node: n.ID, Delay: fleet.Span(80 * time.Millisecond)})
	began := time.Now()
	p.document(n)
	if took := time.Since(began); took < 80*time.Millisecond {
		t.Errorf("it answered after %s, want 80ms at least", took)
	}
	p.act(fleet.Slow, fleet.Action{Node: n.ID, Delay: fleet.Span(time.Minute)})
	if got := p.askWithin(n, "", 50*time.Millisecond).reason; got != fsm.ReasonTimeout {
		t.Errorf("a poll fails with %q, want a timeout", got)
	}
	// The cleanup shows that Run does not wait for a minute.
}

func TestGarbage(t *testing.T) {
	p := play(t, fleet.Config{})
	n := p.node(0)
	etag := etagOf(p, 0)
	p.act(fleet.Garbage, fleet.Action{Node: n.ID})
	r := p.ask(n, etag)
	_, err := refresh.Decode(bytes.NewReader(r.body))
	if r.status != http.StatusOK || refresh.FaultOf(err).Reason != fsm.ReasonDecode {
		t.Errorf("%+v decodes to %v, want 200 and the fault decode", r, err)
	}
}

func TestWhatNodesSay(t *testing.T) {
	lag := int64(45_000)
	tests := map[string]struct {
		verb   fleet.Verb
		action fleet.Action
		check  func(d *refresh.Document) bool
	}{
		"lie":         {fleet.Lie, fleet.Action{}, func(d *refresh.Document) bool { return d.NodeID == "fleet-00000-2" }},
		"lie a name":  {fleet.Lie, fleet.Action{NodeID: "x"}, func(d *refresh.Document) bool { return d.NodeID == "x" }},
		"down":        {fleet.SetState, fleet.Action{State: "down"}, func(d *refresh.Document) bool { return d.State == "down" && d.Reason == fsm.ReasonStore }},
		"joining":     {fleet.SetState, fleet.Action{State: "joining", Reason: "loading"}, func(d *refresh.Document) bool { return d.State == "joining" && d.Reason == "loading" }},
		"a new state": {fleet.SetState, fleet.Action{State: "dreaming"}, func(d *refresh.Document) bool { return d.State == "dreaming" && d.Reason == "" }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := play(t, fleet.Config{})
			n := p.node(1)
			before := etagOf(p, 1)
			test.action.Node = n.ID
			p.act(test.verb, test.action)
			d, etag := p.document(n)
			if !test.check(&d) {
				t.Errorf("it says %+v", d)
			}
			if etag == before || p.ask(n, before).status != http.StatusOK {
				t.Error("its tag has not changed")
			}
			p.act(fleet.Start, fleet.Action{Node: n.ID})
			if got := etagOf(p, 1); got != before {
				t.Errorf("after start its tag is %s, want %s as before", got, before)
			}
		})
	}
	t.Run("lag", func(t *testing.T) {
		p := play(t, fleet.Config{})
		etag := etagOf(p, 1)
		p.act(fleet.SetLag, fleet.Action{Node: "fleet-00000-1", LagMS: &lag})
		if r := p.ask(p.node(1), etag); r.status != http.StatusNotModified || r.header.Get(refresh.LagHeader) != "45000" {
			t.Errorf("it answers %+v, want 304 with a lag of 45000", r)
		}
		if d, _ := p.document(p.node(1)); *d.Shards[0].LagMS != lag {
			t.Errorf("its lag is %d, want %d", *d.Shards[0].LagMS, lag)
		}
		p.act(fleet.SetLag, fleet.Action{Node: "fleet-00000-1"})
		if d, _ := p.document(p.node(1)); *d.Shards[0].LagMS > 40 {
			t.Errorf("its lag is %d after it was unset", *d.Shards[0].LagMS)
		}
	})
}

func rolesOf(p *played) []string {
	p.t.Helper()
	var roles []string
	for i := range 3 {
		d, _ := p.document(p.node(i))
		roles = append(roles, d.Shards[0].Role)
	}
	return roles
}

func wantRoles(p *played, want ...string) {
	p.t.Helper()
	got := rolesOf(p)
	for i := range want {
		if got[i] != want[i] {
			p.t.Errorf("roles are %v, want %v", got, want)
			return
		}
	}
}

func TestFailover(t *testing.T) {
	p := play(t, fleet.Config{})
	before := []string{etagOf(p, 0), etagOf(p, 1), etagOf(p, 2)}
	p.act(fleet.Failover, fleet.Action{})
	wantRoles(p, "replica", "primary", "replica")
	for i, want := range []int{200, 200, 304} {
		if got := p.ask(p.node(i), before[i]).status; got != want {
			t.Errorf("node %d answers %d to its tag from before, want %d", i, got, want)
		}
	}
	p.act(fleet.SetState, fleet.Action{Node: "fleet-00000-2", State: "down"})
	p.act(fleet.Failover, fleet.Action{Node: "fleet-00000-1"}) // past the one that is down
	wantRoles(p, "primary", "replica", "replica")

	var conflict *fsm.Error
	_, err := p.Act(t.Context(), fleet.Failover, fleet.Action{Cluster: "fleet-00000", Node: "fleet-00000-1"})
	if !errors.As(err, &conflict) || conflict.Code != fsm.CodeConflict {
		t.Errorf("failover from a replica: %v, want a conflict", err)
	}
	p.act(fleet.SetState, fleet.Action{Node: "fleet-00000-1", State: "down"})
	if _, err := p.Act(t.Context(), fleet.Failover, fleet.Action{Cluster: "fleet-00000"}); !errors.Is(err, fsm.ErrConflict) {
		t.Errorf("failover to nobody: %v, want a conflict", err)
	}
}

func TestTwoPrimaries(t *testing.T) {
	p := play(t, fleet.Config{})
	p.act(fleet.Failover, fleet.Action{TwoPrimaries: fleet.Span(time.Minute)})
	wantRoles(p, "primary", "primary", "replica")
	if _, err := p.Act(t.Context(), fleet.Failover, fleet.Action{Cluster: "fleet-00000"}); !errors.Is(err, fsm.ErrConflict) {
		t.Errorf("failover meanwhile: %v, want a conflict", err)
	}
}

func TestTwoPrimariesEnd(t *testing.T) {
	p := play(t, fleet.Config{})
	p.act(fleet.Failover, fleet.Action{TwoPrimaries: fleet.Span(time.Millisecond)})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for p.node(0).Roles["0"] == "primary" {
		if ctx.Err() != nil {
			t.Fatal("the old primary still says so after 10 s")
		}
	}
	wantRoles(p, "replica", "primary", "replica")
}

func TestRemoveAndAdd(t *testing.T) {
	inBothWays(t, func(t *testing.T, listen fleet.Listen) {
		p := play(t, fleet.Config{Listen: listen})
		n := p.node(1)
		p.act(fleet.Remove, fleet.Action{Node: n.ID})
		if p.node(1).Listed || p.ask(n, "").reason == "" {
			t.Error("it is still listed, or answers")
		}
		p.act(fleet.Start, fleet.Action{}) // the cluster's others
		if p.node(1).Listed || p.ask(n, "").reason == "" {
			t.Error("start brought a removed node back")
		}
		p.act(fleet.Add, fleet.Action{Node: n.ID})
		if !p.node(1).Listed {
			t.Error("it is not listed again")
		}
		p.document(n)
	})
}

func TestActionsOnWholeClusters(t *testing.T) {
	p := play(t, fleet.Config{Clusters: 2})
	p.act(fleet.SetState, fleet.Action{Cluster: "fleet-00001", State: "leaving"})
	c, err := p.Cluster(t.Context(), "fleet-00001")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if d, _ := p.document(n); d.State != "leaving" {
			t.Errorf("%s says %q, want leaving", n.ID, d.State)
		}
	}
	if n, err := p.Counts(t.Context()); err != nil || n.Unwell != 3 {
		t.Errorf("counts %+v, %v; want 3 unwell", n, err)
	}
	p.act(fleet.Start, fleet.Action{Cluster: "fleet-00001"})
	if n, err := p.Counts(t.Context()); err != nil || n.Unwell != 0 {
		t.Errorf("counts %+v, %v; want none unwell", n, err)
	}
}

func TestRefusedActions(t *testing.T) {
	p := play(t, fleet.Config{})
	negative := int64(-1)
	tests := map[string]struct {
		verb   fleet.Verb
		action fleet.Action
		want   error
	}{
		"no verb":          {"dance", fleet.Action{Cluster: "fleet-00000"}, fsm.ErrNotFound},
		"no cluster":       {fleet.Stop, fleet.Action{}, fsm.ErrNotFound},
		"unknown cluster":  {fleet.Stop, fleet.Action{Cluster: "fleet-00001"}, fsm.ErrNotFound},
		"short name":       {fleet.Stop, fleet.Action{Cluster: "fleet-0"}, fsm.ErrNotFound},
		"unknown node":     {fleet.Stop, fleet.Action{Cluster: "fleet-00000", Node: "fleet-00000-3"}, fsm.ErrNotFound},
		"no delay":         {fleet.Slow, fleet.Action{Cluster: "fleet-00000"}, fsm.ErrInvalid},
		"too long a delay": {fleet.Slow, fleet.Action{Cluster: "fleet-00000", Delay: fleet.Span(time.Hour)}, fsm.ErrInvalid},
		"no state":         {fleet.SetState, fleet.Action{Cluster: "fleet-00000"}, fsm.ErrInvalid},
		"negative lag":     {fleet.SetLag, fleet.Action{Cluster: "fleet-00000", LagMS: &negative}, fsm.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := p.Act(t.Context(), test.verb, test.action); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// TestForeignAddress calls the shared listener where no node is.
func TestForeignAddress(t *testing.T) {
	p := play(t, fleet.Config{Listen: fleet.ListenShared})
	n := p.node(0)
	n.Address = "127.10.0.3"
	if got := p.ask(n, "").reason; got != fsm.ReasonReset {
		t.Errorf("an address past the last node: %q, want a reset", got)
	}
	n.Address = "127.0.0.1"
	if got := p.ask(n, "").reason; got != fsm.ReasonReset {
		t.Errorf("127.0.0.1: %q, want a reset", got)
	}
}

func TestThousandConnections(t *testing.T) {
	inBothWays(t, func(t *testing.T, listen fleet.Listen) {
		p := play(t, fleet.Config{Clusters: 100, Nodes: 5, Listen: listen})
		var conns []net.Conn
		request := "GET " + refresh.NodePath + " HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n"
		for c := range 100 {
			view, err := p.Cluster(t.Context(), fleetName(c))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range append(view.Nodes, view.Nodes...) {
				conn, err := net.Dial("tcp", hostPort(n))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				conns = append(conns, conn)
			}
		}
		for _, conn := range conns {
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
		}
		for i, conn := range conns {
			var line [12]byte
			if _, err := io.ReadFull(conn, line[:]); err != nil || string(line[:]) != "HTTP/1.1 304" {
				t.Fatalf("connection %d: %q, %v", i, line, err)
			}
		}
		n, err := p.Counts(t.Context())
		if err != nil || n.Connections != 1000 || n.Polls != 1000 || n.Listen != listen {
			t.Errorf("counts %+v, %v; want 1000 connections, as many polls, listen %s", n, err, listen)
		}
		if err := p.stop(); err != nil {
			t.Errorf("Run ended with %v while connections were open", err)
		}
		if _, err := io.Copy(io.Discard, conns[0]); err != nil && !errors.Is(err, net.ErrClosed) {
			if got := refresh.FaultOf(err).Reason; got != fsm.ReasonReset {
				t.Errorf("a connection ends with %v", err)
			}
		}
	})
}
