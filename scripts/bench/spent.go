package main

import (
	"context"
	"time"
)

// spent is what a span of the group took.
type spent struct {
	traffic
	reading
	consul  float64 // seconds of CPU
	seconds float64
	peak    float64 // bytes resident of the largest peer
}

// during measures what happens while a function runs.
func (c *cataloged) during(ctx context.Context, do func(context.Context) error) (spent, error) {
	var s spent
	before, err := c.group.read(ctx, c.leader)
	if err != nil {
		return s, err
	}
	consul, err := look(c.consul.PID())
	if err != nil {
		return s, err
	}
	c.tap.take()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	peak := make(chan float64)
	go func() {
		most := 0.0
		for wait(watching, 100*time.Millisecond) {
			for _, p := range c.group.Running() {
				if u, err := look(p.PID()); err == nil {
					most = max(most, u.rss)
				}
			}
		}
		peak <- most
	}()
	began := time.Now()
	err = do(ctx)
	s.seconds = time.Since(began).Seconds()
	stop()
	s.peak = <-peak
	if err != nil {
		return s, err
	}
	s.traffic = c.tap.take()
	after, err := c.group.read(ctx, c.leader)
	if err != nil {
		return s, err
	}
	now, err := look(c.consul.PID())
	s.reading, s.consul = after.minus(before), now.cpu-consul.cpu
	return s, err
}

func (s spent) figures(column string) []figure {
	entries := s.leader.sum("muster_agent_entries_total")
	return []figure{
		{Name: "time", Case: column, Value: s.seconds, Unit: "s"},
		{Name: "requests", Case: column, Value: float64(s.requests)},
		{Name: "blocking queries", Case: column, Value: float64(s.blocking)},
		{Name: "most in flight", Case: column, Value: float64(s.most), Note: "without blocking queries"},
		{Name: "read from Consul", Case: column, Value: mib(float64(s.bytes)), Unit: "MiB"},
		{Name: "CPU of Consul", Case: column, Value: s.consul, Unit: "s"},
		{Name: "CPU of the readers", Case: column, Value: s.cpu(), Unit: "s"},
		{Name: "RSS of the largest peer, peak", Case: column, Value: mib(s.peak), Unit: "MiB", Goal: "< 300"},
		{Name: "log entries", Case: column, Value: entries},
		{Name: "log bytes", Case: column, Value: s.leader.sum("muster_agent_entry_bytes_total") + entryHead*entries, Unit: "B"},
	}
}
