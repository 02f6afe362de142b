package gossip

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// reasons are those for which something is refused.
var reasons = []string{"unreadable", "full", "network", "streams", "compressed", "bytes"}

type meters struct {
	members   *prometheus.GaugeVec   // by status, this group's only
	foreign   prometheus.Gauge       // members of another raft group under this label
	refused   *prometheus.CounterVec // alive messages, by reason
	conflicts prometheus.Counter
	joins     *prometheus.CounterVec // addresses tried, by result
	warned    prometheus.Counter     // of memberlist
}

func newMeters(reg prometheus.Registerer) (*meters, error) {
	m := &meters{
		members: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "muster_gossip_members", Help: "Known members of this group, by status.",
		}, []string{"status"}),
		foreign: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_gossip_foreign_members", Help: "Members of another raft group that use this group's name.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_gossip_refused_total", Help: "Announcements, packets and streams that were refused, by reason: " +
				strings.Join(reasons, ", ") + ".",
		}, []string{"reason"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_gossip_conflicts_total", Help: "Announcements that claim a living member's id for another address.",
		}),
		joins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_gossip_joins_total", Help: "Addresses that were asked to join, by result; not_found counts what led to none.",
		}, []string{"result"}),
		warned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_gossip_warnings_total", Help: "Messages that memberlist could not make sense of, and other warnings of it.",
		}),
	}
	for _, reason := range reasons {
		m.refused.WithLabelValues(reason)
	}
	for _, c := range []prometheus.Collector{m.members, m.foreign, m.refused, m.conflicts, m.joins, m.warned} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *meters) count(members []Member, foreign int) {
	by := map[Status]int{}
	for _, x := range members {
		by[x.Status]++
	}
	for _, s := range []Status{Alive, Failed, Stopped, Left} {
		m.members.WithLabelValues(string(s)).Set(float64(by[s]))
	}
	m.foreign.Set(float64(foreign))
}
