package gossip

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Update changes what this peer tells of itself; change must not block. The
// id, status and gossip address stay whatever it does. The others hear of it
// within a few gossip rounds. A *SizeError says that it does not fit, and then
// nothing has changed. Before Ready it is kept for the start.
func (g *Gossip) Update(ctx context.Context, change func(*Member)) error {
	if err := g.speak(ctx); err != nil {
		return err
	}
	defer g.hush()
	if g.departed.Load() {
		return ErrDeparted
	}
	if err := g.roster.say(change); err != nil {
		return err
	}
	_ = g.broadcast(time.Nanosecond) // queued at once; the rounds carry it
	return nil
}

// Leave says farewell: intent is Stopping or Leaving. It returns when the
// others have been told, ctx ends, or Timings.Farewell has passed twice.
// Afterwards Run still answers the others but this peer is gone for them;
// Update, Join and a second Leave give ErrDeparted. Before Ready there is
// nobody to tell and only the intent is kept.
func (g *Gossip) Leave(ctx context.Context, intent Intent) error {
	if intent != Stopping && intent != Leaving {
		return fmt.Errorf("gossip: leave: intent %q is neither stopping nor leaving", intent)
	}
	if err := g.speak(ctx); err != nil {
		return err
	}
	told := make(chan error, 1)
	err := g.begin(func() {
		defer g.hush()
		told <- g.farewell(intent)
	})
	if err != nil {
		g.hush()
		return err
	}
	select {
	case err := <-told:
		return err
	case <-ctx.Done():
		return fmt.Errorf("gossip: leave: %w", context.Cause(ctx))
	}
}

// farewell tells the intent, waits until that is sent, and then leaves: the
// second message would take the place of the first in the queue.
func (g *Gossip) farewell(intent Intent) error {
	if g.departed.Load() {
		return ErrDeparted
	}
	g.departed.Store(true)
	if err := g.roster.say(func(m *Member) { m.Intent = intent }); err != nil {
		return err
	}
	return errors.Join(g.broadcast(g.cfg.Timings.Farewell), g.depart())
}

// broadcast queues what the roster says and waits until it is sent, for wait
// at most.
func (g *Gossip) broadcast(wait time.Duration) error {
	if !g.opened() {
		return nil
	}
	if err := g.list.UpdateNode(wait); err != nil {
		return fmt.Errorf("gossip: tell the others: %w", err)
	}
	return nil
}

func (g *Gossip) depart() error {
	if !g.opened() {
		return nil
	}
	if err := g.list.Leave(g.cfg.Timings.Farewell); err != nil {
		return fmt.Errorf("gossip: leave: %w", err)
	}
	return nil
}

func (g *Gossip) opened() bool {
	select {
	case <-g.ready:
		return true
	default:
		return false
	}
}

// speak takes the voice. While it is held memberlist is not shut down: leaving
// after that panics.
func (g *Gossip) speak(ctx context.Context) error {
	select {
	case g.voice <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-g.ending:
		g.hush()
		return ErrEnded
	default:
		return nil
	}
}

func (g *Gossip) hush() { <-g.voice }
