package httpd

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Event is one event as JSON. Before and After hold exactly the part of the view that the type owns; they are absent where
// it was not there, or is there no more. Cursor is the place after it; only followers get it, in a page it is the last
// event's X-Muster-Next.
type Event struct {
	Epoch       string          `json:"epoch"`
	Seq         uint64          `json:"seq"`
	Time        fsm.Time        `json:"time"`
	Type        fsm.EventType   `json:"type"`
	Cluster     string          `json:"cluster"`
	Node        string          `json:"node"`
	Shard       string          `json:"shard"`
	Before      json.RawMessage `json:"before,omitempty"`
	After       json.RawMessage `json:"after,omitempty"`
	Maintenance bool            `json:"maintenance,omitempty"`
	Cause       fsm.Cause       `json:"cause"`
	Cursor      string          `json:"cursor,omitempty"`
}

// eventOf tells an event of a state. It is of the epoch in which it was appended.
func eventOf(m *fsm.Meta, e *fsm.Event) (Event, error) {
	out := Event{
		Epoch: placeOf(m, e.Seq).Epoch, Seq: e.Seq, Time: e.Time, Type: e.Type, Cluster: e.Cluster, Node: e.Node,
		Shard: e.Shard, Maintenance: e.Maintenance, Cause: e.Cause,
	}
	var err error
	if out.Before, err = partOf(e.Before); err != nil {
		return out, fmt.Errorf("event %d: before: %w", e.Seq, err)
	}
	if out.After, err = partOf(e.After); err != nil {
		return out, fmt.Errorf("event %d: after: %w", e.Seq, err)
	}
	return out, nil
}

func partOf(p fsm.Part) (json.RawMessage, error) {
	if p == nil {
		return nil, nil
	}
	return json.Marshal(p)
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
