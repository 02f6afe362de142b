package httpd

import (
	"net/http"
	"strconv"

	"github.com/musterhq/muster/fsm"
)

// Usage is what a group and the peer asked use, and of how much.
type Usage struct {
	Peer  string     `json:"peer"` // name of the peer asked
	Time  fsm.Time   `json:"time"`
	Usage []UsageRow `json:"usage"`
}

// UsageRow is how much there is of one thing.
type UsageRow struct {
	Name  string `json:"name"`
	Of    string `json:"of"`   // group, whose numbers all peers tell alike, or peer
	Unit  string `json:"unit"` // count, bytes or seconds
	Used  int64  `json:"used"`
	Limit int64  `json:"limit,omitempty"` // 0 is none
	// Rolls says that nothing is refused at the limit: the oldest goes, or what was gathered is put away.
	Rolls bool `json:"rolls,omitempty"`
	// Setting is what the limit is set by, empty where it is fixed.
	Setting string `json:"setting,omitempty"`
}

// The units of UsageRow.
const (
	UnitCount   = "count"
	UnitBytes   = "bytes"
	UnitSeconds = "seconds"
)

// Whose the numbers of a UsageRow are.
const (
	OfGroup = "group"
	OfPeer  = "peer"
)

func (s *Server) showUsage(w http.ResponseWriter, r *http.Request) error {
	rd, err := parseReading(r.URL.Query())
	if err != nil {
		return err
	}
	reader, contact, err := s.Replica.Read(r.Context(), rd.level)
	if err != nil {
		return err
	}
	m, now := reader.Meta(), s.Clock.Now()
	tellContact(w.Header(), contact)
	w.Header().Set("X-Muster-Index", strconv.FormatUint(m.Index, 10))
	w.Header().Set("X-Muster-Epoch", m.Epoch())
	out := Usage{Peer: s.Members.Self().Member.Name, Time: now, Usage: groupUsage(reader, now)}
	out.Usage = append(out.Usage, s.ownUsage()...)
	out.Usage = append(out.Usage, s.Inside.Usage()...)
	return s.reply(w, r, http.StatusOK, out)
}

// groupUsage is of the state.
func groupUsage(r *fsm.Reader, now fsm.Time) []UsageRow {
	m, keep, n := r.Meta(), r.Settings().Retention, r.Sizes()
	of := func(name, unit string, used int64) UsageRow {
		return UsageRow{Name: name, Of: OfGroup, Unit: unit, Used: used}
	}
	kept := func(row UsageRow, limit int64, setting string) UsageRow {
		row.Limit, row.Rolls, row.Setting = limit, true, setting
		return row
	}
	oldest := int64(0)
	for e := range r.Events(m.First - 1) {
		oldest = int64(now.Sub(e.Time).Std().Seconds())
		break
	}
	largest, tokens := of("nodes_of_largest_cluster", UnitCount, int64(n.Largest)), of("tokens", UnitCount, int64(n.Tokens))
	largest.Limit, tokens.Limit = fsm.MaxNodes, fsm.MaxTokens
	return []UsageRow{
		of("discoveries", UnitCount, int64(n.Discoveries)), of("clusters", UnitCount, int64(n.Clusters)),
		of("nodes", UnitCount, int64(n.Nodes)), largest, of("claims", UnitCount, int64(n.Claims)), tokens,
		kept(of("events", UnitCount, int64(m.Seq+1-m.First)), int64(keep.Events), "retention.events"),
		kept(of("events_size", UnitBytes, m.Bytes), keep.Bytes, "retention.bytes"),
		kept(of("events_age", UnitSeconds, oldest), int64(keep.Age.Std().Seconds()), "retention.age"),
		kept(of("operator_events", UnitCount, int64(m.Audits)), int64(keep.Audit), "retention.audit"),
	}
}

// ownUsage is of the face.
func (s *Server) ownUsage() []UsageRow {
	return []UsageRow{
		{
			Name: "api_connections", Of: OfPeer, Unit: UnitCount, Used: s.metrics.conns.Load(), Limit: int64(s.MaxConns),
			Setting: "LimitNOFILE",
		},
		{
			Name: "waiting_requests", Of: OfPeer, Unit: UnitCount, Used: int64(len(s.waiting.places)), Limit: int64(s.MaxWaiting),
			Setting: "LimitNOFILE",
		},
		{Name: "backups", Of: OfPeer, Unit: UnitCount, Used: int64(len(s.backups.places)), Limit: int64(cap(s.backups.places))},
	}
}
