package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Command is one change asked of the log. Each kind has its own struct, versions and apply; adding a field adds a version,
// which needs a feature level. The structs of this package whose names are noun and verb implement it.
type Command interface {
	// number is its kind on the wire.
	number() uint64
	// apply judges and does it: all checks before the first write, refusals in the Result.
	apply(tx *txn) Result
}

// Result is what became of one command.
type Result struct {
	Index   uint64  `cbor:"1,keyasint"`           // raft index of its entry
	Error   *Error  `cbor:"2,keyasint,omitempty"` // why it was refused
	Claim   *Claim  `cbor:"3,keyasint,omitempty"` // the claim it opened, or the one in its way
	Moved   []Moved `cbor:"4,keyasint,omitempty"` // clusters of a run's part whose base has moved: send them again
	Already bool    `cbor:"5,keyasint,omitempty"` // the part had been accepted before; what it answered then is lost
	Closed  bool    `cbor:"6,keyasint,omitempty"` // the claim is closed now
}

// Err is the refusal as an error, nil when there is none.
func (r *Result) Err() error {
	if r.Error == nil {
		return nil
	}
	return r.Error
}

// Moved names a cluster whose base has moved and the version it is at.
type Moved struct {
	Cluster string `cbor:"1,keyasint"`
	Index   uint64 `cbor:"2,keyasint"`
}

func refuse(err error) Result {
	var e *Error
	if !errors.As(err, &e) {
		e = Errorf(CodeInvalid, "%s", err)
	}
	return Result{Error: e}
}

// kind is a command kind on the wire. Numbers are never reused.
type kind struct {
	number uint64
	name   string
	levels []uint32 // the feature level that each of its versions needs, from version 1 on
	blank  func() Command
}

// atFirst are the versions of a kind that is as it was in the first release.
var atFirst = []uint32{0}

// atTwo are those of a kind that came with feature level 2.
var atTwo = []uint32{2}

// moreAtTwo are those of a kind that got a version with feature level 2.
var moreAtTwo = []uint32{0, 2}

var kinds = []kind{
	{1, "group.create", atFirst, func() Command { return new(GroupCreate) }},
	{2, "leader.change", atFirst, func() Command { return new(LeaderChange) }},
	{3, "peer.set", moreAtTwo, func() Command { return new(PeerSet) }},
	{4, "peer.remove", atFirst, func() Command { return new(PeerRemove) }},
	{5, "settings.set", moreAtTwo, func() Command { return new(SettingsSet) }},
	{6, "operator.act", atFirst, func() Command { return new(OperatorAct) }},
	{7, "events.trim", atFirst, func() Command { return new(EventsTrim) }},
	{8, "feature.raise", atFirst, func() Command { return new(FeatureRaise) }},
	{10, "discovery.apply", atFirst, func() Command { return new(DiscoveryApply) }},
	{11, "discovery.delete", atFirst, func() Command { return new(DiscoveryDelete) }},
	{12, "discovery.release", atFirst, func() Command { return new(DiscoveryRelease) }},
	{20, "claim.grant", atFirst, func() Command { return new(ClaimGrant) }},
	{21, "claim.abandon", atFirst, func() Command { return new(ClaimAbandon) }},
	{22, "claim.expire", atFirst, func() Command { return new(ClaimExpire) }},
	{30, "run.complete", atFirst, func() Command { return new(RunComplete) }},
	{31, "refresh.complete", atFirst, func() Command { return new(RefreshComplete) }},
	{32, "refresh.unchanged", atFirst, func() Command { return new(RefreshUnchanged) }},
	{40, "cluster.change", atFirst, func() Command { return new(ClusterChange) }},
	{50, "token.bootstrap", atTwo, func() Command { return new(TokenBootstrap) }},
	{51, "token.create", atTwo, func() Command { return new(TokenCreate) }},
	{52, "token.delete", atTwo, func() Command { return new(TokenDelete) }},
	{60, "schedule.pause", atTwo, func() Command { return new(SchedulePause) }},
	{61, "schedule.resume", atTwo, func() Command { return new(ScheduleResume) }},
}

func kindOf(c Command) *kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.number == c.number() })
	return &kinds[i]
}

// versioned is a command of a kind with more versions than one.
type versioned interface {
	// version is the lowest that holds what the command says.
	version() uint64
}

func wireVersion(c Command) uint64 {
	if v, ok := c.(versioned); ok {
		return v.version()
	}
	return 1
}

// KindName is the noun.verb of a command, for logs and metrics.
func KindName(c Command) string { return kindOf(c).name }

// KindNames are those of all kinds, in the order of their numbers.
func KindNames() []string {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// entryFormat is the first byte of every entry.
const entryFormat = 1

// MaxEntry is how many bytes of commands a proposer puts into one entry: larger ones would hold up raft's heartbeats.
const MaxEntry = 512 << 10

// ErrNewer marks an entry, command, fact or snapshot that a newer release wrote: the process stops with exit code 78.
var ErrNewer = errUnknownKind

// Frame encodes one command: kind, version, length, CBOR. Its version is the lowest that holds what it says, so that a command
// which says nothing new is written as it always was. Frames put one after the other are a batch.
func Frame(c Command) []byte {
	body := mustEncode(c)
	f := binary.AppendUvarint(make([]byte, 0, len(body)+12), c.number())
	f = binary.AppendUvarint(f, wireVersion(c))
	f = binary.AppendUvarint(f, uint64(len(body)))
	return append(f, body...)
}

// Entry is the log entry of a batch of frames proposed at a time.
func Entry(now Time, frames ...[]byte) []byte {
	e := binary.AppendUvarint([]byte{entryFormat}, uint64(now))
	return append(e, slices.Concat(frames...)...)
}

// DecodeEntry reads an entry. The error wraps ErrNewer where a newer release wrote what this one does not know.
func DecodeEntry(entry []byte) (Time, []Command, error) {
	if len(entry) == 0 || entry[0] != entryFormat {
		return 0, nil, fmt.Errorf("entry format: %w", ErrNewer)
	}
	now, n := binary.Uvarint(entry[1:])
	if n <= 0 {
		return 0, nil, errors.New("entry time does not decode")
	}
	commands, err := DecodeFrames(entry[1+n:])
	return Time(now), commands, err
}

// DecodeFrames reads the commands of a batch.
func DecodeFrames(raw []byte) ([]Command, error) {
	var out []Command
	for len(raw) > 0 {
		c, rest, err := decodeFrame(raw)
		if err != nil {
			return nil, fmt.Errorf("command %d: %w", len(out), err)
		}
		out, raw = append(out, c), rest
	}
	return out, nil
}

func decodeFrame(raw []byte) (Command, []byte, error) {
	f, rest, err := cutFrame(raw)
	if err != nil {
		return nil, nil, err
	}
	c := f.kind.blank()
	if err := decode(f.body, c); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.kind.name, err)
	}
	if holds := wireVersion(c); holds > f.version {
		return nil, nil, fmt.Errorf("%s of version %d says what only version %d holds", f.kind.name, f.version, holds)
	}
	return c, rest, nil
}

// frame is one command, not decoded yet.
type frame struct {
	kind    *kind
	version uint64
	body    []byte
}

// cutFrame takes the first frame of a batch; a kind or version this release does not know is an error.
func cutFrame(raw []byte) (frame, []byte, error) {
	var head [3]uint64
	for i := range head {
		v, n := binary.Uvarint(raw)
		if n <= 0 {
			return frame{}, nil, errors.New("frame head does not decode")
		}
		head[i], raw = v, raw[n:]
	}
	number, version, size := head[0], head[1], head[2]
	if size > uint64(len(raw)) {
		return frame{}, nil, fmt.Errorf("frame of %d bytes is cut at %d", size, len(raw))
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.number == number })
	if i < 0 || version > uint64(len(kinds[i].levels)) || version == 0 {
		return frame{}, nil, fmt.Errorf("kind %d version %d: %w", number, version, ErrNewer)
	}
	return frame{kind: &kinds[i], version: version, body: raw[:size]}, raw[size:], nil
}

// EncodeResults is how results travel between peers.
func EncodeResults(results []Result) []byte { return mustEncode(results) }

// DecodeResults reads what EncodeResults wrote.
func DecodeResults(raw []byte) ([]Result, error) {
	var out []Result
	err := decode(raw, &out)
	return out, err
}
