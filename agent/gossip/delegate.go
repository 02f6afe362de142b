package gossip

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is everything memberlist calls. It is called with memberlist's lock
// held, so it only changes the roster and counts.
type delegate struct {
	roster *roster
	meters *meters
}

var (
	_ memberlist.Delegate         = delegate{}
	_ memberlist.EventDelegate    = delegate{}
	_ memberlist.AliveDelegate    = delegate{}
	_ memberlist.ConflictDelegate = delegate{}
)

func (d delegate) NodeMeta(int) []byte { return d.roster.spoken() }

// User messages and state are not used.
func (d delegate) NotifyMsg([]byte)                {}
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d delegate) LocalState(bool) []byte          { return nil }
func (d delegate) MergeRemoteState([]byte, bool)   {}

// NotifyAlive refuses who cannot be read. Its being set also makes memberlist
// refuse alive messages with a short version vector, which it would index
// past the end of.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	if _, err := decodeNode(n); err != nil {
		d.meters.refused.WithLabelValues("unreadable").Inc()
		return err
	}
	if err := d.roster.admit(n.Name); err != nil {
		d.meters.refused.WithLabelValues("full").Inc()
		return err
	}
	return nil
}

func (d delegate) NotifyJoin(n *memberlist.Node)   { d.saw(n) }
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.saw(n) }

func (d delegate) NotifyLeave(n *memberlist.Node) {
	d.roster.lost(n.Name, time.Now())
}

func (d delegate) NotifyConflict(existing, other *memberlist.Node) {
	d.meters.conflicts.Inc()
	d.roster.dispute(existing.Name, other.Address())
}

func (d delegate) saw(n *memberlist.Node) {
	m, err := decodeNode(n)
	if err != nil {
		return // NotifyAlive has let it pass, so this is not reached
	}
	d.roster.saw(m, time.Now())
}
