package httpd

import (
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/musterhq/muster/fsm"
)

// eventQuery is which events are asked for, and from where on.
type eventQuery struct {
	after   *fsm.Cursor // nil is before the first
	now     bool        // from the end on; followers only
	pattern string
	cluster string
	node    string
	since   fsm.Time
	audit   bool // the operators' events, which are kept longer
	back    bool // the latest first; pages only
}

func (s *Server) parseEvents(q url.Values) (eventQuery, error) {
	eq := eventQuery{pattern: q.Get("type"), cluster: q.Get("cluster"), node: q.Get("node")}
	if err := eq.from(q.Get("after")); err != nil {
		return eq, err
	}
	if q.Has("cause") {
		if eq.audit = q.Get("cause") == string(fsm.CauseOperator); !eq.audit {
			return eq, fsm.Invalid("cause", "%q is not operator, the only cause with events of its own", q.Get("cause"))
		}
	}
	var err error
	if eq.back, err = flag(q, "reverse"); err != nil || !q.Has("since") {
		return eq, err
	}
	var ago fsm.Duration
	if ago.UnmarshalText([]byte(q.Get("since"))) == nil {
		eq.since = s.Clock.Now().Add(-ago)
		return eq, nil
	}
	at, err := time.Parse(time.RFC3339, q.Get("since"))
	if err != nil {
		return eq, fsm.Invalid("since", "%q is neither a duration like 1h nor a time like 2026-11-22T10:00:00Z", q.Get("since"))
	}
	eq.since = fsm.TimeOf(at)
	return eq, nil
}

// from reads where to begin: a cursor, now, or nothing.
func (q *eventQuery) from(after string) error {
	if q.now = after == "now"; q.now || after == "" {
		return nil
	}
	c, err := fsm.ParseCursor(after)
	q.after = &c
	return err
}

// start is the seq after which the events asked for begin. The error says that some of them are gone.
func (q *eventQuery) start(r *fsm.Reader) (uint64, error) {
	m := r.Meta()
	seq := m.First - 1
	switch {
	case q.now:
		seq = m.Seq
	case q.audit:
		seq = 0
		// What is kept of operators' events is not bounded by the first kept event.
		all := *m
		all.First = 1
		m = &all
	}
	if q.after != nil {
		var err error
		if seq, err = m.Resume(*q.after); err != nil {
			return 0, err
		}
	}
	if q.since != 0 && !q.audit {
		seq = max(seq, r.EventsSince(q.since))
	}
	return seq, nil
}

// reversed is the events asked for, the latest first: those before the cursor, as far back as they are kept. Whoever read on while
// the oldest ones went has come to the end, and has missed none; so only a cursor of an unknown epoch is an error.
func (q *eventQuery) reversed(r *fsm.Reader) (iter.Seq[*fsm.Event], error) {
	upTo, after := r.Meta().Seq, uint64(0)
	if q.since != 0 && !q.audit {
		after = r.EventsSince(q.since)
	}
	if q.after != nil {
		all := *r.Meta()
		all.First = 1
		if _, err := all.Resume(*q.after); err != nil {
			return nil, err
		}
		upTo = max(q.after.Seq, 1) - 1
	}
	if q.audit {
		return r.AuditBack(upTo), nil
	}
	return func(yield func(*fsm.Event) bool) {
		for e := range r.EventsBack(upTo) {
			if e.Seq <= after || !yield(e) {
				return
			}
		}
	}, nil
}

// events is the events asked for, in the order asked for, and the seq of the place where they begin.
func (q *eventQuery) events(r *fsm.Reader) (iter.Seq[*fsm.Event], uint64, error) {
	if q.back {
		events, err := q.reversed(r)
		return events, 0, err
	}
	seq, err := q.start(r)
	if q.audit {
		return r.Audit(seq), seq, err
	}
	return r.Events(seq), seq, err
}

// found is events that were asked for, the seq of the last event that was looked at for them, and whether there are more.
type found struct {
	events []telling
	seen   uint64
	more   bool
}

// collect looks for at most limit events among at most maxExamined.
func (q *eventQuery) collect(r *fsm.Reader, limit int) (found, error) {
	source, seen, err := q.events(r)
	if err != nil {
		return found{}, err
	}
	out, m, examined := found{events: []telling{}, seen: seen}, r.Meta(), 0
	for e := range source {
		if out.more = len(out.events) == limit || examined == maxExamined; out.more {
			break
		}
		examined++
		out.seen = e.Seq
		if q.wants(headingOf(e)) {
			out.events = append(out.events, tellingOf(m, e))
		}
	}
	return out, nil
}

func (q *eventQuery) wants(e heading) bool {
	return e.kind.Matches(q.pattern) && (q.cluster == "" || q.cluster == e.cluster) &&
		(q.node == "" || q.node == e.node) && e.time >= q.since
}

func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) error {
	return s.pageEvents(w, r, r.URL.Query().Get("cluster"))
}

func (s *Server) listClusterEvents(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if c := r.URL.Query().Get("cluster"); c != "" && c != name {
		return fsm.Invalid("cluster", "is %q in the query and %q in the path", c, name)
	}
	return s.pageEvents(w, r, name)
}

// pageEvents answers with a page of events, served by the peer asked, and the cursor of the last one looked at; with none where
// there are no older ones.
func (s *Server) pageEvents(w http.ResponseWriter, r *http.Request, cluster string) error {
	q, err := s.parseEvents(r.URL.Query())
	if err != nil {
		return err
	}
	if q.now {
		return fsm.Invalid("after", "now is for following; a page begins at a cursor")
	}
	q.cluster = cluster
	limit, err := parseLimit(r.URL.Query())
	if err != nil {
		return err
	}
	rd, err := parseReading(r.URL.Query())
	if err != nil {
		return err
	}
	rd.level = Stale
	g, err := s.settle(w, r, rd, []fsm.Set{fsm.SetEvents})
	if err != nil {
		return err
	}
	page, err := q.collect(g.Reader, limit)
	if err != nil {
		return err
	}
	if page.more || !q.back {
		w.Header().Set("X-Muster-Next", placeOf(g.Meta(), page.seen).String())
	}
	return s.reply(w, r, http.StatusOK, page.events)
}
