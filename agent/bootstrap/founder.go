package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultTick = time.Second
	callTimeout = 5 * time.Second
	remindEvery = time.Minute
)

// Roster tells who is seen. Changed gives a channel that is closed at the next
// change after the call; it is asked before Seen, so that nothing is missed.
type Roster interface {
	Seen() []Peer
	Changed() <-chan struct{}
}

// Caller carries an Offer to the peer it is for, whose Founder receives it, and
// brings back the Answer. It makes sure that the answer is that peer's.
type Caller interface {
	Promise(ctx context.Context, to string, o Offer) (Answer, error)
}

// Config is what a Founder is made of. All but Name and Tick are required.
type Config struct {
	ID     string // this peer's
	Name   string // for messages
	Expect int    // N, at least 1
	Dir    string // data directory; the file in it is this package's

	Roster Roster
	Caller Caller

	// Found bootstraps raft with exactly these voters. It is called at most
	// once per Run; after a crash it is called again with the same set, so
	// having done it already is a success.
	Found func(ctx context.Context, set []string) error

	Tick time.Duration // between tries when nothing changes; default 1s

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Founder plays one peer's part. Receive may be called from anywhere, also
// before Run and after it.
type Founder struct {
	cfg  Config
	held prometheus.Gauge
	sent *prometheus.CounterVec

	turn     chan struct{} // held while promises is read or changed
	promises Promises      // what is on disk
	broken   error         // a failed write: what is on disk is unknown

	kick chan struct{} // a promise came in; holds one

	told     Action // last report
	says     string // last disagreement
	absent   time.Time
	reminded time.Time
}

// New reads the promises this peer has made and starts nothing.
func New(cfg Config) (*Founder, error) {
	switch {
	case cfg.ID == "" || cfg.Dir == "":
		return nil, errors.New("bootstrap: id and data directory are required")
	case cfg.Expect < 1:
		return nil, fmt.Errorf("bootstrap: expect: %d must be at least 1", cfg.Expect)
	case cfg.Expect > partnersLimit:
		return nil, fmt.Errorf("bootstrap: expect: %d must be at most %d", cfg.Expect, partnersLimit)
	case cfg.Roster == nil || cfg.Caller == nil || cfg.Found == nil || cfg.Log == nil || cfg.Registerer == nil:
		return nil, errors.New("bootstrap: roster, caller, found, log and registerer are required")
	case cfg.Tick < 0:
		return nil, errors.New("bootstrap: tick must be above zero")
	}
	if cfg.Tick == 0 {
		cfg.Tick = defaultTick
	}
	p, err := load(cfg.Dir, cfg.ID)
	if err != nil {
		return nil, err
	}
	f := &Founder{
		cfg: cfg, promises: p, turn: make(chan struct{}, 1), kick: make(chan struct{}, 1),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_bootstrap_promises_held", Help: "Promises of voters-to-be this peer holds, its own included.",
		}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_bootstrap_offers_total", Help: "Promises offered to another peer, by what became of them.",
		}, []string{"result"}),
	}
	for _, c := range []prometheus.Collector{f.held, f.sent} {
		if err := cfg.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("bootstrap: register metrics: %w", err)
		}
	}
	f.held.Set(float64(len(p.Held)))
	return f, nil
}

// Run plays until this peer has founded a group, which is nil, or ctx ends,
// which is nil too: its owner ends it when raft has contacted this peer. An
// error means that promises could not be kept or that Found failed; the process
// should end.
func (f *Founder) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Tick)
	defer tick.Stop()
	for {
		changed := f.cfg.Roster.Changed()
		founded, err := f.round(ctx)
		if founded || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-f.kick:
		case <-tick.C:
		}
	}
}

// round takes one step and does what it asks for. A promise that comes back is
// followed by one more step, for the next holder need not wait.
func (f *Founder) round(ctx context.Context) (founded bool, err error) {
	for range 2 {
		act, err := f.step(ctx)
		if err != nil {
			return false, err
		}
		f.report(act, time.Now())
		switch act.Verb {
		case Found:
			if err := f.cfg.Found(ctx, act.Set); err != nil {
				return false, fmt.Errorf("bootstrap: found the group: %w", err)
			}
			f.cfg.Log.Info("founded the group", "voters", act.Set)
			return true, nil
		case Promise:
			released, err := f.offer(ctx, act.Offer)
			if err != nil || !released {
				return false, err
			}
		default:
			return false, nil
		}
	}
	return false, nil
}

func (f *Founder) step(ctx context.Context) (Action, error) {
	var act Action
	err := f.change(ctx, func(p Promises) (Promises, error) {
		p, act = p.Step(f.cfg.Expect, f.cfg.Roster.Seen())
		return p, nil
	})
	return act, err
}

// offer sends a promise and takes in the answer. That nobody answers is no
// error: the promise stands and is offered again.
func (f *Founder) offer(ctx context.Context, o Offer) (released bool, err error) {
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := f.cfg.Caller.Promise(calling, o.To, o)
	if err != nil {
		f.sent.WithLabelValues("failed").Inc()
		f.cfg.Log.Debug("promise not delivered", "holder", o.To, "error", err)
		return false, nil
	}
	switch answer.State {
	case Held, Returned, Founded:
		f.sent.WithLabelValues(string(answer.State)).Inc()
	default:
		f.sent.WithLabelValues("unknown").Inc()
	}
	err = f.change(ctx, func(p Promises) (Promises, error) {
		p = p.Heed(o, answer)
		released = p.To != o.To
		return p, nil
	})
	return released, err
}

// Receive takes a promise of another peer. When it returns without an error
// the answer is on disk. Whoever calls it has made sure that o.From is the peer
// it says.
func (f *Founder) Receive(ctx context.Context, o Offer) (Answer, error) {
	var answer Answer
	err := f.change(ctx, func(p Promises) (_ Promises, err error) {
		p, answer, err = p.Receive(o, f.cfg.Expect, f.cfg.Roster.Seen())
		return p, err
	})
	if err != nil {
		return Answer{}, err
	}
	if answer.State == Held {
		select {
		case f.kick <- struct{}{}:
		default:
		}
	}
	return answer, nil
}

// Promises gives what is on disk now.
func (f *Founder) Promises(ctx context.Context) (Promises, error) {
	var p Promises
	err := f.change(ctx, func(now Promises) (Promises, error) { p = now; return now, nil })
	return p, err
}

// change replaces the promises by what next makes of them, on disk first. A
// failed write ends it all: nobody may learn of a promise that may not be
// there after a crash.
func (f *Founder) change(ctx context.Context, next func(Promises) (Promises, error)) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.turn }()
	if f.broken != nil {
		return f.broken
	}
	p, err := next(f.promises)
	if err != nil {
		return err
	}
	if p.equal(f.promises) {
		return nil
	}
	if err := save(f.cfg.Dir, p); err != nil {
		f.broken = err
		return err
	}
	f.promises = p
	f.held.Set(float64(len(p.Held)))
	return nil
}

// report logs what has changed since the last step, and reminds of a holder
// that is not seen.
func (f *Founder) report(act Action, now time.Time) {
	log := f.cfg.Log.With("expect", f.cfg.Expect, "seen", act.Seen)
	if says := f.disagreement(act.Disagree); says != f.says {
		f.says = says
		if says != "" {
			log.Error("bootstrap-expect differs between peers; those that differ do not count", "says", says)
		}
	}
	if !reflect.DeepEqual(act, f.told) {
		f.told = act
		switch {
		case act.Group != nil:
			log.Info("a group exists, waiting to be taken in", "group", act.Group.Group, "member", act.Group.ID, "member_name", act.Group.Name)
		case act.Verb == Promise:
			log.Info("promised to the lowest voter-to-be", "holder", act.Offer.To, "serial", act.Offer.Serial)
		case act.Verb == Wait && len(act.Seen) < f.cfg.Expect:
			log.Info("waiting for more voters-to-be")
		case act.Verb == Wait:
			log.Info("waiting for promises")
		}
	}
	f.remind(act, now)
}

// disagreement says which peers expect what, this one included, "" when all
// expect the same.
func (f *Founder) disagreement(others []Peer) string {
	if len(others) == 0 {
		return ""
	}
	by := map[int][]string{f.cfg.Expect: {cmp.Or(f.cfg.Name, f.cfg.ID)}}
	for _, x := range others {
		by[x.Expect] = append(by[x.Expect], cmp.Or(x.Name, x.ID))
	}
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%d: %s", n, strings.Join(by[n], ", ")))
	}
	return strings.Join(parts, "; ")
}

func (f *Founder) remind(act Action, now time.Time) {
	if act.Verb != Promise || slices.Contains(act.Seen, act.Offer.To) {
		f.absent, f.reminded = time.Time{}, time.Time{}
		return
	}
	if f.absent.IsZero() {
		f.absent, f.reminded = now, now
	}
	if now.Sub(f.reminded) >= remindEvery {
		f.reminded = now
		f.cfg.Log.Warn("promised to a peer that is not there; if its data directory is gone for good, stop this peer, release it "+
			"with muster operator release-promise, and start it",
			"holder", act.Offer.To, "unseen_for", now.Sub(f.absent).Round(time.Second))
	}
}
