package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/scripts/bench/million"
)

// simulated is the scenario of groups that are too large for this machine: the sums, checked by simulation.
type simulated struct {
	largest int
}

func (s *simulated) flags(f *flag.FlagSet) {
	f.IntVar(&s.largest, "largest", 1_000_000, "simulate up to `N` nodes")
}

// simulation is one column: a group and how it is run.
type simulation struct {
	name           string
	nodes, cluster int // nodes in all and of a cluster
	peers          int
	interval       time.Duration
	events         int // kept
}

// simulations are all of them; those of one group follow each other.
func simulations() []simulation {
	const (
		s = time.Second
		k = 1000
	)
	kept := fsm.DefaultSettings().Retention.Events
	return []simulation{
		{"10k", 10 * k, 10, 10, 30 * s, kept},
		{"10k, no events", 10 * k, 10, 10, 30 * s, 0},
		{"10k, 1M events", 10 * k, 10, 10, 30 * s, k * k},
		{"100k", 100 * k, 10, 10, 30 * s, kept},
		{"100k/10s", 100 * k, 10, 10, 10 * s, kept},
		{"100k/60s", 100 * k, 10, 10, 60 * s, kept},
		{"100k, 3 peers", 100 * k, 10, 3, 30 * s, kept},
		{"100k, 30 peers", 100 * k, 10, 30, 30 * s, kept},
		{"100k, 100 peers", 100 * k, 10, 100, 30 * s, kept},
		{"100k of 1", 100 * k, 1, 10, 30 * s, kept},
		{"100k of 100", 100 * k, 100, 10, 30 * s, kept},
		{"300k", 300 * k, 10, 10, 30 * s, kept},
		{"1M", k * k, 10, 10, 30 * s, kept},
		{"1M, 30 peers", k * k, 10, 30, 30 * s, kept},
		{"1M, 100 peers", k * k, 10, 100, 30 * s, kept},
	}
}

// load is how it is run: measured over an interval, or over twenty seconds where that is more.
func (c simulation) load() million.Load {
	return million.Load{
		Peers: c.peers, Interval: c.interval, Span: max(c.interval, 20*time.Second),
		InFlight: fsm.DefaultSettings().Limits.InFlight,
	}
}

const peersMost = 100 // of a simulation

func (s *simulated) run(ctx context.Context, _ *bench, out *result) error {
	var last simulation
	var g *million.Group
	for _, c := range simulations() {
		if c.nodes > s.largest {
			continue
		}
		var err error
		if c.nodes != last.nodes || c.cluster != last.cluster {
			step(fmt.Sprintf("filling %d x %d nodes", c.nodes/c.cluster, c.cluster))
			last = simulation{nodes: c.nodes, cluster: c.cluster, events: -1}
			if g, err = million.New(ctx, million.Config{Clusters: c.nodes / c.cluster, Nodes: c.cluster, Peers: peersMost}); err != nil {
				return err
			}
		}
		if c.events != last.events {
			if err := g.Keep(ctx, c.events); err != nil {
				return err
			}
			out.add(stateFigures(c, g)...)
		}
		last = c
		step("simulating " + c.name)
		r, err := g.Run(ctx, c.load())
		if err != nil {
			return err
		}
		out.add(c.figures(g, r)...)
	}
	return nil
}

// stateFigures are the figures of a group's state.
func stateFigures(c simulation, g *million.Group) []figure {
	nodes := float64(g.Clusters * g.Nodes)
	return []figure{
		{Name: "state of a node", Case: c.name, Value: float64(g.State) / nodes, Unit: "B", Note: "on the heap, without events"},
		{Name: "events", Case: c.name, Value: mib(float64(g.Events)), Unit: "MiB", Note: "on the heap, those that are kept"},
		{Name: "snapshot", Case: c.name, Value: mib(float64(g.Snapshot)), Unit: "MiB"},
		{Name: "CPU to write a snapshot", Case: c.name, Value: g.Writing, Unit: "s"},
		{Name: "CPU to restore a snapshot", Case: c.name, Value: g.Restoring, Unit: "s"},
	}
}

// figures are those of a load. CPU is of one thread and in milliseconds for a second of the group's time, so that 1,000 are
// a core.
func (c simulation) figures(g *million.Group, r *million.Result) []figure {
	span := c.load().Span.Seconds()
	refreshes, entries := float64(r.Refreshes), float64(r.Entries)
	bytes := float64(r.Bytes) + entryHead*entries
	leader := r.Beat + r.Update + r.Encode + r.Apply
	ms := func(name string, seconds float64) figure {
		return figure{Name: name, Case: c.name, Value: seconds * 1000 / span, Unit: "ms/s"}
	}
	late := quantilesOf(r.Late)
	return []figure{
		{Name: "cluster refreshes", Case: c.name, Value: refreshes / span, Unit: "/s"},
		ms("scheduler: beats", r.Beat), ms("scheduler: updates", r.Update), ms("encoding", r.Encode),
		ms("applying, on every peer", r.Apply),
		{
			Name: "leader's CPU of a cluster refresh", Case: c.name, Value: leader * 1e6 / refreshes, Unit: "us",
			Note: "the four above together",
		},
		{Name: "of it applying, on every peer", Case: c.name, Value: r.Apply * 1e6 / refreshes, Unit: "us"},
		{Name: "the same with the simulation itself", Case: c.name, Value: r.CPU * 1e6 / refreshes, Unit: "us"},
		{Name: "log entries", Case: c.name, Value: entries / span, Unit: "/s", Goal: "<= 10"},
		{Name: "bytes of an entry", Case: c.name, Value: bytes / entries, Unit: "B"},
		{
			Name: "log bytes of a cluster refresh", Case: c.name, Value: bytes / refreshes, Unit: "B", Goal: "<= 20",
			Note: "entry heads included, counted once",
		},
		{Name: "log that the leader sends", Case: c.name, Value: bytes / span * float64(c.peers-1) / 1024, Unit: "KiB/s"},
		{Name: "proposals to the leader", Case: c.name, Value: float64(r.Proposals) / span, Unit: "/s"},
		{Name: "bytes of a proposal", Case: c.name, Value: float64(r.ProposalBytes) / float64(max(r.Proposals, 1)), Unit: "B"},
		{
			Name: "lateness, p99", Case: c.name, Value: late.P99, Unit: "s", Goal: "< 3", Note: "from a cluster's slot to its claim",
		},
		{Name: "lateness, max", Case: c.name, Value: late.Max, Unit: "s"},
		{Name: "polls of a peer at once, at most", Case: c.name, Value: float64(r.OpenMost), Unit: ""},
		{Name: "clusters waiting for a peer, at most", Case: c.name, Value: float64(r.WaitingMost), Unit: ""},
		{Name: "scheduler's memory of a cluster", Case: c.name, Value: float64(r.SchedulerBytes) / float64(g.Clusters), Unit: "B"},
		{Name: "CPU to take over", Case: c.name, Value: r.TakeOver, Unit: "s"},
	}
}
