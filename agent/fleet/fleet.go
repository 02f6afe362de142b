package fleet

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// Replica is what is told of: a state, and logical time as this peer can tell it.
type Replica interface {
	Read() *fsm.Reader
	Now() fsm.Time
}

// Collector is a prometheus.Collector; scrapes take turns.
type Collector struct {
	replica Replica

	mu    sync.Mutex
	tally fsm.Tally
}

// New is a collector that has counted nothing yet.
func New(replica Replica) *Collector { return &Collector{replica: replica} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("muster_fleet_"+name, help, labels, nil)
}

var (
	clusters = desc("clusters", "Clusters by health.", "health")
	nodes    = desc("nodes", "Nodes by presence, lifecycle, reach and state.", "presence", "lifecycle", "reach", "state")
	lagging  = desc("lagging_shards", "Shards past their lag_limit at nodes that are commissioned and present.")
	lag      = desc("lag_seconds", "The greatest lag of a shard at nodes that are commissioned, present and reachable, as of its last change: "+
		"a lag that moves on one side of lag_limit makes no change.")
	oldest = desc("oldest_view_timestamp_seconds", "When the refreshed cluster that has waited longest was last asked in full; "+
		"0 when there is none.")
	unseen       = desc("unseen_clusters", "Clusters that are refreshed and were never asked in full.")
	overdue      = desc("overdue_clusters", "Clusters that are due for more than a second and wait for a peer.")
	overdueFor   = desc("overdue_seconds", "How long the cluster that waits longest for a peer is due; 0 when none waits.")
	claims       = desc("claims", "Open claims by kind.", "kind")
	eventsKept   = desc("events_kept", "Events that are kept.")
	eventsOldest = desc("events_oldest_timestamp_seconds", "Time of the oldest kept event; 0 when none is kept.")

	discoveryRead = desc("discovery_last_read_timestamp_seconds", "When the last good full read of an enabled discovery began; "+
		"0 for never.", "discovery")
	discoveryInterval = desc("discovery_interval_seconds", "How often an enabled discovery is to be read.", "discovery")
	discoveryFailing  = desc("discovery_failing", "1 while the runs of an enabled discovery fail.", "discovery")
	discoveryHeld     = desc("discovery_held_nodes", "Absent nodes that the guard of an enabled discovery keeps in the fleet.", "discovery")
)

// Describe is prometheus.Collector's.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		clusters, nodes, lagging, lag, oldest, unseen, overdue, overdueFor, claims, eventsKept, eventsOldest,
		discoveryRead, discoveryInterval, discoveryFailing, discoveryHeld,
	} {
		ch <- d
	}
}

// Collect is prometheus.Collector's.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.replica.Read()
	f := c.tally.Count(r, c.replica.Now())
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, health := range []string{fsm.HealthHealthy, fsm.HealthDegraded, fsm.HealthDown, fsm.HealthUnknown} {
		tell(clusters, float64(f.Health[health]), health)
	}
	for words, n := range f.Nodes {
		tell(nodes, float64(n), string(words.Presence), string(words.Lifecycle), words.Reach, words.State)
	}
	tell(lagging, float64(f.Lagging))
	tell(lag, seconds(f.Lag))
	tell(oldest, at(f.Oldest))
	tell(unseen, float64(f.Unseen))
	tell(overdue, float64(f.Overdue))
	tell(overdueFor, seconds(f.OverdueFor))
	tell(claims, float64(f.Runs), fsm.KindRun.String())
	tell(claims, float64(f.Refreshes), fsm.KindRefresh.String())
	m := r.Meta()
	tell(eventsKept, float64(m.Seq+1-m.First))
	tell(eventsOldest, at(oldestEvent(r)))
	for d := range r.Discoveries("") {
		if d.Spec.Enabled && !d.Deleting {
			discovery(r, d, tell)
		}
	}
}

// discovery tells of one that is enabled.
func discovery(r *fsm.Reader, d *fsm.Discovery, tell func(*prometheus.Desc, float64, ...string)) {
	read, failing, held := fsm.Time(0), 0, 0
	if s := r.Schedule(fsm.Subject{Kind: fsm.KindRun, ID: d.ID}); s != nil {
		read = s.Observed
	}
	if d.Failing != "" {
		failing = 1
	}
	if d.Held != nil && !d.Held.Released {
		held = d.Held.Count
	}
	tell(discoveryRead, at(read), d.Name)
	tell(discoveryInterval, seconds(d.Spec.Interval), d.Name)
	tell(discoveryFailing, float64(failing), d.Name)
	tell(discoveryHeld, float64(held), d.Name)
}

func oldestEvent(r *fsm.Reader) fsm.Time {
	for e := range r.Events(r.Meta().First - 1) {
		return e.Time
	}
	return 0
}

func at(t fsm.Time) float64 { return float64(t) / 1000 }

func seconds(d fsm.Duration) float64 { return float64(d) / 1000 }
