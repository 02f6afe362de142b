package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/musterhq/muster/cmd/muster/fleet"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

const (
	clusters = 12
	nodes    = 3
	interval = 2 * time.Second // of refreshes
	callers  = 8               // clients
	calm     = 4 * time.Second // between two faults

	// patience is how long a step of the run is waited for at most. What muster promises is shorter, and reported.
	patience = 90 * time.Second
)

// run is one run.
type run struct {
	options
	rng     *rand.Rand
	rig     *rig.Rig
	lan     *lan
	group   *rig.Group
	clients *clients
	fleet   chan error // how the fleet ended
	streams map[*rig.Peer]*stream
	tracers []*rig.Process
	ended   map[*rig.Peer]bool // peers that were made to end
	report  report
}

// play makes the group, breaks it until the time is over, and checks what came of it.
func play(ctx context.Context, o options) (*report, error) {
	dir, err := os.MkdirTemp("", "muster-chaos-")
	if err != nil {
		return nil, err
	}
	r := &run{
		options: o, rng: rand.New(rand.NewPCG(o.seed, 0)), rig: rig.New(dir),
		streams: map[*rig.Peer]*stream{}, ended: map[*rig.Peer]bool{}, report: report{options: o, faults: map[string]*tally{}},
	}
	err = r.play(ctx)
	r.release()
	err = errors.Join(err, r.rig.Stop())
	if err != nil || r.report.failed() {
		return &r.report, errors.Join(err, fmt.Errorf("logs and data are kept in %s", dir))
	}
	return &r.report, os.RemoveAll(dir)
}

func (r *run) play(ctx context.Context) error {
	playing, endPlay := context.WithCancel(ctx)
	defer endPlay()
	if err := r.set(playing); err != nil {
		return err
	}
	calling, hangUp := context.WithCancel(ctx)
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		r.clients.run(calling, callers, r.seed)
	}()
	err := r.breakThings(ctx)
	hangUp()
	<-quiet
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	return r.check()
}

// set makes the network, the fleet and the group, and waits until every cluster has been refreshed.
func (r *run) set(ctx context.Context) (err error) {
	if r.bin == "" {
		if r.bin, err = rig.Build(ctx, r.rig.Dir); err != nil {
			return err
		}
	}
	if r.lan, err = newLAN(ctx); err != nil {
		return err
	}
	list := filepath.Join(r.rig.Dir, "fleet.json")
	if err := r.playFleet(ctx, list); err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.found(soon); err != nil {
		return err
	}
	spec := map[string]any{
		"backend": "file", "config": map[string]any{"files": []string{list}}, "interval": "5s",
		"refresh": map[string]any{"interval": interval.String(), "timeout": "1s"},
	}
	if _, err := r.group.Peers[0].API.PutDiscovery(soon, "fleet", spec, nil); err != nil {
		return err
	}
	r.clients = &clients{peers: r.group.Peers, began: time.Now(), refused: map[int]bool{}}
	for i := range clusters {
		r.clients.clusters = append(r.clients.clusters, fmt.Sprintf("fleet-%05d", i))
	}
	for _, p := range r.group.Peers {
		r.streams[p] = follow(ctx, p)
	}
	return r.fresh(soon, r.clients.began)
}

// playFleet plays nodes behind the gateway, which change by themselves until ctx ends.
func (r *run) playFleet(ctx context.Context, list string) error {
	f, err := fleet.New(fleet.Config{
		Clusters: clusters, Nodes: nodes, Base: netip.MustParseAddr(nodesBase), Private: true,
		Churn: 4, Seed: r.seed, File: list,
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-f.Ready():
		r.fleet = ended
		return nil
	}
}

// found makes the hosts and founds the group on them.
func (r *run) found(ctx context.Context) error {
	r.group = r.rig.NewGroup(r.bin, "-insecure")
	for i := range r.peers {
		name := fmt.Sprintf("peer-%c", 'a'+i)
		host, under, err := r.lan.add(ctx, name)
		if err != nil {
			return err
		}
		if _, err := r.group.AddAt(name, host, under...); err != nil {
			return err
		}
	}
	return r.group.Found(ctx)
}

// writable waits until a peer takes a write.
func (r *run) writable(ctx context.Context, p *rig.Peer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return rig.Until(ctx, p.Name+" to take a write", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		labels := map[string]string{"written": fmt.Sprint(r.clients.value.Add(1))}
		_, err := p.API.PatchCluster(ctx, r.clients.clusters[0], map[string]any{"labels": labels}, nil)
		return err
	})
}

// fresh waits until every cluster has been refreshed after a time.
func (r *run) fresh(ctx context.Context, after time.Time) error {
	return rig.Until(ctx, "every cluster to be refreshed", func(ctx context.Context) error {
		rows, err := httpd.All(ctx, httpd.List{Limit: 1000}, r.group.Peers[0].API.Clusters)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.RefreshedAt < fsm.TimeOf(after) {
				return fmt.Errorf("%s was refreshed at %s", row.Name, row.RefreshedAt)
			}
		}
		if len(rows) < clusters {
			return fmt.Errorf("there are %d clusters of %d", len(rows), clusters)
		}
		return nil
	})
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
