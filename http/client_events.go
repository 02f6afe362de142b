package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/musterhq/muster/fsm"
)

// EventsQuery says which events are meant. The zero value means all that are kept.
type EventsQuery struct {
	After   string // a cursor; of followers also "now"
	Type    string // a type, or a prefix ending in *
	Cluster string
	Node    string
	Since   string // a time in RFC 3339, or a duration before now
	Audit   bool   // only what operators caused, which is kept longer
	Reverse bool   // the latest first, and After goes on to older ones; not for followers
}

func (o EventsQuery) query() url.Values {
	q := url.Values{}
	set(q, "after", o.After)
	set(q, "type", o.Type)
	set(q, "cluster", o.Cluster)
	set(q, "node", o.Node)
	set(q, "since", o.Since)
	if o.Audit {
		q.Set("cause", string(fsm.CauseOperator))
	}
	if o.Reverse {
		q.Set("reverse", "true")
	}
	return q
}

// Events reads a page of events; its Next is the After to go on from. It is always there, also at the end, but where the latest came
// first: none then says that there are no older ones.
func (c *Client) Events(ctx context.Context, o EventsQuery, limit int) (Page[Event], error) {
	q := o.query()
	if limit > 0 {
		q.Set("limit", fmt.Sprint(limit))
	}
	rows, meta, err := get[[]Event](ctx, c, call{path: path("events"), query: q})
	return Page[Event]{Rows: rows, ReadMeta: meta}, err
}

// ClusterEvents reads a page of the events of a cluster.
func (c *Client) ClusterEvents(ctx context.Context, name string, o EventsQuery, limit int) (Page[Event], error) {
	q := o.query()
	if limit > 0 {
		q.Set("limit", fmt.Sprint(limit))
	}
	rows, meta, err := get[[]Event](ctx, c, call{path: path("cluster", name, "events"), query: q})
	return Page[Event]{Rows: rows, ReadMeta: meta}, err
}

const (
	maxLine      = 16 << 20 // bytes of one event
	silenceLimit = 3 * heartbeat
	leastPause   = 250 * time.Millisecond // before following is tried again
	mostPause    = 10 * time.Second
)

// Follow calls a function with each event, in order, until ctx ends, the function fails, or events were lost: fsm.CodeGone
// with the oldest cursor, never a silent jump. Once it has been connected it connects again, after the last event that was
// taken, whenever the connection breaks or is silent for three heartbeats; no event is given to the function twice.
func (c *Client) Follow(ctx context.Context, o EventsQuery, take func(Event) error) error {
	f := follower{client: c, query: o, take: take}
	if ago, err := time.ParseDuration(o.Since); err == nil {
		// A span means another time at each connection.
		f.query.Since = time.Now().Add(-ago).UTC().Format(time.RFC3339Nano)
	}
	for pause := leastPause; ; {
		before := f.query.After
		err := f.once(ctx)
		var refusal *fsm.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case f.failed != nil:
			return f.failed
		case !f.connected || errors.As(err, &refusal) && !passes(refusal.Code):
			return err
		}
		if f.query.After != before {
			pause = leastPause
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, mostPause)
	}
}

// passes says whether trying again may help.
func passes(code fsm.Code) bool {
	switch code {
	case fsm.CodeUnavailable, fsm.CodeUnknown, CodeTooMany, CodeInternal:
		return true
	}
	return false
}

// follower is one Follow over its connections.
type follower struct {
	client    *Client
	query     EventsQuery
	take      func(Event) error
	failed    error // of take
	connected bool  // a line was read
}

var errSilent = errors.New("the peer has said nothing for too long")

// once follows over one connection until it ends.
func (f *follower) once(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silenceLimit, func() { cancel(errSilent) })
	defer silence.Stop()
	res, err := f.client.send(ctx, call{method: http.MethodGet, path: path("events", "follow"), query: f.query.query()})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		silence.Reset(silenceLimit)
		if err := f.line(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("follow events: %w", err)
	}
	return io.ErrUnexpectedEOF
}

// line takes in one line.
func (f *follower) line(raw []byte) error {
	var l struct {
		Type   string       `json:"type"`
		Cursor string       `json:"cursor"`
		Error  *errorDetail `json:"error"`
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return fmt.Errorf("follow events: read line: %w", err)
	}
	switch l.Type {
	case lineHeartbeat:
	case lineEnd:
		if l.Error == nil {
			return io.ErrUnexpectedEOF
		}
		return &fsm.Error{Code: l.Error.Code, Message: l.Error.Message, Fields: l.Error.Fields}
	default:
		var e Event
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("follow events: read event: %w", err)
		}
		if f.failed = f.take(e); f.failed != nil {
			return f.failed
		}
	}
	f.query.After, f.connected = l.Cursor, true
	return nil
}

// readiness reads an answer that is a Readiness whatever its status, with each check. The token is sent for the warnings: who may not
// read is told none.
func (c *Client) readiness(ctx context.Context, to string) (Readiness, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var out Readiness
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+to+"?verbose", http.NoBody)
	if err != nil {
		return out, err
	}
	if c.token != "" {
		req.Header.Set("X-Muster-Token", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return out, statusError(res)
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return out, fmt.Errorf("read answer: %w", err)
	}
	return out, nil
}
