package refresh

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// The muster node protocol, v1: GET NodePath answers 200 with one Document, or 304 when If-None-Match holds its ETag, and
// may then carry LagHeader, the worst lag of any shard in milliseconds. It answers 200 with the store stopped, too: state
// "down", reason "store_unavailable". A server keeps its connections for ten minutes at least.
const (
	NodePath        = "/v1/node"
	LagHeader       = "X-Muster-Lag"
	ProtocolVersion = 1
	MaxDocument     = 1 << 20 // bytes of a document
)

// Document is what a node says of itself.
type Document struct {
	Protocol       int             `json:"protocol"` // ProtocolVersion; Encode sets it
	NodeID         string          `json:"node_id,omitempty"`
	ClusterID      string          `json:"cluster_id,omitempty"`
	Kind           string          `json:"kind,omitempty"`
	Version        string          `json:"version,omitempty"`
	SidecarVersion string          `json:"sidecar_version,omitempty"`
	State          string          `json:"state"` // one of fsm's State words; another is "unknown" with the word as reason
	Reason         string          `json:"reason,omitempty"`
	Shards         []DocumentShard `json:"shards,omitempty"`
	Attributes     Attributes      `json:"attributes,omitempty"`
}

// DocumentShard is a shard as the node holds it. Numbers are integers; a negative lag, the work of two clocks, is read
// as none.
type DocumentShard struct {
	ID     string          `json:"id"`
	Role   string          `json:"role"` // primary, replica, recovering, or the store's own word
	Offset *DocumentOffset `json:"offset,omitempty"`
	LagMS  *int64          `json:"lag_ms,omitempty"`
}

// DocumentOffset is a position in the store's log.
type DocumentOffset struct {
	Value int64  `json:"value"`
	Unit  string `json:"unit,omitempty"`
}

// Attributes are flat. Numbers and booleans are read as their text, exactly as written; null, objects and lists have no
// text and are left out.
type Attributes map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (a *Attributes) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var values map[string]any
	if err := dec.Decode(&values); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	*a = nil
	for k, v := range values {
		switch v.(type) {
		case string, json.Number, bool:
			if *a == nil {
				*a = make(Attributes, len(values))
			}
			(*a)[k] = fmt.Sprint(v)
		}
	}
	return nil
}

// Decode reads a document, and nothing after it. Fields it does not know are ignored. Its errors are faults: too_large
// beyond MaxDocument, decode for what is not such a document, protocol for one of another version.
func Decode(r io.Reader) (Document, error) {
	body, err := io.ReadAll(io.LimitReader(r, MaxDocument+1))
	if err != nil {
		return Document{}, fmt.Errorf("read document: %w", err)
	}
	return DecodeBytes(body)
}

// DecodeBytes is Decode of what was read already.
func DecodeBytes(body []byte) (Document, error) {
	if len(body) > MaxDocument {
		return Document{}, NewFault(fsm.ReasonTooLarge, "the document is longer than %d bytes", MaxDocument)
	}
	var d Document
	if err := json.Unmarshal(body, &d); err != nil {
		return Document{}, NewFault(fsm.ReasonDecode, "decode document: %w", err)
	}
	if d.Protocol != ProtocolVersion {
		return Document{}, NewFault(fsm.ReasonProtocol, "the document's protocol is %d, wanted is %d",
			d.Protocol, ProtocolVersion)
	}
	for i := range d.Shards {
		if lag := d.Shards[i].LagMS; lag != nil && *lag < 0 {
			d.Shards[i].LagMS = nil
		}
	}
	return d, nil
}

// Report is the report that d makes for the node that was asked under this id, bounded.
func (d *Document) Report(node string) fsm.Report {
	r := fsm.Report{
		Node: node, Reachable: true, State: d.State, StateReason: d.Reason,
		NodeID: d.NodeID, ClusterID: d.ClusterID,
		Kind: d.Kind, Version: d.Version, SidecarVersion: d.SidecarVersion,
		Attributes: d.Attributes,
	}
	if len(d.Shards) > 0 {
		r.Shards = make([]fsm.Shard, len(d.Shards))
	}
	for i, s := range d.Shards {
		r.Shards[i] = fsm.Shard{ID: s.ID, Role: s.Role, LagMS: s.LagMS}
		if s.Offset != nil {
			r.Shards[i].Offset = &fsm.Offset{Value: s.Offset.Value, Unit: s.Offset.Unit}
		}
	}
	r.Bound()
	return r
}

// Encode writes d with its shards and attributes in order, so that what is equal has equal bytes.
func (d *Document) Encode() ([]byte, error) {
	out := *d
	out.Protocol = ProtocolVersion
	out.Shards = slices.Clone(d.Shards)
	slices.SortStableFunc(out.Shards, func(a, b DocumentShard) int { return strings.Compare(a.ID, b.ID) })
	body, err := json.Marshal(&out)
	if err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	return body, nil
}

// ETag is the tag of d, quotes included: equal for two documents that differ in offsets and lag alone, and in the order of
// their shards. It is a weak one, since their bytes differ.
func (d *Document) ETag() (string, error) {
	still := *d
	still.Shards = slices.Clone(d.Shards)
	for i := range still.Shards {
		still.Shards[i].Offset, still.Shards[i].LagMS = nil, nil
	}
	body, err := still.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// WorstLagMS is what LagHeader carries: the worst lag of any shard, nil when none says its own.
func (d *Document) WorstLagMS() *int64 {
	var worst *int64
	for i := range d.Shards {
		if lag := d.Shards[i].LagMS; lag != nil && (worst == nil || *lag > *worst) {
			worst = lag
		}
	}
	return worst
}
