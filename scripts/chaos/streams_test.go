package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func events(seqs ...uint64) (out []httpd.Event) {
	for _, n := range seqs {
		out = append(out, httpd.Event{Epoch: "E", Seq: n, Type: fsm.NodeUp})
	}
	return out
}

func TestGaps(t *testing.T) {
	moved := events(1, 2, 3)
	moved[2].Epoch = "F"
	for name, c := range map[string]struct {
		events []httpd.Event
		wrong  bool
	}{
		"none":          {nil, false},
		"whole":         {events(1, 2, 3), false},
		"late":          {events(2, 3), true},
		"gap":           {events(1, 3), true},
		"twice":         {events(1, 2, 2, 3), true},
		"another epoch": {moved, true},
	} {
		if got := gaps("peer-a", c.events); len(got) > 0 != c.wrong {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestApartFrom(t *testing.T) {
	a, b := events(1, 2, 3), events(1, 2)
	b[0].Cursor = "E:1" // followers only
	if got := apartFrom("a", a, "b", b); got != nil {
		t.Errorf("the same events differ: %q", got)
	}
	b[1].After = json.RawMessage(`{"state":"up"}`)
	if got := apartFrom("a", a, "b", b); len(got) != 1 {
		t.Errorf("other events do not differ: %q", got)
	}
}

func TestUnaccounted(t *testing.T) {
	set := func(before, after int) httpd.Event {
		side := func(v int) json.RawMessage { return fmt.Appendf(nil, `{"vars":{"r1":%d,"other":9}}`, v) }
		return httpd.Event{Type: fsm.ClusterSettingsChanged, Before: side(before), After: side(after)}
	}
	for name, c := range map[string]struct {
		call    porcupine.Operation
		refused int
		events  []httpd.Event
		wrong   bool
	}{
		"told once":            {call: op(when{0, 1}, write, 1, 0, output{}), events: []httpd.Event{set(0, 1)}},
		"not told":             {call: op(when{0, 1}, write, 1, 0, output{}), wrong: true},
		"told twice":           {call: op(when{0, 1}, write, 1, 0, output{}), events: []httpd.Event{set(0, 1), set(2, 1)}, wrong: true},
		"unknown, not told":    {call: op(when{0, 1}, write, 1, 0, output{unknown: true})},
		"unknown, told":        {call: op(when{0, 1}, write, 1, 0, output{unknown: true}), events: []httpd.Event{set(0, 1)}},
		"unknown, told twice":  {call: op(when{0, 1}, swap, 1, 0, output{unknown: true}), events: []httpd.Event{set(0, 1), set(0, 1)}, wrong: true},
		"read":                 {call: op(when{0, 1}, read, 0, 0, output{value: 5})},
		"refused, not told":    {call: op(when{0, 1}, read, 0, 0, output{}), refused: 3},
		"refused, told anyway": {call: op(when{0, 1}, read, 0, 0, output{}), refused: 3, events: []httpd.Event{set(0, 3)}, wrong: true},
	} {
		clients := &clients{history: []porcupine.Operation{c.call}, refused: map[int]bool{}}
		if c.refused > 0 {
			clients.refused[c.refused] = true
		}
		if got := unaccounted(clients, c.events); len(got) > 0 != c.wrong {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSurelyNot(t *testing.T) {
	answer := func(code fsm.Code) error { return &httpd.StatusError{Refusal: &fsm.Error{Code: code}} }
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no leader":        {answer(fsm.CodeUnavailable), true},
		"version moved":    {answer(fsm.CodeCAS), true},
		"unknown":          {answer(fsm.CodeUnknown), false},
		"internal":         {answer(httpd.CodeInternal), false},
		"not connected":    {&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		"connection broke": {&net.OpError{Op: "read", Err: errors.New("reset")}, false},
	} {
		if got := surelyNot(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
