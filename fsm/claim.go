package fsm

// Kind says what a claim or schedule is for.
type Kind uint8

// The two kinds of subjects.
const (
	KindRun     Kind = 1 // a run of a discovery
	KindRefresh Kind = 2 // a refresh of a cluster
)

func (k Kind) String() string {
	if k == KindRun {
		return "run"
	}
	return "refresh"
}

// Subject is what a claim is for: a discovery or a cluster, by its numeric id.
type Subject struct {
	Kind Kind   `cbor:"1,keyasint"`
	ID   uint64 `cbor:"2,keyasint"`
}

// Claim is the right of one peer to do one run or refresh. It is fenced by (Subject, Token): the token is the raft index
// of the entry that granted it. The ttl is for liveness, the token for safety.
type Claim struct {
	Subject Subject  `cbor:"1,keyasint"`
	Token   uint64   `cbor:"2,keyasint"`
	Peer    string   `cbor:"3,keyasint"` // id of the holder
	Granted Time     `cbor:"4,keyasint"` // the "now" of the work
	TTL     Duration `cbor:"5,keyasint"`
	Reason  string   `cbor:"6,keyasint,omitempty"`  // one of the Why constants
	Parts   uint32   `cbor:"7,keyasint,omitempty"`  // parts accepted so far
	Base    uint64   `cbor:"8,keyasint,omitempty"`  // refresh: the version the last accepted part left
	Names   []string `cbor:"9,keyasint,omitempty"`  // confirming refresh: the nodes to ask; nudged run: what moved
	Alone   bool     `cbor:"10,keyasint,omitempty"` // no other ready peer could have been given it
	Again   bool     `cbor:"11,keyasint,omitempty"` // due at once when it closes
}

// Why a claim was granted.
const (
	WhyDue     = "due"
	WhyAsked   = "asked"   // an operator wants it now
	WhyNudge   = "nudge"   // a watch saw something move; Names says what
	WhyConfirm = "confirm" // failed nodes are asked once more by another peer; Names lists them
	WhyOdd     = "odd"     // a first odd round is looked at again
	WhyDelete  = "delete"  // the run that takes a deleted discovery's records away
)

// Full says whether the claim is for the whole set: a full read, a full round.
func (c *Claim) Full() bool { return c.Reason != WhyNudge && c.Reason != WhyConfirm }

// Schedule is the row beside each discovery and cluster for what is outside the fold: whether it is wanted before its next
// slot, how the last time went, and the notes of its claim's holder. It never moves an index that readers see. When it is
// next due follows from it: see Due.
type Schedule struct {
	Subject  Subject `cbor:"1,keyasint"`
	AtOnce   bool    `cbor:"2,keyasint,omitempty"` // wanted as soon as no claim is open
	Confirm  Time    `cbor:"3,keyasint,omitempty"` // when failed nodes are to be asked by another peer
	Odd      Time    `cbor:"4,keyasint,omitempty"` // when a first odd round is to be looked at again
	Done     Time    `cbor:"5,keyasint,omitempty"` // logical time of the last completion that used up a slot
	Observed Time    `cbor:"6,keyasint,omitempty"` // granted time of the last full round or good full read
	Last     Work    `cbor:"7,keyasint,omitempty"`
	Notes    *Notes  `cbor:"8,keyasint,omitempty"` // refresh only; nil when there is nothing to note
	Past     Past    `cbor:"9,keyasint,omitempty"`
}

// Work tells how a run or refresh went.
type Work struct {
	At      Time     `cbor:"1,keyasint,omitempty" json:"at,omitzero"`
	Peer    string   `cbor:"2,keyasint,omitempty" json:"peer,omitempty"` // id; shown by name
	Took    Duration `cbor:"3,keyasint,omitempty" json:"took"`
	Outcome string   `cbor:"4,keyasint,omitempty" json:"outcome,omitempty"` // one of the Outcome constants
	Error   string   `cbor:"5,keyasint,omitempty" json:"error,omitempty"`
	Records int      `cbor:"6,keyasint,omitempty" json:"records,omitempty"` // runs: how many were read
	Hash    string   `cbor:"7,keyasint,omitempty" json:"hash,omitempty"`    // runs: of what was read; the last one's only
	Reason  string   `cbor:"8,keyasint,omitempty" json:"reason,omitempty"`  // why it was claimed
}

// ended notes how a claim's work went, as a group at a feature level does: as the last, and among the past.
func (s *Schedule) ended(open *Claim, w Work, level uint32) {
	w.At, w.Peer, w.Reason = open.Granted, open.Peer, open.Reason
	s.Past = s.Past.with(w, level)
	if open.Subject.Kind == KindRefresh || open.Full() || w.Outcome == OutcomeGivenBack || w.Outcome == OutcomeExpired {
		s.Last = w
	}
}

// How a run or refresh went.
const (
	OutcomeChanged   = "changed"
	OutcomeUnchanged = "unchanged"
	OutcomeFailed    = "failed"
	OutcomeHeld      = "held"
	OutcomeGivenBack = "given_back"
	OutcomeExpired   = "expired"
)

// Notes is what a claim's holder must remember between rounds though it is no fact of the view. A completion that would
// change them is never sent as unchanged. All lists are sorted and hold only what is not at rest.
type Notes struct {
	Failures []Failure `cbor:"1,keyasint,omitempty"` // by node
	Odd      []Odd     `cbor:"2,keyasint,omitempty"` // by shard
	Churn    []Churn   `cbor:"3,keyasint,omitempty"` // by node, attribute
}

// Failure counts a node's failed polls in a row, at most down_after, with the peers that failed.
type Failure struct {
	Node     string   `cbor:"1,keyasint"`
	Count    int      `cbor:"2,keyasint"`
	Peers    []string `cbor:"3,keyasint,omitempty"` // ids, sorted, at most down_after
	Observed Time     `cbor:"4,keyasint,omitempty"` // when it last answered
}

// Odd is a first round in which a shard had no primary or several.
type Odd struct {
	Shard string `cbor:"1,keyasint"`
	Many  bool   `cbor:"2,keyasint,omitempty"`
}

// Churn counts the rounds in a row in which an attribute changed.
type Churn struct {
	Node      string `cbor:"1,keyasint"`
	Attribute string `cbor:"2,keyasint"`
	Rounds    int    `cbor:"3,keyasint"`
}

// IsZero says whether there is nothing to note.
func (n *Notes) IsZero() bool { return n == nil || len(n.Failures)+len(n.Odd)+len(n.Churn) == 0 }

// Failure is the note on a node, or nil.
func (n *Notes) Failure(node string) *Failure {
	if n == nil {
		return nil
	}
	for i := range n.Failures {
		if n.Failures[i].Node == node {
			return &n.Failures[i]
		}
	}
	return nil
}
