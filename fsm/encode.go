package fsm

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// The one encoding of the log, the snapshot and the rows kept encoded: CBOR with integer keys in core deterministic form.
// Keys are never reused. Unknown keys are refused: what a release does not know it must not skip. No entry holds a list of
// maxList elements, but a damaged or hostile one may claim it, and would have room made for all of them.
var (
	encMode = must(cbor.EncOptions{
		Sort: cbor.SortCoreDeterministic, ShortestFloat: cbor.ShortestFloat16, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, OmitEmpty: cbor.OmitEmptyCBORValue, NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 16, MaxArrayElements: maxList, MaxMapPairs: maxPairs,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

const (
	maxList  = 1 << 17
	maxPairs = 1 << 16
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // wrong options are a fault of this file, found by every test
	}
	return v
}

// mustEncode encodes one of this package's own structs, which cannot fail.
func mustEncode(v any) []byte { return must(encMode.Marshal(v)) }

func decode(raw []byte, into any) error { return decMode.Unmarshal(raw, into) }

// wireFact is a Fact as it is encoded: the parts raw, since the type says what they are.
type wireFact struct {
	Type   EventType       `cbor:"1,keyasint"`
	Node   string          `cbor:"2,keyasint,omitempty"`
	Shard  string          `cbor:"3,keyasint,omitempty"`
	Before cbor.RawMessage `cbor:"4,keyasint,omitempty"`
	After  cbor.RawMessage `cbor:"5,keyasint,omitempty"`
}

func (f *Fact) wire() wireFact {
	w := wireFact{Type: f.Type, Node: f.Node, Shard: f.Shard}
	if f.Before != nil {
		w.Before = mustEncode(f.Before)
	}
	if f.After != nil {
		w.After = mustEncode(f.After)
	}
	return w
}

// fact reads the parts; a type of fact this release does not know is an error.
func (w *wireFact) fact() (Fact, error) {
	if lenses[w.Type] == nil && blankPart(w.Type) == nil {
		return Fact{}, fmt.Errorf("%w: event type %s", errUnknownKind, w.Type)
	}
	f := Fact{Type: w.Type, Node: w.Node, Shard: w.Shard}
	var err error
	if f.Before, err = decodePart(w.Type, w.Before); err != nil {
		return Fact{}, err
	}
	f.After, err = decodePart(w.Type, w.After)
	return f, err
}

// MarshalCBOR writes the log's form of a fact.
func (f Fact) MarshalCBOR() ([]byte, error) { return encMode.Marshal(f.wire()) }

// UnmarshalCBOR reads the log's form; a type of fact this release does not know is an error.
func (f *Fact) UnmarshalCBOR(raw []byte) error {
	var w wireFact
	if err := decode(raw, &w); err != nil {
		return err
	}
	var err error
	*f, err = w.fact()
	return err
}

func decodePart(t EventType, raw []byte) (Part, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	blank := blankPart(t)
	return blank, decode(raw, blank)
}

// blankPart is an empty part of a type to decode into, nil for an unknown type.
func blankPart(t EventType) Part {
	if l := lenses[t]; l != nil {
		return l.blank()
	}
	switch t {
	case DiscoveryApplied, DiscoveryDeleted:
		return new(DiscoveryPart)
	case DiscoveryFailed, DiscoveryRecovered:
		return new(RunPart)
	case DiscoveryHeld, DiscoveryReleased:
		return new(HeldPart)
	case ClaimExpired:
		return new(ExpiredPart)
	case PeerJoined, PeerLeft, PeerFailed, PeerReturned, PeerDoubted:
		return new(PeerPart)
	case LeaderChanged:
		return new(LeaderPart)
	case SettingsChanged:
		return new(GlobalsPart)
	case SchedulePaused, ScheduleResumed:
		return new(PausePart)
	case ACLBootstrapped, TokenCreated, TokenDeleted:
		return new(TokenPart)
	case OperatorActed:
		return new(ActionPart)
	case StateRestored:
		return new(RestoredPart)
	}
	return nil
}

// wireEvent is an Event as the log keeps it.
type wireEvent struct {
	Seq         uint64   `cbor:"1,keyasint"`
	Time        Time     `cbor:"2,keyasint"`
	Cluster     string   `cbor:"3,keyasint,omitempty"`
	Maintenance bool     `cbor:"4,keyasint,omitempty"`
	Cause       Cause    `cbor:"5,keyasint"`
	Fact        wireFact `cbor:"6,keyasint"` // read in one pass with the event
}

// MarshalCBOR writes the form in which events are kept.
func (e Event) MarshalCBOR() ([]byte, error) {
	return encMode.Marshal(wireEvent{e.Seq, e.Time, e.Cluster, e.Maintenance, e.Cause, e.wire()})
}

// UnmarshalCBOR reads the form in which events are kept.
func (e *Event) UnmarshalCBOR(raw []byte) error {
	var w wireEvent
	if err := decode(raw, &w); err != nil {
		return err
	}
	fact, err := w.Fact.fact()
	if err != nil {
		return err
	}
	*e = Event{w.Seq, w.Time, w.Cluster, w.Maintenance, w.Cause, fact}
	return nil
}
