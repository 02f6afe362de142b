package main

import (
	"context"
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

// bench is what scenarios work with.
type bench struct {
	settings
	bin      string // muster, built for the first rig
	dir      string // temporary
	scenario string // the one that runs
	rigs     []*rig.Rig
}

// rig makes one in a folder of its own. It ends with the scenario, or before when it is stopped.
func (b *bench) rig(ctx context.Context) (*rig.Rig, error) {
	if b.bin == "" {
		step("building")
		bin, err := rig.Build(ctx, b.dir)
		if err != nil {
			return nil, err
		}
		b.bin = bin
	}
	dir, err := os.MkdirTemp(b.dir, b.scenario+"-")
	if err != nil {
		return nil, err
	}
	r := rig.New(dir)
	b.rigs = append(b.rigs, r)
	return r, nil
}

// stop ends the rigs of a scenario.
func (b *bench) stop() error {
	var errs []error
	for _, r := range b.rigs {
		errs = append(errs, r.Stop(), os.RemoveAll(r.Dir))
	}
	b.rigs = nil
	return errors.Join(errs...)
}

// fleet is nodes that are played.
type fleet struct {
	clusters, nodes int
	file            string // discovery file
	control         string // host:port of the control endpoint
	process         *rig.Process
}

// size is the nodes of all clusters.
func (f *fleet) size() int { return f.clusters * f.nodes }

// fleet plays clusters until its rig ends.
func (b *bench) fleet(ctx context.Context, r *rig.Rig, clusters int) (*fleet, error) {
	step(fmt.Sprintf("a fleet of %d x %d nodes", clusters, b.nodes))
	port, err := rig.Port()
	if err != nil {
		return nil, err
	}
	f := &fleet{clusters: clusters, nodes: b.nodes, file: filepath.Join(r.Dir, "fleet.json")}
	if f.control, err = rig.Addr(); err != nil {
		return nil, err
	}
	f.process, err = r.Start("fleet", b.bin, "fleet", "-clusters", strconv.Itoa(clusters), "-nodes", strconv.Itoa(b.nodes),
		"-peers", strconv.Itoa(b.peers), "-port", strconv.Itoa(port), "-file", f.file, "-control-addr", f.control)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return f, rig.Until(ctx, "the fleet's discovery file", func(context.Context) error {
		if !f.process.Running() {
			return fmt.Errorf("the fleet has ended; see %s", f.process.Log)
		}
		_, err := os.Stat(f.file)
		return err
	})
}

// group is peers under measurement.
type group struct {
	*rig.Group
	b *bench
}

// group starts peers and waits until they are ready.
func (b *bench) group(ctx context.Context, r *rig.Rig) (*group, error) {
	step(fmt.Sprintf("%d peers", b.peers))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	flags := []string{"-log-level", "warn", "-http-max-conns-per-client", "10000"} // an audience has one address
	if b.profile {
		flags = append(flags, "-enable-debug")
	}
	g, err := r.Group(ctx, b.bin, b.peers, flags...)
	return &group{g, b}, err
}

// watched starts a fleet and a group in a rig, and waits until the group has asked every cluster once.
func (b *bench) watched(ctx context.Context, r *rig.Rig, clusters int, interval time.Duration) (*group, error) {
	f, err := b.fleet(ctx, r, clusters)
	if err != nil {
		return nil, err
	}
	g, err := b.group(ctx, r)
	if err != nil {
		return nil, err
	}
	err = g.refreshes(ctx, f, interval, nil)
	return g, err
}

// refreshes applies a discovery of a fleet's file, changed when change is not nil, and waits until every cluster has been
// asked once.
func (g *group) refreshes(ctx context.Context, f *fleet, interval time.Duration, change func(*fsm.Spec)) error {
	step("waiting for the first views")
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Cluster = "file", "{{.cluster}}"
	spec.Config = fsm.JSON(fmt.Sprintf(`{"files":[%q]}`, f.file))
	spec.Refresh.Interval = fsm.DurationOf(interval)
	if change != nil {
		change(&spec)
	}
	if _, err := g.Running()[0].API.PutDiscovery(ctx, "fleet", spec, nil); err != nil {
		return err
	}
	return g.viewed(ctx, f)
}

// clusters calls take with every cluster as the first peer that runs has it.
func (g *group) clusters(ctx context.Context, take func(httpd.ClusterRow)) error {
	list := httpd.List{Read: httpd.Read{Stale: true}, Limit: 1000}
	for {
		page, err := g.Running()[0].API.Clusters(ctx, list)
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

// wait lets time pass; it is false when ctx ended before.
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
