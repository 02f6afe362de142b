package gossip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	joinParallel = 8
	joinTargets  = 64 // remembered addresses tried in one round
	movedMax     = 4  // times RejoinMin: the longest pause of a peer that has moved
)

// Join asks what each target stands for (host, host:port, a name with SRV
// records, or a URL for one of the finders) for a full exchange once, and tells
// how many answered and why the others did not: n > 0 with an error is
// possible. A host name stands for all its addresses.
func (g *Gossip) Join(ctx context.Context, targets []string) (n int, err error) {
	if err := g.await(ctx); err != nil {
		return 0, err
	}
	addrs, err := g.outcome(g.find(ctx, targets))
	n, failed := g.reach(ctx, addrs)
	return n, errors.Join(err, failed)
}

// outcome is all that was found, each address once, and all that was not.
func (g *Gossip) outcome(all []found) ([]string, error) {
	var addrs []string
	var errs []error
	for _, f := range all {
		addrs = append(addrs, f.addrs...)
		errs = append(errs, f.err)
		if f.err != nil {
			g.meters.joins.WithLabelValues("not_found").Inc()
		}
	}
	slices.Sort(addrs)
	return slices.Compact(addrs), errors.Join(errs...)
}

// reach asks each address, and tells how many answered and why the others did not.
func (g *Gossip) reach(ctx context.Context, targets []string) (int, error) {
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, 1)
	begun := g.begin(func() {
		n, failed := g.exchange(targets)
		done <- outcome{n, failed}
	})
	if begun != nil {
		return 0, begun
	}
	select {
	case o := <-done:
		return o.n, o.err
	case <-ctx.Done():
		return 0, fmt.Errorf("gossip: join: %w", context.Cause(ctx))
	}
}

// exchange pushes to and pulls from each target. It ends by the stream
// deadline or when the transport is shut down.
func (g *Gossip) exchange(targets []string) (int, error) {
	if g.departed.Load() {
		return 0, ErrDeparted
	}
	errs := make([]error, len(targets))
	var group errgroup.Group
	group.SetLimit(joinParallel)
	for i, target := range targets {
		group.Go(func() error {
			_, err := g.list.Join([]string{target})
			if err != nil {
				errs[i] = fmt.Errorf("gossip: join: %w", flat(err))
			}
			return nil
		})
	}
	_ = group.Wait()
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	g.meters.joins.WithLabelValues("answered").Add(float64(n))
	g.meters.joins.WithLabelValues("failed").Add(float64(len(targets) - n))
	return n, errors.Join(errs...)
}

// KeepJoining tries targets, each looked up anew every time, and all remembered
// addresses for as long as ctx lives. While this peer is alone the pauses double from RejoinMin to
// RejoinMax; while others contradict it about its own address they stay short
// and the living are told again; else every pause is RejoinMax, and only what
// no living member holds is tried. Each pause is cut by up to half at random. It returns nil when ctx ends, ErrDeparted or
// ErrEnded when there is nothing left to join with.
func (g *Gossip) KeepJoining(ctx context.Context, targets []string) error {
	t := g.cfg.Timings
	backoff, failing := t.RejoinMin, false
	lost := map[string]bool{}  // targets of which it was told that they lead nowhere
	var contradicted time.Time // until when this peer counts as moved
	if err := g.await(ctx); err != nil {
		return unlessOver(ctx, err)
	}
	for {
		all := g.find(ctx, g.targets(targets))
		addrs, err := g.outcome(all)
		addrs = g.worthwhile(addrs, time.Now().Before(contradicted))
		_, failed := g.reach(ctx, addrs)
		err = errors.Join(err, failed)
		if ctx.Err() != nil || errors.Is(err, ErrDeparted) || errors.Is(err, ErrEnded) {
			return unlessOver(ctx, err)
		}
		if g.roster.takeMoved() {
			contradicted = time.Now().Add(t.burial())
		}
		company, moved := g.company(), time.Now().Before(contradicted)
		switch {
		case company && failing:
			g.cfg.Log.Info("met other peers")
			failing = false
		case !company && len(all) > 0 && !failing:
			g.cfg.Log.Warn("no other peer answers, trying on", "tried", len(all), "error", err)
			g.explain(err)
			failing = true
		}
		if company {
			g.tell(all, lost)
		}
		pause := backoff
		switch {
		case company && !moved:
			pause, backoff = t.RejoinMax, t.RejoinMin
		case company:
			backoff = min(2*backoff, movedMax*t.RejoinMin)
		default:
			backoff = min(2*backoff, t.RejoinMax)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
	}
}

// undecrypted is how memberlist says that a message is under a key that is
// not on the keyring. It has no other mark for it.
const undecrypted = "no installed keys could decrypt"

// explain says what to do about others whose key this peer does not hold.
func (g *Gossip) explain(err error) {
	if err == nil || !strings.Contains(err.Error(), undecrypted) {
		return
	}
	g.cfg.Log.Error("the others encrypt gossip with a key that this peer does not hold, as after a change while it was away: " +
		"do muster keyring install and use again on one of them; if they do not reach this peer, stop it, remove keyring.json " +
		"from its data directory and start it with their key in the file of -gossip-key-file")
}

func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the end of ctx is the end that was asked for
	}
	return err
}

// tell says once of a target that it leads nowhere, and once that it does
// again.
func (g *Gossip) tell(all []found, lost map[string]bool) {
	for _, f := range all {
		switch bad := f.err != nil && !errors.Is(f.err, errOwn); {
		case bad && !lost[f.target]:
			g.cfg.Log.Warn("nobody can be found by this address, others are used", "join", f.target, "error", f.err)
			lost[f.target] = true
		case !bad && lost[f.target]:
			g.cfg.Log.Info("found again", "join", f.target, "addrs", f.addrs)
			delete(lost, f.target)
		}
	}
}

// targets are what was given and what is remembered, without addresses that are
// known to be held.
func (g *Gossip) targets(given []string) []string {
	held := g.held()
	var known []string
	for _, a := range g.Snapshot() {
		if a.Gossip != "" {
			known = append(known, a.Gossip)
		}
	}
	rand.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
	out := slices.Concat(given, known[:min(joinTargets, len(known))])
	out = slices.DeleteFunc(out, func(a string) bool { return held[withPort(a)] })
	slices.Sort(out)
	return slices.Compact(out)
}

// worthwhile are the addresses worth asking now. Those of living members are
// left out, except when somebody must still be told that this peer has moved.
func (g *Gossip) worthwhile(addrs []string, moved bool) []string {
	held := g.held()
	addrs = slices.DeleteFunc(addrs, func(a string) bool { return held[a] })
	if !moved {
		return addrs
	}
	delete(held, g.addr)
	return slices.AppendSeq(addrs, maps.Keys(held))
}

// held are the addresses of the living, this peer's own among them.
func (g *Gossip) held() map[string]bool {
	held := map[string]bool{g.addr: true}
	for _, m := range g.Members() {
		if m.Status == Alive && m.ID != g.cfg.Self.ID {
			held[m.GossipAddr] = true
		}
	}
	return held
}

// company tells whether any other member is alive.
func (g *Gossip) company() bool {
	return slices.ContainsFunc(g.Members(), func(m Member) bool {
		return m.Status == Alive && m.ID != g.cfg.Self.ID
	})
}

// flat puts memberlist's bulleted errors on one line.
func flat(err error) error {
	return flatError{err}
}

type flatError struct{ err error }

func (e flatError) Error() string { return strings.Join(strings.Fields(e.err.Error()), " ") }
func (e flatError) Unwrap() error { return e.err }

func ipNet(p netip.Prefix) net.IPNet {
	return net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
