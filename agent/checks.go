package agent

import (
	"errors"
	"fmt"

	httpd "github.com/musterhq/muster/http"
)

// Checks are what this peer is judged by.
func (f lifeFace) Checks() []httpd.Check {
	unless := func(well bool, why string) error {
		if well {
			return nil
		}
		return errors.New(why)
	}
	return []httpd.Check{
		{Name: "leader", Err: unless(f.leaders.ID() != "", "no leader is known")},
		{Name: "membership", Err: unless(f.machine.Read().Peer(f.id) != nil, "the leader has not taken this peer up yet")},
		{Name: "caught_up", Err: unless(f.caughtUp.Load(), "the replica has not caught up since this peer started")},
		{Name: "staying", Err: unless(!f.draining.Load(), "the peer is stopping")},
		{Name: "log_store", Restart: true, Err: f.stored()},
		{Name: "state", Restart: true, Err: f.machine.Failed()},
	}
}

// stored is why the log takes no more writes.
func (f lifeFace) stored() error {
	if f.store == nil || f.store.Err() == nil {
		return nil
	}
	return fmt.Errorf("log store: %w", f.store.Err())
}

// Ready fails when the peer should be sent no requests now.
func (f lifeFace) Ready() error {
	var why []error
	for _, c := range f.Checks() {
		why = append(why, c.Err)
	}
	return errors.Join(why...)
}
