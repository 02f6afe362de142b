package httpd

import (
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

// settle reads the state when it is time to answer, and writes the headers that say what was read. While it waits it
// holds no reader, so that waiting requests keep no old state alive.
func (s *Server) settle(w http.ResponseWriter, r *http.Request, rd reading, sets []fsm.Set) (glance, error) {
	ctx := r.Context()
	var over <-chan time.Time // nil until it waits
	for last := rd.past == nil; ; {
		reader, contact, err := s.Replica.Read(ctx, rd.level)
		if err != nil {
			return glance{}, err
		}
		watch := watchOf(reader, sets)
		if last || watch.index > *rd.past {
			tellContact(w.Header(), contact)
			w.Header().Set("X-Muster-Index", strconv.FormatUint(watch.index, 10))
			w.Header().Set("X-Muster-Epoch", reader.Meta().Epoch())
			return glance{Reader: reader, now: s.Clock.Now()}, nil
		}
		if over == nil {
			release, err := s.waiting.enter()
			if err != nil {
				return glance{}, err
			}
			defer release()
			timer := time.NewTimer(rd.wait + rand.N(rd.wait/16+1))
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-watch.moved[0]:
		case <-watch.moved[1]:
		case <-watch.moved[2]:
		case <-watch.abandoned: // indexes before and after a restore do not compare
			last = true
		case <-over:
			last = true
		case <-s.stopping:
			last = true
		case <-ctx.Done():
			return glance{}, ctx.Err()
		}
	}
}

// watch is what a blocking read waits on: up to three sets as one.
type watch struct {
	index     uint64 // the greatest
	moved     [3]<-chan struct{}
	abandoned <-chan struct{}
}

func watchOf(r *fsm.Reader, sets []fsm.Set) watch {
	var w watch
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
