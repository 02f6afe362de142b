package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// breakThings injects one fault after the other, in an order drawn anew each time all have had their turn.
func (r *run) breakThings(ctx context.Context) error {
	if err := r.rest(ctx, calm); err != nil {
		return err
	}
	until := time.Now().Add(r.length)
	for {
		for _, f := range r.deck() {
			if r.only == nil && time.Now().After(until) {
				return nil
			}
			if err := r.once(ctx, f); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		if r.only != nil {
			return nil
		}
	}
}

// deck is the order of a round: the one that was asked for, or one by chance.
func (r *run) deck() []fault {
	if r.only == nil {
		deck := slices.Clone(faults)
		r.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		return deck
	}
	var deck []fault
	for _, name := range r.only {
		i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
		deck = append(deck, faults[i])
	}
	return deck
}

// once injects a fault, lets it last, mends it and measures how soon all take writes again.
func (r *run) once(ctx context.Context, f fault) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	r.clients.round.Add(1)
	r.stillUp()
	what, err := f.inject(ctx, r)
	if err != nil {
		return err
	}
	r.logf("%s: %s", f.name, what)
	if f.holds[1] > 0 {
		if err := pause(ctx, f.holds[0]+time.Duration(r.rng.Int64N(int64(f.holds[1]-f.holds[0])))); err != nil {
			return err
		}
	}
	if err := r.heal(ctx); err != nil {
		return err
	}
	healed := time.Now()
	for _, p := range r.group.Peers {
		if err := r.writable(ctx, p); err != nil {
			return err
		}
	}
	r.report.tally(f.name).add(time.Since(healed))
	if err := r.group.Ready(ctx); err != nil {
		return err
	}
	return r.rest(ctx, calm)
}

// rest lets clients call for a while without any fault, which is when they are counted.
func (r *run) rest(ctx context.Context, d time.Duration) error {
	before, began := r.clients.acked.Load(), time.Now()
	err := pause(ctx, d)
	r.report.calmWrites += r.clients.acked.Load() - before
	r.report.calm += time.Since(began)
	return err
}

// heal makes everything whole: tracers, networks, paused and ended processes.
func (r *run) heal(ctx context.Context) error {
	r.release()
	for _, p := range r.group.Peers {
		if err := mend(ctx, p.Name); err != nil {
			return err
		}
		if p.Running() {
			if err := p.Signal(syscall.SIGCONT); err != nil {
				return err
			}
		}
	}
	r.stillUp()
	for _, p := range r.group.Peers {
		if !p.Running() {
			if err := r.start(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// stillUp finds peers that ended although nothing made them.
func (r *run) stillUp() {
	for _, p := range r.group.Peers {
		if !p.Running() && !r.ended[p] {
			r.report.violation("%s ended by itself: %v; see %s", p.Name, p.Err(), p.Log)
			r.ended[p] = true
		}
	}
}

func (r *run) start(_ context.Context, p *rig.Peer) error {
	r.ended[p] = false
	return r.group.Enter(p)
}

func (r *run) kill(p *rig.Peer) {
	r.ended[p] = true
	p.Kill()
}

func (r *run) any() *rig.Peer { return r.group.Peers[r.rng.IntN(len(r.group.Peers))] }

func (r *run) others(but *rig.Peer) (out []*rig.Peer) {
	for _, p := range r.group.Peers {
		if p != but {
			out = append(out, p)
		}
	}
	return out
}
