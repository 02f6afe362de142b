package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	readyWithin    = time.Minute      // from start until all processes answer
	withdrawWithin = 30 * time.Second // for taking back what was registered
)

// Fleet is one that is played by Run. Its other methods may be called by any goroutine once Ready is closed and until Run
// returns.
type Fleet struct {
	config  Config
	layout  layout
	log     *slog.Logger
	sources []source
	ready   chan struct{}

	// Set before ready is closed.
	stage   stage
	control net.Listener

	listing sync.Mutex // held while nodes are listed or unlisted, so that sources see that in one order
	roster  *roster
}

// New checks the configuration. It starts nothing.
func New(config Config) (*Fleet, error) {
	if err := config.normalise(); err != nil {
		return nil, err
	}
	f := &Fleet{
		config: config, log: config.Logger, ready: make(chan struct{}),
		layout: layout{Clusters: config.Clusters, Nodes: config.Nodes, Prefix: config.Prefix, Base: config.Base},
	}
	if config.File != "" {
		f.sources = append(f.sources, &file{path: config.File})
	}
	if config.ConsulAddr != "" {
		c, err := newConsul(&config)
		if err != nil {
			return nil, err
		}
		f.sources = append(f.sources, c)
	}
	return f, nil
}

// Ready is closed when all nodes answer and all are listed in the file and in Consul.
func (f *Fleet) Ready() <-chan struct{} { return f.ready }

// ControlAddr is where the control endpoint is; empty without one.
func (f *Fleet) ControlAddr() string {
	if f.control == nil {
		return ""
	}
	return f.control.Addr().String()
}

// Cluster says how a cluster is being played. Its errors, and those of Act, are *fsm.Error.
func (f *Fleet) Cluster(ctx context.Context, name string) (Cluster, error) {
	return f.stage.Cluster(ctx, name)
}

// Counts adds up all processes.
func (f *Fleet) Counts(ctx context.Context) (Counts, error) { return f.stage.Counts(ctx) }

// Act does an action and says how the cluster is being played from now on. Remove and Add have reached the file and
// Consul when it returns.
func (f *Fleet) Act(ctx context.Context, v Verb, a Action) (Cluster, error) {
	if v != Remove && v != Add {
		return f.stage.Act(ctx, v, a)
	}
	f.listing.Lock()
	defer f.listing.Unlock()
	view, err := f.stage.Act(ctx, v, a)
	if err != nil {
		return Cluster{}, err
	}
	moved := f.roster.update(view)
	for _, s := range f.sources {
		if err := s.change(ctx, f.roster, moved); err != nil {
			return Cluster{}, err
		}
	}
	return view, nil
}

// Run plays until ctx ends, then returns nil. It may be called once.
func (f *Fleet) Run(ctx context.Context) error {
	if f.config.ControlAddr != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.config.ControlAddr)
		if err != nil {
			return fmt.Errorf("listen for control: %w", err)
		}
		defer l.Close()
		f.control = l
	}
	var err error
	if f.stage, err = f.openStage(ctx); err != nil {
		return err
	}
	f.roster = newRoster(f.layout, f.stage.port)

	// The stage goes on until all that was listed is taken back: nodes leave before they die.
	g, gctx := errgroup.WithContext(ctx)
	stageCtx, endStage := context.WithCancel(context.WithoutCancel(ctx))
	defer endStage()
	g.Go(func() error { return f.stage.run(stageCtx) })
	g.Go(func() error {
		defer endStage()
		return f.direct(gctx)
	})
	return g.Wait()
}

// direct does all but play: it lists the nodes, takes orders, and stirs.
func (f *Fleet) direct(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, f.withdraw(ctx)) }()
	if err := f.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	close(f.ready)
	g, ctx := errgroup.WithContext(ctx)
	if f.control != nil {
		g.Go(func() error { return serveControl(ctx, f.control, f) })
	}
	if f.config.Churn > 0 {
		c := newChurn(&f.config, f.layout, f.Act)
		g.Go(func() error { return c.run(ctx) })
	}
	g.Go(func() error {
		<-ctx.Done()
		return nil
	})
	return g.Wait()
}

// begin waits until every process answers, and lists the nodes.
func (f *Fleet) begin(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	counts, err := f.stage.Counts(waiting)
	if err != nil {
		return fmt.Errorf("wait for the fleet: %w", err)
	}
	for _, s := range f.sources {
		if err := s.publish(ctx, f.roster); err != nil {
			return err
		}
	}
	f.log.Info("fleet is ready", "clusters", counts.Clusters, "nodes", counts.Nodes, "processes", counts.Processes,
		"listen", counts.Listen, "first", f.layout.address(0, 0), "port", f.stage.port(0, 0), "control", f.ControlAddr())
	return nil
}

func (f *Fleet) withdraw(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawWithin)
	defer cancel()
	f.listing.Lock()
	defer f.listing.Unlock()
	var errs []error
	for _, s := range f.sources {
		errs = append(errs, s.withdraw(ctx))
	}
	return errors.Join(errs...)
}
