package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// restart measures snapshots of a large state, how long a peer that holds it takes to serve again, and how long one that
// holds nothing takes to serve at all, all while the group goes on refreshing.
type restart struct {
	clusters int
	interval time.Duration
	times    int
}

func (s *restart) flags(f *flag.FlagSet) {
	f.IntVar(&s.clusters, "restart-clusters", 10_000, "`N` clusters")
	f.DurationVar(&s.interval, "restart-interval", 30*time.Second, "`TIME` between two refreshes of a cluster")
	f.IntVar(&s.times, "restarts", 3, "`N` restarts of each kind, and joins")
}

func (s *restart) run(ctx context.Context, b *bench, out *result) error {
	r, err := b.rig(ctx)
	if err != nil {
		return err
	}
	g, err := b.watched(ctx, r, s.clusters, s.interval)
	if err != nil {
		return err
	}
	size, err := s.snapshot(ctx, g, out)
	if err != nil {
		return err
	}
	if err := s.disk(r, size, out); err != nil {
		return err
	}
	if err := s.restarts(ctx, g, out); err != nil {
		return err
	}
	return s.joins(ctx, g, out)
}

// disk is what the log and a snapshot cost on this disk without muster.
func (s *restart) disk(r *rig.Rig, size int64, out *result) error {
	syncs, err := fsyncs(r.Dir, 200)
	if err != nil {
		return err
	}
	whole, err := writes(r.Dir, size)
	out.spread(figure{Name: "baseline: 4 KiB appended and synced", Unit: "ms"}, syncs)
	out.add(figure{Name: "baseline: a snapshot's bytes written and synced", Value: whole, Unit: "s"})
	return err
}

// restarts stops and kills followers, in turns, and starts them again.
func (s *restart) restarts(ctx context.Context, g *group, out *result) error {
	ends := []struct {
		name string
		end  func(*rig.Peer) error
	}{
		{"stopped", func(p *rig.Peer) error { return p.Stop() }},
		{"killed", func(p *rig.Peer) error { p.Kill(); return nil }},
	}
	took, cpu := map[string][]float64{}, map[string][]float64{}
	var restored, replayed []float64
	for i := range s.times {
		for _, e := range ends {
			step(fmt.Sprintf("restart %d of a peer that was %s", i+1, e.name))
			p, err := g.follower(ctx)
			if err != nil {
				return err
			}
			if err := e.end(p); err != nil {
				return err
			}
			a, err := again(ctx, p)
			if err != nil {
				return err
			}
			m, err := scrape(ctx, p.HTTP)
			if err != nil {
				return err
			}
			took[e.name], cpu[e.name] = append(took[e.name], a.seconds), append(cpu[e.name], a.cpu)
			restored = append(restored, m.sum("muster_raft_last_restore_seconds"))
			replayed = append(replayed, m.sum("muster_agent_entries_total"))
			if !wait(ctx, 2*time.Second) {
				return context.Cause(ctx)
			}
		}
	}
	for _, e := range ends {
		out.spread(figure{
			Name: "started again, from exec to /readyz", Case: e.name, Unit: "s", Goal: "<= 3",
		}, took[e.name])
		out.spread(figure{Name: "CPU until then", Case: e.name, Unit: "s"}, cpu[e.name])
	}
	const both = "of all restarts; the rest of the time is spent on entries since the snapshot"
	out.spread(figure{Name: "restoring the snapshot", Case: "killed", Unit: "s", Note: both}, restored)
	out.spread(figure{Name: "entries applied since", Case: "killed", Note: both}, replayed)
	return nil
}

// again starts a peer whose process has ended, and waits until it is ready.
func again(ctx context.Context, p *rig.Peer) (arrival, error) {
	began := time.Now()
	next, err := p.Again()
	if err != nil {
		return arrival{}, err
	}
	p.Process = next
	return arrives(ctx, p, began)
}

// joins has empty peers join, each of which leaves again before the next.
func (s *restart) joins(ctx context.Context, g *group, out *result) error {
	var took, cpu []float64
	for i := range s.times {
		step(fmt.Sprintf("join %d", i+1))
		p, err := g.Add(fmt.Sprintf("joiner-%d", i+1))
		if err != nil {
			return err
		}
		began := time.Now()
		if err := g.Enter(p); err != nil {
			return err
		}
		a, err := arrives(ctx, p, began)
		if err != nil {
			return err
		}
		if err := belongs(ctx, p); err != nil {
			return err
		}
		took, cpu = append(took, a.seconds), append(cpu, a.cpu)
		if err := p.API.Leave(ctx); err != nil {
			return fmt.Errorf("%s leaves: %w", p.Name, err)
		}
		<-p.Done()
	}
	out.spread(figure{Name: "joining, from exec to /readyz", Case: "joined", Unit: "s", Goal: "<= 10"}, took)
	out.spread(figure{Name: "CPU until then", Case: "joined", Unit: "s"}, cpu)
	return nil
}

// belongs fails when the leader does not have a peer in the raft configuration.
func belongs(ctx context.Context, p *rig.Peer) error {
	conf, err := p.API.RaftConfiguration(ctx, httpd.Read{})
	if err != nil {
		return err
	}
	for _, s := range conf.Servers {
		if s.Name == p.Name {
			return nil
		}
	}
	return fmt.Errorf("%s is ready and not in the raft configuration", p.Name)
}
