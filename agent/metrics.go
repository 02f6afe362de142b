package agent

import (
	"fmt"
	"sync/atomic"
	"time"

	gometrics "github.com/armon/go-metrics"
	"github.com/prometheus/client_golang/prometheus"

	figures "github.com/musterhq/muster/agent/fleet"
	"github.com/musterhq/muster/agent/measures"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// metrics is what a peer says of itself beside its parts.
type metrics struct {
	overdue     atomic.Int64 // ms
	waiting     atomic.Int64
	clockOffset atomic.Int64 // ns
	buried      atomic.Int64
	late        prometheus.Histogram
}

// lateBy counts a refresh that was granted so long after it was due.
func (m *metrics) lateBy(d time.Duration) { m.late.Observe(d.Seconds()) }

// watch takes the scheduler's figures after each beat.
func (m *metrics) watch(s *refresh.Scheduler, now refresh.Instant) {
	waiting, oldest := s.Backlog(now)
	m.waiting.Store(int64(waiting))
	m.overdue.Store(oldest.Milliseconds())
}

// unwatch ends it: who leads no more has no backlog.
func (m *metrics) unwatch() {
	m.waiting.Store(0)
	m.overdue.Store(0)
}

// reloadsWith counts those with one result.
func reloadsWith(result string, n *atomic.Uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "muster_agent_reloads_total", Help: "Times the configuration was read again, by result: ok or failed.",
		ConstLabels: prometheus.Labels{"result": result},
	}, func() float64 { return float64(n.Load()) })
}

func newMetrics(a *Agent) (*metrics, error) {
	late, err := refresh.NewLateness(a.cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	m := &metrics{late: late}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
	}
	for _, c := range append(a.raftMetrics(), []prometheus.Collector{
		figures.New(fleetFace{a}), a.machine.Told(),
		gauge("muster_agent_leader", "1 while this peer leads.", func() float64 {
			return truth(a.term.Load() != nil)
		}),
		gauge("muster_agent_feature_level", "The group's feature level, as this peer's replica has it.", func() float64 {
			return float64(a.machine.Read().Meta().Feature)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "muster_agent_info", Help: "1, with this peer's name and the release it runs.",
			ConstLabels: prometheus.Labels{"name": a.cfg.Name, "version": a.cfg.Version},
		}, func() float64 { return 1 }),
		gauge("muster_agent_clock_offset_seconds", "How far the leader's clock is ahead of the median of the voters'; the leader's.",
			func() float64 { return time.Duration(m.clockOffset.Load()).Seconds() }),
		reloadsWith("ok", &a.reloads.good), reloadsWith("failed", &a.reloads.bad),
		counter("muster_agent_dead_peers_removed_total", "Dead peers that this one removed while it led.", func() float64 {
			return float64(m.buried.Load())
		}),
		gauge("muster_agent_paused", "1 while all scheduling is paused.", func() float64 {
			return truth(a.machine.Read().Settings().Pause != nil)
		}),
		gauge("muster_agent_settings_waiting", "Settings that were changed in files and wait for a restart.", func() float64 {
			return float64(a.reloads.waiting())
		}),
		gauge("muster_agent_disk_free_bytes", "Room on the disk of the data directory.", func() float64 {
			room, _ := a.space.State()
			return float64(room.Free)
		}),
		gauge("muster_agent_disk_level", "How the disk of the data directory is: 0 ample, 1 low, 2 full.", func() float64 {
			return float64(a.space.Level())
		}),
		gauge("muster_agent_applied_index", "Raft index of the last applied entry.", func() float64 {
			return float64(a.machine.Read().Meta().Index)
		}),
		gauge("muster_agent_events_seq", "Sequence number of the last event.", func() float64 {
			return float64(a.machine.Read().Meta().Seq)
		}),
		gauge("muster_agent_events_bytes", "Bytes of the kept events.", func() float64 {
			return float64(a.machine.Read().Meta().Bytes)
		}),
		gauge("muster_agent_tokens", "Tokens that are kept, of at most 1000; expired ones go within a minute.", func() float64 {
			n := 0
			for range a.machine.Read().Tokens("") {
				n++
			}
			return float64(n)
		}),
		gauge("muster_agent_log_bytes", "Bytes of entries applied since the last snapshot.", func() float64 {
			return float64(a.machine.LogBytes())
		}),
		gauge("muster_agent_snapshot_bytes", "Bytes of the newest snapshot; 0 with none.", func() float64 {
			return float64(a.snapshotBytes())
		}),
		counter("muster_agent_snapshots_damaged_total", "Snapshots found damaged since this peer started, each replaced by a new one.",
			func() float64 { return float64(a.snapshotsDamaged()) }),
		counter("muster_agent_snapshots_refused_total", "Snapshots of the leader that were not taken up: too large, too late, or damaged.",
			func() float64 { return float64(a.snapshotsRefused()) }),
		gauge("muster_agent_backup_timestamp_seconds", "When this peer last kept a backup; 0 for never.", func() float64 {
			return float64(a.live.Load().backups.Status().At) / 1000
		}),
		gauge("muster_agent_backup_failures", "Backups that failed since one was kept.", func() float64 {
			return float64(a.live.Load().backups.Status().Failures)
		}),
		counter("muster_agent_entries_total", "Entries applied since this peer started.", func() float64 {
			return float64(a.machine.Entries())
		}),
		counter("muster_agent_entry_bytes_total", "Bytes of the entries applied since this peer started.", func() float64 {
			return float64(a.machine.EntryBytes())
		}),
		gauge("muster_agent_due_waiting", "Subjects that are due and wait for a peer; the leader's.", func() float64 {
			return float64(m.waiting.Load())
		}),
		gauge("muster_agent_due_overdue_seconds", "How long the longest waiting subject is overdue; the leader's.", func() float64 {
			return time.Duration(m.overdue.Load() * int64(time.Millisecond)).Seconds()
		}),
	}...) {
		if err := a.cfg.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}

// fleetFace is the fleet as package fleet tells of it.
type fleetFace struct{ *Agent }

// Read is the replica's state.
func (f fleetFace) Read() *fsm.Reader { return f.machine.Read() }

// Now is logical time as this peer can tell it.
func (f fleetFace) Now() fsm.Time { return replicaFace(f).Now() }

// Telemetry tells a registry what raft and memberlist measure. They measure for the process, so a program calls it once.
func Telemetry(reg prometheus.Registerer) error {
	sink, err := measures.New(reg)
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	conf := gometrics.DefaultConfig("")
	conf.EnableHostname, conf.EnableRuntimeMetrics = false, false
	_, err = gometrics.NewGlobal(conf, sink)
	return err
}
