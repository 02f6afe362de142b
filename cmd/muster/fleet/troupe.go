package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/fsm"
)

const (
	// shareVar holds what a child is to play, and says that it is one.
	shareVar = "MUSTER_FLEET_SHARE"

	endWithin = 10 * time.Second // for a child to end by itself
)

// The files a child is given.
const (
	lifeline  = 3 + iota // a pipe: when it closes, the child ends
	forOrders            // the listener of its control endpoint
	forPolls             // the shared listener, if there is one
)

// troupe plays in several processes, this program again. It is a stage.
type troupe struct {
	log      *slog.Logger
	program  string
	clusters int // of each child
	children []*child
}

type child struct {
	part
	*remote
	files []*os.File // in the child's order, from lifeline on; closed here once the child has them
	hold  *os.File   // our end of the lifeline
}

func newTroupe(log *slog.Logger, clusters int) (*troupe, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return &troupe{log: log, program: program, clusters: clusters}, nil
}

// add prepares a child; run starts it. Its control endpoint has a listener from here on, so that what is asked of the child
// before it is up waits there.
func (t *troupe) add(ctx context.Context, p part, polls *net.TCPListener) error {
	c := &child{part: p}
	t.children = append(t.children, c)
	theirs, ours, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a lifeline: %w", err)
	}
	c.hold, c.files = ours, []*os.File{theirs}
	orders, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for orders: %w", err)
	}
	c.remote = newRemote(orders.Addr().String())
	if err := c.give(orders); err != nil || polls == nil {
		return err
	}
	return c.give(polls)
}

func (c *child) give(l net.Listener) error {
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("hand a listener over: %w", err)
	}
	c.files = append(c.files, f)
	return nil
}

// close drops what run will not start.
func (t *troupe) close() {
	for _, c := range t.children {
		c.drop()
		if c.hold != nil {
			_ = c.hold.Close()
		}
	}
}

func (c *child) drop() {
	for _, f := range c.files {
		_ = f.Close()
	}
	c.files = nil
}

// run starts the children and waits until all have ended, which they do when ctx ends or one of them does.
func (t *troupe) run(ctx context.Context) error {
	defer t.close()
	g, gctx := errgroup.WithContext(ctx)
	for i, c := range t.children {
		g.Go(func() error {
			err := t.play(gctx, c)
			if err == nil && gctx.Err() == nil {
				return fmt.Errorf("process %d of the fleet ended by itself", i)
			}
			return err
		})
	}
	return g.Wait()
}

func (t *troupe) play(ctx context.Context, c *child) error {
	defer c.remote.close()
	share, err := json.Marshal(c.part)
	if err != nil {
		return fmt.Errorf("describe a share: %w", err)
	}
	cmd := exec.CommandContext(ctx, t.program, "fleet")
	cmd.Env = append(os.Environ(), shareVar+"="+string(share))
	cmd.ExtraFiles = c.files
	cmd.Stderr = os.Stderr
	// A terminal's interrupt is for the parent, which withdraws what is listed before it ends its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = c.hold.Close
	cmd.WaitDelay = endWithin
	err = cmd.Start()
	c.drop()
	if err != nil {
		return fmt.Errorf("start a process of the fleet: %w", err)
	}
	t.log.Debug("process of the fleet started", "pid", cmd.Process.Pid, "clusters", c.Until-c.From)
	if err := cmd.Wait(); err != nil && !cmd.ProcessState.Success() {
		return fmt.Errorf("process %d of the fleet: %w", cmd.Process.Pid, err)
	}
	return nil
}

// of finds who plays a cluster.
func (t *troupe) of(name string) (*child, error) {
	if i, ok := t.children[0].cluster(name); ok {
		return t.children[i/t.clusters], nil
	}
	return nil, fsm.Errorf(fsm.CodeNotFound, "no cluster %q is played", name)
}

// Act implements stage.
func (t *troupe) Act(ctx context.Context, v Verb, a Action) (Cluster, error) {
	c, err := t.of(a.Cluster)
	if err != nil {
		return Cluster{}, err
	}
	return c.Act(ctx, v, a)
}

// Cluster implements stage.
func (t *troupe) Cluster(ctx context.Context, name string) (Cluster, error) {
	c, err := t.of(name)
	if err != nil {
		return Cluster{}, err
	}
	return c.Cluster(ctx, name)
}

// Counts implements stage.
func (t *troupe) Counts(ctx context.Context) (Counts, error) {
	var sum Counts
	for _, c := range t.children {
		n, err := c.Counts(ctx)
		if err != nil {
			return Counts{}, err
		}
		sum.Clusters += n.Clusters
		sum.Nodes += n.Nodes
		sum.Processes += n.Processes
		sum.Listen = n.Listen
		sum.Unwell += n.Unwell
		sum.Connections += n.Connections
		sum.Accepted += n.Accepted
		sum.Polls += n.Polls
		sum.NotModified += n.NotModified
	}
	return sum.withShare(), nil
}

// port implements stage: several processes know it beforehand.
func (t *troupe) port(int, int) int { return t.children[0].Port }
