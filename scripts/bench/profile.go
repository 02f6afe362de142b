package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// profiling is profiles of a group being taken.
type profiling struct {
	g      *group
	folder string
	stem   string // SCENARIO-CASE
	wg     sync.WaitGroup
	mu     sync.Mutex
	err    error
}

// profiled starts to take CPU profiles of every running peer for a time, under the name of a case. Without -profile it does
// nothing, and neither does done.
func (g *group) profiled(ctx context.Context, name string, d time.Duration) (*profiling, error) {
	if !g.b.profile {
		return nil, nil
	}
	p := &profiling{g: g, folder: filepath.Join(g.b.results, "profiles"), stem: g.b.scenario + "-" + name}
	if err := os.MkdirAll(p.folder, 0o755); err != nil {
		return nil, err
	}
	for _, peer := range g.Running() {
		from := fmt.Sprintf("profile?seconds=%d", max(1, int(d.Seconds())))
		p.wg.Go(func() { p.fail(p.fetch(ctx, peer, from, "cpu")) })
	}
	return p, nil
}

// done waits for the CPU profiles, takes heap profiles and writes what the leader's and a follower's say as text.
func (p *profiling) done(ctx context.Context, leader *rig.Peer) error {
	if p == nil {
		return nil
	}
	p.wg.Wait()
	follower := false
	for _, peer := range p.g.Running() {
		p.fail(p.fetch(ctx, peer, "heap?gc=1", "heap"))
		switch {
		case peer == leader:
			p.fail(p.text(ctx, peer, "leader"))
		case !follower:
			follower = true
			p.fail(p.text(ctx, peer, "follower"))
		}
	}
	return p.err
}

func (p *profiling) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *profiling) path(peer *rig.Peer, kind string) string {
	return filepath.Join(p.folder, fmt.Sprintf("%s-%s.%s.pb.gz", p.stem, peer.Name, kind))
}

func (p *profiling) fetch(ctx context.Context, peer *rig.Peer, from, kind string) error {
	raw, err := get(ctx, "http://"+peer.HTTP+"/debug/pprof/"+from)
	if err != nil {
		return err
	}
	return os.WriteFile(p.path(peer, kind), raw, 0o644)
}

// text writes the heaviest functions of a peer's profiles to STEM-ROLE.top.txt.
func (p *profiling) text(ctx context.Context, peer *rig.Peer, role string) error {
	var out []byte
	for _, args := range [][]string{
		{"-top", "-nodecount=40", p.path(peer, "cpu")},
		{"-top", "-nodecount=40", "-sample_index=inuse_space", p.path(peer, "heap")},
	} {
		text, err := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof"}, args...)...).Output()
		if err != nil {
			return fmt.Errorf("pprof of %s: %w", peer.Name, err)
		}
		out = append(append(out, text...), '\n')
	}
	return os.WriteFile(filepath.Join(p.folder, p.stem+"-"+role+".top.txt"), out, 0o644)
}
