package main

import (
	"context"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// entryHead is what the log store keeps of an entry beside its bytes: term, index, type, times and checksum.
const entryHead = 71

// measured is what a group did over a span.
type measured struct {
	reading // what was added, and the memory at the end
	seconds float64
	overdue []float64 // of the subject that waits longest for a peer, in seconds, looked at every second
}

// during measures the group for a time, and takes its profiles under the name of a case where they are asked for.
func (g *group) during(ctx context.Context, leader *rig.Peer, d time.Duration, name string) (measured, error) {
	step("measuring " + name)
	profiles, err := g.profiled(ctx, name, d)
	if err != nil {
		return measured{}, err
	}
	before, err := g.read(ctx, leader)
	if err != nil {
		return measured{}, err
	}
	var m measured
	end := time.NewTimer(d)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			return m, context.Cause(ctx)
		case <-tick.C:
			now, err := scrape(ctx, leader.HTTP)
			if err != nil {
				return m, err
			}
			m.overdue = append(m.overdue, now.sum("muster_agent_due_overdue_seconds"))
		case <-end.C:
			running = false
		}
	}
	after, err := g.read(ctx, leader)
	if err != nil {
		return m, err
	}
	m.reading, m.seconds = after.minus(before), after.at.Sub(before.at).Seconds()
	return m, profiles.done(ctx, leader)
}

// polls are those of all peers.
func (m measured) polls() float64 { return m.sum("muster_refresh_polls_total") }

// answered are the polls that were no failures.
func (m measured) answered() float64 { return m.sum("muster_refresh_polls_total", `result="ok"`) }

// micros is the CPU of a node refresh, summed over the peers and with everything they do.
func (m measured) micros() float64 { return m.cpu() * 1e6 / m.polls() }

// dialed is the share of polls that needed a new connection, in percent.
func (m measured) dialed() float64 { return 100 * m.sum("muster_poll_dials_total") / m.polls() }

// logBytes are those of the entries with their heads, once and not for each peer.
func (m measured) logBytes() float64 {
	return m.leader.sum("muster_agent_entry_bytes_total") + entryHead*m.entries()
}

func (m measured) entries() float64 { return m.leader.sum("muster_agent_entries_total") }

// logPerUnchanged is the log bytes of a cluster refresh that changed nothing.
func (m measured) logPerUnchanged() float64 {
	return m.logBytes() / m.sum("muster_refresh_unchanged_total")
}

// figures are what every steady measurement has to say of itself.
func (m measured) figures(column string) []figure {
	rss, anon := m.rss()
	overdue := quantilesOf(m.overdue)
	return []figure{
		{
			Name: "CPU of a node refresh", Case: column, Value: m.micros(), Unit: "us",
			Note: "summed over the peers, everything they do",
		},
		{
			Name: "machine busy", Case: column, Value: 100 * m.machine.busy / m.machine.all, Unit: "%",
			Note: "all CPUs and all processes; how much of it is noise, those know who started them",
		},
		{Name: "polls", Case: column, Value: m.polls() / m.seconds, Unit: "/s"},
		{Name: "polls that failed", Case: column, Value: 100 - 100*m.answered()/m.polls(), Unit: "%"},
		{Name: "polls that dialed", Case: column, Value: m.dialed(), Unit: "%"},
		{
			Name: "overdue, p99", Case: column, Value: overdue.P99, Unit: "s", Goal: "< 3",
			Note: "the longest waiting subject, looked at every second",
		},
		{Name: "overdue, max", Case: column, Value: overdue.Max, Unit: "s"},
		{
			Name: "granted late, p99", Case: column, Value: m.leader.quantile("muster_refresh_late_seconds", 0.99), Unit: "s",
			Note: "of every refresh, as exact as the buckets of the histogram",
		},
		{Name: "RSS of the largest peer", Case: column, Value: mib(rss), Unit: "MiB", Goal: "< 300"},
		{Name: "of it anonymous", Case: column, Value: mib(anon), Unit: "MiB"},
		{Name: "log entries", Case: column, Value: m.entries() / m.seconds, Unit: "/s", Goal: "<= 10"},
		{Name: "log bytes", Case: column, Value: m.logBytes() / m.seconds, Unit: "B/s"},
		{
			Name: "log bytes of an unchanged cluster refresh", Case: column, Value: m.logPerUnchanged(), Unit: "B", Goal: "<= 20",
			Note: "entry heads included, counted once",
		},
	}
}
