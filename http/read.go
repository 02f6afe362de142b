package httpd

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
)

// writeTimeout is how long a client may take to receive one write.
const writeTimeout = 30 * time.Second

// reply writes a JSON answer. An error means that the client is gone or slow: there is nobody left to tell.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, status int, v any) error {
	var raw []byte
	var err error
	if pretty, _ := flag(r.URL.Query(), "pretty"); pretty {
		raw, err = json.MarshalIndent(v, "", "  ")
	} else {
		raw, err = json.Marshal(v)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	// Not every writer has deadlines to set; the server's own do.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(status)
	if _, err := w.Write(append(raw, '\n')); err != nil {
		s.log.Debug("answer not delivered", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	return nil
}

// read answers a GET from the state: at once, or when the index of one of the sets has passed the one asked for.
func (s *Server) read(w http.ResponseWriter, r *http.Request, sets []fsm.Set, answer func(glance) (any, error)) error {
	rd, err := parseReading(r.URL.Query())
	if err != nil {
		return err
	}
	g, err := s.settle(w, r, rd, sets)
	if err != nil {
		return err
	}
	v, err := answer(g)
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, v)
}

// settle reads the state when it is time to answer, and writes the headers that say what was read.
func (s *Server) settle(w http.ResponseWriter, r *http.Request, rd reading, sets []fsm.Set) (glance, error) {
	got, err := s.sight(r.Context(), rd.level, sets)
	if err == nil && rd.past != nil && got.watch.index <= *rd.past {
		got, err = s.await(r.Context(), rd, got.watch, sets)
	}
	if err != nil {
		return glance{}, err
	}
	tellContact(w.Header(), got.contact)
	w.Header().Set("X-Muster-Index", strconv.FormatUint(got.watch.index, 10))
	w.Header().Set("X-Muster-Epoch", got.Meta().Epoch())
	return got.glance, nil
}

// sighted is the state as it was read once, with what closes when it is no longer so.
type sighted struct {
	glance
	contact Contact
	watch   watch
}

func (s *Server) sight(ctx context.Context, level Level, sets []fsm.Set) (sighted, error) {
	reader, contact, err := s.Replica.Read(ctx, level)
	if err != nil {
		return sighted{}, err
	}
	if err := passOf(ctx).good(reader, s.Clock.Now()); err != nil {
		return sighted{}, err
	}
	return sighted{glance: glance{Reader: reader, now: s.Clock.Now()}, contact: contact, watch: watchOf(ctx, reader, sets)}, nil
}

// await reads again each time the sets move, until they have moved past the index asked for or the wait is over. Between
// reads it holds what it waits on and no reader, so that waiting requests keep no old state alive.
func (s *Server) await(ctx context.Context, rd reading, w watch, sets []fsm.Set) (sighted, error) {
	release, err := s.waiting.enter()
	if err != nil {
		return sighted{}, err
	}
	defer release()
	over := time.NewTimer(rd.wait + rand.N(rd.wait/16+1))
	defer over.Stop()
	lapse := passOf(ctx).lapse(s.Clock.Now())
	for last := false; ; {
		select {
		case <-w.moved[0]:
		case <-w.moved[1]:
		case <-w.moved[2]:
		case <-w.tokens:
		case <-lapse:
			lapse = passOf(ctx).lapse(s.Clock.Now())
		case <-w.abandoned: // indexes before and after a restore do not compare
			last = true
		case <-over.C:
			last = true
		case <-s.stopping:
			last = true
		case <-ctx.Done():
			return sighted{}, ctx.Err()
		}
		got, err := s.sight(ctx, rd.level, sets)
		if err != nil || last || got.watch.index > *rd.past {
			return got, err
		}
		w = got.watch
	}
}

// watch is what a blocking read waits on: up to three sets as one.
type watch struct {
	index     uint64 // the greatest
	moved     [3]<-chan struct{}
	tokens    <-chan struct{} // nil where no token is asked for
	abandoned <-chan struct{}
}

func watchOf(ctx context.Context, r *fsm.Reader, sets []fsm.Set) watch {
	var w watch
	if passOf(ctx) != nil {
		w.tokens = r.Wait(fsm.SetTokens).Changed
	}
	for i, set := range sets {
		one := r.Wait(set)
		w.index = max(w.index, one.Index)
		w.moved[i], w.abandoned = one.Changed, one.Abandoned
	}
	return w
}

func tellContact(h http.Header, c Contact) {
	h.Set("X-Muster-KnownLeader", strconv.FormatBool(c.Known))
	h.Set("X-Muster-LastContact", strconv.FormatInt(c.Last.Milliseconds(), 10))
}

// readPage answers a GET of a list.
func readPage[S, R any](s *Server, w http.ResponseWriter, r *http.Request, set fsm.Set,
	of func(g glance, l listing) (source[S, R], error),
) error {
	var zero R
	l, err := parseListing(r.URL.Query(), zero)
	if err != nil {
		return err
	}
	return s.read(w, r, []fsm.Set{set}, func(g glance) (any, error) {
		list, err := of(g, l)
		if err != nil {
			return nil, err
		}
		p, err := list.page(r.Context(), l)
		if err != nil {
			return nil, err
		}
		if p.next != "" {
			w.Header().Set("X-Muster-Next", p.next)
		}
		return p.rows, nil
	})
}
