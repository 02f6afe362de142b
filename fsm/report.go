package fsm

import "strings"

// Report is what one poll of one node brought: the answer of a prober. Nodes speak only for themselves. A report that is
// not Reachable carries only Node, Reason and Detail.
type Report struct {
	Node      string // the id it was asked under
	Reachable bool
	Reason    string // code when not Reachable: one of the Reason constants
	Detail    string // free text beside Reason; never compared

	State       string // one of the State constants
	StateReason string // code; for an unknown state the store's own word
	StateDetail string

	NodeID         string // what it says its id is; empty when it does not say
	ClusterID      string
	Kind           string // "redis"
	Version        string // "7.0.15"
	SidecarVersion string
	Shards         []Shard
	Attributes     map[string]string
}

// Why a node could not be asked; stable codes.
const (
	ReasonRefused     = "connection_refused"
	ReasonTimeout     = "timeout"
	ReasonUnreachable = "no_route"
	ReasonReset       = "connection_reset"
	ReasonDNS         = "dns"
	ReasonTLS         = "tls"
	ReasonHTTPStatus  = "http_status"
	ReasonDecode      = "decode"
	ReasonTooLarge    = "too_large"
	ReasonRedirect    = "redirect"
	ReasonForbidden   = "address_forbidden"
	ReasonAuth        = "authentication"
	ReasonProtocol    = "protocol"
	ReasonStore       = "store_unavailable"
)

// Unreachable is the report of a poll that failed.
func Unreachable(node, reason, detail string) Report {
	return Report{Node: node, Reason: reason, Detail: cut(detail, MaxText)}
}

// AttributeCut is the attribute that says what of a node's report was left out or cut short, as a list of "attributes",
// "shards" and "texts". Being an attribute, it is told by an event when it comes and when it goes.
const AttributeCut = "muster.cut"

// The words of AttributeCut.
const (
	cutAttributes = "attributes"
	cutShards     = "shards"
	cutTexts      = "texts"
)

// Bound cuts what a node may say to the limits of this package, so that no answer can grow the state without end. What is
// left out is by order of id or name; AttributeCut says that something was.
func (r *Report) Bound() {
	b := bounds{}
	r.Reason, r.Detail = cut(r.Reason, MaxWord), cut(r.Detail, MaxText)
	r.StateReason, r.StateDetail = cut(r.StateReason, MaxWord), cut(r.StateDetail, MaxText)
	r.NodeID, r.ClusterID = b.text(r.NodeID, MaxName), b.text(r.ClusterID, MaxName)
	r.Kind, r.Version, r.SidecarVersion = b.text(r.Kind, MaxWord), b.text(r.Version, MaxWord), b.text(r.SidecarVersion, MaxWord)
	if !knownState(r.State) {
		r.StateReason, r.State = cut(r.State, MaxWord), StateUnknown
	}
	r.boundShards(&b)
	r.boundAttributes(&b)
}

// bounds remembers what was cut.
type bounds struct{ attributes, shards, texts bool }

func (b *bounds) text(s string, most int) string {
	b.texts = b.texts || len(s) > most
	return cut(s, most)
}

func (b *bounds) String() string {
	var words []string
	for _, w := range []struct {
		was  bool
		word string
	}{{b.attributes, cutAttributes}, {b.shards, cutShards}, {b.texts, cutTexts}} {
		if w.was {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " ")
}

// boundShards leaves the shards by id. Of those whose ids are cut to one the first by its whole id stays.
func (r *Report) boundShards(b *bounds) {
	r.Shards = sortShards(r.Shards)
	for i := range r.Shards {
		s := &r.Shards[i]
		s.ID, s.Role = b.text(s.ID, MaxName), b.text(s.Role, MaxWord)
		if s.Offset == nil {
			continue
		}
		if unit := b.text(s.Offset.Unit, MaxWord); unit != s.Offset.Unit {
			s.Offset = &Offset{Value: s.Offset.Value, Unit: unit}
		}
	}
	r.Shards = sortShards(r.Shards)
	if len(r.Shards) > MaxShards {
		r.Shards, b.shards = r.Shards[:MaxShards:MaxShards], true
	}
}

func (r *Report) boundAttributes(b *bounds) {
	kept := make(map[string]string, min(len(r.Attributes), MaxAttributes))
	last := "" // of those kept, by order
	for _, k := range sortedKeys(r.Attributes) {
		switch {
		case k == AttributeCut: // passed on by what answers for the node
			b.attributes = b.attributes || strings.Contains(r.Attributes[k], cutAttributes)
			b.shards = b.shards || strings.Contains(r.Attributes[k], cutShards)
			b.texts = b.texts || strings.Contains(r.Attributes[k], cutTexts)
		case k == "" || len(k) > MaxName || len(kept) == MaxAttributes:
			b.attributes = true
		default:
			last = b.text(k, MaxName)
			kept[last] = b.text(r.Attributes[k], MaxText)
		}
	}
	if b.String() != "" {
		if len(kept) == MaxAttributes { // what says so takes the place of one
			delete(kept, last)
			b.attributes = true
		}
		kept[AttributeCut] = b.String()
	}
	r.Attributes = kept
	if len(kept) == 0 {
		r.Attributes = nil
	}
}

// storeless says whether the report is that of an agent whose store is gone, and says nothing of what the store holds: the
// store's last word stands. It leads nothing meanwhile.
func (r *Report) storeless() bool {
	return r.State != StateUp && r.StateReason == ReasonStore && r.Version == "" && len(r.Shards) == 0
}
