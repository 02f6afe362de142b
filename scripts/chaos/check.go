package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// judgedWithin is how long one register's history may take to be judged.
const judgedWithin = time.Minute

// settle waits until every cluster is refreshed again and every follower has been told all, while nobody writes. Nodes go on
// changing; their events are told within an interval.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.fresh(ctx, time.Now()); err != nil {
		return err
	}
	last, err := r.lastEvent(ctx)
	if err != nil {
		return err
	}
	return rig.Until(ctx, "all followers to be told all", func(context.Context) error {
		for p, s := range r.streams {
			if s.last() < last {
				return fmt.Errorf("the follower of %s is at event %d of %d", p.Name, s.last(), last)
			}
		}
		return nil
	})
}

// lastEvent is the seq of the last event that the leader has.
func (r *run) lastEvent(ctx context.Context) (uint64, error) {
	leader, err := r.group.Leader(ctx)
	if err != nil {
		return 0, err
	}
	return r.streams[leader].last(), nil
}

// check compares what the clients saw, what followers were told and what the disks hold. It kills the peers, all at once.
func (r *run) check() error {
	dirs := map[string]string{}
	for _, p := range r.group.Peers {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		dirs[p.Name] = p.Data
	}
	for _, p := range r.group.Peers {
		r.kill(p)
	}
	told := r.compareStreams()
	r.report.events = len(told)
	r.report.add(unaccounted(r.clients, told))
	r.report.add(r.clients.fell)
	wrong, err := onDisk(dirs, told)
	if err != nil {
		return err
	}
	r.report.add(wrong)
	r.report.operations = len(r.clients.history)
	for _, op := range r.clients.history {
		if op.Output.(output).unknown {
			r.report.unknown++
		}
	}
	r.report.refused = len(r.clients.refused)
	r.report.add(linearizable(r.clients.history, judgedWithin))
	return nil
}

// compareStreams compares what each peer's follower was told and returns what all of them were.
func (r *run) compareStreams() (all []httpd.Event) {
	for _, p := range r.group.Peers {
		events, err := r.streams[p].end()
		if err != nil {
			r.report.violation("%s", err)
		}
		r.report.add(gaps(p.Name, events))
		if all == nil {
			all = events
			continue
		}
		r.report.add(apartFrom(r.group.Peers[0].Name, all, p.Name, events))
		all = all[:min(len(all), len(events))]
	}
	return slices.Clip(all)
}
