package httpd

import (
	"encoding/json"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// EventOf is one event as JSON, with its parts as P. Before and After hold exactly the part of the view that the type owns; they
// are absent where it was not there, or is there no more. Cursor is the place after it; only followers get it, in a page it is
// the last event's X-Muster-Next.
type EventOf[P any] struct {
	Epoch       string        `json:"epoch"`
	Seq         uint64        `json:"seq"`
	Time        fsm.Time      `json:"time"`
	Type        fsm.EventType `json:"type"`
	Cluster     string        `json:"cluster"`
	Node        string        `json:"node"`
	Shard       string        `json:"shard"`
	Before      P             `json:"before,omitempty"`
	After       P             `json:"after,omitempty"`
	Maintenance bool          `json:"maintenance,omitempty"`
	Cause       fsm.Cause     `json:"cause"`
	Cursor      string        `json:"cursor,omitempty"`
}

// Event is an event as a client reads it, its parts as they came.
type Event = EventOf[json.RawMessage]

// telling is an event before it is encoded: its parts are told in one go with the rest.
type telling = EventOf[fsm.Part]

// tellingOf tells an event of a state. It is of the epoch in which it was appended.
func tellingOf(m *fsm.Meta, e *fsm.Event) telling {
	return telling{
		Epoch: placeOf(m, e.Seq).Epoch, Seq: e.Seq, Time: e.Time, Type: e.Type, Cluster: e.Cluster, Node: e.Node,
		Shard: e.Shard, Before: e.Before, After: e.After, Maintenance: e.Maintenance, Cause: e.Cause,
	}
}

// placeOf is the cursor after the event of a seq: of the epoch in which that was appended.
func placeOf(m *fsm.Meta, seq uint64) fsm.Cursor {
	at := fsm.Cursor{Epoch: m.Epoch(), Seq: seq}
	for _, mark := range slices.Backward(m.Epochs) {
		at.Epoch = mark.Epoch
		if mark.First <= seq {
			break
		}
	}
	return at
}
