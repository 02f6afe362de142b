package refresh_test

import (
	"context"
	"errors"
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
