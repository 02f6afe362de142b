package gossip

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
)

// metaLimit is memberlist's, in bytes.
const metaLimit = memberlist.MetaMaxSize

// nameLimit bounds a human name in bytes.
const nameLimit = 64

// SizeError says that what a member tells of itself does not fit. Field is the
// part that takes the most room.
type SizeError struct {
	Field       string
	Size, Limit int // of the whole, bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("gossip: %s: what this peer tells of itself takes %d bytes, the limit is %d", e.Field, e.Size, e.Limit)
}

// meta is the wire form of what a member says. Keys are never reused.
type meta struct {
	Name    string            `cbor:"1,keyasint,omitempty"`
	Group   []byte            `cbor:"2,keyasint,omitempty"`
	Version string            `cbor:"3,keyasint,omitempty"`
	Peer    string            `cbor:"4,keyasint,omitempty"`
	HTTP    string            `cbor:"5,keyasint,omitempty"`
	Worker  bool              `cbor:"6,keyasint,omitempty"`
	Expect  uint              `cbor:"7,keyasint,omitempty"`
	HasLog  bool              `cbor:"8,keyasint,omitempty"`
	Intent  uint8             `cbor:"9,keyasint,omitempty"`
	Labels  map[string]string `cbor:"10,keyasint,omitempty"`
	ACL     bool              `cbor:"11,keyasint,omitempty"`
}

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  4,
		MaxMapPairs:      128,
		MaxArrayElements: 128,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
	}.DecMode())

	intents = []Intent{Staying, Stopping, Leaving}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) //nolint:forbidigo // wrong options are a fault of this file, found by every test
	}
	return v
}

// encodeMeta gives the bytes memberlist carries for m.
func encodeMeta(m Member) ([]byte, error) {
	if err := checkMember(m); err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	w := meta{
		Name: m.Name, Version: m.Version, Peer: m.PeerAddr, HTTP: m.HTTPAddr,
		Worker: m.Worker, Expect: uint(m.Expect), HasLog: m.HasLog,
		Intent: uint8(slices.Index(intents, m.Intent)), Labels: m.Labels, ACL: m.ACL,
	}
	if m.Group != "" {
		id := ulid.MustParseStrict(m.Group)
		w.Group = id[:]
	}
	b, err := encoding.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("gossip: encode member: %w", err)
	}
	if len(b) > metaLimit {
		return nil, &SizeError{Field: biggest(m), Size: len(b), Limit: metaLimit}
	}
	return b, nil
}

// decodeMeta reads what another member says. The result lacks what memberlist
// itself knows: id, gossip address and status.
func decodeMeta(b []byte) (Member, error) {
	if len(b) > metaLimit {
		return Member{}, fmt.Errorf("member of %d bytes, the limit is %d", len(b), metaLimit)
	}
	var w meta
	if err := decoding.Unmarshal(b, &w); err != nil {
		return Member{}, fmt.Errorf("decode member: %w", err)
	}
	if w.Expect > 1<<16 {
		return Member{}, fmt.Errorf("expect: %d is out of range", w.Expect)
	}
	m := Member{
		Name: w.Name, Version: w.Version, PeerAddr: w.Peer, HTTPAddr: w.HTTP,
		Worker: w.Worker, Expect: int(w.Expect), HasLog: w.HasLog, Labels: w.Labels, ACL: w.ACL,
	}
	if int(w.Intent) < len(intents) {
		m.Intent = intents[w.Intent]
	}
	if len(w.Group) > 0 {
		var id ulid.ULID
		if err := id.UnmarshalBinary(w.Group); err != nil {
			return Member{}, fmt.Errorf("group: %w", err)
		}
		m.Group = id.String()
	}
	return m, checkMember(m)
}

func checkMember(m Member) error {
	if m.Name == "" || len(m.Name) > nameLimit {
		return fmt.Errorf("name: %q must have 1 to %d bytes", m.Name, nameLimit)
	}
	if m.Group != "" {
		if _, err := ulid.ParseStrict(m.Group); err != nil {
			return fmt.Errorf("group: %q: %w", m.Group, err)
		}
	}
	if m.Expect < 0 || m.Expect > 1<<16 {
		return fmt.Errorf("expect: %d is out of range", m.Expect)
	}
	if !slices.Contains(intents, m.Intent) {
		return fmt.Errorf("intent: %q is not known", m.Intent)
	}
	for field, text := range texts(m) {
		if !printable(text) {
			return fmt.Errorf("%s: %q must be printable UTF-8", field, text)
		}
	}
	return nil
}

// texts yields every text a member carries with the name of its field.
func texts(m Member) func(yield func(field, text string) bool) {
	return func(yield func(string, string) bool) {
		for _, f := range [][2]string{{"name", m.Name}, {"version", m.Version}, {"peer address", m.PeerAddr}, {"http address", m.HTTPAddr}} {
			if !yield(f[0], f[1]) {
				return
			}
		}
		for k, v := range m.Labels {
			if !yield("labels", k) || !yield("labels", v) {
				return
			}
		}
	}
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func biggest(m Member) string {
	sizes := map[string]int{}
	for field, text := range texts(m) {
		sizes[field] += len(text)
	}
	type part struct {
		field string
		size  int
	}
	parts := make([]part, 0, len(sizes))
	for f, n := range sizes {
		parts = append(parts, part{f, n})
	}
	return slices.MaxFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.field, b.field))
	}).field
}

var errName = errors.New("node name is not a ULID")

// decodeNode checks a node as memberlist hands it over and reads its meta.
func decodeNode(n *memberlist.Node) (Member, error) {
	if _, err := ulid.ParseStrict(n.Name); err != nil {
		return Member{}, errName
	}
	m, err := decodeMeta(n.Meta)
	if err != nil {
		return Member{}, err
	}
	m.ID, m.GossipAddr = n.Name, n.Address()
	return m, nil
}
