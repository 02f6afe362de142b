package httpd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// follower is one stream in a bubble. It takes what it reads and nothing more: what it has not read holds its handler up.
type follower struct {
	t      *testing.T
	header http.Header
	status int
	lines  *bufio.Reader
	from   *io.PipeReader
	to     *io.PipeWriter
	leave  context.CancelFunc
	ended  chan struct{}
}

func (w *follower) Header() http.Header         { return w.header }
func (w *follower) WriteHeader(status int)      { w.status = status }
func (w *follower) Write(p []byte) (int, error) { return w.to.Write(p) }
func (w *follower) Flush()                      {}

// followed begins to follow; the handler ends with the test.
func (f *face) followed(t *testing.T, target string, header ...string) *follower {
	ctx, cancel := context.WithCancel(t.Context())
	from, to := io.Pipe()
	w := &follower{
		t: t, header: http.Header{}, lines: bufio.NewReader(from), from: from, to: to, leave: cancel, ended: make(chan struct{}),
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	go func() {
		defer close(w.ended)
		f.server.Handler().ServeHTTP(w, req)
		to.Close()
	}()
	t.Cleanup(w.stop)
	return w
}

func (w *follower) stop() {
	w.leave()
	w.from.Close()
	<-w.ended
}

// line reads one line.
func (w *follower) line() string {
	w.t.Helper()
	line, err := w.lines.ReadString('\n')
	if err != nil {
		w.t.Fatalf("the stream ended: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

// said is any line of NDJSON.
type said struct {
	Type   string
	Seq    uint64
	Cursor string
	Error  *struct {
		Code   fsm.Code
		Fields map[string]string
	}
}

func (w *follower) next() said {
	w.t.Helper()
	var s said
	if line := w.line(); json.Unmarshal([]byte(line), &s) != nil {
		w.t.Fatalf("line %q is no JSON", line)
	}
	return s
}

// event reads up to the next event.
func (w *follower) event() said {
	w.t.Helper()
	for {
		if s := w.next(); s.Type != "heartbeat" {
			return s
		}
	}
}

func (f *face) voters(n int) { f.apply(&fsm.SettingsSet{Settings: settingsWith(n)}) }

func settingsWith(voters int) fsm.Settings {
	s := fsm.DefaultSettings()
	s.Voters = voters
	return s
}

func TestFollowLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		total := f.state.Read().Meta().Seq
		w := f.followed(t, "/v1/events/follow")
		if first := w.next(); first.Type != "heartbeat" || first.Cursor != "e1:0" {
			t.Fatalf("it begins with %+v", first)
		}
		for want := uint64(1); want <= total; want++ {
			if e := w.next(); e.Seq != want || e.Cursor != fmt.Sprintf("e1:%d", want) {
				t.Fatalf("event %+v where %d was due", e, want)
			}
		}
		if w.status != http.StatusOK || w.header.Get("Content-Type") != "application/x-ndjson" || w.header.Get("X-Muster-Epoch") != "e1" {
			t.Errorf("status %d, headers %v", w.status, w.header)
		}
		f.voters(3)
		if e := w.next(); e.Seq != total+1 || e.Type != "settings.changed" {
			t.Errorf("a new event comes as %+v", e)
		}
	})
}

func TestFollowHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		w := f.followed(t, "/v1/events/follow?after=now&type=node.*")
		first := w.next()
		began := time.Now()
		f.voters(3) // is not asked for, but is passed
		beat := w.next()
		if beat.Type != "heartbeat" || time.Since(began) != 15*time.Second {
			t.Fatalf("after %s comes %+v", time.Since(began), beat)
		}
		if beat.Cursor == first.Cursor || beat.Cursor != fmt.Sprintf("e1:%d", f.state.Read().Meta().Seq) {
			t.Errorf("the cursor went from %s to %s", first.Cursor, beat.Cursor)
		}
		if w.next(); time.Since(began) != 30*time.Second {
			t.Errorf("the second heartbeat came after %s", time.Since(began))
		}
	})
}

func TestFollowResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		seq := f.state.Read().Meta().Seq
		for name, w := range map[string]*follower{
			"after":         f.followed(t, fmt.Sprintf("/v1/events/follow?after=e1:%d", seq-1)),
			"Last-Event-ID": f.followed(t, "/v1/events/follow?after=now", "Last-Event-ID", fmt.Sprintf("e1:%d", seq-1)),
		} {
			if e := w.event(); e.Seq != seq {
				t.Errorf("with %s it goes on at %d, not %d", name, e.Seq, seq)
			}
			w.stop()
		}
		ahead := f.followed(t, fmt.Sprintf("/v1/events/follow?after=e1:%d", seq+1))
		if b := ahead.next(); b.Cursor != fmt.Sprintf("e1:%d", seq+1) {
			t.Errorf("a cursor ahead begins at %s", b.Cursor)
		}
		f.voters(3)
		f.voters(5)
		if e := ahead.event(); e.Seq != seq+2 {
			t.Errorf("a cursor ahead goes on at %d, not %d", e.Seq, seq+2)
		}
	})
}

func TestFollowFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		w := f.followed(t, "/v1/events/follow?type=node.u*&cluster=orders&node=orders-2")
		if e := w.event(); e.Type != "node.up" {
			t.Fatalf("first comes %+v", e)
		}
		w.stop()
		w = f.followed(t, "/v1/events/follow?cause=operator")
		if e := w.event(); e.Type != "discovery.applied" {
			t.Fatalf("of operators first comes %+v", e)
		}
	})
}

func TestFollowAsServerSentEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.voters(3)
		seq := f.state.Read().Meta().Seq
		w := f.followed(t, fmt.Sprintf("/v1/events/follow?after=e1:%d", seq-1), "Accept", "text/event-stream")
		for _, want := range []string{": heartbeat", fmt.Sprintf("id: e1:%d", seq-1), "", fmt.Sprintf("id: e1:%d", seq)} {
			if got := w.line(); got != want {
				t.Fatalf("line %q, want %q", got, want)
			}
		}
		data, ok := strings.CutPrefix(w.line(), "data: ")
		var e httpd.Event
		if !ok || json.Unmarshal([]byte(data), &e) != nil || e.Seq != seq || w.line() != "" {
			t.Fatalf("data is %q", data)
		}
		if w.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("content type is %s", w.header.Get("Content-Type"))
		}
		if got := w.line() + "|" + w.line() + "|" + w.line(); got != fmt.Sprintf(": heartbeat|id: e1:%d|", seq) {
			t.Errorf("heartbeat is %q", got)
		}
		if err := f.state.Restore(otherGroup(t)); err != nil {
			t.Fatal(err)
		}
		for {
			if line := w.line(); line == "event: end" {
				break
			}
		}
		if line := w.line(); !strings.Contains(line, `"code":"gone"`) || !strings.Contains(line, `"oldest":"e2:0"`) {
			t.Errorf("the end says %s", line)
		}
		<-w.ended
	})
}

func TestFollowRefuses(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.apply(&fsm.EventsTrim{First: 10})
	r := f.get("/v1/events/follow?after=e1:3").refuses(http.StatusGone, fsm.CodeGone)
	if r.Error.Fields["oldest"] != "e1:9" {
		t.Errorf("oldest is %v", r.Error.Fields)
	}
	f.get("/v1/events/follow?after=x").blames("after")
	f.get("/v1/events/follow?limit=3").blames("limit")
	f.get("/v1/events/follow", "Last-Event-ID", "x").blames("after")
}

func TestSlowFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		idle := f.followed(t, "/v1/events/follow?after=now")
		quick := f.followed(t, "/v1/events/follow?after=now")
		quick.next()
		for i := range 600 {
			f.voters(3 + 2*(i%2))
			if e := quick.event(); e.Seq != f.state.Read().Meta().Seq {
				t.Fatalf("beside an idle one the quick one is at %d of %d", e.Seq, f.state.Read().Meta().Seq)
			}
		}
		slow := f.followed(t, "/v1/events/follow")
		slow.event()
		last := f.state.Read().Meta().Seq
		f.apply(&fsm.EventsTrim{First: last})
		// It reads what its handler held, and is then told that the rest is gone.
		read, held := 0, 0
		line := slow.line()
		for ; !strings.Contains(line, `"type":"end"`); line = slow.line() {
			read += len(line) + 1
			held = read - len(line) - 1 // but for the last event
		}
		if held > httpd.FollowAtOnce || read < httpd.FollowAtOnce/2 {
			t.Errorf("its handler held %d bytes and an event", held)
		}
		var end said
		if err := json.Unmarshal([]byte(line), &end); err != nil {
			t.Fatal(err)
		}
		if end.Error.Code != fsm.CodeGone || end.Error.Fields["oldest"] != fmt.Sprintf("e1:%d", last-1) {
			t.Errorf("the end is %+v", end.Error)
		}
		<-slow.ended
		idle.stop()
	})
}

func TestFollowEndsWithItsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		w := f.followed(t, "/v1/events/follow?after=now")
		place := w.next().Cursor
		blocked := f.blocked(t.Context(), t, "/v1/clusters?index=1")
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		ln := newPipes()
		go func() { ran <- f.server.Run(ctx, ln) }()
		synctest.Wait()
		cancel()
		if end := w.event(); end.Type != "end" || end.Error.Code != fsm.CodeUnavailable || end.Cursor != place {
			t.Errorf("the end is %+v", end)
		}
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
		if a := blocked.answer(); a.Code != http.StatusOK {
			t.Errorf("a blocked read is answered %d", a.Code)
		}
	})
}
