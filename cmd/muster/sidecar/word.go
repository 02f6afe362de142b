package sidecar

import (
	"cmp"
	"maps"
	"strconv"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// roleDown is the role of a stopped store in a shard that it led.
const roleDown = "down"

// answer is what is answered after one probe: a document, or why there is none. It is not changed once made.
type answer struct {
	fault  string // a reason code when the store could not be asked; then there is no document
	detail string // of a failure, for people

	state string
	body  []byte
	etag  string
	lag   string // of refresh.LagHeader; empty for none
}

// said is a store's word as the log tells it: the state and its reason, or no state and the reason why not.
type said struct{ state, reason string }

// word is what a store last said. One goroutine uses it.
type word struct {
	config *Config
	known  fsm.Report // the last that was Reachable
	said   said
	doubt  bool // the last probe ended as it does with a store that is stopped, or stalls
}

// hear takes in a report and makes the answer that follows from it.
func (w *word) hear(r fsm.Report) *answer {
	if r.Reachable {
		w.known, w.doubt = r, false
		w.said = said{r.State, r.StateReason}
		return w.document(r, r.StateDetail)
	}
	if !w.stopped(r.Reason) {
		w.said = said{"", r.Reason}
		return &answer{fault: r.Reason, detail: r.Detail}
	}
	down := w.known
	down.State, down.StateReason = fsm.StateDown, fsm.ReasonStore
	down.Shards = make([]fsm.Shard, len(w.known.Shards))
	for i, s := range w.known.Shards {
		down.Shards[i] = fsm.Shard{ID: s.ID, Role: s.Role}
		if s.Role == fsm.RolePrimary {
			down.Shards[i].Role = roleDown
		}
	}
	w.said = said{down.State, down.StateReason}
	return w.document(down, r.Reason+": "+r.Detail)
}

// stopped says whether a probe that failed for a reason found a store that is down.
func (w *word) stopped(reason string) bool {
	switch reason {
	case fsm.ReasonRefused, fsm.ReasonStore:
		w.doubt = true
		return true
	case fsm.ReasonTimeout, fsm.ReasonReset:
		again := w.doubt
		w.doubt = true
		return again
	}
	w.doubt = false
	return false
}

// document is the answer that tells a report.
func (w *word) document(r fsm.Report, detail string) *answer {
	d := refresh.Document{
		NodeID: cmp.Or(w.config.NodeID, r.NodeID), ClusterID: cmp.Or(w.config.ClusterID, r.ClusterID),
		Kind: r.Kind, Version: r.Version, SidecarVersion: w.config.Version,
		State: r.State, Reason: r.StateReason, Attributes: refresh.Attributes{},
	}
	maps.Copy(d.Attributes, r.Attributes)
	maps.Copy(d.Attributes, w.config.Attributes)
	for _, s := range r.Shards {
		shard := refresh.DocumentShard{ID: s.ID, Role: s.Role, LagMS: s.LagMS}
		if s.Offset != nil {
			shard.Offset = &refresh.DocumentOffset{Value: s.Offset.Value, Unit: s.Offset.Unit}
		}
		d.Shards = append(d.Shards, shard)
	}
	body, err := d.Encode()
	etag, also := d.ETag()
	switch {
	case err != nil || also != nil:
		return &answer{fault: fsm.ReasonDecode, detail: "what the store says cannot be written"}
	case len(body) > refresh.MaxDocument:
		return &answer{fault: fsm.ReasonTooLarge, detail: "what the store says is longer than a document may be"}
	}
	a := &answer{state: d.State, detail: detail, body: body, etag: etag}
	if lag := d.WorstLagMS(); lag != nil {
		a.lag = strconv.FormatInt(*lag, 10)
	}
	return a
}
