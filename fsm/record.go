package fsm

import "slices"

// Record is one node as a source listed it: what a Backend returns, and what templates and filters see. Address and Port
// are where the node is asked. Labels become the node's; Meta, Tags, Service and Datacenter serve templates and filters
// only. Probe, when set, names the prober for this node over its cluster's.
type Record struct {
	Cluster    string            `json:"cluster"`
	Node       string            `json:"node"`
	Address    string            `json:"address"`
	Port       int               `json:"port"`
	Service    string            `json:"service,omitempty"`
	Datacenter string            `json:"datacenter,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	Meta       map[string]string `json:"meta,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Source     string            `json:"source,omitempty"` // where it was read, for people: a file and line, a service
	Probe      string            `json:"probe,omitempty"`
}

// Check refuses a record that may not enter the state.
func (r *Record) Check() error {
	if err := CheckClusterName("cluster", r.Cluster); err != nil {
		return err
	}
	if err := CheckNodeID("node", r.Node); err != nil {
		return err
	}
	if len(r.Address) > MaxName {
		return Invalid("address", "is %d bytes long; at most %d are allowed", len(r.Address), MaxName)
	}
	if r.Address == "" || !printable(r.Address) {
		return Invalid("address", "%q is not a host name or address", r.Address)
	}
	if r.Port < 1 || r.Port > 65535 {
		return Invalid("port", "%d is not between 1 and 65535", r.Port)
	}
	if len(r.Probe) > MaxWord || !printable(r.Probe) {
		return Invalid("probe", "%q is not the name of a prober", cut(r.Probe, MaxWord))
	}
	return CheckLabels("labels", r.Labels)
}

// Endpoint is what of a record is kept: where a node is asked, how, and its labels.
type Endpoint struct {
	Address string            `cbor:"1,keyasint,omitempty" json:"address"`
	Port    int               `cbor:"2,keyasint,omitempty" json:"port"`
	Labels  map[string]string `cbor:"3,keyasint,omitempty" json:"labels,omitempty"`
	Probe   string            `cbor:"4,keyasint,omitempty" json:"probe,omitempty"`
}

// Endpoint is what of r is kept.
func (r *Record) Endpoint() Endpoint {
	return Endpoint{Address: r.Address, Port: r.Port, Labels: r.Labels, Probe: r.Probe}
}

// Listing is a row: one (discovery, cluster, node) that the discovery listed, with the times a full read has since
// missed it. A listing is absent while AbsentSince is set.
type Listing struct {
	Discovery   uint64   `cbor:"1,keyasint"`
	Cluster     uint64   `cbor:"2,keyasint,omitempty"`
	Node        string   `cbor:"3,keyasint"`
	Endpoint    Endpoint `cbor:"4,keyasint"`
	AbsentSince Time     `cbor:"5,keyasint,omitempty"` // logical time of the first full read without it
	AbsentReads int      `cbor:"6,keyasint,omitempty"` // full good reads without it in a row, at most 3
	LastRead    Time     `cbor:"7,keyasint,omitempty"` // logical time of the last read that counted in AbsentReads
}

// Source is a listing as a node's JSON shows it.
type Source struct {
	Discovery   string `json:"discovery"`
	AbsentSince Time   `json:"absent_since,omitzero"`
	AbsentReads int    `json:"absent_reads,omitempty"`
}

// InForce is the listing whose endpoint is the node's: the oldest discovery that lists it now, else the oldest at all;
// nil when there is none. Discovery ids are given in order of age.
func InForce(listings []Listing) *Listing {
	var best *Listing
	for i := range listings {
		l := &listings[i]
		if best == nil || better(l, best) {
			best = l
		}
	}
	return best
}

func better(a, b *Listing) bool {
	if (a.AbsentSince == 0) != (b.AbsentSince == 0) {
		return a.AbsentSince == 0
	}
	return a.Discovery < b.Discovery
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
