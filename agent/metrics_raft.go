package agent

import (
	"strconv"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

// figure is one value that is looked up when it is asked for.
type figure struct {
	name, help string
	value      func() float64
}

// raftMetrics are where this peer stands in its raft group.
func (a *Agent) raftMetrics() []prometheus.Collector {
	all := []prometheus.Collector{
		serversCollector{a},
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "muster_raft_leader_changes_total", Help: "Times this peer heard of another leader than before, the first one included.",
		}, func() float64 { return float64(a.leaders.Count()) }),
	}
	for _, f := range []figure{
		{"muster_raft_term", "Raft's term.", func() float64 { return float64(a.raft.CurrentTerm()) }},
		{"muster_raft_last_index", "Index of the last entry in this peer's log.", func() float64 { return float64(a.raft.LastIndex()) }},
		{
			"muster_raft_commit_index", "Index of the last entry that this peer knows to be at a majority.",
			func() float64 { return float64(a.raft.CommitIndex()) },
		},
		{
			"muster_raft_snapshot_index", "Index of the last entry that this peer's newest snapshot holds; 0 for none.",
			func() float64 { return stat(a.raft, "last_snapshot_index") },
		},
		{
			"muster_raft_leader_known", "1 while this peer knows who leads.",
			func() float64 { return truth(a.leaders.ID() != "") },
		},
		{
			"muster_raft_leader_silence_seconds", "How long ago this peer heard of the leader, or started where it heard of none since; 0 for the leader itself.",
			a.silence,
		},
	} {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: f.name, Help: f.help}, f.value))
	}
	return all
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// stat is one of the numbers that raft tells only with all others.
func stat(r *raft.Raft, name string) float64 {
	n, _ := strconv.ParseFloat(r.Stats()[name], 64)
	return n
}

// silence is how long ago the leader was heard of, in seconds.
func (a *Agent) silence() float64 {
	if a.leaders.ID() == a.id {
		return 0
	}
	last := a.raft.LastContact()
	if last.IsZero() {
		last = a.started
	}
	return max(0, a.cfg.Seams.Now().Sub(last).Seconds())
}

var serversDesc = prometheus.NewDesc("muster_raft_servers", "Servers of the raft configuration as this peer has it, by suffrage.",
	[]string{"suffrage"}, nil)

// serversCollector counts the servers of the raft configuration.
type serversCollector struct{ *Agent }

// Describe is prometheus.Collector's.
func (serversCollector) Describe(ch chan<- *prometheus.Desc) { ch <- serversDesc }

// Collect is prometheus.Collector's. A configuration that raft does not tell, since it has ended, has no servers.
func (c serversCollector) Collect(ch chan<- prometheus.Metric) {
	voters, others := 0, 0
	servers, _ := c.configuration()
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			voters++
		} else {
			others++
		}
	}
	ch <- prometheus.MustNewConstMetric(serversDesc, prometheus.GaugeValue, float64(voters), "voter")
	ch <- prometheus.MustNewConstMetric(serversDesc, prometheus.GaugeValue, float64(others), "nonvoter")
}
