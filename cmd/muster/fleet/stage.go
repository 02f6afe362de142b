package fleet

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// stage is where clusters are played: in this process, or in several.
type stage interface {
	Act(ctx context.Context, v Verb, a Action) (Cluster, error)
	Cluster(ctx context.Context, name string) (Cluster, error)
	Counts(ctx context.Context) (Counts, error)

	port(cluster, node int) int
	run(ctx context.Context) error
}

// openStage opens listeners as the configuration and the system allow. What it returns waits to be run.
func (f *Fleet) openStage(ctx context.Context) (stage, error) {
	each := f.config.Listen == ListenEach || f.config.Listen == ListenAuto && f.config.Clusters*f.config.Nodes <= eachLimit
	if !each {
		p, err := f.config.planned(false)
		if err != nil {
			return nil, err
		}
		shared, err := openShared(ctx, &f.config, p)
		switch {
		case err == nil:
			return f.openShares(ctx, p, shared)
		case f.config.Listen == ListenShared || !unavailable(err):
			return nil, err
		}
		f.log.Warn("every node gets a listener of its own", "error", err)
	}
	p, err := f.config.planned(true)
	if err != nil {
		return nil, err
	}
	return f.openShares(ctx, p, nil)
}

// unavailable tells a shared listener that this system does not give from one that failed today.
func unavailable(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) ||
		errors.Is(err, syscall.ENOPROTOOPT) || errors.Is(err, syscall.EINVAL)
}

// openShares opens the only share, or prepares the processes.
func (f *Fleet) openShares(ctx context.Context, p plan, shared []*net.TCPListener) (stage, error) {
	if p.processes == 1 {
		var only *net.TCPListener
		if len(shared) > 0 {
			only = shared[0]
		}
		return openShare(ctx, f.part(p, 0), only, f.log)
	}
	t, err := newTroupe(f.log, p.clusters)
	for i := 0; i < p.processes && err == nil; i++ {
		var l *net.TCPListener
		if len(shared) > 0 {
			l = shared[i]
		}
		err = t.add(ctx, f.part(p, i), l)
	}
	if err != nil {
		for _, l := range shared {
			_ = l.Close()
		}
		t.close()
		return nil, err
	}
	return t, nil
}

// part is what the i-th process plays.
func (f *Fleet) part(p plan, i int) part {
	return part{
		layout: f.layout,
		From:   i * p.clusters, Until: min((i+1)*p.clusters, f.config.Clusters),
		Shards: f.config.Shards, Port: max(f.config.Port, 0), Each: p.each,
		Store: f.config.Kind, Version: f.config.Version,
	}
}
