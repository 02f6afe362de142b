package refresh_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// idler is an Asker that asks nobody.
type idler struct{ closed bool }

func (i *idler) Close() { i.closed = true }

// steady is a Prober with what it was made from.
type steady struct {
	config fsm.JSON
	env    refresh.Env
}

func (steady) Close() {}

func (steady) Probe(_ context.Context, t refresh.Target) fsm.Report {
	return fsm.Report{Node: t.Node, Reachable: true, State: fsm.StateUp}
}

func TestMake(t *testing.T) {
	var lazy idler
	probers := refresh.Probers{Kinds: map[string]refresh.Maker{
		"steady": func(config fsm.JSON, env refresh.Env) (refresh.Asker, error) { return steady{config, env}, nil },
		"idle":   func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return &lazy, nil },
		"choosy": func(fsm.JSON, refresh.Env) (refresh.Asker, error) {
			return nil, fsm.Invalid("refresh.config.x", "is bad")
		},
	}}
	asker, err := probers.Make("steady", `{"a":1}`, 700*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if p := asker.(steady); p.config != `{"a":1}` || p.env.ConnectTimeout != 700*time.Millisecond {
		t.Errorf("made with %q, %s", p.config, p.env.ConnectTimeout)
	}
	for kind, message := range map[string]string{
		"redis":  `refresh.prober: "redis" is none of choosy, idle, steady`,
		"idle":   `refresh.prober: "idle" neither asks a node nor a cluster`,
		"choosy": "refresh.config.x: is bad",
	} {
		_, err := probers.Make(kind, "", time.Second)
		if !errors.Is(err, fsm.ErrInvalid) || err.Error() != message {
			t.Errorf("%s: error is %v, wanted is %s", kind, err, message)
		}
	}
	if !lazy.closed {
		t.Error("what was refused was not closed")
	}
}

// TestOpenConnectionsAreCounted checks that each connection is told once when it opens and once when it closes.
func TestOpenConnectionsAreCounted(t *testing.T) {
	open := 0
	probers := refresh.Probers{
		Kinds: map[string]refresh.Maker{
			"steady": func(config fsm.JSON, env refresh.Env) (refresh.Asker, error) { return steady{config, env}, nil },
		},
		Env: refresh.Env{Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
			if network != "tcp" {
				return nil, net.ErrClosed
			}
			conn, _ := net.Pipe()
			return conn, nil
		}},
		Opened: func(kind string) func() {
			if kind != "steady" {
				t.Errorf("a connection of %q was counted", kind)
			}
			open++
			return func() { open-- }
		},
	}
	asker, err := probers.Make("steady", "", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	dial := asker.(steady).env.Dial
	conn, err := dial(t.Context(), "tcp", "x:1")
	if err != nil || open != 1 {
		t.Fatalf("%d are open, error is %v", open, err)
	}
	if _, err := dial(t.Context(), "udp", "x:1"); err == nil || open != 1 {
		t.Errorf("%d are open after one that failed", open)
	}
	_, _ = conn.Close(), conn.Close()
	if open != 0 {
		t.Errorf("%d are open after the last was closed", open)
	}
}
