package fsm

import "slices"

// Spec is the setting of a discovery as users apply it, with DefaultSpec filled in where they said nothing.
type Spec struct {
	Backend      string                         `cbor:"1,keyasint" json:"backend"`
	Config       JSON                           `cbor:"2,keyasint,omitempty" json:"config"`
	Interval     Duration                       `cbor:"3,keyasint" json:"interval"`
	Enabled      bool                           `cbor:"4,keyasint" json:"enabled"`
	On           string                         `cbor:"5,keyasint" json:"on"` // any, a peer's name, or label=value
	Cluster      string                         `cbor:"6,keyasint,omitempty" json:"cluster"`
	Filter       string                         `cbor:"7,keyasint,omitempty" json:"filter"`
	Admission    string                         `cbor:"8,keyasint" json:"admission"` // auto | manual
	MissingAfter Duration                       `cbor:"9,keyasint" json:"missing_after"`
	RemoveAfter  Duration                       `cbor:"10,keyasint" json:"remove_after"`
	MaxShrink    Percent                        `cbor:"11,keyasint" json:"max_shrink"`
	OnDelete     string                         `cbor:"12,keyasint" json:"on_delete"` // keep | remove
	Refresh      RefreshSpec                    `cbor:"13,keyasint" json:"refresh"`
	Settable     `cbor:"14,keyasint,omitempty"` // for all its clusters and nodes
}

// The words of a Spec.
const (
	AdmissionAuto   = "auto"
	AdmissionManual = "manual"
	OnDeleteKeep    = "keep"
	OnDeleteRemove  = "remove"
	IdentityPinned  = "pinned" // what a node said first; a change is a mismatch
	IdentityStrict  = "strict" // must say the id it is listed under
	IdentityOff     = "off"
	OnAny           = "any"
)

// RefreshSpec says how the nodes of a cluster are asked.
type RefreshSpec struct {
	Prober         string   `cbor:"1,keyasint" json:"prober"`
	Config         JSON     `cbor:"2,keyasint,omitempty" json:"config"`
	Interval       Duration `cbor:"3,keyasint" json:"interval"`
	Timeout        Duration `cbor:"4,keyasint" json:"timeout"`
	ConnectTimeout Duration `cbor:"5,keyasint" json:"connect_timeout"`
	DownAfter      int      `cbor:"6,keyasint" json:"down_after"`
	RetryAfter     Duration `cbor:"7,keyasint" json:"retry_after"`
	LagLimit       Duration `cbor:"8,keyasint" json:"lag_limit"`
	Identity       string   `cbor:"9,keyasint" json:"identity"`
	On             string   `cbor:"10,keyasint" json:"on"`
	Enabled        bool     `cbor:"11,keyasint" json:"enabled"`
}

// DefaultSpec is a Spec in which every field that has a default holds it; decoding a user's JSON over it fills in what
// was not said.
func DefaultSpec() Spec {
	return Spec{
		Interval: 60 * Second, Enabled: true, On: OnAny, Cluster: "{{.service}}", Admission: AdmissionAuto,
		MissingAfter: 3 * Minute, RemoveAfter: 15 * Minute, MaxShrink: 30, OnDelete: OnDeleteKeep,
		Refresh: DefaultRefresh(),
	}
}

// DefaultRefresh is the RefreshSpec of a discovery that says nothing about it. ConnectTimeout is left to follow Timeout.
func DefaultRefresh() RefreshSpec {
	return RefreshSpec{
		Prober: "sidecar", Interval: 30 * Second, Timeout: 3 * Second, DownAfter: 2, RetryAfter: 500 * Millisecond,
		LagLimit: 30 * Second, Identity: IdentityPinned, On: OnAny, Enabled: true,
	}
}

// Equal says whether two settings say the same.
func (s Spec) Equal(o Spec) bool { return string(mustEncode(s)) == string(mustEncode(o)) }

// Validate refuses a Spec whose own words or numbers are wrong, naming the field, and sets ConnectTimeout where it was
// left out. What a backend, filter, template or prober makes of its part is judged where that lives.
func (s *Spec) Validate() error {
	if s.Backend == "" {
		return Invalid("backend", "is empty; say which backend reads this source, like \"consul\" or \"file\"")
	}
	if len(s.Config) > MaxConfig {
		return Invalid("config", "is %d bytes long; at most %d are allowed", len(s.Config), MaxConfig)
	}
	checks := []error{
		atLeast("interval", s.Interval, Second),
		atLeast("missing_after", s.MissingAfter, 0),
		oneOf("admission", s.Admission, AdmissionAuto, AdmissionManual),
		oneOf("on_delete", s.OnDelete, OnDeleteKeep, OnDeleteRemove),
		CheckOn("on", s.On),
		s.Refresh.Validate(),
		s.Settable.Validate(),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	if s.RemoveAfter < s.MissingAfter {
		return Invalid("remove_after", "%s is shorter than missing_after, %s", s.RemoveAfter, s.MissingAfter)
	}
	return nil
}

// Validate refuses a RefreshSpec whose words or numbers are wrong, and sets ConnectTimeout where it was left out.
func (r *RefreshSpec) Validate() error {
	if r.ConnectTimeout == 0 {
		r.ConnectTimeout = min(Second, r.Timeout)
	}
	if r.Prober == "" {
		return Invalid("refresh.prober", "is empty; say which prober asks the nodes, like \"sidecar\"")
	}
	if len(r.Config) > MaxConfig {
		return Invalid("refresh.config", "is %d bytes long; at most %d are allowed", len(r.Config), MaxConfig)
	}
	checks := []error{
		atLeast("refresh.interval", r.Interval, Second),
		atLeast("refresh.timeout", r.Timeout, 10*Millisecond),
		atLeast("refresh.connect_timeout", r.ConnectTimeout, 10*Millisecond),
		atLeast("refresh.retry_after", r.RetryAfter, 50*Millisecond),
		oneOf("refresh.identity", r.Identity, IdentityPinned, IdentityStrict, IdentityOff),
		CheckOn("refresh.on", r.On),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	switch {
	case r.Timeout > 5*Second:
		return Invalid("refresh.timeout", "%s is longer than 5s, the longest a poll may take", r.Timeout)
	case r.ConnectTimeout > r.Timeout:
		return Invalid("refresh.connect_timeout", "%s is longer than timeout, %s", r.ConnectTimeout, r.Timeout)
	case r.DownAfter < 1 || r.DownAfter > 10:
		return Invalid("refresh.down_after", "%d is not between 1 and 10 failed polls", r.DownAfter)
	}
	return nil
}

func atLeast(field string, d, least Duration) error {
	if d < least {
		return Invalid(field, "%s is shorter than %s", d, least)
	}
	return nil
}

func oneOf(field, got string, words ...string) error {
	if slices.Contains(words, got) {
		return nil
	}
	return Invalid(field, "%q is none of %q", got, words)
}

// Discovery is a row: the setting and what its runs have established. Ids are given in order of age, so the oldest
// discovery has the smallest.
type Discovery struct {
	ID       uint64 `cbor:"1,keyasint"`
	Name     string `cbor:"2,keyasint"`
	Spec     Spec   `cbor:"3,keyasint"`
	Deleting bool   `cbor:"4,keyasint,omitempty"`
	Failing  string `cbor:"5,keyasint,omitempty"` // the error of the first failed run after a good one
	Held     *Held  `cbor:"6,keyasint,omitempty"`
	// Settings is the raft index of the last apply, disable or delete; a run names it.
	Settings uint64 `cbor:"7,keyasint"`
	Index    uint64 `cbor:"8,keyasint"` // raft index of the last change of this row
}

// Held is a set of absences that is kept back until a run disproves it or an operator releases exactly it.
type Held struct {
	Hash     string    `cbor:"1,keyasint" json:"hash"`
	Nodes    []NodeRef `cbor:"2,keyasint" json:"nodes"` // the first maxHeldNamed of them, sorted
	Owned    int       `cbor:"3,keyasint" json:"owned"` // how many the source owned
	Since    Time      `cbor:"4,keyasint" json:"since"`
	Released bool      `cbor:"5,keyasint,omitempty" json:"released,omitempty"`
	Count    int       `cbor:"6,keyasint,omitempty" json:"count"` // how many there are
}

// NodeRef names a node across clusters; its text is "cluster/id".
type NodeRef struct {
	Cluster string `cbor:"1,keyasint"`
	Node    string `cbor:"2,keyasint"`
}

func (r NodeRef) String() string { return r.Cluster + "/" + r.Node }

// MarshalText writes "cluster/id".
func (r NodeRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText splits at the first "/": cluster names hold none, node ids may.
func (r *NodeRef) UnmarshalText(b []byte) error {
	ref, err := ParseNodeRef("node", string(b))
	*r = ref
	return err
}
