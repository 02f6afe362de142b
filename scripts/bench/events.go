package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// events measures how events reach followers: new ones, with and without followers that do not keep up, and kept ones.
type events struct {
	clusters int
	span     time.Duration
	kept     int
}

func (s *events) flags(f *flag.FlagSet) {
	f.IntVar(&s.clusters, "events-clusters", 100, "`N` clusters")
	f.DurationVar(&s.span, "events-span", 20*time.Second, "`TIME` that each crowd of followers is measured")
	f.IntVar(&s.kept, "events-kept", 100_000, "`N` events to catch up")
}

// crowd is followers and how much happens. Its name is that of a column: FOLLOWERSxRATE.
type crowd struct {
	followers int
	rate      int // events a second
	each      int // events of one write
}

func (c crowd) String() string { return fmt.Sprintf("%dx%d", c.followers, c.rate) }

var crowds = []crowd{{100, 1000, 9}, {1000, 100, 1}}

func (s *events) run(ctx context.Context, b *bench, out *result) error {
	at, err := b.rig(ctx)
	if err != nil {
		return err
	}
	g, err := b.watched(ctx, at, s.clusters, 30*time.Second)
	if err != nil {
		return err
	}
	leader, err := g.Leader(ctx)
	if err != nil {
		return err
	}
	o, err := hire(ctx, g)
	if err != nil {
		return err
	}
	step(fmt.Sprintf("%d events", s.kept))
	if err := o.fill(ctx, s.kept); err != nil {
		return err
	}
	if err := s.memory(ctx, g, leader, "before", out); err != nil {
		return err
	}
	if err := s.catchUp(ctx, g, out); err != nil {
		return err
	}
	for _, c := range crowds {
		if err := s.crowd(ctx, g, o, c, out); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	if !wait(ctx, 5*time.Second) {
		return context.Cause(ctx)
	}
	return s.memory(ctx, g, leader, "after", out)
}

func (s *events) memory(ctx context.Context, g *group, leader *rig.Peer, when string, out *result) error {
	r, err := g.read(ctx, leader)
	if err != nil {
		return err
	}
	rss, anon := r.rss()
	out.add(
		figure{Name: "RSS of the largest peer", Case: when, Value: mib(rss), Unit: "MiB"},
		figure{Name: "of it anonymous", Case: when, Value: mib(anon), Unit: "MiB"},
	)
	return nil
}

// crowd measures one crowd: the same writes without followers, with followers that keep up, and with one in ten that does
// not, of whom half read nothing and half crawl.
func (s *events) crowd(ctx context.Context, g *group, o *operators, c crowd, out *result) error {
	alone, err := s.watched(ctx, g, o, showing{c, audience{}, c.String() + "-nobody"})
	if err != nil {
		return err
	}
	idle := alone.cpu() / float64(max(len(alone.answered), 1)) // of a write
	for _, slow := range []int{0, c.followers / 10} {
		name := c.String()
		if slow > 0 {
			name += "-slow"
		}
		m, err := s.watched(ctx, g, o, showing{c, audience{Quick: c.followers - slow, Slow: slow}, name})
		if err != nil {
			return err
		}
		h, answer := m.heard, quantilesOf(m.answered).P99
		rss, _ := m.rss()
		out.add(
			figure{Name: "events", Case: name, Value: float64(h.Lines) / float64(max(h.Quick, 1)) / m.seconds, Unit: "/s"},
			figure{Name: "delivery, p50", Case: name, Value: h.P50, Unit: "ms"},
			figure{
				Name: "delivery, p99", Case: name, Value: h.P99, Unit: "ms", Goal: "< 100",
				Note: "from the leader's stamp of the entry to receipt: raft's commit included",
			},
			figure{Name: "delivery, p99 of the worst follower", Case: name, Value: h.Worst, Unit: "ms"},
			figure{Name: "delivery, max", Case: name, Value: h.Max, Unit: "ms"},
			figure{Name: "gaps, ends and followers left behind", Case: name, Value: float64(h.Gaps + h.Ended + h.Behind), Unit: "", Goal: "<= 0"},
			figure{Name: "slow followers cut off", Case: name, Value: m.sum("muster_http_followers_cut_total"), Unit: ""},
			figure{
				Name: "CPU of a delivered event", Case: name, Unit: "us", Value: (m.cpu() - idle*float64(len(m.answered))) * 1e6 / float64(h.Lines),
				Note: "of all peers, less what they take for as many writes without followers",
			},
			figure{Name: "CPU of the peers", Case: name, Value: 100 * m.cpu() / m.seconds, Unit: "%"},
			figure{Name: "CPU of a write, nobody following", Case: name, Value: idle * 1e6, Unit: "us", Note: "of all peers, all they do included"},
			figure{Name: "answer to a write, p99", Case: name, Value: answer, Unit: "ms", Note: "what the machine takes for a commit meanwhile"},
			figure{
				Name: "delivery : answer to a write", Case: name, Value: h.P99 / answer, Unit: "x",
				Note: "at p99: below 1, followers know before the writer does",
			},
			figure{Name: "writes that failed", Case: name, Value: float64(m.failed), Unit: ""},
			figure{Name: "RSS of the largest peer", Case: name, Value: mib(rss), Unit: "MiB"},
		)
	}
	return nil
}

// watch is a span with followers.
type watch struct {
	measured
	heard    heard
	answered []float64 // milliseconds of each write
	failed   int       // writes
}

// showing is what is written, who follows it, and under which name that is told.
type showing struct {
	crowd
	audience audience
	name     string
}

// watched measures the group while operators write and an audience follows.
func (s *events) watched(ctx context.Context, g *group, o *operators, this showing) (w watch, err error) {
	a := this.audience
	leader, err := g.Leader(ctx)
	if err != nil {
		return w, err
	}
	for _, p := range g.Running() {
		a.Peers = append(a.Peers, p.HTTP)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := o.work(ctx, this.crowd)
	defer work.stop()
	crowded, err := a.start(ctx)
	if err != nil {
		return w, err
	}
	settle := 3 * time.Second
	if a.Slow > 0 {
		settle = 20 * time.Second // so that those who read nothing are cut off in the span
	}
	if !wait(ctx, settle) {
		return w, context.Cause(ctx)
	}
	work.forget()
	if err := crowded.next(); err != nil {
		return w, err
	}
	if w.measured, err = g.during(ctx, leader, s.span, this.name); err != nil {
		return w, err
	}
	if err := crowded.next(); err != nil {
		return w, err
	}
	work.stop()
	w.answered, w.failed = work.took, work.failed
	wait(ctx, time.Second) // for what is under way
	w.heard, err = crowded.done()
	return w, err
}
