package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	joinParallel  = 8
	joinTargets   = 64 // remembered addresses tried in one round
	resolvedLimit = 16 // addresses of one host name
	movedMax      = 4  // times RejoinMin: the longest pause of a peer that has moved
)

// Join asks each address (host, host:port, ip:port) for a full exchange once,
// and tells how many answered and why the others did not: n > 0 with an error
// is possible. A host name stands for all its addresses.
func (g *Gossip) Join(ctx context.Context, addrs []string) (n int, err error) {
	if err := g.await(ctx); err != nil {
		return 0, err
	}
	targets, err := resolve(ctx, addrs)
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
		return o.n, errors.Join(err, o.err)
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
			if target == g.addr {
				errs[i] = fmt.Errorf("gossip: join: %s is this peer's own address", target)
				return nil
			}
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

// KeepJoining tries addrs and all remembered addresses for as long as ctx
// lives. While this peer is alone the pauses double from RejoinMin to
// RejoinMax; while others contradict it about its own address they stay short
// and the living are told again; else every pause is RejoinMax, and only what
// no living member holds is tried. Each pause is cut by up to half at random. It returns nil when ctx ends, ErrDeparted or
// ErrEnded when there is nothing left to join with.
func (g *Gossip) KeepJoining(ctx context.Context, addrs []string) error {
	t := g.cfg.Timings
	backoff, failing := t.RejoinMin, false
	var contradicted time.Time // until when this peer counts as moved
	if err := g.await(ctx); err != nil {
		return unlessOver(ctx, err)
	}
	for {
		targets := g.targets(addrs, time.Now().Before(contradicted))
		_, err := g.Join(ctx, targets)
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
		case !company && len(targets) > 0 && !failing:
			g.cfg.Log.Warn("no other peer answers, trying on", "tried", len(targets), "error", err)
			g.explain(err)
			failing = true
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

// targets are the addresses worth trying now. Those of living members are left
// out, except when somebody must still be told that this peer has moved.
func (g *Gossip) targets(addrs []string, moved bool) []string {
	held := map[string]bool{g.addr: true}
	var living []string
	for _, m := range g.Members() {
		if m.Status == Alive && m.ID != g.cfg.Self.ID {
			held[m.GossipAddr] = true
			living = append(living, m.GossipAddr)
		}
	}
	var known []string
	for _, a := range g.Snapshot() {
		if a.Gossip != "" {
			known = append(known, a.Gossip)
		}
	}
	rand.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
	out := slices.Concat(addrs, known[:min(joinTargets, len(known))])
	out = slices.DeleteFunc(out, func(a string) bool { return held[withPort(a)] })
	if moved {
		out = append(out, living...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// company tells whether any other member is alive.
func (g *Gossip) company() bool {
	return slices.ContainsFunc(g.Members(), func(m Member) bool {
		return m.Status == Alive && m.ID != g.cfg.Self.ID
	})
}

// resolve turns addresses into ip:port. What cannot be resolved is told in the
// error, the rest is returned all the same.
func resolve(ctx context.Context, addrs []string) ([]string, error) {
	var out []string
	var errs []error
	for _, addr := range addrs {
		host, service, err := net.SplitHostPort(withPort(addr))
		if err != nil {
			errs = append(errs, fmt.Errorf("gossip: join: %w", err))
			continue
		}
		port, err := strconv.ParseUint(service, 10, 16)
		if err != nil || port == 0 {
			errs = append(errs, fmt.Errorf("gossip: join: %s: port must be 1 to 65535", addr))
			continue
		}
		ips, err := lookup(ctx, host)
		if err != nil {
			errs = append(errs, fmt.Errorf("gossip: join: %w", err))
		}
		for _, ip := range ips[:min(resolvedLimit, len(ips))] {
			out = append(out, netip.AddrPortFrom(ip.Unmap(), uint16(port)).String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out), errors.Join(errs...)
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), DefaultPort)
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
