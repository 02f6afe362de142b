package httpd

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// The types of lines in a stream that are no events; an event's type always holds a dot.
const (
	lineHeartbeat = "heartbeat"
	lineEnd       = "end"
)

// streamLine is a line of a stream that is no event: a heartbeat with the place that was reached, or the end with why.
type streamLine struct {
	Type   string       `json:"type"`
	Cursor string       `json:"cursor"`
	Error  *errorDetail `json:"error,omitempty"`
}

// stream writes events as lines of JSON, or as server-sent events. A heartbeat is a line {"type":"heartbeat","cursor":…}
// there and a comment with an id here; the last line, {"type":"end",…}, is here an event named end. It holds memory only
// between the first event of a write and the end of that write.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	sse   bool
	begun bool
	buf   *[]byte // what send will write; nil when it is nothing
}

// buffers are those of streams that write.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostPooled is the largest buffer that is used again, so that one large event does not stay for ever.
const mostPooled = 4 * followAtOnce

func newStream(w http.ResponseWriter, sse bool) *stream {
	return &stream{w: w, rc: http.NewResponseController(w), sse: sse}
}

func (s *stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	kind := "application/x-ndjson"
	if s.sse {
		kind = "text/event-stream"
	}
	s.w.Header().Set("Content-Type", kind)
	s.w.Header().Set("X-Accel-Buffering", "no") // a proxy that waits for more would hold events back
	s.w.WriteHeader(http.StatusOK)
}

// size is how much is to be sent.
func (s *stream) size() int {
	if s.buf == nil {
		return 0
	}
	return len(*s.buf)
}

func (s *stream) add(parts ...string) {
	if s.buf == nil {
		s.buf = buffers.Get().(*[]byte)
	}
	for _, part := range parts {
		*s.buf = append(*s.buf, part...)
	}
}

// event adds one event; send sends it on its way.
func (s *stream) event(e *printed) {
	if s.sse {
		s.add("id: ", e.place.String(), "\ndata: ", e.line, "\n\n")
		return
	}
	s.add(e.line, "\n")
}

func (s *stream) heartbeat(place fsm.Cursor) error {
	if s.sse {
		s.add(": heartbeat\nid: ", place.String(), "\n\n")
		return s.send()
	}
	return s.line("", streamLine{Type: lineHeartbeat, Cursor: place.String()})
}

// end tells why nothing more comes, and from where to go on.
func (s *stream) end(place fsm.Cursor, err error) error {
	_, detail := detailOf(err)
	return errors.Join(s.line("event: end\n", streamLine{Type: lineEnd, Cursor: place.String(), Error: &detail}), asInternal(err))
}

// asInternal keeps an error that the client was not told.
func asInternal(err error) error {
	if known := (*fsm.Error)(nil); errors.As(err, &known) {
		return nil
	}
	return err
}

func (s *stream) line(name string, l streamLine) error {
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if s.sse {
		s.add(name, "data: ", string(raw), "\n\n")
	} else {
		s.add(string(raw), "\n")
	}
	return s.send()
}

// send writes what was added, if anything was. Each write has a deadline of its own: a follower may stay for ever, but not
// stand still.
func (s *stream) send() error {
	if s.buf == nil {
		return nil
	}
	s.begin()
	// Not every writer has deadlines to set; the server's own do.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := s.w.Write(*s.buf)
	if cap(*s.buf) <= mostPooled {
		*s.buf = (*s.buf)[:0]
		buffers.Put(s.buf)
	}
	s.buf = nil
	if err != nil {
		return err
	}
	return s.rc.Flush()
}
