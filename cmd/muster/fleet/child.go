package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// IsShare says whether a fleet started this process to play a share. Then RunShare is all that it is to do.
func IsShare() bool { return os.Getenv(shareVar) != "" }

// RunShare plays the share that this process was started for, until ctx or the parent ends.
func RunShare(ctx context.Context, log *slog.Logger) error {
	var p part
	if err := json.Unmarshal([]byte(os.Getenv(shareVar)), &p); err != nil {
		return fmt.Errorf("read %s: %w", shareVar, err)
	}
	parent, err := holdOn()
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	orders, err := inherited(forOrders)
	if err != nil {
		return err
	}
	defer func() { _ = orders.Close() }()
	shared, err := p.inheritedPolls()
	if err != nil {
		return err
	}
	s, err := openShare(ctx, p, shared, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error { return serveControl(ctx, orders, s) })
	g.Go(func() error {
		defer cancel()
		defer context.AfterFunc(ctx, func() { _ = parent.Close() })()
		// The parent writes nothing: reading ends when it closes its end, or is no more.
		_, _ = io.Copy(io.Discard, parent)
		return nil
	})
	return g.Wait()
}

// holdOn takes the lifeline up, so that reading from it ends when it is closed here, too.
func holdOn() (*os.File, error) {
	if err := syscall.SetNonblock(lifeline, true); err != nil {
		return nil, fmt.Errorf("take up the lifeline: %w", err)
	}
	return os.NewFile(lifeline, "lifeline"), nil
}

// inheritedPolls is the shared listener; nil when there is none.
func (p *part) inheritedPolls() (*net.TCPListener, error) {
	if p.Each {
		return nil, nil
	}
	return inherited(forPolls)
}

func inherited(fd uintptr) (*net.TCPListener, error) {
	f := os.NewFile(fd, "listener")
	if f == nil {
		return nil, fmt.Errorf("take a listener over: %d is no file", fd)
	}
	defer func() { _ = f.Close() }()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("take a listener over: %w", err)
	}
	t, ok := l.(*net.TCPListener)
	if !ok {
		_ = l.Close()
		return nil, fmt.Errorf("take a listener over: %s is none for TCP", l.Addr())
	}
	return t, nil
}
