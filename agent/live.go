package agent

import (
	"context"
	"maps"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/life"
)

// live is what of a configuration may change while a peer runs. It is read-only; a reload puts another in its place.
type live struct {
	join         []string
	labels       map[string]string
	backups      *backup.Keeper
	declared     []Declared
	replaced     chan struct{} // closed when another has taken its place
	otherBackups chan struct{} // closed when one with another keeper of backups has
}

func (c *Config) live() *live {
	return &live{
		join: c.Join, labels: maps.Clone(c.Labels), backups: c.Backups, declared: c.Declared,
		replaced: make(chan struct{}), otherBackups: make(chan struct{}),
	}
}

// replace puts another in the place of what is live.
func (a *Agent) replace(next *live) {
	was := a.live.Swap(next)
	close(was.replaced)
	if next.otherBackups != was.otherBackups {
		close(was.otherBackups)
	}
}

// What of the live configuration a function depends on: the channel is closed once it is another.
func anything(l *live) <-chan struct{}   { return l.replaced }
func theBackups(l *live) <-chan struct{} { return l.otherBackups }

// whileLive runs a function with what is live, and anew each time that what it depends on changes, until ctx ends or the
// function fails. A function that returns before waits for the next change.
func (a *Agent) whileLive(ctx context.Context, on func(*live) <-chan struct{}, run func(context.Context, *live) error) error {
	for ctx.Err() == nil {
		now := a.live.Load()
		if err := life.Until(ctx, on(now), func(ctx context.Context) error { return run(ctx, now) }); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-on(now):
		}
	}
	return nil
}
