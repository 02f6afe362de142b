package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// bench is one run under way.
type bench struct {
	settings
	rig   *rig.Rig
	bin   string
	file  string // the fleet's discovery file
	port  int
	group *rig.Group
}

// measure brings the fleet up, measures the baselines over it, then muster.
func (b *bench) measure(ctx context.Context) (*result, error) {
	var err error
	step("building")
	if b.bin, err = rig.Build(ctx, b.rig.Dir); err != nil {
		return nil, err
	}
	if err := b.fleet(ctx); err != nil {
		return nil, err
	}
	r := &result{Settings: b.settings, Machine: machine(), Commit: commit(ctx), At: time.Now().UTC()}
	for _, pace := range []string{"beats", "paced", "saturated"} {
		step("baseline: bare GETs, " + pace)
		cost, err := b.baseline(ctx, pace)
		if err != nil {
			return nil, err
		}
		r.Baselines = append(r.Baselines, cost)
	}
	if err := b.peers(ctx); err != nil {
		return nil, err
	}
	step(fmt.Sprintf("warming up for %s, measuring for %s", b.Warmup, b.Measure))
	if !wait(ctx, b.Warmup) {
		return nil, context.Cause(ctx)
	}
	r.Muster, err = b.sample(ctx)
	return r, err
}

func (b *bench) fleet(ctx context.Context) error {
	step(fmt.Sprintf("starting a fleet of %d x %d nodes", b.Clusters, b.Nodes))
	var err error
	if b.port, err = rig.Port(); err != nil {
		return err
	}
	b.file = filepath.Join(b.rig.Dir, "fleet.json")
	p, err := b.rig.Start("fleet", b.bin, "fleet", "-clusters", strconv.Itoa(b.Clusters), "-nodes", strconv.Itoa(b.Nodes),
		"-port", strconv.Itoa(b.port), "-file", b.file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return rig.Until(ctx, "the fleet's discovery file", func(context.Context) error {
		if !p.Running() {
			return fmt.Errorf("the fleet has ended; see %s", p.Log)
		}
		_, err := os.Stat(b.file)
		return err
	})
}

// peers starts the group and waits until every cluster has been asked once.
func (b *bench) peers(ctx context.Context) error {
	step("starting the peers")
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var err error
	if b.group, err = b.rig.Group(ctx, b.bin, b.Peers, "-log-level", "warn"); err != nil {
		return err
	}
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Cluster = "file", "{{.cluster}}"
	spec.Config = fsm.JSON(fmt.Sprintf(`{"files":[%q]}`, b.file))
	spec.Refresh.Interval = fsm.DurationOf(b.Interval)
	if _, err := b.group.Peers[0].API.PutDiscovery(ctx, "fleet", spec, nil); err != nil {
		return err
	}
	step("waiting for the first views")
	return rig.Until(ctx, "the views of all clusters", func(ctx context.Context) error {
		seen, err := b.asked(ctx)
		if err == nil && seen < b.Clusters {
			err = fmt.Errorf("%d of %d clusters were asked", seen, b.Clusters)
		}
		return err
	})
}

// asked counts the clusters with a view.
func (b *bench) asked(ctx context.Context) (int, error) {
	seen := 0
	err := b.each(ctx, func(c httpd.ClusterRow) {
		if c.Health == fsm.HealthHealthy {
			seen++
		}
	})
	return seen, err
}

// oldest is the age in seconds of the oldest view of all.
func (b *bench) oldest(ctx context.Context) (float64, error) {
	age := 0.0
	err := b.each(ctx, func(c httpd.ClusterRow) { age = max(age, time.Since(c.RefreshedAt.Std()).Seconds()) })
	return age, err
}

// each calls a function with every cluster as the first peer has it.
func (b *bench) each(ctx context.Context, take func(httpd.ClusterRow)) error {
	list := httpd.List{Read: httpd.Read{Stale: true}, Limit: 1000}
	for {
		page, err := b.group.Peers[0].API.Clusters(ctx, list)
		if err != nil {
			return err
		}
		for _, c := range page.Rows {
			take(c)
		}
		if list.After = page.Next; page.Next == "" {
			return nil
		}
	}
}

// sample measures the peers over the time of measuring.
func (b *bench) sample(ctx context.Context) (muster, error) {
	leader, err := b.group.Leader(ctx)
	if err != nil {
		return muster{}, err
	}
	before, err := b.look(ctx, leader)
	if err != nil {
		return muster{}, err
	}
	out := muster{}
	end := time.NewTimer(b.Measure)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return out, context.Cause(ctx)
		case <-tick.C:
			m, err := scrape(ctx, leader.HTTP)
			if err != nil {
				return out, err
			}
			out.OverdueMax = max(out.OverdueMax, m["muster_agent_due_overdue_seconds"])
			continue
		case <-end.C:
		}
		after, err := b.look(ctx, leader)
		if err != nil {
			return out, err
		}
		out.fill(before, after, time.Since(began))
		out.OldestView, err = b.oldest(ctx)
		return out, err
	}
}

// look is what the counters say at one moment.
func (b *bench) look(ctx context.Context, leader *rig.Peer) (reading, error) {
	var r reading
	var errs []error
	for _, p := range b.group.Running() {
		m, err := scrape(ctx, p.HTTP)
		errs = append(errs, err)
		r.polls += m["muster_refresh_polls_total"]
		cpu, rss, err := usage(p.PID())
		errs = append(errs, err)
		r.cpu += cpu
		r.rss = max(r.rss, rss)
		if p == leader {
			r.entries, r.bytes = m["muster_agent_entries_total"], m["muster_agent_entry_bytes_total"]
		}
		r.unchanged += m["muster_refresh_unchanged_total"]
	}
	return r, errors.Join(errs...)
}

func step(what string) { fmt.Fprintln(os.Stderr, "==", what) }

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// save writes the result as JSON and returns where.
func (r *result) save(folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, fmt.Sprintf("refresh-%dx%d-%s.json", r.Settings.Clusters, r.Settings.Nodes, r.Settings.Interval))
	return path, os.WriteFile(path, append(raw, '\n'), 0o644)
}
