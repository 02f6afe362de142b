package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
// there and a comment with an id here; the last line, {"type":"end",…}, is here an event named end.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	sse   bool
	begun bool
}

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

// event writes one event; flush sends it on its way.
func (s *stream) event(e *Event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if s.sse {
		return s.write("id: %s\ndata: %s\n\n", e.Cursor, raw)
	}
	return s.write("%s\n", raw)
}

func (s *stream) heartbeat(cursor string) error {
	if s.sse {
		if err := s.write(": heartbeat\nid: %s\n\n", cursor); err != nil {
			return err
		}
		return s.flush(1)
	}
	return s.line("", streamLine{Type: lineHeartbeat, Cursor: cursor})
}

// end tells why nothing more comes, and from where to go on.
func (s *stream) end(cursor string, err error) error {
	_, detail := detailOf(err)
	return errors.Join(s.line("event: end\n", streamLine{Type: lineEnd, Cursor: cursor, Error: &detail}), asInternal(err))
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
		err = s.write("%sdata: %s\n\n", name, raw)
	} else {
		err = s.write("%s\n", raw)
	}
	if err != nil {
		return err
	}
	return s.flush(1)
}

// write gives each write a deadline of its own: a follower may stay for ever, but not stand still.
func (s *stream) write(format string, args ...any) error {
	s.begin()
	// Not every writer has deadlines to set; the server's own do.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := fmt.Fprintf(s.w, format, args...)
	return err
}

// flush sends what was written, if anything was.
func (s *stream) flush(lines int) error {
	if lines == 0 {
		return nil
	}
	return s.rc.Flush()
}
