package fsm

// Enrolment is what a run found about one cluster: rows of listings to write and facts to fold, computed from the cluster's
// version Base. Apply judges each alone.
type Enrolment struct {
	Cluster string    `cbor:"1,keyasint"`           // name
	ID      uint64    `cbor:"2,keyasint,omitempty"` // 0: the cluster is not there yet
	Base    uint64    `cbor:"3,keyasint,omitempty"` // version it was computed from
	Put     []Listing `cbor:"4,keyasint,omitempty"` // new or changed listings of this discovery, by node; Apply fills in Cluster
	Drop    []string  `cbor:"5,keyasint,omitempty"` // nodes whose listing by this discovery goes, sorted
	Facts   []Fact    `cbor:"6,keyasint,omitempty"`
}

// IsZero says whether the enrolment changes nothing.
func (e *Enrolment) IsZero() bool { return len(e.Put)+len(e.Drop)+len(e.Facts) == 0 }
