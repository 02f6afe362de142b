package fsm

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

// Bound cuts what a node may say to the limits of this package, so that no answer can grow the state without end. What is
// left out is by order of id or name, and the state's detail says that something was cut.
func (r *Report) Bound() {
	r.Reason, r.Detail = cut(r.Reason, MaxWord), cut(r.Detail, MaxText)
	r.StateReason, r.StateDetail = cut(r.StateReason, MaxWord), cut(r.StateDetail, MaxText)
	r.NodeID, r.ClusterID = cut(r.NodeID, MaxName), cut(r.ClusterID, MaxName)
	r.Kind, r.Version, r.SidecarVersion = cut(r.Kind, MaxWord), cut(r.Version, MaxWord), cut(r.SidecarVersion, MaxWord)
	if !knownState(r.State) {
		r.StateReason, r.State = cut(r.State, MaxWord), StateUnknown
	}
	r.boundShards()
	r.boundAttributes()
}

func (r *Report) boundShards() {
	r.Shards = sortShards(r.Shards)
	if len(r.Shards) > MaxShards {
		r.Shards = r.Shards[:MaxShards]
		r.StateDetail = cut("more than "+itoa(MaxShards)+" shards, the rest left out; "+r.StateDetail, MaxText)
	}
	for i := range r.Shards {
		s := &r.Shards[i]
		s.ID, s.Role = cut(s.ID, MaxName), cut(s.Role, MaxWord)
	}
}

func (r *Report) boundAttributes() {
	if len(r.Attributes) == 0 {
		r.Attributes = nil
		return
	}
	kept := make(map[string]string, min(len(r.Attributes), MaxAttributes))
	for _, k := range sortedKeys(r.Attributes) {
		if len(kept) == MaxAttributes {
			r.StateDetail = cut("more than "+itoa(MaxAttributes)+" attributes, the rest left out; "+r.StateDetail, MaxText)
			break
		}
		if k != "" && len(k) <= MaxName {
			kept[cut(k, MaxName)] = cut(r.Attributes[k], MaxText)
		}
	}
	r.Attributes = kept
}
