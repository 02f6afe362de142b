package fsm

import (
	"strconv"
	"strings"
)

// Meta is the one row of what the state knows of itself.
type Meta struct {
	Group      string      `cbor:"1,keyasint"`            // ULID born in the first command
	Epochs     []EpochMark `cbor:"2,keyasint"`            // oldest first; the last is the current one
	Index      uint64      `cbor:"3,keyasint"`            // raft index of the last applied entry
	Time       Time        `cbor:"4,keyasint"`            // the largest time any command brought
	Feature    uint32      `cbor:"5,keyasint"`            // the group's feature level
	Discovery  uint64      `cbor:"6,keyasint,omitempty"`  // last id given to a discovery
	Cluster    uint64      `cbor:"7,keyasint,omitempty"`  // last id given to a cluster
	Seq        uint64      `cbor:"8,keyasint,omitempty"`  // last event
	First      uint64      `cbor:"9,keyasint,omitempty"`  // first kept event; Seq+1 when none is
	Bytes      int64       `cbor:"10,keyasint,omitempty"` // of the kept events, encoded
	Trimmed    Time        `cbor:"11,keyasint,omitempty"` // when events were last trimmed
	Audits     int         `cbor:"12,keyasint,omitempty"` // rows of the audit table
	Leader     string      `cbor:"13,keyasint,omitempty"` // id of the last leader that said so
	LeaderName string      `cbor:"14,keyasint,omitempty"`
	Term       uint64      `cbor:"15,keyasint,omitempty"`
	// Bootstrapped is the index at which the group's first token was last made, 0 before.
	Bootstrapped uint64 `cbor:"16,keyasint,omitempty"`
}

// EpochMark is an epoch with the seq of its first event. Epochs are born with the group, at a restore and at a recovery.
type EpochMark struct {
	Epoch string `cbor:"1,keyasint"`
	First uint64 `cbor:"2,keyasint"`
}

// Epoch is the current epoch, empty before the group is born.
func (m *Meta) Epoch() string {
	if len(m.Epochs) == 0 {
		return ""
	}
	return m.Epochs[len(m.Epochs)-1].Epoch
}

// Cursor is a reader's place in the events: all up to and with Seq were seen. Its text is EPOCH:SEQ.
type Cursor struct {
	Epoch string
	Seq   uint64
}

func (c Cursor) String() string { return c.Epoch + ":" + strconv.FormatUint(c.Seq, 10) }

// ParseCursor reads EPOCH:SEQ.
func ParseCursor(s string) (Cursor, error) {
	epoch, seq, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	if !ok || err != nil || epoch == "" {
		return Cursor{}, Invalid("after", "%q is not a cursor like 01JD…:4711", s)
	}
	return Cursor{Epoch: epoch, Seq: n}, nil
}

// Cursor is the place after the event of that seq.
func (m *Meta) Cursor(seq uint64) Cursor { return Cursor{Epoch: m.Epoch(), Seq: seq} }

// Resume is the seq after which a reader with a cursor goes on. A cursor of an earlier epoch is good up to where that epoch
// was cut. The error has CodeGone and the cursor to go on from in Fields["oldest"]: never a silent jump.
func (m *Meta) Resume(c Cursor) (uint64, error) {
	for i, e := range m.Epochs {
		if e.Epoch != c.Epoch {
			continue
		}
		if i+1 < len(m.Epochs) && c.Seq >= m.Epochs[i+1].First {
			on := m.Cursor(m.First - 1)
			if cut := m.Epochs[i+1]; cut.First >= m.First {
				on = Cursor{Epoch: cut.Epoch, Seq: cut.First - 1}
			}
			return 0, Errorf(CodeGone, "the cursor is of an epoch that was cut before it; go on from %s", on).
				With("oldest", on.String())
		}
		if c.Seq+1 < m.First {
			break
		}
		return c.Seq, nil
	}
	oldest := m.Cursor(m.First - 1)
	return 0, Errorf(CodeGone, "events after %s are no longer kept; the oldest cursor is %s", c, oldest).
		With("oldest", oldest.String())
}
