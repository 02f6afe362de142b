package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// fault is one way to break something. What it breaks is mended in one way for all: see run.heal.
type fault struct {
	name   string
	holds  span
	inject func(ctx context.Context, r *run) (what string, err error)
}

// span is how long a fault lasts, at least and at most; none when it is over once it was injected.
type span [2]time.Duration

var (
	brief = span{2 * time.Second, 5 * time.Second}
	long  = span{4 * time.Second, 12 * time.Second}
)

// faults are all there are, in the order of the report.
var faults = []fault{
	{"leader killed", brief, killLeader},
	{"peer killed", brief, killOne},
	{"all killed", brief, killAll},
	{"leader paused", brief, pauseLeader},
	{"peer paused", long, pauseOne},
	{"leader cut off", brief, cutLeader},
	{"peer cut off", long, cutOne},
	{"one way only", long, oneWay},
	{"ring", long, ring},
	{"halves", long, halves},
	{"no nodes", long, noNodes},
	{"loss", long, loss},
	{"narrow", long, thin},
	{"slow syncs", long, slowSyncs},
	{"failing sync", brief, failingSync},
	{"full disk", brief, fullDisk},
	{"flipped byte", brief, flippedByte},
	{"member replaced", brief, replaceOne},
	{"leadership moved", span{}, moveLeadership},
	{"rolling restart", span{}, restartAll},
}

// smoke are the faults of the short run, in its order.
var smoke = []string{"leader killed", "one way only", "leader paused", "all killed", "failing sync", "leader cut off", "flipped byte"}

// killLeader also measures how soon the others take writes again.
func killLeader(ctx context.Context, r *run) (string, error) {
	p, err := r.group.Leader(ctx)
	if err != nil {
		return "", err
	}
	r.kill(p)
	killed := time.Now()
	if err := r.writable(ctx, r.others(p)[0]); err != nil {
		return "", err
	}
	r.report.replaced = append(r.report.replaced, time.Since(killed))
	return p.Name, nil
}

func killOne(_ context.Context, r *run) (string, error) {
	p := r.any()
	r.kill(p)
	return p.Name, nil
}

func killAll(_ context.Context, r *run) (string, error) {
	for _, p := range r.group.Peers {
		r.kill(p)
	}
	return "", nil
}

func pauseLeader(ctx context.Context, r *run) (string, error) {
	p, err := r.group.Leader(ctx)
	if err != nil {
		return "", err
	}
	return p.Name, p.Signal(syscall.SIGSTOP)
}

func pauseOne(_ context.Context, r *run) (string, error) {
	p := r.any()
	return p.Name, p.Signal(syscall.SIGSTOP)
}

func cutLeader(ctx context.Context, r *run) (string, error) {
	p, err := r.group.Leader(ctx)
	if err != nil {
		return "", err
	}
	return p.Name, r.isolate(ctx, p)
}

func cutOne(ctx context.Context, r *run) (string, error) {
	p := r.any()
	return p.Name, r.isolate(ctx, p)
}

// oneWay makes a peer deaf for another, which hears it.
func oneWay(ctx context.Context, r *run) (string, error) {
	deaf := r.any()
	other := r.others(deaf)[r.rng.IntN(len(r.group.Peers)-1)]
	return deaf.Name + " hears nothing of " + other.Name, deafen(ctx, deaf.Name, r.lan.address(other.Name))
}

// ring leaves each peer its two neighbours; of three it takes one link.
func ring(ctx context.Context, r *run) (string, error) {
	peers, n := r.group.Peers, len(r.group.Peers)
	if n == 3 {
		return peers[0].Name + " and " + peers[1].Name, r.lan.cut(ctx, peers[0].Name, peers[1].Name)
	}
	for i := range n {
		for j := i + 2; j < n; j++ {
			if i == 0 && j == n-1 {
				continue
			}
			if err := r.lan.cut(ctx, peers[i].Name, peers[j].Name); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// halves divides the group, the smaller part by chance.
func halves(ctx context.Context, r *run) (string, error) {
	order := r.rng.Perm(len(r.group.Peers))
	small := order[:len(order)/2]
	var names []string
	for _, i := range small {
		names = append(names, r.group.Peers[i].Name)
		for _, j := range order[len(small):] {
			if err := r.lan.cut(ctx, r.group.Peers[i].Name, r.group.Peers[j].Name); err != nil {
				return "", err
			}
		}
	}
	return strings.Join(names, ", "), nil
}

// noNodes takes a peer's way to all nodes that it asks.
func noNodes(ctx context.Context, r *run) (string, error) {
	p := r.any()
	return p.Name, deafen(ctx, p.Name, nodesNet)
}

func loss(ctx context.Context, r *run) (string, error) {
	percent := 5 + r.rng.IntN(26)
	for _, p := range r.group.Peers {
		if err := lose(ctx, p.Name, percent); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d %%", percent), nil
}

// thin gives the leader little to send with.
func thin(ctx context.Context, r *run) (string, error) {
	p, err := r.group.Leader(ctx)
	if err != nil {
		return "", err
	}
	return p.Name, narrow(ctx, p.Name, "1mbit")
}

// replaceOne wipes a peer; it comes back with its name and nothing else.
func replaceOne(_ context.Context, r *run) (string, error) {
	p := r.any()
	r.kill(p)
	return p.Name, p.Wipe()
}

func moveLeadership(ctx context.Context, r *run) (string, error) {
	p, err := r.group.Leader(ctx)
	if err != nil {
		return "", err
	}
	return "from " + p.Name, p.API.TransferLeader(ctx, "")
}

// restartAll stops and starts one peer after the other, each once the one before is ready again.
func restartAll(ctx context.Context, r *run) (string, error) {
	for _, p := range r.group.Peers {
		r.ended[p] = true
		if err := p.Stop(); err != nil {
			return "", err
		}
		if err := r.start(ctx, p); err != nil {
			return "", err
		}
		if err := r.group.Ready(ctx); err != nil {
			return "", err
		}
	}
	return "", nil
}

// isolate cuts a peer off from all others; clients and nodes still reach it.
func (r *run) isolate(ctx context.Context, p *rig.Peer) error {
	for _, o := range r.others(p) {
		if err := r.lan.cut(ctx, p.Name, o.Name); err != nil {
			return err
		}
	}
	return nil
}
