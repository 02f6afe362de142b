package httpd

import (
	"net/http"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	heartbeat    = 15 * time.Second
	followAtOnce = 256 // events a follower holds at a time
)

// follow streams events from the peer asked until the client goes, the cursor is too old, or the server stops. Each
// follower goes at its own pace: it holds no more than one batch, and what it has not taken stays in the state until it
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
	place, err := s.beginning(w, r, &q)
	if err != nil {
		return err
	}
	out := newStream(w, strings.Contains(r.Header.Get("Accept"), "text/event-stream"))
	if err := s.run(r, &q, place, out); err != nil {
		s.log.Debug("follower gone", "client", clientAddress(r), "error", err)
	}
	return nil
}

// beginning is the place from which a follower begins, with the headers that say what was read.
func (s *Server) beginning(w http.ResponseWriter, r *http.Request, q *eventQuery) (fsm.Cursor, error) {
	g, err := s.settle(w, r, reading{level: Stale}, []fsm.Set{fsm.SetEvents})
	if err != nil {
		return fsm.Cursor{}, err
	}
	seq, err := q.start(g.Reader)
	return placeOf(g.Meta(), seq), err
}

// run feeds one follower from a place on. An error means that it is gone; every other end is told to it.
func (s *Server) run(r *http.Request, q *eventQuery, place fsm.Cursor, out *stream) error {
	if err := out.heartbeat(place.String()); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		found, next, wait, err := s.after(r, q, place)
		if err != nil {
			return out.end(place.String(), err)
		}
		for i := range found.events {
			if err := out.event(&found.events[i]); err != nil {
				return err
			}
		}
		place = next
		if err := out.flush(len(found.events)); err != nil {
			return err
		}
		if found.more {
			wait.Changed = closed
		}
		select {
		case <-s.stopping:
			return out.end(place.String(), fsm.Errorf(fsm.CodeUnavailable, "this peer stops; go on elsewhere from the cursor"))
		case <-r.Context().Done():
			return r.Context().Err()
		case <-beat.C:
			if err := out.heartbeat(place.String()); err != nil {
				return err
			}
		case <-wait.Changed:
		case <-wait.Abandoned:
		}
	}
}

var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// after collects what comes after a place, with the place after that and what to wait on for more. The error says that
// events after the place are gone: they were trimmed, or cut off by a restore.
func (s *Server) after(r *http.Request, q *eventQuery, place fsm.Cursor) (batch, fsm.Cursor, fsm.Wait, error) {
	reader, _, err := s.Replica.Read(r.Context(), Stale)
	if err != nil {
		return batch{}, place, fsm.Wait{}, err
	}
	wait := reader.Wait(fsm.SetEvents)
	on := *q
	on.after, on.now = &place, false
	seq, err := on.start(reader)
	if err != nil {
		return batch{}, place, wait, err
	}
	found, err := on.collect(reader, seq, followAtOnce)
	for i := range found.events {
		e := &found.events[i]
		e.Cursor = fsm.Cursor{Epoch: e.Epoch, Seq: e.Seq}.String()
	}
	return found, placeOf(reader.Meta(), found.seen), wait, err
}
