package httpd

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	heartbeat    = 15 * time.Second
	followAtOnce = 16 << 10 // bytes, and an event, that a follower holds at a time
	// followGap is the least time between two looks of a follower that is at the end: what comes meanwhile goes out together.
	followGap = 25 * time.Millisecond
)

// follow streams events from the peer asked until the client goes, the cursor is too old, or the server stops. Each
// follower goes at its own pace: it holds no more than one write, and what it has not taken stays in the state until it
// is trimmed there.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) error {
	q, err := s.parseEvents(r.URL.Query())
	if err != nil {
		return err
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if err := q.from(id); err != nil {
			return err
		}
	}
	release, err := s.waiting.enter()
	if err != nil {
		return err
	}
	defer release()
	f := &feed{Server: s, query: q, out: newStream(w, strings.Contains(r.Header.Get("Accept"), "text/event-stream"))}
	if err := f.begin(w, r); err != nil {
		return err
	}
	err = f.run(r.Context())
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.metrics.cut.Inc()
	}
	if err != nil {
		s.log.Debug("follower gone", "client", clientAddress(r), "error", err)
	}
	return nil
}

// feed is one follower.
type feed struct {
	*Server
	query eventQuery
	place fsm.Cursor // after the last event that was looked at
	out   *stream
}

// begin finds the place from which a follower begins, with the headers that say what was read.
func (f *feed) begin(w http.ResponseWriter, r *http.Request) error {
	g, err := f.settle(w, r, reading{level: Stale}, []fsm.Set{fsm.SetEvents})
	if err != nil {
		return err
	}
	seq, err := f.query.start(g.Reader)
	f.place = placeOf(g.Meta(), seq)
	f.query.after, f.query.now = &f.place, false
	return err
}

// run feeds a follower. An error means that it is gone; every other end is told to it.
func (f *feed) run(ctx context.Context) error {
	if err := f.out.heartbeat(f.place); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	gap := time.NewTimer(followGap)
	defer gap.Stop()
	lapse := passOf(ctx).lapse(f.Clock.Now())
	for {
		wait, more, gone := f.look(ctx)
		if gone != nil {
			return f.out.end(f.place, gone)
		}
		if err := f.out.send(); err != nil {
			return err
		}
		gap.Reset(followGap)
		var moved fsm.Wait // on nothing, before the gap is over
		if more {
			moved.Changed = closed
		}
		for again := true; again; {
			again = false
			select {
			case <-f.stopping:
				return f.out.end(f.place, fsm.Errorf(fsm.CodeUnavailable, "this peer stops; go on elsewhere from the cursor"))
			case <-ctx.Done():
				return ctx.Err()
			case <-beat.C:
				if err := f.out.heartbeat(f.place); err != nil {
					return err
				}
			case <-gap.C:
				moved, again = wait, true
			case <-lapse:
				lapse = passOf(ctx).lapse(f.Clock.Now())
			case <-moved.Changed:
			case <-moved.Abandoned:
			}
		}
	}
}

var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// look gathers what comes after the place for one write, and moves the place. It returns what to wait on for more, unless
// there is more already. The error says that events after the place are gone: they were trimmed, or cut off by a restore, or that the
// token of the follower is good no more.
func (f *feed) look(ctx context.Context) (wait fsm.Wait, more bool, err error) {
	reader, _, err := f.Replica.Read(ctx, Stale)
	if err != nil {
		return wait, false, err
	}
	if err := passOf(ctx).good(reader, f.Clock.Now()); err != nil {
		return wait, false, err
	}
	wait = reader.Wait(fsm.SetEvents)
	seq, err := f.query.start(reader)
	if err != nil {
		return wait, false, err
	}
	examined := 0
	for e, err := range f.press.events(reader, &f.query, seq) {
		if err != nil {
			return wait, false, err
		}
		if examined == maxExamined || f.out.size() >= followAtOnce {
			return wait, true, nil
		}
		examined++
		if f.query.wants(e.heading) {
			f.out.event(e)
		}
		f.place = e.place
	}
	return wait, false, nil
}
